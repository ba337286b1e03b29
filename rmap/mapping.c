// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Adding and taking away one mapping: snapshot, object and _mapcount together.
 * What can fail comes first and is undone, then all three change: an operation
 * that fails leaves the map as it was, to the byte.
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
		      uint64_t gfn, enum mapping_how how)
{
	struct page *page = &map->pages[gfn];
	uint32_t flags = rmap_page_flags(map, gfn);
	bool broken = how == MAPPING_REPLACES && !(vma->desc.flags & RMAP_VM_SHARED) &&
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
		return anon_add(map, vma, off, page, gfn, how == MAPPING_COPY);
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
	struct rmap *map;
	uint64_t gfn;
	mapping_fn fn;
	void *arg;
	uint64_t places, pages;	/* that may still be looked at, searched */
	uint64_t left;		/* known ones not met yet */
	int rc;
};

static bool end_known(struct known *k, int rc)
{
	k->rc = rc;
	return false;
}

/* False: it was the last, or fn wants no more. */
static bool meet_known(struct known *k, struct rmap_vma *vma, uint64_t off)
{
	if (!k->fn(vma, off, k->arg))
		return end_known(k, 0);
	return --k->left;
}

static bool visit_known(struct rmap_vma *vma, uint64_t off, void *arg)
{
	struct known *k = arg;
	uint64_t frame;

	k->map->work++;
	if (!k->places--)
		return end_known(k, -EOVERFLOW);
	if (!vma)
		return true;
	if (off != OFF_SEARCH)
		return snapshot_get(&vma->snap, off) != k->gfn ||
		       meet_known(k, vma, off);
	for (off = 0; (off = snapshot_next(&vma->snap, off, &frame)) !=
		      SNAPSHOT_NONE; off++) {
		k->map->work++;
		if (!k->pages--)
			return end_known(k, -EOVERFLOW);
		if (frame == k->gfn && !meet_known(k, vma, off))
			return false;
	}
	return true;
}

int mapping_visit_known(struct rmap *map, const struct page *page,
			uint64_t gfn, mapping_fn fn, void *arg)
{
	struct known k = {
		.map = map, .gfn = gfn, .fn = fn, .arg = arg,
		.places = RMAP_WALK_MAX, .pages = SEARCH_MAX_PAGES,
		.left = page->count, .rc = 1,
	};

	mapping_visit(map, page, visit_known, &k);
	return k.rc;
}

int mapping_visit_all(struct rmap *map, const struct page *page, uint64_t gfn,
		      mapping_fn fn, void *arg)
{
	if (page->count > RMAP_WALK_MAX)
		return -EOVERFLOW;
	return mapping_visit_known(map, page, gfn, fn, arg);
}

int mapping_add(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		uint64_t gfn, enum mapping_how how)
{
	struct page *page = &map->pages[gfn];
	int rc;

	map->work++;
	if (page->count == RMAP_COUNT_MAX)
		return -EOVERFLOW;
	rc = object_add(map, vma, off, gfn, how);
	if (rc)
		return rc;
	if (!page->count)
		page_changes_hands(map, gfn);
	page->count++;
	map->stats.nr_mappings++;
	return 0;
}

void mapping_del(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		 uint64_t gfn)
{
	struct page *page = &map->pages[gfn];

	map->work++;
	object_del(map, vma, off, page);
	if (page->count == 1) {
		page_changes_hands(map, gfn);
		*page = (struct page){ 0 };
	} else {
		page->count--;
	}
	map->stats.nr_mappings--;
}

int mapping_set(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		uint64_t gfn, enum mapping_how how)
{
	uint64_t old = snapshot_get(&vma->snap, off);
	int rc;

	if (old == gfn)
		return 0;
	if (old != SNAPSHOT_NONE)
		how = MAPPING_REPLACES;
	rc = snapshot_prepare(map, &vma->snap, off);
	if (rc)
		return rc;
	rc = mapping_add(map, vma, off, gfn, how);
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

int rmap_map_page(struct rmap *map, struct rmap_vma *vma, uint64_t addr,
		  uint64_t gfn)
{
	uint64_t off;
	int rc;

	if (!vma_offset(vma, addr, &off))
		return -EINVAL;
	if (gfn >= map->config.nr_frames)
		return -ERANGE;
	rc = mapping_set(map, vma, off, gfn, MAPPING_NEW);
	if (!rc)
		rmap_settle(map);
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
