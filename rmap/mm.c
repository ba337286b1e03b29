// SPDX-License-Identifier: GPL-2.0-or-later
/* Processes: their address spaces, by the caller's number. */
#include "rmap/mm.h"

#include <errno.h>

#include "rmap/anon-mm.h"

static uint64_t mm_hash(uint32_t id)
{
	return hash_final(hash_mix(0, id));
}

struct rmap_mm *rmap_mm_find(const struct rmap *map, uint32_t id)
{
	uint64_t hash = mm_hash(id);

	for (struct hash_node *n = hash_chain(&map->mms, hash); n;
	     n = n->next) {
		struct rmap_mm *mm = container_of(n, struct rmap_mm, hash);

		if (mm->id == id)
			return mm;
	}
	return NULL;
}

int mm_new(struct rmap *map, uint32_t id, uint64_t pgd, struct rmap_mm **mmp)
{
	struct rmap_mm *mm;

	if (rmap_mm_find(map, id))
		return -EEXIST;
	mm = rmap_mem_alloc(&map->mem, sizeof(*mm));
	if (!mm)
		return -ENOMEM;
	mm->id = id;
	mm->pgd = pgd;
	mm->hash.hash = mm_hash(id);
	hash_insert(&map->mms, &mm->hash);
	map->stats.nr_mms++;
	*mmp = mm;
	return 0;
}

int rmap_mm_add(struct rmap *map, uint32_t id, uint64_t pgd,
		struct rmap_mm **mmp)
{
	int rc = mm_new(map, id, pgd, mmp);

	if (!rc)
		rmap_grow_tables(map);
	return rc;
}

void rmap_mm_remove(struct rmap *map, struct rmap_mm *mm)
{
	while (mm->vmas)
		rmap_vma_remove(map, container_of(mm->vmas, struct rmap_vma,
						  mm_node));
	anon_mm_remove_member(map, mm);
	hash_remove(&map->mms, &mm->hash);
	map->stats.nr_mms--;
	rmap_mem_free(&map->mem, mm, sizeof(*mm));
}

uint32_t rmap_mm_id(const struct rmap_mm *mm)
{
	return mm->id;
}

uint64_t rmap_mm_pgd(const struct rmap_mm *mm)
{
	return mm->pgd;
}

void rmap_mm_set_pgd(struct rmap_mm *mm, uint64_t pgd)
{
	mm->pgd = pgd;
}
