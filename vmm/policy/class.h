/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a frame is to its guest, and so what it costs to take it: cheapest first.
 * By what the agent tells of frames; without an agent all are CLASS_UNKNOWN,
 * which go by their age alone.  Pure.
 *
 * Pages of one value are no class of their own: to find out one must read the
 * page, which the sinks do anyway of what goes (zram and the store keep none of
 * its bytes), and of what stays it would be wasted.
 */
#ifndef VMM_POLICY_CLASS_H
#define VMM_POLICY_CLASS_H

#include <stdint.h>

#include "rmap/rmap.h"

enum frame_class {
	CLASS_FREE,		/* in the guest's allocator: nobody will miss it */
	CLASS_ANON,		/* processes' own data, and shared memory */
	CLASS_UNKNOWN,
	CLASS_DIRTY_FILE,	/* the guest is about to write it to its disk */
	/*
	 * On the guest's disk as well.  The guest drops it when asked
	 * (engine_guest); it is never written to a place of ours, unless the
	 * guest can't be asked.
	 */
	CLASS_CLEAN_FILE,
	CLASS_NEVER,		/* locked, reserved, page tables, kernel data */
	NR_FRAME_CLASSES,
};

/* Of RMAP_PG_* flags. */
static inline enum frame_class frame_class_of(uint32_t flags)
{
	if (flags & (RMAP_PG_LOCKED | RMAP_PG_RESERVED | RMAP_PG_PGTABLE |
		     RMAP_PG_SLAB))
		return CLASS_NEVER;
	if (flags & RMAP_PG_FREE)
		return CLASS_FREE;
	/* tmpfs is "file" to some, but has no disk behind it. */
	if (flags & (RMAP_PG_ANON | RMAP_PG_SWAPBACKED | RMAP_PG_KSM))
		return CLASS_ANON;
	if (flags & RMAP_PG_FILE)
		return flags & RMAP_PG_DIRTY ? CLASS_DIRTY_FILE :
					       CLASS_CLEAN_FILE;
	return CLASS_UNKNOWN;
}

#endif
