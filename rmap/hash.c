// SPDX-License-Identifier: GPL-2.0-or-later
#include "rmap/hash.h"

#include <errno.h>
#include <stdbool.h>

#include "rmap/memory.h"

#define HASH_MIN_BITS 4
/*
 * How many old buckets a step moves.  A table that has doubled is full again
 * after as many insertions as it had buckets.  With one step for each insertion
 * all are moved long before.
 */
#define MOVE_BUCKETS  2

static void hash_link(struct hash_table *table, struct hash_node *node)
{
	struct hash_node **to = hash_bucket(table, node->hash);

	node->next = *to;
	*to = node;
}

int hash_init(struct rmap_memory *mem, struct hash_table *table)
{
	table->buckets = rmap_mem_alloc(mem, sizeof(*table->buckets)
						 << HASH_MIN_BITS);
	if (!table->buckets)
		return -ENOMEM;
	table->old = NULL;
	table->bits = HASH_MIN_BITS;
	table->nr = table->nr_new = 0;
	return 0;
}

void hash_destroy(struct rmap_memory *mem, struct hash_table *table)
{
	if (table->old)
		rmap_mem_free(mem, table->old, sizeof(*table->old)
					      << (table->bits - 1));
	if (table->buckets)
		rmap_mem_free(mem, table->buckets,
			     sizeof(*table->buckets) << table->bits);
	table->old = table->buckets = NULL;
}

static bool grow(struct rmap_memory *mem, struct hash_table *table)
{
	struct hash_node **bigger = rmap_mem_alloc(mem, sizeof(*bigger)
						    << (table->bits + 1));

	if (!bigger)
		return false;
	table->old = table->buckets;
	table->buckets = bigger;
	table->bits++;
	table->nr_moved = 0;
	return true;
}

/* Empties some of the old buckets, and frees them when all are empty. */
static void move_some(struct rmap_memory *mem, struct hash_table *table)
{
	const uint64_t nr_old = UINT64_C(1) << (table->bits - 1);

	for (int k = 0; k < MOVE_BUCKETS && table->nr_moved < nr_old; k++) {
		struct hash_node *node = table->old[table->nr_moved++], *next;

		for (; node; node = next) {
			next = node->next;
			hash_link(table, node);
			mem->work++;
		}
	}
	if (table->nr_moved < nr_old)
		return;
	rmap_mem_free(mem, table->old, sizeof(*table->old)
				      << (table->bits - 1));
	table->old = NULL;
}

/* False: the table is large enough, or there is no memory for a larger one. */
static bool step(struct rmap_memory *mem, struct hash_table *table)
{
	if (!table->old)
		return table->nr >> table->bits && grow(mem, table);
	move_some(mem, table);
	return true;
}

void hash_grow_step(struct rmap_memory *mem, struct hash_table *table)
{
	uint64_t nr = table->nr_new ? table->nr_new : 1;

	table->nr_new = 0;
	while (nr-- && step(mem, table))
		;
}

void hash_insert(struct hash_table *table, struct hash_node *node)
{
	hash_link(table, node);
	table->nr++;
	table->nr_new++;
}

void hash_remove(struct hash_table *table, struct hash_node *node)
{
	struct hash_node **at = hash_bucket(table, node->hash);

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	table->nr--;
	if (table->nr_new)
		table->nr_new--;
}
