// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * VMAs.  Each is in its mm's tree by virtual page number, in its file's tree by
 * the range of the file that it maps, and has links to the anon_vmas of its
 * anonymous pages.
 */
#include "rmap/vma.h"

#include <errno.h>

#include "rmap/file.h"
#include "rmap/mapping.h"
#include "rmap/pte-chain.h"

bool mm_range_free(const struct rmap_mm *mm, uint64_t start, uint64_t end)
{
	return !mm_first_vma(mm, addr_vpn(start), addr_vpn(end - 1));
}

static bool desc_valid(const struct rmap_vma_desc *d)
{
	return !((d->start | d->end) & (RMAP_PAGE_SIZE - 1)) &&
	       d->start < d->end &&
	       (d->end - d->start) >> RMAP_PAGE_SHIFT <= RMAP_INDEX_END;
}

bool pgoff_fits(uint64_t pgoff, uint64_t start, uint64_t end)
{
	return pgoff <= UINT64_MAX - ((end - start - 1) >> RMAP_PAGE_SHIFT);
}

int vma_new(struct rmap *map, struct rmap_mm *mm,
	    const struct rmap_vma_desc *desc, struct rmap_vma **vmap)
{
	uint64_t nr = (desc->end - desc->start) >> RMAP_PAGE_SHIFT;
	bool fits = desc->pgoff <= RMAP_INDEX_END - nr;
	bool ids = map->scheme->vma_ids;
	struct rmap_vma *vma;
	int rc;

	if (ids && nr >> PTE_OFF_BITS)
		return -EINVAL;
	vma = rmap_mem_alloc(&map->mem, sizeof(*vma));
	if (!vma)
		return -ENOMEM;
	rc = ids ? ids_add(&map->mem, &map->ids, vma, &vma->id) : 0;
	if (rc)
		goto err_vma;
	vma->mm = mm;
	vma->desc = *desc;
	/*
	 * Offsets beyond 2^56 bytes occur in device mappings.  An index cannot
	 * hold them: the VMA is kept like one of anonymous memory.
	 */
	vma->pgoff = fits ? desc->pgoff : 0;
	if (desc->file.ino && fits) {
		rc = file_get(map, &desc->file, &vma->file);
		if (rc)
			goto err_id;
		file_link_vma(vma);
	}
	snapshot_init(&vma->snap, nr);
	vma->mm_node.start = addr_vpn(desc->start);
	vma->mm_node.last = addr_vpn(desc->end - 1);
	itree_insert(&mm->vmas, &vma->mm_node);
	map->stats.nr_vmas++;
	*vmap = vma;
	return 0;

err_id:
	if (vma->id)
		ids_del(&map->mem, &map->ids, vma->id);
err_vma:
	rmap_mem_free(&map->mem, vma, sizeof(*vma));
	return rc;
}

void vma_free(struct rmap *map, struct rmap_vma *vma)
{
	if (vma->file) {
		file_unlink_vma(vma);
		file_put(map, vma->file);
	}
	if (vma->id)
		ids_del(&map->mem, &map->ids, vma->id);
	itree_remove(&vma->mm->vmas, &vma->mm_node);
	snapshot_destroy(&map->mem, &vma->snap);
	map->stats.nr_vmas--;
	rmap_mem_free(&map->mem, vma, sizeof(*vma));
}

int rmap_vma_add(struct rmap *map, struct rmap_mm *mm,
		 const struct rmap_vma_desc *desc, struct rmap_vma **vmap)
{
	int rc;

	if (!desc_valid(desc))
		return -EINVAL;
	if (!pgoff_fits(desc->pgoff, desc->start, desc->end))
		return -EOVERFLOW;
	if (!mm_range_free(mm, desc->start, desc->end))
		return -EEXIST;
	rc = vma_new(map, mm, desc, vmap);
	if (!rc)
		rmap_grow_tables(map);
	return rc;
}

void rmap_vma_remove(struct rmap *map, struct rmap_vma *vma)
{
	mapping_del_all(map, vma);
	vma_free(map, vma);
}

struct rmap_vma *rmap_vma_next(const struct rmap_mm *mm, uint64_t addr)
{
	return mm_first_vma(mm, addr_vpn(addr), INT64_MAX);
}

struct rmap_vma *rmap_vma_find(const struct rmap_mm *mm, uint64_t addr)
{
	return mm_first_vma(mm, addr_vpn(addr), addr_vpn(addr));
}

void rmap_vma_describe(const struct rmap_vma *vma, struct rmap_vma_desc *desc)
{
	*desc = vma->desc;
}

struct rmap_mm *rmap_vma_mm(const struct rmap_vma *vma)
{
	return vma->mm;
}

bool rmap_vma_next_page(const struct rmap *map, const struct rmap_vma *vma,
			uint64_t *addr, uint64_t *gfn)
{
	return rmap_vma_next_page_below(map, vma, vma->desc.end, addr, gfn);
}

bool rmap_vma_next_page_below(const struct rmap *map,
			      const struct rmap_vma *vma, uint64_t end,
			      uint64_t *addr, uint64_t *gfn)
{
	uint64_t start = vma->desc.start;
	uint64_t from = *addr + RMAP_PAGE_SIZE - 1, off;

	if (end > vma->desc.end)
		end = vma->desc.end;
	if (from < *addr || end <= start)
		return false;
	off = from < start ? 0 : (from - start) >> RMAP_PAGE_SHIFT;
	end = (end - start + RMAP_PAGE_SIZE - 1) >> RMAP_PAGE_SHIFT;
	off = snapshot_next_below(&vma->snap, off, end, gfn);
	if (off == SNAPSHOT_NONE)
		return false;
	*addr = vma_addr(vma, off);
	return true;
}
