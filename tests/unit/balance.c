// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Decisions of `vmm balance`, for guests simulated by formulas: groups of
 * pages, each touched again after a mean time, so that the cost of any memory
 * size is known and the best split can be found by trying all.
 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "tests/tap.h"
#include "vmm/balance/balance.h"

#define SCAN_NS	   1000000000ull
#define REFAULT_NS 10000.0
#define MAX_GROUPS 4
#define MAX_GUESTS 4

struct group {
	double pages, scans;	/* mean time between touches; 0: never */
};

struct world {
	struct group groups[MAX_GUESTS][MAX_GROUPS];
	struct balance_guest guests[MAX_GUESTS];
	size_t nr;
	uint64_t total, seed;
	double noise;
};

/* Pages idle for a scans, in the long run, with all memory. */
static double density(const struct group *groups, unsigned int a)
{
	double n = 0;

	for (int i = 0; i < MAX_GROUPS; i++)
		if (groups[i].scans > 0)
			n += groups[i].pages * (1 - exp(-1 / groups[i].scans)) *
			     exp(-(a / groups[i].scans));
	return n;
}

/*
 * The x youngest pages: their ages into *g, and what comes back a second.  What
 * is not reached within the histogram is in its last age.
 */
static double keep(const struct group *groups, double x,
		   struct balance_guest *g)
{
	double left = x, rate = 0;
	unsigned int a;

	memset(g->ages, 0, sizeof(g->ages));
	for (a = 0; a < BALANCE_AGES - 1 && left > 0; a++) {
		double n = density(groups, a);

		rate = density(groups, a + 1);
		if (n >= left) {
			/* The window ends within this age. */
			rate = n + (rate - n) * left / n;
			n = left;
		}
		g->ages[a] = n + 0.5;
		left -= n;
	}
	if (left > 0.5) {
		g->ages[a] = left;
		rate = 0;
	}
	return x > 0 ? rate : density(groups, 0);
}

static double random_part(struct world *w)
{
	w->seed = w->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (w->seed >> 11) / 9007199254740992.0;
}

static void look(struct world *w)
{
	for (size_t i = 0; i < w->nr; i++) {
		struct balance_guest *g = &w->guests[i];
		uint64_t x = g->target && g->target < g->memory ? g->target :
								  g->memory;
		double r = keep(w->groups[i], x, g);

		if (g->fixed)
			continue;
		g->resident = x;
		g->swapped = g->memory - x;
		g->refaults_per_s = g->swapped ?
			r * (1 + w->noise * (2 * random_part(w) - 1)) : 0;
	}
}

/* Of all guests, a second. */
static double refaults(const struct world *w)
{
	struct balance_guest scratch;
	double sum = 0;

	for (size_t i = 0; i < w->nr; i++)
		if (w->guests[i].target < w->guests[i].memory)
			sum += keep(w->groups[i], w->guests[i].target,
				    &scratch);
	return sum;
}

static unsigned int nr_broken;

static uint64_t step(struct world *w)
{
	struct balance_result res;
	uint64_t sum = 0;

	look(w);
	balance_decide(w->guests, w->nr, w->total, &res);
	for (size_t i = 0; i < w->nr; i++) {
		const struct balance_guest *g = &w->guests[i];

		sum += g->fixed ? g->resident : g->target;
		nr_broken += !g->fixed && !res.minima_cut &&
			     (g->target < g->min ||
			      g->target > g->memory ||
			      (g->max && g->target > g->max));
	}
	nr_broken += sum > w->total || sum != res.sum;
	return res.moved;
}

static uint64_t steps(struct world *w, unsigned int nr)
{
	uint64_t moved = 0;

	while (nr--)
		moved += step(w);
	return moved;
}

static void add(struct world *w, double shares, uint64_t memory,
		struct group a, struct group b)
{
	struct balance_guest *g = &w->guests[w->nr];

	memset(w->groups[w->nr], 0, sizeof(w->groups[0]));
	w->groups[w->nr][0] = a;
	w->groups[w->nr][1] = b;
	*g = (struct balance_guest){
		.shares = shares, .memory = memory, .period_ns = SCAN_NS,
		.refault_ns = REFAULT_NS,
	};
	w->nr++;
}

#define GROUP(p, s) ((struct group){ (p), (s) })
#define NONE	    GROUP(0, 0)
#define GiB	    262144ull	/* pages */

