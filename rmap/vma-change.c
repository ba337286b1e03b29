// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * VMAs that are split, merged, resized, moved.  A page goes from one VMA to
 * another by being mapped in both for a moment, so that whatever fails midway
 * is undone by unmapping:
 *
 *	split	vma  [aaaaaaaa]      ->  map bbb in upper, unmap it in vma,
 *		     [aaaaa][bbb]        shorten vma
 *	merge	[aaaaa][bbb]         ->  lengthen lower, map bbb in it,
 *		[aaaaaaaa]               remove upper
 *
 * Meanwhile a page is never without a mapping, so it keeps its object.
 *
 * A move gives the same VMA another address; its pages' objects do not change,
 * except where they depend on addresses (reassign.c).
 */
#include <errno.h>

#include "rmap/anon-vma.h"
#include "rmap/file.h"
#include "rmap/mapping.h"
#include "rmap/pte-chain.h"
#include "rmap/reassign.h"
#include "rmap/vma.h"

/* Changes the end in every tree the VMA is in.  Cannot fail. */
static void set_end(struct rmap_vma *vma, uint64_t end)
{
	int64_t delta = addr_vpn(end) - addr_vpn(vma->desc.end);

	itree_remove(&vma->mm->vmas, &vma->mm_node);
	vma->mm_node.last += delta;
	itree_insert(&vma->mm->vmas, &vma->mm_node);
	anon_vma_resize_links(vma, delta);
	if (vma->file)
		file_unlink_vma(vma);
	vma->desc.end = end;
	if (vma->file)
		file_link_vma(vma);
}

/* Maps the pages of `from` from off on in `to` too, `delta` pages higher. */
static int map_also_in(struct rmap *map, const struct rmap_vma *from,
		      uint64_t off, struct rmap_vma *to, int64_t delta)
{
	uint64_t gfn;
	int rc = 0;

	for (; !rc && (off = snapshot_next(&from->snap, off, &gfn)) !=
		      SNAPSHOT_NONE; off++)
		rc = mapping_set(map, to, off + (uint64_t)delta, gfn,
				 MAPPING_COPY);
	return rc;
}

static void unmap_above(struct rmap *map, struct rmap_vma *vma, uint64_t off)
{
	uint64_t gfn;

	for (; (off = snapshot_next(&vma->snap, off, &gfn)) != SNAPSHOT_NONE;
	     off++)
		rmap_unmap_page(map, vma, vma_addr(vma, off));
}

int rmap_vma_split(struct rmap *map, struct rmap_vma *vma, uint64_t addr,
		   struct rmap_vma **upper)
{
	struct rmap_vma_desc desc = vma->desc;
	uint64_t off = (addr - desc.start) >> RMAP_PAGE_SHIFT;
	struct rmap_vma *up;
	int rc;

	if (addr & (RMAP_PAGE_SIZE - 1) || addr <= desc.start ||
	    addr >= desc.end)
		return -EINVAL;
	desc.start = addr;
	desc.pgoff += off;
	rc = vma_new(map, vma->mm, &desc, &up);
	if (rc)
		return rc;
	rc = map_also_in(map, vma, off, up, -(int64_t)off);
	if (rc) {
		rmap_vma_remove(map, up);
		return rc;
	}
	unmap_above(map, vma, off);
	set_end(vma, addr);
	rmap_grow_tables(map);
	*upper = up;
	return 0;
}

static bool can_merge(const struct rmap_vma *a, const struct rmap_vma *b)
{
	const struct rmap_vma_desc *da = &a->desc, *db = &b->desc;

	return a->mm == b->mm && da->end == db->start &&
	       da->flags == db->flags && da->file.dev == db->file.dev &&
	       da->file.ino == db->file.ino && !a->file == !b->file &&
	       (!da->file.ino || da->pgoff + vma_nr_pages(a) == db->pgoff) &&
	       vma_nr_pages(a) + vma_nr_pages(b) <= RMAP_INDEX_END - a->pgoff;
}

static int extend(struct rmap *map, struct rmap_vma *vma, uint64_t end)
{
	uint64_t nr = (end - vma->desc.start) >> RMAP_PAGE_SHIFT;
	int rc = 0;

	if (vma->id && nr >> PTE_OFF_BITS)
		return -EINVAL;
	if (nr > RMAP_INDEX_END - vma->pgoff ||
	    !pgoff_fits(vma->desc.pgoff, vma->desc.start, end))
		return -EOVERFLOW;
	rc = snapshot_extend(&map->mem, &vma->snap, nr);
	if (!rc)
		set_end(vma, end);
	return rc;
}

int rmap_vma_merge(struct rmap *map, struct rmap_vma *lower,
		   struct rmap_vma *upper)
{
	uint64_t nr = vma_nr_pages(lower), end = lower->desc.end;
	unsigned int height = lower->snap.height;
	int rc;

	if (!can_merge(lower, upper))
		return -EINVAL;
	rc = extend(map, lower, upper->desc.end);
	if (rc)
		return rc;
	rc = map_also_in(map, upper, 0, lower, (int64_t)nr);
	if (rc) {
		unmap_above(map, lower, nr);
		set_end(lower, end);
		snapshot_trim(&map->mem, &lower->snap, height);
		return rc;
	}
	rmap_vma_remove(map, upper);
	rmap_grow_tables(map);
	return 0;
}

int rmap_vma_resize(struct rmap *map, struct rmap_vma *vma, uint64_t end)
{
	uint64_t start = vma->desc.start, old = vma->desc.end;

	if (end & (RMAP_PAGE_SIZE - 1) || end <= start)
		return -EINVAL;
	if (end > old)
		return mm_range_free(vma->mm, old, end) ?
			       extend(map, vma, end) : -EEXIST;
	unmap_above(map, vma, (end - start) >> RMAP_PAGE_SHIFT);
	set_end(vma, end);
	return 0;
}

int rmap_vma_move(struct rmap *map, struct rmap_vma *vma, uint64_t new_start,
		  struct rmap_vma **vmap)
{
	uint64_t new_end = new_start + (vma->desc.end - vma->desc.start);
	int rc;

	if (new_start & (RMAP_PAGE_SIZE - 1) || new_end <= new_start)
		return -EINVAL;
	if (!mm_range_free(vma->mm, new_start, new_end))
		return -EEXIST;
	rc = vma_reassign_moved(map, vma, new_start >> RMAP_PAGE_SHIFT);
	if (rc)
		return rc;
	itree_remove(&vma->mm->vmas, &vma->mm_node);
	vma->desc.start = new_start;
	vma->desc.end = new_end;
	vma->mm_node.start = addr_vpn(new_start);
	vma->mm_node.last = addr_vpn(new_end - 1);
	itree_insert(&vma->mm->vmas, &vma->mm_node);
	*vmap = vma;
	return 0;
}

int rmap_vma_set_flags(struct rmap *map, struct rmap_vma *vma, uint32_t flags)
{
	if ((flags ^ vma->desc.flags) & RMAP_VM_NONLINEAR)
		return -EINVAL;
	vma->desc.flags = flags;
	return 0;
}
