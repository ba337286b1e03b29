/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorts chosen frames, groups them, and completes huge pages.  Pure. */
#ifndef VMM_POLICY_SELECT_H
#define VMM_POLICY_SELECT_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/mem/addr.h"
#include "vmm/policy/frames.h"

/* By frame number. */
void select_sort(uint32_t *gfns, size_t nr);

/*
 * Huge pages are evicted whole: their other idle frames are added to those that
 * were chosen.  gfns[] is sorted, and so is the result, in out[] of max
 * entries; huge pages that do not fit whole are left out.  huge: frames that
 * are in huge pages; of these only frames are added, and kept, that accept()
 * accepts (NULL: all), and that are inactive and idle for long enough.
 */
size_t select_whole(const struct frame_table *t, unsigned int min_idle,
		    bool (*accept)(gfn_t gfn, void *arg), void *arg,
		    const uint64_t *huge, const uint32_t *gfns, size_t nr,
		    uint32_t *out, size_t max);

/*
 * Whether to split a huge page to evict nr of its frames: the others lose their
 * huge page, so only for half of them or more.
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
