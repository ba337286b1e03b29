/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which frames did processes of the guest use, by their own page tables?  Tests
 * and clears the accessed bits of many frames: of few by the reverse map, a
 * frame after the other; of many by a walk of all tables, which costs what the
 * tables are long.
 */
#ifndef VMM_GUEST_GUEST_HARVEST_H
#define VMM_GUEST_GUEST_HARVEST_H

#include <stdatomic.h>

#include "vmm/guest/view.h"

/*
 * As harvest() of struct access_guest; ctx is the view.  Takes its lock for a
 * piece at a time.  A guest can lay tables that have no end: after as many
 * entries as fit in an eighth of its memory the walk stops, and nothing counts
 * as looked at.
 */
int guest_harvest(void *ctx, struct gfn_range range, uint64_t *young,
		  uint64_t *looked, const atomic_bool *stopping);

#endif