static void test_curve(void)
{
	uint64_t ages[BALANCE_AGES] = { 1000, 500, 250, 200, 50 };
	struct balance_curve c;
	bool falls = true;

	ages[255] = 3000;
	balance_curve_make(&c, ages, SCAN_NS, 2000, 7);
	for (double x = 0; x < 8000; x += 10)
		falls &= balance_curve_at(&c, x + 10) <=
			 balance_curve_at(&c, x) + 1e-9;
	ok(falls, "curve: more memory is never worse");
	ok(fabs(balance_curve_at(&c, 0) - 1007) < 1e-6,
	   "curve: without memory all that is used each scan comes back");
	ok(fabs(balance_curve_at(&c, 1000) - 507) < 1e-6,
	   "curve: with one scan's pages what is older comes back");
	ok(fabs(balance_curve_at(&c, 5000) - 7) < 1e-6 &&
	   fabs(balance_curve_at(&c, 3000) - 7) < 1e-6,
	   "curve: at what is resident it is what was measured");
	ok(balance_curve_at(&c, 7001) < 1e-6, "curve: with all memory nothing");
	memset(ages, 0, sizeof(ages));
	ages[10] = 50000;
	balance_curve_make(&c, ages, SCAN_NS, 0, 0);
	ok(balance_curve_at(&c, 0) < 1e-6,
	   "curve: a burst that nobody touched again is no flow");
}

static void test_idle_and_hot(void)
{
	struct world w = { .total = GiB };

	add(&w, 1, GiB, NONE, GROUP(GiB, 0));
	add(&w, 1, GiB, GROUP(GiB * 3 / 4, 1), NONE);
	w.guests[0].min = GiB / 16;
	w.guests[0].target = w.guests[1].target = GiB / 2;
	steps(&w, 1);
	ok(w.guests[0].target < GiB / 2 && w.guests[1].target > GiB / 2,
	   "idle and hot: memory moves at once");
	steps(&w, 40);
	ok(w.guests[1].target >= GiB * 3 / 4,
	   "idle and hot: the hot one gets all it uses (%llu MiB)",
	   (unsigned long long)w.guests[1].target >> 8);
	ok(w.guests[0].target >= GiB / 16, "idle and hot: the idle one keeps "
	   "its minimum");
	w.guests[1].max = GiB / 2;
	steps(&w, 2);
	ok(w.guests[1].target == GiB / 2, "a maximum is kept, also a new one");
}

/* Every split that there is, in 1/256. */
static double best_of(struct world *w)
{
	double best = INFINITY;

	for (unsigned int k = 1; k < 256; k++) {
		w->guests[0].target = w->total * k / 256;
		w->guests[1].target = w->total - w->guests[0].target;
		if (refaults(w) < best)
			best = refaults(w);
	}
	return best;
}

static void test_best(void)
{
	struct world w = { .total = GiB * 5 / 4 };
	double even, best, got;

	add(&w, 1, GiB, GROUP(GiB / 2, 2), GROUP(GiB / 2, 200));
	add(&w, 1, GiB, GROUP(GiB / 4, 2), GROUP(GiB * 3 / 4, 30));
	best = best_of(&w);
	w.guests[0].target = w.guests[1].target = w.total / 2;
	even = refaults(&w);
	steps(&w, 60);
	got = refaults(&w);
	printf("# refaults a second: even %.0f, best %.0f, found %.0f\n", even,
	       best, got);
	ok(got <= 1.06 * best, "the split found is nearly the best one");
	ok(even > 1.15 * best, "(an even one is not)");
}

static void test_cost(void)
{
	struct world w = { .total = GiB };

	add(&w, 1, GiB, GROUP(GiB, 20), NONE);
	add(&w, 1, GiB, GROUP(GiB, 20), NONE);
	w.guests[1].refault_ns = 10 * REFAULT_NS;
	w.guests[0].target = w.guests[1].target = GiB / 2;
	steps(&w, 40);
	ok(w.guests[1].target > GiB * 5 / 8,
	   "where refaults are dearer more memory goes (%llu MiB)",
	   (unsigned long long)w.guests[1].target >> 8);
}

static void check_parts(const struct world *w, const char *name)
{
	double shares = 0;
	bool good = true;

	for (size_t i = 0; i < w->nr; i++)
		shares += w->guests[i].shares;
	for (size_t i = 0; i < w->nr; i++) {
		double part = w->total * w->guests[i].shares / shares;

		printf("# guest %zu: %.0f, its part %.0f\n", i,
		       (double)w->guests[i].target, part);
		good &= fabs(w->guests[i].target - part) < 0.08 * part;
	}
	ok(good, "%s", name);
}

