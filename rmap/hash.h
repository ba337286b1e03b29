/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A chained hash table of embedded nodes.  Inserting takes no memory: a table
 * that is full doubles when it is settled, and when there is no memory to
 * double it, chains grow instead and nothing fails.
 */
#ifndef RMAP_HASH_H
#define RMAP_HASH_H

#include <stdint.h>

struct rmap;

struct hash_node {
	struct hash_node *next;
	uint64_t hash;
};

struct hash_table {
	struct hash_node **buckets;	/* owned; 1 << bits of them */
	unsigned int bits;
	uint64_t nr;
};

int hash_init(struct rmap *map, struct hash_table *table);
void hash_destroy(struct rmap *map, struct hash_table *table);
void hash_insert(struct hash_table *table, struct hash_node *node);
/* After an operation that succeeded: one that fails leaves the table as it was. */
void hash_settle(struct rmap *map, struct hash_table *table);
void hash_remove(struct hash_table *table, struct hash_node *node);

/* First node of the chain of `hash`; the caller compares hash and key. */
static inline struct hash_node *hash_chain(const struct hash_table *table,
					   uint64_t hash)
{
	return table->buckets[hash >> (64 - table->bits)];
}

/* Mixes a word into a hash; the high bits are the good ones. */
static inline uint64_t hash_mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static inline uint64_t hash_final(uint64_t hash)
{
	return hash * UINT64_C(0xbf58476d1ce4e5b9);
}

#endif
