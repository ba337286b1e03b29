/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which frames to evict, and how to hand them to sources and sinks. Pure. */
#ifndef VMM_POLICY_SELECT_H
#define VMM_POLICY_SELECT_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/mem/addr.h"
#include "vmm/policy/frames.h"

/*
 * Takes up to max frames from the tail of the inactive list, oldest first,
 * that are idle for long enough and that accept() takes (NULL: all), into
 * gfns[], sorted by number.  Returns how many.  The list is not changed.
 */
size_t select_idle(const struct frame_table *t, unsigned int min_idle,
		   bool (*accept)(uint64_t gfn, void *arg), void *arg,
		   uint32_t *gfns, size_t max);

/*
 * Sorted frames as ranges; a gap of up to max_gap frames joins its neighbours.
 * Returns the number of ranges, at most nr.
 */
size_t select_ranges(const uint32_t *gfns, size_t nr, unsigned int max_gap,
		     struct gfn_range *ranges);

#endif
