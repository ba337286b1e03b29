// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The frame table: each row is a history of one frame, one letter for each
 * scan, and its expected list at the end.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "tests/tap.h"
#include "vmm/policy/frames.h"
#include "vmm/policy/select.h"
#include "vmm/policy/use-history.h"

#define NR 64
#define MIN_IDLE 2
#define S16	 "ssssssssssssssss"

/*
 *   .  resident, not touched      y  resident, touched
 *   m  touched through 2 mappings x  touched as code
 *   a  assumed to be touched      A  likewise, and mapped
 *   -  not resident, nowhere      s  not resident, in swap
 *   E  evicted by the engine after the scan before
 */
static void play(struct frame_table *t, gfn_t gfn, const char *history,
		 unsigned int *nr_refaults)
{
	uint32_t scan = 1;

	*nr_refaults = 0;
	for (const char *h = history; *h; h++, scan++) {
		struct frame_observation l = { .resident = true };

		if (*h == 'E') {
			frame_set_evicted(t, gfn, scan--);
			continue;
		}
		l.resident = *h != '-' && *h != 's';
		l.swapped = *h == 's';
		l.observed = strchr("ymx", *h) != NULL;
		l.young = l.observed || *h == 'a' || *h == 'A';
		l.mapped = *h == 'A';
		l.nr_referenced = *h == 'm' ? 2 : *h == 'y';
		l.exec = *h == 'x';
		*nr_refaults += frame_observe(t, gfn, &l, scan, MIN_IDLE) ==
				FRAME_REFAULT;
	}
}

static void test_histories(void)
{
	static const struct {
		const char *history;
		enum frame_list list;
		unsigned int age, refaults, min_idle;
	} t[] = {
		{ "-", FRAME_NONE, 0, 0, 2 },
		{ "y", FRAME_INACTIVE, 0, 0, 2 },
		{ "yy", FRAME_INACTIVE, 0, 0, 2 },	/* second chance */
		{ "yyy", FRAME_ACTIVE, 0, 0, 2 },
		{ "yy.y", FRAME_INACTIVE, 0, 0, 2 },	/* the mark is gone */
		{ "ym", FRAME_ACTIVE, 0, 0, 2 },	/* several users */
		{ "yx", FRAME_ACTIVE, 0, 0, 2 },	/* code */
		{ "yyy.", FRAME_ACTIVE, 1, 0, 2 },
		{ "yyy..", FRAME_INACTIVE, 2, 0, 2 },
		{ "yyy....", FRAME_INACTIVE, 4, 0, 2 },
		{ "y...-", FRAME_NONE, 3, 0, 2 },	/* discarded */
		{ "y...Es", FRAME_NONE, 3, 0, 2 },
		{ "y...Ey", FRAME_ACTIVE, 0, 1, 4 },	/* too early: protect */
		{ "y...EsssyEsy", FRAME_ACTIVE, 0, 2, 8 },
		{ "y...E-y", FRAME_INACTIVE, 0, 0, 2 },	/* past is over */
		{ "y...Essssssssssssssssssssssssssssssssssssssssssy",
		  FRAME_INACTIVE, 0, 1, 2 },		/* late: no protection */
		/* Early is 16 times the idle time, as it is protected then. */
		{ "y...E" S16 S16 "y", FRAME_ACTIVE, 0, 1, 4 },
		{ "y...E" S16 S16 "sy", FRAME_INACTIVE, 0, 1, 2 },
		{ "y...EyE" S16 S16 S16 S16 "y", FRAME_ACTIVE, 0, 2, 8 },
		{ "y...EyE" S16 S16 S16 S16 "sy", FRAME_INACTIVE, 0, 2, 2 },
	};
	struct frame_table ft;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		unsigned int nr_refaults;

		if (frame_table_init(&ft, NR))
			tap_bail("no memory");
		play(&ft, GFN(5), t[i].history, &nr_refaults);
		ok(frame_list_of(&ft, GFN(5)) == t[i].list &&
		   ft.age[5] == t[i].age && nr_refaults == t[i].refaults &&
		   frame_min_idle(&ft, GFN(5), MIN_IDLE) == t[i].min_idle,
		   "history %s", t[i].history);
		frame_table_destroy(&ft);
	}
}

static void test_saturation(void)
{
	const struct frame_observation idle = { .resident = true };
	struct frame_table t;

	if (frame_table_init(&t, NR))
		tap_bail("no memory");
	for (uint32_t scan = 1; scan < 1000; scan++)
		frame_observe(&t, GFN(0), &idle, scan, MIN_IDLE);
	is_int(t.age[0], FRAME_AGE_MAX, "ages stop at their maximum");
	frame_table_destroy(&t);
	is_int(frame_table_init(&t, 0), -EFBIG, "no frames are refused");
	is_int(frame_table_init(&t, FRAME_NIL), -EFBIG,
	       "so are more than the links can name");
}