static void test_shares(void)
{
	struct world idle = { .total = GiB }, hot = { .total = GiB };

	for (int i = 0; i < 3; i++)
		add(&idle, i ? 1 : 2, GiB, NONE, GROUP(GiB, 0));
	steps(&idle, 40);
	check_parts(&idle, "shares: all idle: memory is as shares are");
	idle.guests[0].target = GiB / 16;
	idle.guests[1].target = GiB * 15 / 16 - 1024;
	idle.guests[2].target = 1024;
	steps(&idle, 80);
	check_parts(&idle, "shares: and from any other beginning");
	for (int i = 0; i < 3; i++)
		add(&hot, 1, GiB, GROUP(GiB, 50), NONE);
	hot.guests[0].target = GiB / 2;
	hot.guests[1].target = hot.guests[2].target = GiB / 4;
	steps(&hot, 60);
	check_parts(&hot, "shares: all alike and in need: alike");
}

static void test_rest(void)
{
	struct world w = { .total = GiB, .seed = 3 };
	uint64_t calm, noisy;

	add(&w, 1, GiB, GROUP(GiB / 2, 3), GROUP(GiB / 2, 100));
	add(&w, 2, GiB, GROUP(GiB / 4, 3), GROUP(GiB / 2, 40));
	add(&w, 1, GiB, GROUP(GiB / 8, 2), GROUP(GiB / 2, 0));
	steps(&w, 60);
	calm = steps(&w, 60);
	printf("# moved in 60 decisions: %llu pages\n",
	       (unsigned long long)calm);
	ok(calm <= 8 * GiB / 256, "nothing changes: it comes to rest");
	w.noise = 0.5;
	noisy = steps(&w, 100);
	printf("# with noise, in 100 decisions: %llu pages\n",
	       (unsigned long long)noisy);
	ok(noisy <= 50 * GiB / 256, "refaults off by half: less than half a "
	   "slice a decision moves");
}

static void test_come_and_go(void)
{
	struct world w = { .total = GiB };
	uint64_t before;

	add(&w, 1, GiB, GROUP(GiB, 30), NONE);
	add(&w, 1, GiB, GROUP(GiB, 30), NONE);
	steps(&w, 20);
	before = w.guests[0].target;
	add(&w, 1, GiB, GROUP(GiB / 4, 1), NONE);
	steps(&w, 30);
	ok(w.guests[2].target > GiB / 5 && w.guests[0].target < before,
	   "one appears: others make room");
	before = w.guests[0].target;
	w.nr = 2;
	steps(&w, 3);
	ok(w.guests[0].target > before && w.guests[0].target +
	   w.guests[1].target == w.total, "one vanishes: others have it all");
	w.guests[1].fixed = true;
	before = w.guests[1].target;
	steps(&w, 5);
	is_int(w.guests[1].target, before, "one does not answer: it is left "
	       "alone");
	w.guests[1].fixed = false;
	steps(&w, 5);
	ok(w.guests[0].target + w.guests[1].target <= w.total,
	   "it answers again: it is one of all");
	w.nr = 0;
	is_int(step(&w), 0, "nobody is there: nothing to do");
}

static void test_too_little(void)
{
	struct world w = { .total = GiB };
	struct balance_result res;

	add(&w, 1, GiB, GROUP(GiB, 30), NONE);
	add(&w, 1, GiB, NONE, GROUP(GiB, 0));
	w.guests[0].min = GiB * 3 / 4;
	w.guests[1].min = GiB * 3 / 4;
	look(&w);
	balance_decide(w.guests, w.nr, w.total, &res);
	ok(res.minima_cut && w.guests[0].target == GiB / 2 &&
	   w.guests[1].target == GiB / 2, "minima above the total: cut alike");
	w.guests[0].min = w.guests[1].min = 0;
	w.guests[1].fixed = true;
	w.guests[1].resident = 2 * GiB;
	look(&w);
	balance_decide(w.guests, w.nr, w.total, &res);
	is_int(w.guests[0].target, 0, "others have more than all: nothing is "
	       "left");
	w.total = 4 * GiB;
	w.guests[1].fixed = false;
	w.guests[0].target = w.guests[1].target = 0;
	look(&w);
	balance_decide(w.guests, w.nr, w.total, &res);
	ok(w.guests[0].target == GiB && w.guests[1].target == GiB,
	   "enough for all: all have all");
}

int main(void)
{
	test_curve();
	test_idle_and_hot();
	test_best();
	test_cost();
	test_shares();
	test_rest();
	test_come_and_go();
	is_int(nr_broken, 0, "in every decision the sum was within the total, "
	       "and each target within its limits");
	test_too_little();
	return tap_done();
}
