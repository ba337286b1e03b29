// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Moving a page, with all its mappings, from one object to another.
 *
 * Creating the new objects, which can fail, comes first; then the pages are
 * assigned to them.
 */
#include "rmap/reassign.h"

#include <errno.h>

#include "rmap/kinds.h"
#include "rmap/recorded.h"

static const struct object_ops *fallback_ops(const struct rmap *map)
{
	return object_ops[map->scheme->fallback];
}

static void install(struct rmap *map, struct page *page,
		    const struct mapping_list *list, const struct object *to)
{
	const struct object_ops *from = page->object ? page_ops(map, page) :
						       NULL;

	if (from && from->leave)
		from->leave(map, page, list);
	page_set_object(page, to->id, true);
}

int page_reassign(struct rmap *map, const struct mapping *m)
{
	struct page *page = m->page;
	struct mapping_list list;
	struct object *to;
	int rc = 0;

	list.nr = 0;
	if (page->object)
		rc = recorded_list(map, page_ops(map, page), page, m->gfn,
				   &list);
	if (rc)
		return rc;
	list.at[list.nr].vma = m->vma;
	list.at[list.nr++].off = m->off;
	rc = fallback_ops(map)->create(map, page, &list, &to);
	if (rc)
		return rc;
	list.nr--;
	if (!page->object)
		page_set_index(page, m->vma->pgoff + m->off);
	install(map, page, &list, to);
	return 0;
}

/*
 * Whether a page needs another object when it will be at virtual page number
 * vpn in the VMA that moves.  In objects whose pages have virtual page numbers
 * as indexes, a page that only this VMA maps gets another index; a page that
 * other VMAs map too would be at two addresses, so it needs another object.
 */
static bool must_leave(const struct rmap *map, const struct page *page,
		       uint64_t vpn)
{
	const struct object_ops *ops = page_ops(map, page);

	return ops->fits_at && !ops->fits_at(page, vpn);
}

/* New objects for the pages that need them, in the order of the pages. */
static int create_all(struct rmap *map, const struct rmap_vma *vma,
		      uint64_t start, struct object **objects)
{
	const struct object_ops *to = fallback_ops(map);
	struct mapping_list list;
	uint64_t gfn, nr = 0;
	int rc;

	for (uint64_t off = 0; (off = snapshot_next(&vma->snap, off, &gfn)) !=
			       SNAPSHOT_NONE; off++) {
		const struct page *page = &map->pages[gfn];

		if (!must_leave(map, page, start + off))
			continue;
		rc = recorded_list(map, page_ops(map, page), page, gfn, &list);
		if (!rc)
			rc = to->create(map, page, &list, &objects[nr]);
		if (!rc) {
			nr++;
			continue;
		}
		while (nr--)
			to->discard(map, objects[nr]);
		return rc;
	}
	return 0;
}

static void install_all(struct rmap *map, const struct rmap_vma *vma,
			uint64_t start, struct object **objects)
{
	uint64_t gfn;

	for (uint64_t off = 0; (off = snapshot_next(&vma->snap, off, &gfn)) !=
			       SNAPSHOT_NONE; off++) {
		struct page *page = &map->pages[gfn];

		if (must_leave(map, page, start + off))
			install(map, page, NULL, *objects++);
		else if (page_ops(map, page)->fits_at)
			page_set_index(page, start + off);
	}
}

int vma_reassign_moved(struct rmap *map, struct rmap_vma *vma, uint64_t start)
{
	size_t size = vma->snap.nr * sizeof(struct object *);
	struct object **objects;
	int rc;

	/* Where objects do not depend on addresses a move costs no time. */
	if (map->scheme->every_page ||
	    !object_ops[map->scheme->anon]->fits_at || !size)
		return 0;
	objects = rmap_mem_alloc(&map->mem, size);
	if (!objects)
		return -ENOMEM;
	rc = create_all(map, vma, start, objects);
	if (!rc)
		install_all(map, vma, start, objects);
	rmap_mem_free(&map->mem, objects, size);
	return rc;
}
