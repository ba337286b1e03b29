/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RMAP_MAPPING_H
#define RMAP_MAPPING_H

#include "rmap/internal.h"

enum mapping_reason {
	MAPPING_NEW,
	MAPPING_REPLACES,	/* where another frame was mapped */
	MAPPING_COPY,		/* `copy` of struct mapping */
};

/*
 * Adds one mapping; the caller sets the snapshot's entry.  0; or -ENOMEM,
 * -ENOSPC, -EOVERFLOW with nothing changed.
 */
int mapping_add(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		uint64_t gfn, enum mapping_reason reason);
/* Deletes one mapping; the caller clears the snapshot's entry. */
void mapping_del(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		 uint64_t gfn);
/* Deletes all mappings of the VMA, and its snapshot. */
void mapping_del_all(struct rmap *map, struct rmap_vma *vma);
/*
 * As rmap_map_page(), for an offset inside the VMA and a valid gfn.  Sets the
 * snapshot's entry; grows no hash table.
 */
int mapping_set(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		uint64_t gfn, enum mapping_reason reason);

#endif
