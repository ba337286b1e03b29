// SPDX-License-Identifier: GPL-2.0-or-later
#include "rmap/hash.h"

#include <errno.h>

#include "rmap/internal.h"

#define HASH_MIN_BITS 4

static struct hash_node **bucket(struct hash_table *table, uint64_t hash)
{
	return &table->buckets[hash >> (64 - table->bits)];
}

int hash_init(struct rmap *map, struct hash_table *table)
{
	table->buckets = rmap_alloc(map, sizeof(*table->buckets)
						 << HASH_MIN_BITS);
	if (!table->buckets)
		return -ENOMEM;
	table->bits = HASH_MIN_BITS;
	table->nr = 0;
	return 0;
}

void hash_destroy(struct rmap *map, struct hash_table *table)
{
	if (table->buckets)
		rmap_release(map, table->buckets,
			     sizeof(*table->buckets) << table->bits);
	table->buckets = NULL;
}

static void hash_grow(struct rmap *map, struct hash_table *table)
{
	struct hash_table bigger = { .bits = table->bits + 1 };

	bigger.buckets = rmap_alloc(map,
				    sizeof(*bigger.buckets) << bigger.bits);
	if (!bigger.buckets)
		return;
	for (uint64_t i = 0; i < UINT64_C(1) << table->bits; i++) {
		struct hash_node *node = table->buckets[i];

		while (node) {
			struct hash_node *next = node->next;
			struct hash_node **to = bucket(&bigger, node->hash);

			node->next = *to;
			*to = node;
			node = next;
		}
	}
	bigger.nr = table->nr;
	hash_destroy(map, table);
	*table = bigger;
}

void hash_settle(struct rmap *map, struct hash_table *table)
{
	if (table->nr >> table->bits)
		hash_grow(map, table);
}

void hash_insert(struct hash_table *table, struct hash_node *node)
{
	struct hash_node **to = bucket(table, node->hash);

	node->next = *to;
	*to = node;
	table->nr++;
}

void hash_remove(struct hash_table *table, struct hash_node *node)
{
	struct hash_node **at = bucket(table, node->hash);

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	table->nr--;
}
