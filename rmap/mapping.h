/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RMAP_MAPPING_H
#define RMAP_MAPPING_H

#include "rmap/internal.h"

enum mapping_how {
	MAPPING_NEW,
	MAPPING_REPLACES,	/* where another frame was mapped */
	MAPPING_COPY,		/* struct mapping: copy */
};

/*
 * Adds one mapping; the snapshot's entry is left to the caller.  -ENOMEM,
 * -ENOSPC, -EOVERFLOW, with nothing changed.
 */
int mapping_add(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		uint64_t gfn, enum mapping_how how);
/* Deletes one; its snapshot entry is left to the caller. */
void mapping_del(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		 uint64_t gfn);
/* Deletes all mappings of the VMA, and its snapshot. */
void mapping_del_all(struct rmap *map, struct rmap_vma *vma);
/* rmap_map_page(), of a page inside the VMA. */
int mapping_set(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		uint64_t gfn, enum mapping_how how);

#endif
