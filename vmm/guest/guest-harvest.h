/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which frames did processes of the guest use, by their own page tables?  Tests
 * and clears the accessed bits of many frames: for a few by the reverse map,
 * frame by frame; for many by a walk of all page tables, whose cost grows with
 * these.
 */
#ifndef VMM_GUEST_GUEST_HARVEST_H
#define VMM_GUEST_GUEST_HARVEST_H

#include <stdatomic.h>

#include "vmm/guest/view.h"

/*
 * As harvest() of struct access_guest; ctx is the view.  Takes its lock for one
 * part at a time.  A guest can build endless page tables: after as many entries
 * as fit in an eighth of its memory the walk stops, and nothing counts as
 * observed.
 */
int guest_harvest(void *ctx, struct gfn_range range, uint64_t *young,
		  uint64_t *examined, const atomic_bool *stopping);

#endif
