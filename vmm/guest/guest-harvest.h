/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which frames did processes of the guest use, by their own page tables?  Tests
 * and clears the accessed bits of a range of frames: of a short one by the
 * reverse map, frame by frame; of a long one by a walk of all page tables,
 * whose cost depends on the size of these.
 */
#ifndef VMM_GUEST_GUEST_HARVEST_H
#define VMM_GUEST_GUEST_HARVEST_H

#include <stdatomic.h>

#include "vmm/guest/view.h"

/*
 * As harvest() of struct access_guest; ctx is the view.  Takes the view's lock
 * for one part at a time.  A guest can build endless page tables: after as many
 * entries as fit in an eighth of its memory the walk stops, and then no frame
 * counts as examined.
 */
int guest_harvest(void *ctx, struct gfn_range range, uint64_t *young,
		  uint64_t *examined, const atomic_bool *stopping);

#endif
