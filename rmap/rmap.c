// SPDX-License-Identifier: GPL-2.0-or-later
/* The map itself is made and freed; its statistics. */
#include <errno.h>
#include <stdlib.h>

#include "rmap/kinds.h"

#define FRAMES_MAX UINT64_C(0xffffffff)	/* snapshots have gfn + 1 in 32 bits */

static void *zalloc_libc(size_t size, void *ctx)
{
	return calloc(1, size);
}

static void release_libc(void *ptr, size_t size, void *ctx)
{
	free(ptr);
}

static size_t stale_flags_bytes(uint64_t nr_frames)
{
	return (nr_frames + 63) / 64 * sizeof(uint64_t);
}

/* For arrays of a fixed size: they do not count in bytes_other. */
static void *array_alloc(const struct rmap *map, size_t size)
{
	return map->mem.zalloc(size, map->mem.ctx);
}

static void array_free(const struct rmap *map, void *ptr, size_t size)
{
	if (ptr)
		map->mem.release(ptr, size, map->mem.ctx);
}

int rmap_new(struct rmap **mapp, const struct rmap_config *config)
{
	struct rmap_memory mem = {
		.zalloc = config->zalloc ? config->zalloc : zalloc_libc,
		.release = config->release ? config->release : release_libc,
		.ctx = config->alloc_ctx,
		.max_bytes = config->max_bytes,
	};
	uint64_t nr = config->nr_frames;
	struct rmap *map;

	if (!nr || nr > FRAMES_MAX || !config->zalloc != !config->release ||
	    (unsigned int)config->scheme > RMAP_PTE_CHAIN)
		return -EINVAL;
	map = mem.zalloc(sizeof(*map), mem.ctx);
	if (!map)
		return -ENOMEM;
	map->mem = mem;
	map->nr_frames = nr;
	map->scheme = scheme_of(config->scheme);
	map->pages = array_alloc(map, nr * sizeof(*map->pages));
	map->flags = array_alloc(map, nr * sizeof(*map->flags));
	map->stale_flags = array_alloc(map, stale_flags_bytes(nr));
	map->ids.chunks = array_alloc(map, ID_NR_CHUNKS *
						   sizeof(*map->ids.chunks));
	if (!map->pages || !map->flags || !map->stale_flags ||
	    !map->ids.chunks || hash_init(&map->mem, &map->mms) ||
	    hash_init(&map->mem, &map->files) ||
	    hash_init(&map->mem, &map->links)) {
		rmap_free(map);
		return -ENOMEM;
	}
	map->stats.bytes_frames =
		nr * (sizeof(*map->pages) + sizeof(*map->flags)) +
		stale_flags_bytes(nr);
	*mapp = map;
	return 0;
}

void rmap_free(struct rmap *map)
{
	struct rmap_memory *mem;
	uint64_t nr;

	if (!map)
		return;
	mem = &map->mem;
	nr = map->nr_frames;
	/* A table that is growing has nodes in its old buckets, too. */
	while (map->mms.old)
		hash_grow_step(mem, &map->mms);
	for (uint64_t i = 0; map->mms.buckets && i < 1u << map->mms.bits; i++) {
		while (map->mms.buckets[i])
			rmap_mm_remove(map, container_of(map->mms.buckets[i],
							 struct rmap_mm, hash));
	}
	hash_destroy(mem, &map->mms);
	hash_destroy(mem, &map->files);
	hash_destroy(mem, &map->links);
	array_free(map, map->pages, nr * sizeof(*map->pages));
	array_free(map, map->flags, nr * sizeof(*map->flags));
	array_free(map, map->stale_flags, stale_flags_bytes(nr));
	array_free(map, map->ids.chunks,
		   ID_NR_CHUNKS * sizeof(*map->ids.chunks));
	mem->release(map, sizeof(*map), mem->ctx);
}

uint64_t rmap_work(const struct rmap *map)
{
	return map->mem.work;
}

void rmap_get_stats(const struct rmap *map, struct rmap_stats *stats)
{
	*stats = map->stats;
	stats->bytes_other = map->mem.bytes;
}
