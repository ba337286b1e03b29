// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <stdlib.h>

#include "vmm/policy/select.h"

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

size_t select_idle(const struct frame_table *t, unsigned int min_idle,
		   bool (*accept)(uint64_t gfn, void *arg), void *arg,
		   uint32_t *gfns, size_t max)
{
	size_t nr = 0;

	for (uint32_t g = t->tail[FRAME_INACTIVE]; g != FRAME_NIL && nr < max;
	     g = t->prev[g])
		if (t->age[g] >= frame_min_idle(t, g, min_idle) &&
		    (!accept || accept(g, arg)))
			gfns[nr++] = g;
	qsort(gfns, nr, sizeof(*gfns), compare);
	return nr;
}

size_t select_ranges(const uint32_t *gfns, size_t nr, unsigned int max_gap,
		     struct gfn_range *ranges)
{
	size_t n = 0;

	for (size_t i = 0; i < nr; i++) {
		struct gfn_range *last = &ranges[n - 1];

		if (n && gfns[i] - (last->start.v + last->nr) <= max_gap)
			last->nr = gfns[i] + 1 - last->start.v;
		else
			ranges[n++] = (struct gfn_range){ GFN(gfns[i]), 1 };
	}
	return n;
}
