/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A chained hash table of embedded nodes.  Inserting allocates nothing: a table
 * that is full doubles in hash_grow_step(), and if there is no memory for that,
 * chains become longer instead and nothing fails.
 *
 * No operation moves all nodes: a table that has doubled keeps its old buckets,
 * and each step moves the nodes of a few of them, so that both arrays are used
 * for a while.
 *
 * Not locked: readers may run together, a writer alone.
 *
 *	old      [ moved | moved |   i   | ... ]	bits - 1
 *	buckets  [ . | . | . | . |       |     ]	bits; i -> 2i, 2i + 1
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
	struct hash_node **old;		/* owned; while growing, else NULL */
	uint64_t nr_moved;		/* first buckets of old, now empty */
	unsigned int bits;
	uint64_t nr;			/* nodes */
	uint64_t nr_new;		/* inserted since the last step */
};

/* Makes an empty table.  0 or -ENOMEM. */
int hash_init(struct rmap_memory *mem, struct hash_table *table);
/* Frees the buckets, not the nodes.  A zeroed table is allowed. */
void hash_destroy(struct rmap_memory *mem, struct hash_table *table);
/* The caller has set node->hash. */
void hash_insert(struct hash_table *table, struct hash_node *node);
/*
 * Growth, if the table is full or is growing: a step for each node inserted
 * since the last call, but at least one.  To be called only after an operation
 * has succeeded: one that fails removes what it inserted, and leaves the table
 * as it was.
 */
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

/* Mixes a word into a hash; the high bits are the best mixed. */
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
