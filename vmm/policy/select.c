// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/policy/select.h"
#include "vmm/util/bitmap.h"

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void select_sort(uint32_t *gfns, size_t nr)
{
	qsort(gfns, nr, sizeof(*gfns), compare);
}

static bool is_idle(const struct frame_table *t, gfn_t gfn,
		    unsigned int min_idle)
{
	return frame_list_of(t, gfn) == FRAME_INACTIVE &&
	       t->age[gfn.v] >= frame_min_idle(t, gfn, min_idle);
}

/* Puts the idle frames of a huge page into out[]; returns how many. */
static size_t find_idle(const struct frame_table *t, unsigned int min_idle,
			bool (*accept)(gfn_t gfn, void *arg), void *arg,
			uint64_t start, uint32_t *out)
{
	size_t nr = 0;

	for (uint64_t g = start; g < start + SELECT_HUGE_PAGES && g < t->nr; g++)
		if (is_idle(t, GFN(g), min_idle) &&
		    (!accept || accept(GFN(g), arg)))
			out[nr++] = g;
	return nr;
}

size_t select_complete_huge(const struct frame_table *t, unsigned int min_idle,
			    bool (*accept)(gfn_t gfn, void *arg), void *arg,
			    const uint64_t *huge, const uint32_t *gfns,
			    size_t nr, uint32_t *out, size_t max)
{
	uint32_t idle[SELECT_HUGE_PAGES];
	size_t nr_out = 0, next, n;

	for (size_t i = 0; i < nr && nr_out < max; i = next) {
		uint64_t start = gfns[i] & ~(SELECT_HUGE_PAGES - 1u);

		next = i + 1;
		if (!bitmap_test(huge, gfns[i])) {
			out[nr_out++] = gfns[i];
			continue;
		}
		while (next < nr && gfns[next] < start + SELECT_HUGE_PAGES)
			next++;
		n = find_idle(t, min_idle, accept, arg, start, idle);
		if (n > max - nr_out)
			break;
		memcpy(out + nr_out, idle, n * sizeof(*idle));
		nr_out += n;
	}
	return nr_out;
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
