// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <math.h>

#include "vmm/balance/balance.h"
#include "vmm/util/min-max.h"

#define SLICES_OF_TOTAL	256	/* total / slice size */
#define MIN_SLICE	64	/* pages */
#define STEP_SLICES	16	/* moved in one decision, at most */
#define LEAST_NS	(100 * 1000.0)	/* waiting a second; less is ignored */
#define ALIKE		1.25		/* up to this ratio values are equal */
#define UNDO		2.0		/* times as much, to undo a move */
#define UNDO_WITHIN	8	/* decisions */
#define PART_SLACK	0.05	/* tolerated deviation from parts */

/* A decision in progress. */
struct round {
	struct balance_guest *guests;
	size_t nr;
	uint64_t total, slice, sum;	/* of movable guests */
};

static double price(const struct round *r, size_t i, double low, double high)
{
	const struct balance_guest *g = &r->guests[i];

	return g->shares * g->refault_ns *
	       (balance_curve_at(&g->curve, low) -
		balance_curve_at(&g->curve, high));
}

/* The loss of one slice; infinite if the guest can't lose any. */
static double loss_of(const struct round *r, size_t i)
{
	uint64_t x = r->guests[i].target, room = x - r->guests[i].lowest;
	uint64_t q = min_u64(r->slice, room);

	if (r->guests[i].fixed || !room)
		return INFINITY;
	return price(r, i, x - q, x) * r->slice / q;
}

/* The gain of one slice; negative if the guest can't take more. */
static double gain_of(const struct round *r, size_t i)
{
	uint64_t x = r->guests[i].target, room = r->guests[i].highest - x;
	uint64_t q = min_u64(r->slice, room);

	if (r->guests[i].fixed || !room)
		return -1;
	return price(r, i, x, x + q) * r->slice / q;
}

/* Is a greater than b by more than noise? */
static bool is_above(double a, double b)
{
	return a > b * ALIKE + LEAST_NS;
}

/* The guest's target relative to its part by shares. */
static double fullness(const struct round *r, size_t i)
{
	const struct balance_guest *g = &r->guests[i];

	return g->part ? (double)g->target / g->part : g->target ? INFINITY : 1;
}

/* The guest with the least loss, among equals the fullest; r->nr: none. */
static size_t find_loser(const struct round *r, size_t except)
{
	double least = INFINITY, full = -1;
	size_t found = r->nr;

	for (size_t i = 0; i < r->nr; i++)
		if (i != except && loss_of(r, i) < least)
			least = loss_of(r, i);
	for (size_t i = 0; i < r->nr; i++) {
		double loss = loss_of(r, i);

		if (i == except || !isfinite(loss) || is_above(loss, least) ||
		    fullness(r, i) <= full)
			continue;
		full = fullness(r, i);
		found = i;
	}
	return found;
}

/* The guest with the greatest gain, among equals the emptiest; r->nr: none. */
static size_t find_gainer(const struct round *r)
{
	double most = -1, full = INFINITY;
	size_t found = r->nr;

	for (size_t i = 0; i < r->nr; i++)
		if (gain_of(r, i) > most)
			most = gain_of(r, i);
	for (size_t i = 0; i < r->nr; i++) {
		double gain = gain_of(r, i);

		if (gain < 0 || is_above(most, gain) || fullness(r, i) >= full)
			continue;
		full = fullness(r, i);
		found = i;
	}
	return found;
}

static void note_move(struct balance_guest *g, int direction)
{
	g->direction = direction;
	g->since_move = 0;
}

static uint64_t take(struct round *r, size_t i, uint64_t nr)
{
	nr = min_u64(nr, r->guests[i].target - r->guests[i].lowest);
	r->guests[i].target -= nr;
	r->sum -= nr;
	return nr;
}

static uint64_t give(struct round *r, size_t i, uint64_t nr)
{
	nr = min_u64(nr, r->guests[i].highest - r->guests[i].target);
	r->guests[i].target += nr;
	r->sum += nr;
	return nr;
}

static void shrink_to_total(struct round *r)
{
	while (r->sum > r->total) {
		size_t i = find_loser(r, r->nr);

		if (i == r->nr)
			return;
		take(r, i, min_u64(r->slice, r->sum - r->total));
		note_move(&r->guests[i], -1);
	}
}

static void grow_to_total(struct round *r)
{
	while (r->sum < r->total) {
		size_t i = find_gainer(r);

		if (i == r->nr)
			return;
		give(r, i, min_u64(r->slice, r->total - r->sum));
	}
}

static bool undoes(const struct balance_guest *g, int direction)
{
	return g->direction == -direction && g->since_move < UNDO_WITHIN;
}

static uint64_t move(struct round *r, size_t from, size_t to)
{
	uint64_t nr = min_u64(r->slice, r->guests[to].highest - r->guests[to].target);

	nr = take(r, from, nr);
	give(r, to, nr);
	note_move(&r->guests[from], -1);
	note_move(&r->guests[to], 1);
	return nr;
}

static uint64_t move_by_price(struct round *r)
{
	size_t to = find_gainer(r), from;
	double loss, gain;

	if (to == r->nr)
		return 0;
	from = find_loser(r, to);
	if (from == r->nr)
		return 0;
	gain = gain_of(r, to);
	loss = loss_of(r, from);
	if (undoes(&r->guests[to], 1) || undoes(&r->guests[from], -1)) {
		if (gain <= UNDO * (loss * ALIKE + LEAST_NS))
			return 0;
	} else if (!is_above(gain, loss)) {
		return 0;
	}
	return move(r, from, to);
}

