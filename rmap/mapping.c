// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Adding and taking away one mapping: snapshot, object and _mapcount together.
 * What can fail comes first and is undone, then all three change.
 */
#include <errno.h>

#include "rmap/internal.h"

static bool vma_offset(const struct rmap_vma *vma, uint64_t addr, uint64_t *off)
{
	if (addr < vma->desc.start || addr >= vma->desc.end ||
	    addr & (RMAP_PAGE_SIZE - 1))
		return false;
	*off = (addr - vma->desc.start) >> RMAP_PAGE_SHIFT;
	return true;
}

static int object_add(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		      uint64_t gfn, bool replaces)
{
	struct page *page = &map->pages[gfn];
	uint32_t flags = map->flags[gfn];
	bool broken = replaces && !(vma->desc.flags & RMAP_VM_SHARED) &&
		      !(flags & RMAP_PG_FILE);

	if (page->object ? page_is_anon(page) :
	    !vma->file || flags & RMAP_PG_ANON || broken)
		return anon_add(map, vma, off, page);
	return file_add(map, vma, off, page, gfn);
}

static void mapping_del(struct rmap *map, struct rmap_vma *vma, uint64_t off,
			uint64_t gfn)
{
	struct page *page = &map->pages[gfn];

	if (page_is_anon(page))
		anon_del(map, vma, off, page);
	if (!--page->count)
		*page = (struct page){ 0 };
	map->stats.nr_mappings--;
}

int rmap_map_page(struct rmap *map, struct rmap_vma *vma, uint64_t addr,
		  uint64_t gfn)
{
	uint64_t off, old;
	int rc;

	if (!vma_offset(vma, addr, &off))
		return -EINVAL;
	if (gfn >= map->config.nr_frames)
		return -ERANGE;
	old = snapshot_get(&vma->snap, off);
	if (old == gfn)
		return 0;
	if (map->pages[gfn].count == RMAP_COUNT_MAX)
		return -EOVERFLOW;
	rc = snapshot_prepare(map, &vma->snap, off);
	if (rc)
		return rc;
	rc = object_add(map, vma, off, gfn, old != SNAPSHOT_NONE);
	if (rc) {
		if (old == SNAPSHOT_NONE)
			snapshot_clear(map, &vma->snap, off);
		return rc;
	}
	map->pages[gfn].count++;
	map->stats.nr_mappings++;
	if (old != SNAPSHOT_NONE)
		mapping_del(map, vma, off, old);
	snapshot_set(&vma->snap, off, gfn);
	return 0;
}

int rmap_unmap_page(struct rmap *map, struct rmap_vma *vma, uint64_t addr)
{
	uint64_t off, gfn;

	if (!vma_offset(vma, addr, &off))
		return -EINVAL;
	gfn = snapshot_get(&vma->snap, off);
	if (gfn == SNAPSHOT_NONE)
		return -ENOENT;
	mapping_del(map, vma, off, gfn);
	snapshot_clear(map, &vma->snap, off);
	return 0;
}

void mapping_del_all(struct rmap *map, struct rmap_vma *vma)
{
	uint64_t gfn;

	for (uint64_t off = 0; (off = snapshot_next(&vma->snap, off, &gfn)) !=
			       SNAPSHOT_NONE; off++)
		mapping_del(map, vma, off, gfn);
	snapshot_destroy(map, &vma->snap);
}
