/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a frame is used for in its guest, as the agent reports it; in the order
 * in which the sink evicts the classes, which is by what it costs to evict and
 * to bring back a frame.  Without an agent all frames are CLASS_UNKNOWN, and
 * are evicted by their age alone.  Pure.
 *
 * Pages filled with one value are no class of their own: only reading a page
 * shows that it is one.  Where it is evicted, zram or the store read it anyway
 * (and then keep none of its bytes); reading pages that stay would be wasted.
 */
#ifndef VMM_POLICY_CLASS_H
#define VMM_POLICY_CLASS_H

#include <stdint.h>

#include "rmap/rmap.h"
#include "vmm/policy/price.h"

enum frame_class {
	CLASS_FREE,		/* in the guest's allocator: no data in it */
	CLASS_ANON,		/* processes' own data, and shared memory */
	CLASS_UNKNOWN,		/* not reported */
	CLASS_DIRTY_FILE,	/* the guest is about to write it to its disk */
	/*
	 * On the guest's disk as well.  The guest drops it on request (struct
	 * engine_guest); the sink evicts it only where the guest takes no
	 * requests, or as a part of a huge page.
	 */
	CLASS_CLEAN_FILE,
	CLASS_NEVER,		/* locked, reserved, page tables, kernel data */
	NR_FRAME_CLASSES,
};

/* The class of a frame with these RMAP_PG_* flags. */
static inline enum frame_class frame_class_of(uint32_t flags)
{
	if (flags & (RMAP_PG_LOCKED | RMAP_PG_RESERVED | RMAP_PG_PGTABLE |
		     RMAP_PG_SLAB))
		return CLASS_NEVER;
	if (flags & RMAP_PG_FREE)
		return CLASS_FREE;
	/* tmpfs pages may be marked as file, but have no disk behind them. */
	if (flags & (RMAP_PG_ANON | RMAP_PG_SWAPBACKED | RMAP_PG_KSM))
		return CLASS_ANON;
	if (flags & RMAP_PG_FILE)
		return flags & RMAP_PG_DIRTY ? CLASS_DIRTY_FILE :
					       CLASS_CLEAN_FILE;
	return CLASS_UNKNOWN;
}

/*
 * By how many ranks the class makes a page dearer than another of its use.  A
 * page to be written to the guest's disk is written twice when it is evicted
 * before; one that is there already need not be written at all.
 */
static inline unsigned int frame_class_cost(enum frame_class class)
{
	switch (class) {
	case CLASS_DIRTY_FILE:
		return PRICE_RANKS_TO_DOUBLE;
	case CLASS_CLEAN_FILE:
		return 2 * PRICE_RANKS_TO_DOUBLE;
	default:
		return 0;
	}
}

#endif