/* Lists against a plain array, through many random moves. */
static void test_lists(void)
{
	enum frame_list want[NR] = { FRAME_NONE };
	struct frame_table t;
	uint64_t x = 88172645463325252ull;
	bool same = true;

	if (frame_table_init(&t, NR))
		tap_bail("no memory");
	for (int step = 0; step < 20000; step++) {
		uint64_t counts[FRAME_NR_LISTS] = { 0 };

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		want[x % NR] = (x >> 32) % FRAME_NR_LISTS;
		frame_move(&t, GFN(x % NR), want[x % NR]);
		for (int l = FRAME_ACTIVE; l < FRAME_NR_LISTS; l++) {
			uint32_t prev = FRAME_NIL;

			for (uint32_t g = t.head[l]; g != FRAME_NIL;
			     g = t.next[g]) {
				same &= t.prev[g] == prev && (int)want[g] == l;
				prev = g;
				if (++counts[l] > NR)
					break;
			}
			same &= t.tail[l] == prev && counts[l] == t.count[l];
		}
		for (int g = 0; g < NR; g++)
			counts[want[g]] -= want[g] != FRAME_NONE;
		for (int l = FRAME_ACTIVE; l < FRAME_NR_LISTS; l++)
			same &= !counts[l];
		if (x % NR && want[x % NR] != FRAME_NONE)
			same &= t.head[want[x % NR]] == x % NR;
	}
	ok(same, "lists hold what was moved to them, newest first");
	frame_table_destroy(&t);
}

static void test_ranges(void)
{
	uint32_t g[] = { 18, 10, 14, 12, 16 };
	struct gfn_range r[5];

	select_sort(g, 5);
	ok(g[0] == 10 && g[2] == 14 && g[4] == 18,
	   "frames in the order of their numbers");
	is_int(select_ranges(g, 5, 0, r), 5, "with holes: five ranges");
	is_int(select_ranges(g, 5, 1, r), 1, "with gaps of one allowed: one");
	ok(r[0].start.v == 10 && r[0].nr == 9, "from the first to the last");
	is_int(select_ranges(g, 0, 0, r), 0, "of nothing, nothing");
}

/* The history of uses: what adds to it, and what ends it. */
static void test_uses(void)
{
	static const struct {
		const char *history;
		unsigned int uses, span;
	} t[] = {
		{ "....", 0, 0 },
		{ "y", 1, 0 },
		{ "y..", 1, 0 },		/* until the last use */
		{ "yyy", 3, 2 },
		{ "y..y.y", 3, 5 },
		{ "y...E-y", 1, 0 },		/* not when it was discarded */
		{ "y.ssy", 2, 4 },		/* the host took it */
		{ "aaa", 0, 0 },		/* nobody knows */
		{ "AAA", 0, 0 },
		{ "aEssa", 0, 0 },		/* read ahead, perhaps */
		{ "AEssA", 2, 2 },		/* somebody mapped it */
		{ "AEssAAEsA", 3, 3 },
	};
	unsigned int nr_refaults;
	struct frame_table ft;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		if (frame_table_init(&ft, NR))
			tap_bail("no memory");
		play(&ft, GFN(5), t[i].history, &nr_refaults);
		if (!ok(use_history_uses(ft.history[5]) == t[i].uses &&
			use_history_span(ft.history[5]) == t[i].span,
			"uses of %s", t[i].history))
			printf("# got %u in %u\n",
			       use_history_uses(ft.history[5]),
			       use_history_span(ft.history[5]));
		frame_table_destroy(&ft);
	}
}

static void test_uses_evicted(void)
{
	const struct frame_observation away = { .swapped = true };
	const struct frame_observation back = {
		.resident = true, .young = true, .observed = true,
	};
	struct frame_table t;
	unsigned int n;

	if (frame_table_init(&t, NR))
		tap_bail("no memory");
	play(&t, GFN(5), "y...", &n);
	frame_set_evicted(&t, GFN(5), 4);
	frame_observe(&t, GFN(5), &away, 5, MIN_IDLE);
	frame_observe(&t, GFN(5), &away, 6, MIN_IDLE);
	is_int(frame_observe(&t, GFN(5), &back, 7, MIN_IDLE), FRAME_REFAULT,
	       "a frame that was evicted comes back");
	ok(use_history_uses(t.history[5]) == 2 &&
	   use_history_span(t.history[5]) == 6,
	   "its uses are known, and the scans between");
	frame_table_destroy(&t);
}

/* What a recheck sees is a use; what is only assumed is none. */
static void test_touch(void)
{
	struct frame_table t;
	unsigned int n;

	if (frame_table_init(&t, NR))
		tap_bail("no memory");
	play(&t, GFN(4), ".", &n);
	ok(!use_history_uses(t.history[4]) &&
	   use_history_uses(frame_history(&t, GFN(4))) == 1,
	   "a frame not looked at yet is priced as one used once");
	play(&t, GFN(5), "y..", &n);
	ok(frame_history(&t, GFN(5)) == t.history[5],
	   "and any other as it was used");
	frame_record_use(&t, GFN(5), false);
	ok(use_history_uses(t.history[5]) == 1, "an assumed touch is no use");
	frame_record_use(&t, GFN(5), true);
	ok(use_history_uses(t.history[5]) == 2 &&
	   use_history_span(t.history[5]) == 1,
	   "one that was seen is, one scan after what was assumed");
	frame_table_destroy(&t);
}

int main(void)
{
	test_histories();
	test_saturation();
	test_lists();
	test_ranges();
	test_uses();
	test_uses_evicted();
	test_touch();
	return tap_done();
}
