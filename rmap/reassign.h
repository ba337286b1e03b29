/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RMAP_REASSIGN_H
#define RMAP_REASSIGN_H

#include "rmap/internal.h"

/*
 * Gives m->page an object of the scheme's fallback kind (struct scheme), which
 * holds all its recorded mappings and m.  0; or -ENOMEM, -ENOSPC, -EOVERFLOW
 * (the page has too many mappings: recorded_list()) with nothing changed.
 */
int page_reassign(struct rmap *map, const struct mapping *m);

/*
 * For a VMA that moves to the virtual page number start: gives its pages other
 * indexes, or other objects where theirs cannot represent that.  Errors as
 * above.
 */
int vma_reassign_moved(struct rmap *map, struct rmap_vma *vma, uint64_t start);

#endif
