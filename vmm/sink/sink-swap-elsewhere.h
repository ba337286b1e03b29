/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Eviction of our own memory by the evictor process. */
#ifndef VMM_SINK_SINK_SWAP_ELSEWHERE_H
#define VMM_SINK_SINK_SWAP_ELSEWHERE_H

#include "vmm/sink/evictor.h"
#include "vmm/sink/sink.h"

/*
 * Unmaps those frames of the ranges that are mapped, then has the evictor evict
 * those that are resident by the bitmap.  The ranges are in RAM; `mapped` is a
 * bitmap for its own use.  0, -errno, or as evictor_evict().
 */
int swap_evict_elsewhere(struct guest_mem *mem, struct evictor *evictor,
			 const struct gfn_range *ranges, size_t nr,
			 const uint64_t *resident, uint64_t *mapped,
			 const atomic_bool *stopping);

#endif
