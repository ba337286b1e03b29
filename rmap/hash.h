/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A chained hash table of embedded nodes.  Inserting takes no memory: a table
 * that is full doubles when it is settled, and when there is no memory to
 * double it, chains grow instead and nothing fails.
 *
 * No operation moves all nodes: a table that has doubled keeps its old buckets,
 * and each settling moves some of them, so that both are in use for a while.
 *
 *	old      [ moved | moved |   i   | ... ]	bits - 1
 *	buckets  [ . | . | . | . |       |     ]	bits; old i becomes 2i, 2i + 1
 */
#ifndef RMAP_HASH_H
#define RMAP_HASH_H

#include <stdint.h>

struct rmap_memory;

struct hash_node {
	struct hash_node *next;
	uint64_t hash;
};

struct hash_table {
	struct hash_node **buckets;	/* owned; 1 << bits of them */
	struct hash_node **old;		/* owned; half as many; or NULL */
	uint64_t nr_moved;		/* of the old ones: the first */
	unsigned int bits;
	uint64_t nr;
};

int hash_init(struct rmap_memory *mem, struct hash_table *table);
void hash_destroy(struct rmap_memory *mem, struct hash_table *table);
void hash_insert(struct hash_table *table, struct hash_node *node);
/* After an operation that succeeded: one that fails leaves the table as it was. */
void hash_grow_step(struct rmap_memory *mem, struct hash_table *table);
void hash_remove(struct hash_table *table, struct hash_node *node);

static inline struct hash_node **hash_bucket(const struct hash_table *table,
					     uint64_t hash)
{
	uint64_t i = hash >> (64 - table->bits);

	if (table->old && i / 2 >= table->nr_moved)
		return &table->old[i / 2];
	return &table->buckets[i];
}

/* First node of the chain of `hash`; the caller compares hash and key. */
static inline struct hash_node *hash_chain(const struct hash_table *table,
					   uint64_t hash)
{
	return *hash_bucket(table, hash);
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
