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

#define NR 64
#define MIN_IDLE 2
#define S16	 "ssssssssssssssss"

/*
 *   .  resident, not touched      y  resident, touched
 *   m  touched through 2 mappings x  touched as code
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
		l.young = strchr("ymx", *h) != NULL;
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

/* Up to max of the inactive list, from its tail, sorted. */
static size_t from_tail(struct frame_table *t,
			bool (*accept)(gfn_t gfn, void *arg), uint32_t *g,
			size_t max)
{
	size_t nr;

	t->cursor = t->tail[FRAME_INACTIVE];
	nr = select_idle(t, MIN_IDLE, accept, NULL, NR, g, max);
	select_sort(g, nr);
	return nr;
}

static bool even(gfn_t gfn, void *arg)
{
	return gfn.v % 2 == 0;
}

static void test_select(void)
{
	const struct frame_observation idle = { .resident = true };
	struct gfn_range r[NR];
	struct frame_table t;
	uint32_t g[NR];

	if (frame_table_init(&t, NR))
		tap_bail("no memory");
	/* Frame 10 is the oldest; 20 is protected; 30 is young; 40 active. */
	for (uint32_t f = 10; f < 20; f++)
		frame_observe(&t, GFN(f), &idle, 1, MIN_IDLE);
	frame_observe(&t, GFN(30), &idle, 1, MIN_IDLE);
	frame_observe(&t, GFN(20), &idle, 1, MIN_IDLE);
	frame_set_evicted(&t, GFN(20), 1);
	frame_observe(&t, GFN(20), &idle, 2, MIN_IDLE);
	for (uint32_t f = 10; f <= 20; f++)
		for (uint32_t scan = 3; scan < 6; scan++)
			frame_observe(&t, GFN(f), &idle, scan, MIN_IDLE);
	frame_observe(&t, GFN(40), &idle, 6, MIN_IDLE);
	frame_move(&t, GFN(40), FRAME_ACTIVE);
	t.age[40] = 9;

	is_int(from_tail(&t, NULL, g, NR), 10,
	       "ten are idle for long enough");
	ok(g[0] == 10 && g[9] == 19, "in the order of their numbers");
	is_int(from_tail(&t, NULL, g, 3), 3, "at most three");
	ok(g[0] == 10 && g[2] == 12, "the oldest");
	is_int(from_tail(&t, even, g, NR), 5,
	       "only those that are accepted");
	is_int(select_ranges(g, 5, 0, r), 5, "with holes: five ranges");
	is_int(select_ranges(g, 5, 1, r), 1, "with gaps of one allowed: one");
	ok(r[0].start.v == 10 && r[0].nr == 9, "from the first to the last");
	is_int(select_ranges(g, 0, 0, r), 0, "of nothing, nothing");
	frame_table_destroy(&t);
}

/*
 * Through the list a few frames at a time, while frames leave it, the next one
 * among them, and return to its head: each frame that was there is visited
 * once.
 */
static void test_cursor(void)
{
	const struct frame_observation idle = { .resident = true };
	unsigned int nr_met[NR] = { 0 }, nr_calls = 0;
	struct frame_table t;
	uint32_t g[NR];
	bool once = true;

	if (frame_table_init(&t, NR))
		tap_bail("no memory");
	for (uint32_t scan = 1; scan < 5; scan++)
		for (uint32_t f = 0; f < NR; f++)
			frame_observe(&t, GFN(f), &idle, scan, MIN_IDLE);
	t.cursor = t.tail[FRAME_INACTIVE];
	while (t.cursor != FRAME_NIL && nr_calls++ < NR) {
		uint32_t next;

		for (size_t nr = select_idle(&t, MIN_IDLE, NULL, NULL, 5, g, 3);
		     nr--;)
			nr_met[g[nr]]++;
		next = t.cursor;
		if (next == FRAME_NIL)
			break;
		/* Of every three calls, one takes the next frame away. */
		if (nr_calls % 3 == 0)
			frame_move(&t, GFN(next), FRAME_ACTIVE);
		else if (nr_calls % 3 == 1)
			frame_set_evicted(&t, GFN(next), 5);
		nr_met[next] += nr_calls % 3 < 2;
		once &= t.cursor != next || nr_calls % 3 == 2;
	}
	for (uint32_t f = 0; f < NR; f++)
		once &= nr_met[f] == 1;
	ok(once && nr_calls > NR / 4 && nr_calls < NR,
	   "a cursor outlives the frame that it is at (%u calls)", nr_calls);
	is_int(select_idle(&t, MIN_IDLE, NULL, NULL, NR, g, NR), 0,
	       "at the end there is nothing more");
	t.cursor = t.tail[FRAME_INACTIVE];
	is_int(select_idle(&t, MIN_IDLE, NULL, NULL, 5, g, NR), 5,
	       "as many are looked at as one asks for");
	frame_table_destroy(&t);
}

int main(void)
{
	test_histories();
	test_saturation();
	test_lists();
	test_select();
	test_cursor();
	return tap_done();
}
