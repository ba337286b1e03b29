// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From scan times to ages, from ages to an interval, and the ages themselves:
 * histories of one frame, with what can be proved about it.
 */
#include "config.h"

#include <string.h>

#include "tests/tap.h"
#include "vmm/policy/frames.h"
#include "vmm/policy/wss.h"

/* Scans start at 100, 110, ..., and take 2: the last of five ends at 142. */
static void test_windows(void)
{
	static const struct {
		uint64_t window;
		unsigned int certain, likely, possible;
		uint64_t covered;
	} t[] = {
		/* Shorter than a scan period: nothing is certain. */
		{ 1, 0, 1, 1, 12 },
		{ 9, 0, 1, 1, 12 },
		/* From 132, the end of scan 3: that may have seen it. */
		{ 10, 0, 1, 2, 12 },
		{ 12, 1, 1, 2, 12 },
		{ 16, 1, 2, 2, 22 },	/* from 126, the middle of age 1 */
		{ 20, 1, 2, 3, 22 },
		{ 22, 2, 2, 3, 22 },
		{ 32, 3, 3, 4, 32 },
		/* The window of the first scan began nobody knows when. */
		{ 42, 4, 5, WSS_AGES, 42 },
		{ 1000, 4, 5, WSS_AGES, 42 },
	};
	static struct wss_clock clock;
	struct wss_window w = wss_window(&clock, 10);

	is_int(w.likely + w.possible, 0, "before the first scan: nothing");
	for (unsigned int i = 0; i < 5; i++)
		wss_clock_add(&clock, 100 + i * 10, 102 + i * 10);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		w = wss_window(&clock, t[i].window);
		ok(w.certain == t[i].certain && w.likely == t[i].likely &&
		   w.possible == t[i].possible && w.end_ns == 142 &&
		   w.covered_ns == t[i].covered,
		   "window of %d: ages below %u, %u, %u", (int)t[i].window,
		   w.certain, w.likely, w.possible);
	}
	/* The ring goes round: the oldest scan is 299 - 255. */
	for (unsigned int i = 5; i < 300; i++)
		wss_clock_add(&clock, 100 + i * 10, 102 + i * 10);
	w = wss_window(&clock, 100000);
	ok(w.certain == WSS_AGES - 1 && w.likely == WSS_AGES &&
	   w.possible == WSS_AGES && w.covered_ns == 2552,
	   "a window beyond the ages: %u, %u, %u", w.certain, w.likely,
	   w.possible);
	w = wss_window(&clock, 2 * 10 + 2);
	ok(w.certain == 2 && w.likely == 2 && w.possible == 3,
	   "and a short one is as before");
}

static void test_granules(void)
{
	static const struct {
		uint64_t granule;
		const char *ages;	/* observed; a digit a frame or '.' */
		unsigned int least;	/* of age 0 */
		unsigned int has_one_age;	/* bits of granules */
	} t[] = {
		{ 1, "00001", 4, 0 },
		{ 4, "0000", 1, 1 },
		{ 4, "00000000", 2, 3 },
		{ 4, "00001111", 1, 3 },
		{ 4, "00011111", 3, 2 },	/* seen apart: each counts */
		{ 4, "1000", 3, 0 },
		{ 4, "0100", 3, 0 },
		{ 4, "..0.0.0.", 2, 3 },	/* of those that are there */
		{ 4, "....0100", 3, 0 },
		{ 8, "0000000010", 2, 1 },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		static struct wss_pages pages;
		uint64_t has_one_age[1] = { 0 }, all = 0;
		struct wss_counter c;

		wss_count_begin(&c, &pages, t[i].granule,
				t[i].granule > 1 ? has_one_age : NULL);
		for (const char *a = t[i].ages; *a; a++) {
			if (*a == '.')
				continue;
			all++;
			wss_count(&c, GFN(a - t[i].ages), 0, *a - '0');
		}
		wss_count_end(&c);
		ok(pages.min_by_observed_age[0] == t[i].least &&
			   pages.by_age[0] == all &&
			   has_one_age[0] == t[i].has_one_age,
		   "granule %d, %s: at least %d, bits %#x",
		   (int)t[i].granule, t[i].ages,
		   (int)pages.min_by_observed_age[0],
		   (unsigned int)has_one_age[0]);
	}
}

static void test_estimate(void)
{
	static const struct wss_pages pages = {
		.by_age = { 100, 50, 20, 10 },
		.by_observed_age = { 80, 40, 30, 20, 10 },
		.min_by_observed_age = { 60, 40, 30, 20, 10 },
	};
	struct wss_window w = { .certain = 1, .likely = 2, .possible = 3 };
	struct wss_estimate e;

	wss_estimate(&e, &pages, &w);
	is_int(e.pages, 150, "estimate");
	is_int(e.low, 60, "low");
	is_int(e.high, 170, "high");
	is_int(e.edge_low, 50, "less: at the edge");
	is_int(e.assumed, 20, "less: assumed");
	is_int(e.unresolved, 20, "less: not resolved");
	is_int(e.edge_high, 20, "more: at the edge");
}

/*
 * A letter a scan, as in tests/unit/frames.c:
 *   y  seen used   a  assumed to be used   .  idle   s  in swap   -  nowhere
 *   E  evicted by the engine after the scan before
 *   t, T  touched after the scan before: assumed, seen
 */
static void test_proof(void)
{
	static const struct {
		const char *history;
		unsigned int age, observed;
	} t[] = {
		{ "y", 0, 0 },
		{ "y..", 2, 2 },
		{ "a", 0, FRAME_AGE_MAX },	/* it came; nobody saw why */
		{ ".", 0, FRAME_AGE_MAX },
		{ "a.", 1, FRAME_AGE_MAX },
		{ "ya", 0, 1 },
		{ "yaaa", 0, 3 },
		{ "y.a.", 1, 3 },
		{ "yaay", 0, 0 },
		{ "yay.a", 0, 2 },
		{ "y..t", 0, 2 },
		{ "y..tT", 0, 0 },
		{ "y..t.", 1, 3 },
		{ "y..Es", 3, 3 },	/* in swap it ages on */
		{ "y..Esss", 5, 5 },
		{ "yaEss", 2, 3 },
		{ "y..Essy", 0, 0 },
		{ "y..Essa", 0, 5 },	/* read ahead, perhaps */
		{ "y.ss", 3, 3 },	/* the host took it */
		{ "y.s-y", 0, 0 },
		{ "y.-.", 0, FRAME_AGE_MAX },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct frame_table table;
		uint32_t scan = 0;

		if (frame_table_init(&table, 64))
			tap_bail("no memory");
		for (const char *h = t[i].history; *h; h++) {
			struct frame_observation l = {
				.resident = strchr("ya.", *h) != NULL,
				.swapped = *h == 's',
				.young = *h == 'y' || *h == 'a',
				.observed = *h == 'y',
			};

			if (*h == 'E')
				frame_set_evicted(&table, GFN(3), scan);
			else if (*h == 't' || *h == 'T')
				frame_record_use(&table, GFN(3), *h == 'T');
			else
				frame_observe(&table, GFN(3), &l, ++scan, 2);
		}
		ok(frame_age(&table, GFN(3), scan) == t[i].age &&
		   frame_observed_age(&table, GFN(3), scan) == t[i].observed,
		   "%s: age %u, observed %u", t[i].history,
		   frame_age(&table, GFN(3), scan),
		   frame_observed_age(&table, GFN(3), scan));
		frame_table_destroy(&table);
	}
}

int main(void)
{
	test_windows();
	test_granules();
	test_estimate();
	test_proof();
	return tap_done();
}
