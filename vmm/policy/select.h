/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sorts frames, groups them into ranges, and completes huge pages.  Pure; the
 * caller locks the frame table.  Arrays gfns[] have plain frame numbers.
 */
#ifndef VMM_POLICY_SELECT_H
#define VMM_POLICY_SELECT_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/mem/addr.h"
#include "vmm/policy/frames.h"

/* Sorts by frame number, ascending. */
void select_sort(uint32_t *gfns, size_t nr);

/*
 * Copies the nr chosen frames gfns[] to out[], and adds the other idle frames
 * of the huge pages that they are in, as huge pages are evicted whole.  gfns[]
 * is sorted, and so is out[], of max entries; where a huge page does not fit
 * whole, out[] ends before it.  huge: bitmap of frames in huge pages; of these
 * only frames are copied or added that are inactive, idle for min_idle scans or
 * more, and accepted by accept() (NULL: all).  Returns the number of entries in
 * out[].
 */
size_t select_complete_huge(const struct frame_table *t, unsigned int min_idle,
			    bool (*accept)(gfn_t gfn, void *arg), void *arg,
			    const uint64_t *huge, const uint32_t *gfns,
			    size_t nr, uint32_t *out, size_t max);

#define SELECT_HUGE_PAGES 512	/* frames of a huge page */

/*
 * Groups sorted frames into ranges; frames up to max_gap frames apart share a
 * range, which then includes those between them.  Returns the number of ranges,
 * at most nr.
 */
size_t select_ranges(const uint32_t *gfns, size_t nr, unsigned int max_gap,
		     struct gfn_range *ranges);

#endif
