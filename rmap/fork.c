// SPDX-License-Identifier: GPL-2.0-or-later
/* Fork: the child gets a copy of every VMA, with all mappings. */
#include <errno.h>

#include "rmap/mapping.h"
#include "rmap/mm.h"
#include "rmap/vma.h"

/*
 * Counts one more mapping for each page of the VMA.  0, or -EOVERFLOW with
 * nothing changed.
 */
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

/* Adds the mappings of all pages at once, for schemes with copy_vma. */
static int add_vma(struct rmap *map, struct rmap_vma *vma,
		   const struct rmap_vma *from)
{
	int rc = map->scheme->copy_vma(map, vma, from);

	if (rc)
		return rc;
	rc = count_pages(map, vma);
	if (rc)
		map->scheme->uncopy_vma(map, vma);
	return rc;
}

/* Adds the mappings page by page. */
static int add_pages(struct rmap *map, struct rmap_vma *vma)
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
	rc = snapshot_copy(&map->mem, &vma->snap, &from->snap);
	if (!rc)
		rc = map->scheme->copy_vma ? add_vma(map, vma, from) :
					     add_pages(map, vma);
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
	rmap_grow_tables(map);
	*mmp = mm;
	return 0;
}
