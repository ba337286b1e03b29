// SPDX-License-Identifier: GPL-2.0-or-later
/* The history of a page's uses, and what it is worth to keep the page. */
#include "config.h"

#include <stdlib.h>

#include "tests/tap.h"
#include "vmm/policy/class.h"
#include "vmm/policy/price.h"

static uint16_t history(unsigned int uses, unsigned int span)
{
	return uses << 12 | span;
}

static void test_history(void)
{
	static const struct {
		unsigned int uses, span, gap, want_uses, want_span;
		const char *what;
	} t[] = {
		{ 0, 0, 9, 1, 0, "the first use has no gap" },
		{ 1, 0, 9, 2, 9, "the second has" },
		{ 2, 9, 1, 3, 10, "gaps add up" },
		{ 14, 13, 1, 15, 14, "fifteen uses can be counted" },
		{ 15, 14, 1, 8, 7, "more are halved, and so is their span" },
		{ 15, 1400, 100, 8, 750, "the mean gap stays" },
		{ 2, 4000, 95, 3, 4095, "4095 scans can be counted" },
		{ 3, 4095, 1, 2, 2048, "of more, what is long ago is halved" },
		{ 1, 0, 100000, 2, 4095, "a longer gap counts as so many" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint16_t h = use_history_add(history(t[i].uses, t[i].span),
					     t[i].gap);

		if (!ok(use_history_uses(h) == t[i].want_uses &&
			use_history_span(h) == t[i].want_span, "%s",
			t[i].what))
			printf("# got %u uses in %u scans\n",
			       use_history_uses(h), use_history_span(h));
	}
}

static void test_kinds(void)
{
	static const struct {
		unsigned int uses, span, kind;
	} t[] = {
		{ 0, 0, 0 },
		{ 1, 0, 1 },
		{ 2, 1, 2 },		/* gap 1, two uses */
		{ 3, 3, 7 },		/* gap 1.5, three */
		{ 9, 16, 13 },		/* gap 2, nine */
		{ 15, 28, 13 },
		{ 5, 12, 2 + 4 * 3 + 2 },	/* gap 3 */
		{ 2, 600, 2 + 4 * 17 },		/* 512 or more */
		{ 2, 4095, 2 + 4 * 17 },
	};
	bool inside = true;
	double uses, span;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		is_int(use_history_kind(history(t[i].uses, t[i].span)),
		       t[i].kind, "kind of history");
	for (unsigned int h = 0; h < 1 << 16; h++)
		inside &= use_history_kind(h) < USE_HISTORY_KINDS;
	ok(inside, "no history is of a kind that does not exist");
	/* Powers of two and halves: these are exact. */
	use_history_typical(13, &uses, &span);
	is_int(uses * 100, 1150, "typical of nine or more: 11.5 uses");
	is_int(span * 100, 2625, "with gaps of 2.5 in the step from 2 to 3");
}

/* Nothing is known: least recently used first, of two equally old the rarer. */
static void test_unknown(void)
{
	static struct price_table p;
	static const uint8_t steps[PRICE_AGES] = {
		0, 1, 2, 3, 5, 7, 11, 15, 23, 31, 47, 63, 95, 127, 191, 254,
	};
	unsigned int last = PRICE_RANKS;
	bool falls = true;

	price_update(&p);
	for (int i = 0; i < PRICE_AGES; i++) {
		unsigned int rank = price_rank(&p, history(1, 0), steps[i]);

		falls &= rank < last;
		last = rank;
		/* The step before ends where this one begins. */
		falls &= !i || price_rank(&p, history(1, 0), steps[i] - 1) ==
				       price_rank(&p, history(1, 0),
						  steps[i - 1]);
	}
	ok(falls, "pages used once: the longer ago, the cheaper");
	ok(price_rank(&p, history(9, 16), 3) > price_rank(&p, history(9, 80), 3),
	   "used more often: dearer");
	ok(price_rank(&p, history(1, 0), 3) > price_rank(&p, 0, 3),
	   "never seen used: cheaper than used once");
}

/* One in `one_in` pages of this history and age was used in the next scan. */
static void learn(struct price_table *p, uint16_t h, unsigned int age,
		  unsigned int one_in)
{
	for (unsigned int i = 1; i <= 20000; i++)
		price_count(p, h, age, one_in && i % one_in == 0);
}

/* What is assumed still counts a little: within half an octave. */
static bool near(unsigned int rank, unsigned int want)
{
	if (abs((int)rank - (int)want) <= PRICE_RANKS_TO_DOUBLE / 2)
		return true;
	printf("# rank %u, want about %u\n", rank, want);
	return false;
}

/* Rank of a price of 2^-n. */
#define RANK(n) (PRICE_RANKS - PRICE_RANKS_TO_DOUBLE * (n))

static void test_constant(void)
{
	static struct price_table p;

	for (unsigned int age = 0; age < 256; age++) {
		learn(&p, history(9, 16), age, 16);
		learn(&p, history(9, 80), age, 4);
	}
	price_update(&p);
	ok(near(price_rank(&p, history(9, 16), 0), RANK(4)),
	   "one in sixteen used: a sixteenth");
	ok(near(price_rank(&p, history(9, 16), 100), RANK(4)),
	   "idle or not, as it does not matter");
	ok(near(price_rank(&p, history(9, 80), 0), RANK(2)),
	   "one in four: a quarter, though its history is of less use");
}

/* A working set that moved: what was used often is not any more. */
static void test_moved(void)
{
	static struct price_table p;
	unsigned int before;

	for (unsigned int age = 0; age < 11; age++)
		learn(&p, history(9, 16), age, age < 4 ? 2 : 4);
	price_update(&p);
	before = price_rank(&p, history(9, 16), 8);
	ok(before > price_rank(&p, history(1, 0), 8), "as it is, they stay");
	for (int i = 0; i < 4096; i++)
		price_count(&p, history(9, 16), 8, false);
	price_update(&p);
	ok(price_rank(&p, history(9, 16), 8) + 2 * PRICE_RANKS_TO_DOUBLE <
		   before,
	   "4096 idle pages later they are worth less than a quarter");
	ok(price_rank(&p, history(9, 16), 20) + 2 * PRICE_RANKS_TO_DOUBLE <
		   before,
	   "and so are older ones, of which nothing is known");
}

/* Read round and round, each page every ninth scan. */
static void test_rises(void)
{
	static struct price_table p;

	for (unsigned int age = 0; age < 256; age++)
		learn(&p, history(9, 72), age, age < 8 ? 0 : 1);
	price_update(&p);
	ok(near(price_rank(&p, history(9, 72), 7), RANK(1)) ||
	   price_rank(&p, history(9, 72), 7) > RANK(1),
	   "just before its use a page is dear");
	ok(price_rank(&p, history(9, 72), 0) <
	   price_rank(&p, history(9, 72), 4), "just after it is cheap");
	/* A use in nine scans: log2 9 = 3.17. */
	ok(near(price_rank(&p, history(9, 72), 0),
		RANK(3) - PRICE_RANKS_TO_DOUBLE * 2 / 9),
	   "but not worthless: a use in nine scans is to come");
}

static void test_classes(void)
{
	ok(!frame_class_cost(CLASS_ANON) && !frame_class_cost(CLASS_UNKNOWN),
	   "anonymous and unknown memory costs one write");
	is_int(frame_class_cost(CLASS_DIRTY_FILE), PRICE_RANKS_TO_DOUBLE,
	       "dirty page cache two");
}

int main(void)
{
	test_history();
	test_kinds();
	test_unknown();
	test_constant();
	test_moved();
	test_rises();
	test_classes();
	return tap_done();
}
