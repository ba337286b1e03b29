// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Adding and deleting one mapping: the VMA's snapshot, the page's object and
 * _mapcount together.  What can fail comes first and is undone, then all three
 * change: an operation that fails leaves the map as it was, to the byte.
 */
#include "rmap/mapping.h"

#include <errno.h>

#include "rmap/kinds.h"
#include "rmap/page-flags.h"
#include "rmap/reassign.h"

static bool vma_offset(const struct rmap_vma *vma, uint64_t addr, uint64_t *off)
{
	if (addr < vma->desc.start || addr >= vma->desc.end ||
	    addr & (RMAP_PAGE_SIZE - 1))
		return false;
	*off = (addr - vma->desc.start) >> RMAP_PAGE_SHIFT;
	return true;
}

/* Whether a page mapped for the first time becomes an anonymous one. */
static bool becomes_anon(const struct rmap *map, const struct rmap_vma *vma,
			 uint64_t gfn, enum mapping_reason reason)
{
	uint32_t flags = rmap_page_flags(map, gfn);
	bool cow = reason == MAPPING_REPLACES &&
		   !(vma->desc.flags & RMAP_VM_SHARED) &&
		   !(flags & RMAP_PG_FILE);

	return !vma->file || flags & RMAP_PG_ANON || cow;
}

static int object_add(struct rmap *map, const struct mapping *m)
{
	const struct object_ops *ops;
	enum object_fit fit;
	int rc;

	if (m->page->object || map->scheme->every_page)
		ops = page_ops(map, m->page);
	else
		ops = object_ops[m->anon ? map->scheme->anon : OBJECT_FILE];
	fit = ops->fit ? ops->fit(map, m) : OBJECT_FITS;
	if (fit != OBJECT_FITS) {
		rc = page_reassign(map, m);
		if (rc != -EOVERFLOW || fit == OBJECT_UNFIT)
			return rc;
		/* Too many mappings to move the page: it keeps its object. */
	}
	return ops->add(map, m);
}

int mapping_add(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		uint64_t gfn, enum mapping_reason reason)
{
	struct page *page = &map->pages[gfn];
	struct mapping m = {
		.vma = vma, .off = off, .gfn = gfn, .page = page,
		.copy = reason == MAPPING_COPY,
	};
	int rc;

	map->mem.work++;
	if (page->count == RMAP_COUNT_MAX)
		return -EOVERFLOW;
	if (!page->count)
		m.anon = becomes_anon(map, vma, gfn, reason);
	rc = object_add(map, &m);
	if (rc)
		return rc;
	if (!page->count)
		page_flags_mark_stale(map, gfn);
	page->count++;
	map->stats.nr_mappings++;
	return 0;
}

void mapping_del(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		 uint64_t gfn)
{
	struct page *page = &map->pages[gfn];
	const struct object_ops *ops = page_ops(map, page);

	map->mem.work++;
	if (ops->del)
		ops->del(map, &(struct mapping){ .vma = vma, .off = off,
						 .gfn = gfn, .page = page });
	if (page->count == 1) {
		page_flags_mark_stale(map, gfn);
		*page = (struct page){ 0 };
	} else {
		page->count--;
	}
	map->stats.nr_mappings--;
}

int mapping_set(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		uint64_t gfn, enum mapping_reason reason)
{
	uint64_t old = snapshot_get(&vma->snap, off);
	int rc;

	if (old == gfn)
		return 0;
	if (old != SNAPSHOT_NONE)
		reason = MAPPING_REPLACES;
	rc = snapshot_prepare(&map->mem, &vma->snap, off);
	if (rc)
		return rc;
	rc = mapping_add(map, vma, off, gfn, reason);
	if (rc) {
		if (old == SNAPSHOT_NONE)
			snapshot_clear(&map->mem, &vma->snap, off);
		return rc;
	}
	if (old != SNAPSHOT_NONE)
		mapping_del(map, vma, off, old);
	snapshot_set(&vma->snap, off, gfn);
	return 0;
}

int rmap_map_page(struct rmap *map, struct rmap_vma *vma, uint64_t addr,
		  uint64_t gfn)
{
	uint64_t off;
	int rc;

	if (!vma_offset(vma, addr, &off))
		return -EINVAL;
	if (gfn >= map->nr_frames)
		return -ERANGE;
	rc = mapping_set(map, vma, off, gfn, MAPPING_NEW);
	if (!rc)
		rmap_grow_tables(map);
	return rc;
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
	snapshot_clear(&map->mem, &vma->snap, off);
	return 0;
}

void mapping_del_all(struct rmap *map, struct rmap_vma *vma)
{
	uint64_t gfn;

	for (uint64_t off = 0; (off = snapshot_next(&vma->snap, off, &gfn)) !=
			       SNAPSHOT_NONE; off++)
		mapping_del(map, vma, off, gfn);
	snapshot_destroy(&map->mem, &vma->snap);
}
