/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RMAP_VMA_H
#define RMAP_VMA_H

#include "rmap/internal.h"

/* Whether page offsets of the object stay below 2^64 up to the end. */
bool pgoff_fits(uint64_t pgoff, uint64_t start, uint64_t end);
/* No VMA overlaps [start, end). */
bool mm_range_free(const struct rmap_mm *mm, uint64_t start, uint64_t end);
/* A VMA without mappings, in the trees of mm and file; as rmap_vma_add(). */
int vma_new(struct rmap *map, struct rmap_mm *mm,
	    const struct rmap_vma_desc *desc, struct rmap_vma **vmap);
/* The VMA has no mappings any more; its snapshot may still have entries. */
void vma_free(struct rmap *map, struct rmap_vma *vma);

#endif
