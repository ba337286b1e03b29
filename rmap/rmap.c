// SPDX-License-Identifier: GPL-2.0-or-later
/* The map itself: memory, objects and their ids, address spaces. */
#include "rmap/rmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rmap/internal.h"

#define FRAMES_MAX UINT64_C(0xffffffff)	/* 32-bit gfn + 1 in snapshots */

static void *zalloc_libc(size_t size, void *ctx)
{
	return calloc(1, size);
}

static void release_libc(void *ptr, size_t size, void *ctx)
{
	free(ptr);
}

/* Zeroed and written to, or gone through and given back: steps. */
#define ALLOC_WORK 2

void *rmap_alloc(struct rmap *map, size_t size)
{
	uint64_t max = map->config.max_bytes;
	void *ptr;

	if (max && (size > max || map->stats.bytes_other > max - size))
		return NULL;
	ptr = map->config.zalloc(size, map->config.alloc_ctx);
	if (!ptr)
		return NULL;
	map->stats.bytes_other += size;
	map->work += ALLOC_WORK;
	return ptr;
}

void rmap_release(struct rmap *map, void *ptr, size_t size)
{
	map->config.release(ptr, size, map->config.alloc_ctx);
	map->stats.bytes_other -= size;
	map->work += ALLOC_WORK;
}

int rmap_object_add(struct rmap *map, void *object, uint32_t *id)
{
	return ids_add(map, &map->ids, object, id);
}

void rmap_object_del(struct rmap *map, uint32_t id)
{
	ids_del(map, &map->ids, id);
}

/* What grows by itself does so when an operation has succeeded. */
void rmap_settle(struct rmap *map)
{
	hash_settle(map, &map->mms);
	hash_settle(map, &map->files);
	hash_settle(map, &map->links);
}

uint64_t rmap_work(const struct rmap *map)
{
	return map->work;
}

static size_t outdated_bytes(const struct rmap_config *c)
{
	return (c->nr_frames + 63) / 64 * sizeof(uint64_t);
}

static void release_array(const struct rmap *map, void *ptr, size_t size)
{
	if (ptr)
		map->config.release(ptr, size, map->config.alloc_ctx);
}

int rmap_new(struct rmap **mapp, const struct rmap_config *config)
{
	struct rmap_config c = *config;
	struct rmap *map;

	if (!c.nr_frames || c.nr_frames > FRAMES_MAX ||
	    !c.zalloc != !c.release || (unsigned int)c.scheme > RMAP_PTE_CHAIN)
		return -EINVAL;
	if (!c.zalloc) {
		c.zalloc = zalloc_libc;
		c.release = release_libc;
	}
	map = c.zalloc(sizeof(*map), c.alloc_ctx);
	if (!map)
		return -ENOMEM;
	map->config = c;
	map->pages = c.zalloc(c.nr_frames * sizeof(*map->pages), c.alloc_ctx);
	map->flags = c.zalloc(c.nr_frames * sizeof(*map->flags), c.alloc_ctx);
	map->outdated = c.zalloc(outdated_bytes(&c), c.alloc_ctx);
	map->ids.chunks = c.zalloc(ID_NR_CHUNKS * sizeof(*map->ids.chunks),
				   c.alloc_ctx);
	if (!map->pages || !map->flags || !map->outdated || !map->ids.chunks ||
	    hash_init(map, &map->mms) || hash_init(map, &map->files) ||
	    hash_init(map, &map->links)) {
		rmap_free(map);
		return -ENOMEM;
	}
	map->stats.bytes_frames =
		c.nr_frames * (sizeof(*map->pages) + sizeof(*map->flags)) +
		outdated_bytes(&c);
	*mapp = map;
	return 0;
}

void rmap_free(struct rmap *map)
{
	struct rmap_config *c;

	if (!map)
		return;
	c = &map->config;
	/* Those that a table which grows has not moved yet, too. */
	while (map->mms.old)
		hash_settle(map, &map->mms);
	for (uint64_t i = 0; map->mms.buckets && i < 1u << map->mms.bits; i++) {
		while (map->mms.buckets[i])
			rmap_mm_remove(map, container_of(map->mms.buckets[i],
							 struct rmap_mm, hash));
	}
	hash_destroy(map, &map->mms);
	hash_destroy(map, &map->files);
	hash_destroy(map, &map->links);
	release_array(map, map->pages, c->nr_frames * sizeof(*map->pages));
	release_array(map, map->flags, c->nr_frames * sizeof(*map->flags));
	release_array(map, map->outdated, outdated_bytes(c));
	release_array(map, map->ids.chunks,
		      ID_NR_CHUNKS * sizeof(*map->ids.chunks));
	c->release(map, sizeof(*map), c->alloc_ctx);
}

static uint64_t mm_hash(uint32_t id)
{
	return hash_final(hash_mix(0, id));
}

struct rmap_mm *rmap_mm_find(const struct rmap *map, uint32_t id)
{
	uint64_t hash = mm_hash(id);

	for (struct hash_node *n = hash_chain(&map->mms, hash); n; n = n->next) {
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
	mm = rmap_alloc(map, sizeof(*mm));
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
		rmap_settle(map);
	return rc;
}

void rmap_mm_remove(struct rmap *map, struct rmap_mm *mm)
{
	while (mm->vmas)
		rmap_vma_remove(map, container_of(mm->vmas, struct rmap_vma,
						  mm_node));
	if (mm->group)
		group_release_mm(map, mm);
	hash_remove(&map->mms, &mm->hash);
	map->stats.nr_mms--;
	rmap_release(map, mm, sizeof(*mm));
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

void rmap_get_stats(const struct rmap *map, struct rmap_stats *stats)
{
	*stats = map->stats;
}
