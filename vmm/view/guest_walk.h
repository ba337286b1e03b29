/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PTE provider of live guest page tables (Intel SDM vol. 3, chapter 4;
 * AMD64 vol. 2, chapter 5): 4 and 5 levels, leaves of 4 KiB, 2 MiB and 1 GiB.
 *
 * The guest runs meanwhile and may write anything there: every table is looked
 * up through guest_mem_ptr(), every entry is read once, and the walk is as deep
 * as there are levels.  The guest's TLB may hold an entry whose accessed bit is
 * cleared here; the page then looks cold for a round, as with Linux on x86.
 */
#ifndef VMM_VIEW_GUEST_WALK_H
#define VMM_VIEW_GUEST_WALK_H

#include "rmap/rmap.h"

struct guest_mem;

/*
 * The context of guest_walk_ops.  levels is 4 or 5: what the guest's CR4.LA57
 * says, by way of the agent.
 *
 * A PGD can be stale: its process ended and its tables are somebody's data now.
 * Reading those is harmless, since an entry must name the frame to count.  But
 * a bit is cleared only in a frame that the agent calls a page table
 * (RMAP_PG_PGTABLE in map), never in what may be data.
 */
struct guest_walk {
	struct guest_mem *mem;
	const struct rmap *map;
	unsigned int levels;
};

/* For mms without a PGD: what the map itself has, without accessed bits. */
extern const struct rmap_pte_ops guest_walk_ops;

#endif
