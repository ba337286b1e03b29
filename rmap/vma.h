/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RMAP_VMA_H
#define RMAP_VMA_H

#include "rmap/internal.h"

/* Whether the VMA's last page has an offset in its object below 2^64. */
bool pgoff_fits(uint64_t pgoff, uint64_t start, uint64_t end);
/* Whether no VMA overlaps [start, end). */
bool mm_range_free(const struct rmap_mm *mm, uint64_t start, uint64_t end);
/*
 * Makes a VMA without mappings and inserts it into the trees of mm and file.
 * Errors as rmap_vma_add(), but the caller has checked desc.
 */
int vma_new(struct rmap *map, struct rmap_mm *mm,
	    const struct rmap_vma_desc *desc, struct rmap_vma **vmap);
/*
 * Frees a VMA whose mappings have been deleted; its snapshot may still have
 * entries.
 */
void vma_free(struct rmap *map, struct rmap_vma *vma);

#endif
