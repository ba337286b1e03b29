/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Eviction of our own memory by the evictor process. */
#ifndef VMM_SINK_SINK_SWAP_EVICTOR_H
#define VMM_SINK_SINK_SWAP_EVICTOR_H

#include "vmm/sink/evictor.h"
#include "vmm/sink/sink.h"

/*
 * Unmaps the mapped frames of the ranges from our address space, then has the
 * evictor evict the frames that are set in `resident`.  The ranges are sorted,
 * disjoint and in RAM.  `mapped` is a bitmap by gfn that is overwritten.  Sets
 * in the bitmap `others` which frames were unmapped along with these.  0, -errno
 * of a query or of unmapping, or the result of evictor_evict().
 */
int swap_evict_by_evictor(struct guest_mem *mem, struct evictor *evictor,
			  const struct gfn_range *ranges, size_t nr,
			  const uint64_t *resident, uint64_t *mapped,
			  uint64_t *others, const atomic_bool *stopping);

#endif
