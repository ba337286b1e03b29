// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <string.h>

#include "vmm/policy/wss.h"
#include "vmm/util/bitmap.h"

#define NO_GRANULE UINT64_MAX

void wss_clock_add(struct wss_clock *clock, uint64_t start_ns, uint64_t end_ns)
{
	clock->start_ns[clock->nr % WSS_AGES] = start_ns;
	clock->end_ns[clock->nr % WSS_AGES] = end_ns;
	clock->nr++;
}

struct wss_window wss_window(const struct wss_clock *clock, uint64_t window_ns)
{
	struct wss_window w = { .certain = 0 };
	uint64_t known = clock->nr < WSS_AGES ? clock->nr : WSS_AGES;
	uint64_t end, from;

	if (!known)
		return w;
	end = clock->end_ns[(clock->nr - 1) % WSS_AGES];
	from = end > window_ns ? end - window_ns : 0;
	for (unsigned int a = 0; a < known; a++) {
		uint64_t scan = clock->nr - 1 - a, seen, before;

		seen = clock->end_ns[scan % WSS_AGES];
		if (seen < from)
			break;
		w.possible = a + 1;
		/* It is not known when the scan before the oldest one was. */
		if (a + 1 == known) {
			w.likely = a + 1;
			w.covered_ns = end - clock->start_ns[scan % WSS_AGES];
			/* Older ages may be in the window as well. */
			w.possible = WSS_AGES;
			break;
		}
		before = clock->start_ns[(scan - 1) % WSS_AGES];
		if (before >= from)
			w.certain = a + 1;
		if (!a || before + (seen - before) / 2 >= from) {
			w.likely = a + 1;
			w.covered_ns = end - before;
		}
	}
	w.end_ns = end;
	return w;
}

void wss_count_begin(struct wss_counter *c, struct wss_pages *pages,
		     uint64_t granule, uint64_t *has_one_age)
{
	memset(pages, 0, sizeof(*pages));
	*c = (struct wss_counter){ .pages = pages,
				   .granule_frames = granule,
				   .granule_nr = NO_GRANULE,
				   .has_one_age = has_one_age };
}

static void end_granule(struct wss_counter *c)
{
	if (c->granule_nr == NO_GRANULE)
		return;
	/* All have one age: at least one was used, not known which. */
	if (c->nr_same_age)
		c->pages->min_by_observed_age[c->age]++;
	if (c->has_one_age && c->nr_same_age)
		bitmap_set(c->has_one_age, c->granule_nr);
	else if (c->has_one_age)
		bitmap_clear(c->has_one_age, c->granule_nr);
	c->nr_same_age = 0;
}

void wss_count(struct wss_counter *c, gfn_t gfn, unsigned int age,
	       unsigned int observed_age)
{
	uint64_t granule_nr;

	c->pages->by_age[age]++;
	c->pages->by_observed_age[observed_age]++;
	if (c->granule_frames == 1) {
		c->pages->min_by_observed_age[observed_age]++;
		return;
	}
	granule_nr = gfn.v / c->granule_frames;
	if (granule_nr != c->granule_nr) {
		end_granule(c);
		c->granule_nr = granule_nr;
		c->age = observed_age;
		c->nr_same_age = 1;
	} else if (c->nr_same_age && observed_age == c->age) {
		c->nr_same_age++;
	} else {
		/* They were observed one by one, so each counts for itself. */
		c->pages->min_by_observed_age[c->age] += c->nr_same_age;
		c->nr_same_age = 0;
		c->pages->min_by_observed_age[observed_age]++;
	}
}

void wss_count_run(struct wss_counter *c, gfn_t gfn, uint64_t nr,
		   unsigned int age, unsigned int observed_age)
{
	if (c->granule_frames > 1) {
		for (uint64_t i = 0; i < nr; i++)
			wss_count(c, GFN(gfn.v + i), age, observed_age);
		return;
	}
	c->pages->by_age[age] += nr;
	c->pages->by_observed_age[observed_age] += nr;
	c->pages->min_by_observed_age[observed_age] += nr;
}

void wss_count_end(struct wss_counter *c)
{
	end_granule(c);
	c->granule_nr = NO_GRANULE;
}

static uint64_t sum(const uint64_t *by_age, unsigned int limit)
{
	uint64_t nr = 0;

	for (unsigned int a = 0; a < limit; a++)
		nr += by_age[a];
	return nr;
}

void wss_estimate(struct wss_estimate *est, const struct wss_pages *pages,
		  const struct wss_window *window)
{
	uint64_t certain = sum(pages->by_age, window->certain);
	uint64_t observed = sum(pages->by_observed_age, window->certain);

	*est = (struct wss_estimate){
		.pages = sum(pages->by_age, window->likely),
		.low = sum(pages->min_by_observed_age, window->certain),
		.high = sum(pages->by_age, window->possible),
		.assumed = certain - observed,
		.window = *window,
	};
	est->edge_low = est->pages - certain;
	est->edge_high = est->high - est->pages;
	est->unresolved = observed - est->low;
}
