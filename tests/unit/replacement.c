// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How many misses the engine's choice costs, beside other replacement policies,
 * on short traces (tests/bench/replacement.h).  Nothing depends on time or
 * chance: the numbers are the same in each run.
 *
 * Each policy is first held to what is known of it, so that an engine that
 * looks good beside it is good.
 */
#include "config.h"

#include <string.h>

#include "tests/tap.h"
#include "tests/bench/replacement.h"

#define NR_PAGES   4096
#define NR_SECONDS 120

static uint64_t misses_of(uint64_t (*policy)(const struct trace *t),
			  uint32_t *refs, size_t nr)
{
	const struct trace t = { .nr_pages = 8, .nr_stay = 3, .refs = refs,
				 .nr_refs = nr };

	return policy(&t);
}

/* By hand: three of eight pages stay. */
static void test_small(void)
{
	static const struct {
		const char *name;
		uint64_t (*policy)(const struct trace *t);
		uint64_t loop, mixed;
	} t[] = {
		{ "LRU", replacement_lru, 12, 8 },
		{ "CLOCK", replacement_clock, 12, 8 },
		{ "OPT", replacement_opt, 6, 7 },
		{ "static", replacement_static, 3, 3 },
	};
	uint32_t loop[] = { 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3 };
	uint32_t mixed[] = { 0, 1, 2, 0, 3, 0, 4, 0, 1, 0, 2, 0, 1, 3 };

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		is_int(misses_of(t[i].policy, loop, 12), t[i].loop, t[i].name);
		is_int(misses_of(t[i].policy, mixed, 14), t[i].mixed,
		       t[i].name);
	}
}

/* The engine's misses as a part of LRU's, at most; 0: only what is below. */
static const double of_lru[NR_TRACES] = {
	[TRACE_ZIPF_10] = 0.80,
	[TRACE_ZIPF_08] = 0.87,
	[TRACE_ZIPF_MOVES_60] = 1.03,
	[TRACE_ZIPF_MOVES_20] = 1.03,
	[TRACE_PHASES_20] = 1.03,
};

/* And of the best of the three that Linux could have, on any trace. */
#define OF_BEST 1.03

static void test_trace(enum trace_kind kind)
{
	uint64_t lru, clock, two_lists, best, opt;
	struct replacement_engine r;
	struct trace t;

	trace_make(&t, kind, NR_PAGES, NR_SECONDS, TRACE_SCANS);
	lru = best = replacement_lru(&t);
	clock = replacement_clock(&t);
	two_lists = replacement_two_lists(&t);
	opt = replacement_opt(&t);
	if (clock < best)
		best = clock;
	if (two_lists < best)
		best = two_lists;
	replacement_engine(&t, &r);
	ok(r.mean_resident <= t.nr_stay * 1.005 &&
	   r.mean_resident > t.nr_stay * 0.95, "%s: half stays, %.1f %%",
	   t.name, r.mean_resident * 100 / t.nr_pages);
	ok(opt <= best && opt <= r.nr_misses &&
	   opt <= replacement_mglru(&t) && opt <= replacement_s3_fifo(&t),
	   "%s: none has fewer misses than the best possible", t.name);
	if (of_lru[kind] > 0)
		ok(r.nr_misses <= of_lru[kind] * lru,
		   "%s: %.3f of LRU's misses, at most %.2f", t.name,
		   (double)r.nr_misses / lru, of_lru[kind]);
	ok(r.nr_misses <= OF_BEST * best,
	   "%s: %.3f of the best of LRU, CLOCK and two lists", t.name,
	   (double)r.nr_misses / best);
	trace_free(&t);
}

int main(void)
{
	test_small();
	for (int kind = 0; kind < NR_TRACES; kind++)
		test_trace(kind);
	return tap_done();
}