/* Compares the loss of two slices, though one is moved, to leave a margin. */
static bool can_spare(const struct round *r, size_t i, double gain)
{
	uint64_t x = r->guests[i].target;

	if (x - r->guests[i].lowest < r->slice ||
	    undoes(&r->guests[i], -1))
		return false;
	return price(r, i, x > 2 * r->slice ? x - 2 * r->slice : 0, x) <=
	       2 * ALIKE * gain + LEAST_NS;
}

static uint64_t move_by_shares(struct round *r)
{
	double full = 0, empty = INFINITY, gain;
	size_t from = r->nr, to = r->nr;

	for (size_t i = 0; i < r->nr; i++)
		if (gain_of(r, i) >= 0 && fullness(r, i) < empty &&
		    !undoes(&r->guests[i], 1)) {
			empty = fullness(r, i);
			to = i;
		}
	if (to == r->nr)
		return 0;
	gain = gain_of(r, to);
	for (size_t i = 0; i < r->nr; i++)
		if (i != to && !r->guests[i].fixed && fullness(r, i) > full &&
		    can_spare(r, i, gain)) {
			full = fullness(r, i);
			from = i;
		}
	if (from == r->nr || full <= (1 + PART_SLACK) * empty)
		return 0;
	return move(r, from, to);
}

/*
 * Parts by shares: a guest whose limits exclude its part gets the limit, and
 * the rest is divided again among the others, until no part is outside limits.
 */
static void find_parts(struct round *r)
{
	bool limited = true;
	uint64_t left = r->total;

	for (size_t i = 0; i < r->nr; i++)
		r->guests[i].limited = r->guests[i].fixed;
	while (limited) {
		uint64_t rest = left;
		double shares = 0;

		limited = false;
		for (size_t i = 0; i < r->nr; i++)
			if (!r->guests[i].limited)
				shares += r->guests[i].shares;
		for (size_t i = 0; i < r->nr; i++) {
			struct balance_guest *g = &r->guests[i];
			double part = left * (g->shares / shares);

			if (g->limited)
				continue;
			g->part = part;
			if (part > g->lowest && part < g->highest)
				continue;
			g->part = part < g->lowest ? g->lowest :
						     min_u64(part, g->highest);
			g->limited = true;
			limited = true;
			rest -= min_u64(rest, g->part);
		}
		left = rest;
	}
}

/*
 * Sets limits that can all be kept.  True: the minima exceeded the total, and
 * all were reduced in proportion.
 */
static bool find_limits(struct round *r)
{
	uint64_t minima = 0;
	double cut;

	for (size_t i = 0; i < r->nr; i++) {
		struct balance_guest *g = &r->guests[i];

		g->highest = g->max ? min_u64(g->max, g->memory) : g->memory;
		/* A target of 0 would mean no target. */
		g->lowest = min_u64(g->min ? g->min : 1, g->highest);
		minima += g->fixed ? 0 : g->lowest;
	}
	if (minima <= r->total)
		return false;
	cut = (double)r->total / minima;
	for (size_t i = 0; i < r->nr; i++) {
		r->guests[i].lowest *= cut;
		r->guests[i].highest = r->guests[i].lowest;
	}
	return true;
}

static void begin(struct round *r)
{
	for (size_t i = 0; i < r->nr; i++) {
		struct balance_guest *g = &r->guests[i];

		balance_curve_make(&g->curve, g->ages, g->period_ns,
				   g->swapped, g->refaults_per_s);
		if (g->fixed)
			continue;
		if (!g->target)
			g->target = g->resident;
		if (g->target < g->lowest)
			g->target = g->lowest;
		g->target = min_u64(g->target, g->highest);
		if (g->since_move < UNDO_WITHIN)
			g->since_move++;
		r->sum += g->target;
	}
}

static void finish(struct round *r, uint64_t fixed,
		   struct balance_result *result)
{
	for (size_t i = 0; i < r->nr; i++) {
		struct balance_guest *g = &r->guests[i];

		g->loss = loss_of(r, i);
		g->gain = gain_of(r, i);
	}
	result->sum = r->sum + fixed;
}

void balance_decide(struct balance_guest *guests, size_t nr, uint64_t total,
		    struct balance_result *result)
{
	uint64_t fixed = 0, moved;
	struct round r = { .guests = guests, .nr = nr };

	*result = (struct balance_result){ 0 };
	for (size_t i = 0; i < nr; i++)
		fixed += guests[i].fixed ? guests[i].resident : 0;
	r.total = total > fixed ? total - fixed : 0;
	r.slice = r.total / SLICES_OF_TOTAL;
	if (r.slice < MIN_SLICE)
		r.slice = MIN_SLICE;
	result->minima_cut = find_limits(&r);
	find_parts(&r);
	begin(&r);
	shrink_to_total(&r);
	grow_to_total(&r);
	for (unsigned int i = 0; i < STEP_SLICES; i++) {
		moved = move_by_price(&r);
		if (!moved)
			moved = move_by_shares(&r);
		if (!moved)
			break;
		result->moved += moved;
	}
	finish(&r, fixed, result);
}
