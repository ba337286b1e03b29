// SPDX-License-Identifier: GPL-2.0-or-later
/* Fork: the child gets every VMA, snapshot and link of its parent. */
#include <errno.h>

#include "rmap/internal.h"

static void unlink_all(struct rmap *map, struct rmap_vma *vma)
{
	while (vma->links)
		anon_link_put(map, vma->links, vma->links->nr);
}

/* One more mapping for every page of the VMA; -EOVERFLOW with none changed. */
static int count_pages(struct rmap *map, const struct rmap_vma *vma)
{
	const struct snapshot *snap = &vma->snap;
	uint64_t gfn, end;
	int rc = 0;

	for (end = 0; (end = snapshot_next(snap, end, &gfn)) != SNAPSHOT_NONE;
	     end++) {
		if (map->pages[gfn].count == RMAP_COUNT_MAX) {
			rc = -EOVERFLOW;
			break;
		}
		map->pages[gfn].count++;
	}
	if (!rc) {
		map->stats.nr_mappings += snap->nr;
		return 0;
	}
	for (uint64_t off = 0;
	     (off = snapshot_next(snap, off, &gfn)) != end; off++)
		map->pages[gfn].count--;
	return rc;
}

/*
 * The anon_vma scheme copies links, one for many pages.  The others have to
 * join page by page.
 */
static int join_links(struct rmap *map, struct rmap_vma *vma,
		      const struct rmap_vma *from)
{
	int rc = 0;

	for (const struct anon_link *l = from->links; l && !rc; l = l->next)
		rc = anon_link_get(map, vma, l->av, l->node.start, l->nr);
	if (!rc)
		rc = count_pages(map, vma);
	if (rc)
		unlink_all(map, vma);
	return rc;
}

static int join_pages(struct rmap *map, struct rmap_vma *vma)
{
	const struct snapshot *snap = &vma->snap;
	uint64_t gfn, end;
	int rc = 0;

	for (end = 0; (end = snapshot_next(snap, end, &gfn)) != SNAPSHOT_NONE;
	     end++) {
		rc = mapping_add(map, vma, end, gfn, MAPPING_COPY);
		if (rc)
			break;
	}
	for (uint64_t off = 0;
	     rc && (off = snapshot_next(snap, off, &gfn)) != end; off++)
		mapping_del(map, vma, off, gfn);
	return rc;
}

static int fork_vma(struct rmap *map, const struct rmap_vma *from,
		    struct rmap_mm *mm)
{
	struct rmap_vma *vma;
	int rc = vma_new(map, mm, &from->desc, &vma);

	if (rc)
		return rc;
	rc = snapshot_copy(map, &vma->snap, &from->snap);
	if (!rc)
		rc = map->config.scheme == RMAP_ANON_VMA ?
			     join_links(map, vma, from) :
			     join_pages(map, vma);
	if (rc)
		vma_free(map, vma);
	return rc;
}

int rmap_mm_fork(struct rmap *map, struct rmap_mm *parent, uint32_t id,
		 uint64_t pgd, struct rmap_mm **mmp)
{
	struct rmap_vma *vma;
	struct rmap_mm *mm;
	int rc = mm_new(map, id, pgd, &mm);

	if (rc)
		return rc;
	for (vma = rmap_vma_next(parent, 0); vma && !rc;
	     vma = vma->desc.end ? rmap_vma_next(parent, vma->desc.end) : NULL)
		rc = fork_vma(map, vma, mm);
	if (rc) {
		rmap_mm_remove(map, mm);
		return rc;
	}
	rmap_settle(map);
	*mmp = mm;
	return 0;
}
