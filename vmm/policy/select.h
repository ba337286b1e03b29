/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which frames to evict, and how to hand them to sources and sinks. Pure. */
#ifndef VMM_POLICY_SELECT_H
#define VMM_POLICY_SELECT_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/mem/addr.h"
#include "vmm/policy/frames.h"

/*
 * Looks at up to nr_look frames of the inactive list, from t->cursor on, oldest
 * first, and takes up to max of them that are idle for long enough and that
 * accept() takes (NULL: all) into gfns[].  Returns how many.  The list is not
 * changed; the cursor is, to FRAME_NIL at the end of it.
 */
size_t select_idle(struct frame_table *t, unsigned int min_idle,
		   bool (*accept)(uint64_t gfn, void *arg), void *arg,
		   unsigned int nr_look, uint32_t *gfns, size_t max);

/* In the order of their numbers. */
void select_sort(uint32_t *gfns, size_t nr);

/*
 * Huge pages go whole: what of their frames is idle as well joins those that
 * were chosen.  gfns[] is sorted, and so is the result, in out[] of max entries;
 * of what does not fit, whole huge pages are left out.  huge: frames that are in
 * one.  accept: as above, and the inactive list and the age must be right.
 */
size_t select_whole(const struct frame_table *t, unsigned int min_idle,
		    bool (*accept)(uint64_t gfn, void *arg), void *arg,
		    const uint64_t *huge, const uint32_t *gfns, size_t nr,
		    uint32_t *out, size_t max);

/*
 * Whether to break a huge page up to evict nr of its frames: that costs the
 * others their huge page, so only for half of them or more.
 */
bool select_is_worth_it(uint64_t nr);

#define SELECT_HUGE_PAGES 512	/* frames of a huge page */

/*
 * Sorted frames as ranges; a gap of up to max_gap frames joins its neighbours.
 * Returns the number of ranges, at most nr.
 */
size_t select_ranges(const uint32_t *gfns, size_t nr, unsigned int max_gap,
		     struct gfn_range *ranges);

#endif
