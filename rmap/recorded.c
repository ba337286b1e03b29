// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Recorded mappings: the candidates of a page whose snapshot has the frame.
 * There are page->count of them, so a visit ends when that many are found.
 */
#include "rmap/recorded.h"

#include <errno.h>

struct visit {
	struct rmap *map;
	uint64_t gfn;
	candidate_fn fn;
	void *arg;
	/* How many more may be visited; entries: of nonlinear VMAs. */
	uint64_t candidates, entries;
	uint64_t left;			/* recorded mappings not found yet */
	int rc;
};

static bool end_visit(struct visit *v, int rc)
{
	v->rc = rc;
	return false;
}

/* False ends the visit: it was the last mapping, or fn returned false. */
static bool found_one(struct visit *v, struct rmap_vma *vma, uint64_t off)
{
	if (!v->fn(vma, off, v->arg))
		return end_visit(v, 0);
	return --v->left;
}

static bool visit_candidate(struct rmap_vma *vma, uint64_t off, void *arg)
{
	struct visit *v = arg;
	uint64_t frame;

	v->map->mem.work++;
	if (!v->candidates--)
		return end_visit(v, -EOVERFLOW);
	if (!vma)
		return true;
	if (off != OFF_UNKNOWN)
		return snapshot_get(&vma->snap, off) != v->gfn ||
		       found_one(v, vma, off);
	for (off = 0; (off = snapshot_next(&vma->snap, off, &frame)) !=
		      SNAPSHOT_NONE; off++) {
		v->map->mem.work++;
		if (!v->entries--)
			return end_visit(v, -EOVERFLOW);
		if (frame == v->gfn && !found_one(v, vma, off))
			return false;
	}
	return true;
}

int recorded_visit(struct rmap *map, const struct object_ops *ops,
		   const struct page *page, uint64_t gfn, candidate_fn fn,
		   void *arg)
{
	struct visit v = {
		.map = map, .gfn = gfn, .fn = fn, .arg = arg,
		.candidates = RMAP_WALK_MAX, .entries = NONLINEAR_SEARCH_MAX,
		.left = page->count, .rc = 1,
	};

	ops->visit(map, page, visit_candidate, &v);
	return v.rc;
}

static bool note_mapping(struct rmap_vma *vma, uint64_t off, void *arg)
{
	struct mapping_list *list = arg;

	list->at[list->nr].vma = vma;
	list->at[list->nr++].off = off;
	return true;
}

int recorded_list(struct rmap *map, const struct object_ops *ops,
		  const struct page *page, uint64_t gfn,
		  struct mapping_list *list)
{
	int rc;

	list->nr = 0;
	if (page->count > RMAP_WALK_MAX)
		return -EOVERFLOW;
	rc = recorded_visit(map, ops, page, gfn, note_mapping, list);
	return rc < 0 ? rc : 0;
}
