// SPDX-License-Identifier: GPL-2.0-or-later
/* A shadow entry: bit 31 is set; bit 30: workingset; below: age at eviction. */
#include "rmap/workingset.h"

#include <errno.h>

#define SHADOW_VALID	  (UINT32_C(1) << 31)
#define SHADOW_WORKINGSET (UINT32_C(1) << 30)
#define SHADOW_AGE	  ((UINT32_C(1) << RMAP_WORKINGSET_AGE_BITS) - 1)

void rmap_workingset_activate(struct rmap_workingset *ws)
{
	ws->age++;
}

uint32_t rmap_workingset_evict(struct rmap_workingset *ws, bool workingset)
{
	uint32_t shadow = SHADOW_VALID | (uint32_t)(ws->age & SHADOW_AGE);

	ws->age++;
	return workingset ? shadow | SHADOW_WORKINGSET : shadow;
}

int rmap_workingset_refault(struct rmap_workingset *ws, uint32_t shadow,
			    uint64_t nr_active, struct rmap_refault *out)
{
	struct rmap_refault r;

	if (!(shadow & SHADOW_VALID))
		return -EINVAL;
	r.distance = (ws->age - shadow) & SHADOW_AGE;
	r.activate = r.distance <= nr_active;
	r.restored = r.activate && shadow & SHADOW_WORKINGSET;
	ws->nr_refaults++;
	ws->nr_activated += r.activate;
	ws->nr_restored += r.restored;
	if (r.activate)
		ws->age++;
	*out = r;
	return 0;
}
