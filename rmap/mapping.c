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

static enum object_kind object_kind(const struct rmap *map,
				    const struct page *page)
{
	return ((const struct object *)page_object(map, page))->kind;
}

static int object_add(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		      uint64_t gfn, bool replaces)
{
	struct page *page = &map->pages[gfn];
	uint32_t flags = map->flags[gfn];
	bool broken = replaces && !(vma->desc.flags & RMAP_VM_SHARED) &&
		      !(flags & RMAP_PG_FILE);
	bool anon = !vma->file || flags & RMAP_PG_ANON || broken;
	enum object_kind kind;

	if (map->config.scheme == RMAP_PTE_CHAIN)
		return pte_add(map, vma, off, page, anon);
	if (page->object)
		kind = object_kind(map, page);
	else if (!anon)
		kind = OBJECT_FILE;
	else
		kind = map->config.scheme == RMAP_ANON_MM ? OBJECT_MM_GROUP
							  : OBJECT_ANON_VMA;
	switch (kind) {
	case OBJECT_FILE:
		return file_add(map, vma, off, page, gfn);
	case OBJECT_ANON_VMA:
		return anon_add(map, vma, off, page);
	case OBJECT_MM_GROUP:
		return group_add(map, vma, off, page, gfn);
	case OBJECT_CHAIN:
		return chain_add(map, vma, off, page);
	}
	return -EINVAL;
}

static void object_del(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		       struct page *page)
{
	if (map->config.scheme == RMAP_PTE_CHAIN) {
		pte_del(map, vma, off, page);
		return;
	}
	switch (object_kind(map, page)) {
	case OBJECT_FILE:
		break;
	case OBJECT_ANON_VMA:
		anon_del(map, vma, off, page);
		break;
	case OBJECT_MM_GROUP:
		if (page->count == 1)
			group_release_page(map, page);
		break;
	case OBJECT_CHAIN:
		chain_del(map, vma, off, page);
		break;
	}
}

bool mapping_visit(const struct rmap *map, const struct page *page,
		   mapping_fn fn, void *arg)
{
	const struct object *obj;

	if (map->config.scheme == RMAP_PTE_CHAIN)
		return pte_visit(map, page, fn, arg);
	obj = page_object(map, page);
	switch (obj->kind) {
	case OBJECT_FILE:
		return file_visit((const void *)obj, page_index(page), fn, arg);
	case OBJECT_ANON_VMA:
		return anon_visit((const void *)obj, page_index(page), fn, arg);
	case OBJECT_MM_GROUP:
		return group_visit(obj, page_index(page), fn, arg);
	case OBJECT_CHAIN:
		return chain_visit(map, obj, fn, arg);
	}
	return true;
}

bool mapping_has_one_place(const struct rmap *map, const struct page *page)
{
	const struct object *obj;

	if (!page->object)
		return false;
	if (map->config.scheme == RMAP_PTE_CHAIN)
		return page->count == 1;
	obj = page_object(map, page);
	switch (obj->kind) {
	case OBJECT_FILE:
		return ((const struct address_space *)obj)->nr_vmas == 1;
	case OBJECT_ANON_VMA:
		return ((const struct anon_vma *)obj)->nr_links == 1;
	case OBJECT_MM_GROUP:
		return group_has_one_member(obj);
	case OBJECT_CHAIN:
		break;
	}
	return false;
}

struct known {
	uint64_t gfn;
	mapping_fn fn;
	void *arg;
};

static bool visit_known(struct rmap_vma *vma, uint64_t off, void *arg)
{
	struct known *k = arg;
	uint64_t frame;

	if (off != OFF_SEARCH)
		return snapshot_get(&vma->snap, off) != k->gfn ||
		       k->fn(vma, off, k->arg);
	for (off = 0; (off = snapshot_next(&vma->snap, off, &frame)) !=
		      SNAPSHOT_NONE; off++) {
		if (frame == k->gfn && !k->fn(vma, off, k->arg))
			return false;
	}
	return true;
}

bool mapping_visit_known(const struct rmap *map, const struct page *page,
			 uint64_t gfn, mapping_fn fn, void *arg)
{
	struct known k = { gfn, fn, arg };

	return mapping_visit(map, page, visit_known, &k);
}

int mapping_add(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		uint64_t gfn, bool replaces)
{
	int rc;

	if (map->pages[gfn].count == RMAP_COUNT_MAX)
		return -EOVERFLOW;
	rc = object_add(map, vma, off, gfn, replaces);
	if (rc)
		return rc;
	map->pages[gfn].count++;
	map->stats.nr_mappings++;
	return 0;
}

void mapping_del(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		 uint64_t gfn)
{
	struct page *page = &map->pages[gfn];

	object_del(map, vma, off, page);
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
	rc = snapshot_prepare(map, &vma->snap, off);
	if (rc)
		return rc;
	rc = mapping_add(map, vma, off, gfn, old != SNAPSHOT_NONE);
	if (rc) {
		if (old == SNAPSHOT_NONE)
			snapshot_clear(map, &vma->snap, off);
		return rc;
	}
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
