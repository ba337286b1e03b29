// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Synthetic traces.  A second is three references for every four pages.  With
 * six scans in it a page at the edge of what may stay (zipf 1.0) is used about
 * once in fifty scans.
 */
#include "config.h"

#include <stdlib.h>

#include "tests/bench/replacement.h"
#include "tests/bench/replacement-list.h"

#define PHASE_SECONDS 20

struct generator {
	struct trace *t;
	uint64_t random;	/* state */
	uint32_t *page_of;	/* owned; by rank */
	double *sum;		/* owned; of the weights of ranks 0 to i */
	uint32_t nr_ranks;
	uint32_t scan_next, nr_phase_pages;
};

/* xorshift64*: fixed seeds give fixed traces on each machine. */
static uint64_t next_random(struct generator *g)
{
	g->random ^= g->random >> 12;
	g->random ^= g->random << 25;
	g->random ^= g->random >> 27;
	return g->random * UINT64_C(0x2545f4914f6cdd1d);
}

static uint32_t random_below(struct generator *g, uint32_t n)
{
	return (next_random(g) >> 32) * n >> 32;
}

static double random_unit(struct generator *g)
{
	return (next_random(g) >> 11) * 0x1p-53;
}

static void swap_ranks(struct generator *g, uint32_t a, uint32_t b)
{
	uint32_t page = g->page_of[a];

	g->page_of[a] = g->page_of[b];
	g->page_of[b] = page;
}

static void shuffle(struct generator *g, uint32_t nr)
{
	for (uint32_t i = nr; i > 1; i--)
		swap_ranks(g, i - 1, random_below(g, i));
}

/* x^-0.8 or x^-1 without libm, whose last bits differ between machines. */
static double weight(enum trace_kind kind, uint32_t rank)
{
	double x = rank + 1, y = 1;

	if (kind != TRACE_ZIPF_08)
		return 1 / x;
	/* y^5 = x, by Newton's method: x^-0.8 = y / x. */
	while (y * y * y * y * y < x)
		y *= 2;
	for (int i = 0; i < 60; i++)
		y -= (y - x / (y * y * y * y)) / 5;
	return y / x;
}

static void generator_init(struct generator *g, struct trace *t,
			   enum trace_kind kind)
{
	double sum = 0;

	*g = (struct generator){
		.t = t, .random = 0x9e3779b97f4a7c15 + kind,
		.page_of = list_alloc(t->nr_pages, sizeof(*g->page_of)),
		.sum = list_alloc(t->nr_pages, sizeof(*g->sum)),
		.nr_ranks = kind == TRACE_ZIPF_SCAN ? t->nr_pages / 2 :
						      t->nr_pages,
	};
	for (uint32_t i = 0; i < t->nr_pages; i++)
		g->page_of[i] = i;
	for (uint32_t i = 0; i < g->nr_ranks; i++)
		g->sum[i] = sum += weight(kind, i);
	/* Of the trace with a scan, the other half is read in order. */
	shuffle(g, g->nr_ranks);
}

static uint32_t zipf(struct generator *g)
{
	double x = random_unit(g) * g->sum[g->nr_ranks - 1];
	uint32_t low = 0, high = g->nr_ranks - 1, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (g->sum[middle] > x)
			high = middle;
		else
			low = middle + 1;
	}
	return g->page_of[low];
}

/* The hottest third of the pages changes places with others. */
static void move_hot(struct generator *g)
{
	uint32_t third = g->nr_ranks / 3;

	for (uint32_t i = 0; i < third; i++)
		swap_ranks(g, i, third + random_below(g, g->nr_ranks - third));
}

static void begin_second(struct generator *g, enum trace_kind kind,
			 unsigned int second)
{
	if (kind == TRACE_ZIPF_MOVES_60 && second && second % 60 == 0)
		move_hot(g);
	if (kind == TRACE_ZIPF_MOVES_20 && second && second % 20 == 0)
		move_hot(g);
	if (kind == TRACE_PHASES_20 && second % PHASE_SECONDS == 0)
		shuffle(g, g->nr_ranks);
}

static uint32_t next_page(struct generator *g, enum trace_kind kind)
{
	const struct trace *t = g->t;
	uint32_t page;

	switch (kind) {
	case TRACE_PHASES_20:
		return g->page_of[random_below(g, t->nr_pages / 3)];
	case TRACE_LOOP:
		page = g->scan_next++;
		g->scan_next %= t->nr_stay * 6 / 5;
		return page;
	case TRACE_ZIPF_SCAN:
		if (random_below(g, 10) >= 3)
			return zipf(g);
		page = g->nr_ranks + g->scan_next++;
		g->scan_next %= t->nr_pages - g->nr_ranks;
		return page;
	default:
		return zipf(g);
	}
}

void trace_make(struct trace *t, enum trace_kind kind, uint32_t nr_pages,
		unsigned int nr_seconds, unsigned int nr_scans)
{
	static const char *const names[] = {
		[TRACE_ZIPF_10] = "zipf 1.0",
		[TRACE_ZIPF_08] = "zipf 0.8",
		[TRACE_ZIPF_MOVES_60] = "zipf, moves each 60 s",
		[TRACE_ZIPF_MOVES_20] = "zipf, moves each 20 s",
		[TRACE_ZIPF_SCAN] = "zipf and a scan",
		[TRACE_PHASES_20] = "phases of 20 s",
		[TRACE_LOOP] = "loop over 120 %",
	};
	size_t second_refs = nr_pages / 4 * 3;
	struct generator g;

	*t = (struct trace){
		.name = names[kind],
		.nr_pages = nr_pages,
		.nr_stay = nr_pages / 2,
		.nr_refs = second_refs * nr_seconds,
		.nr_warm = second_refs * (nr_seconds / 4),
		.scan_refs = second_refs / nr_scans,
	};
	t->refs = list_alloc(t->nr_refs, sizeof(*t->refs));
	generator_init(&g, t, kind);
	for (size_t i = 0; i < t->nr_refs; i++) {
		if (i % second_refs == 0)
			begin_second(&g, kind, i / second_refs);
		t->refs[i] = next_page(&g, kind);
	}
	free(g.page_of);
	free(g.sum);
}

void trace_free(struct trace *t)
{
	free(t->refs);
	t->refs = NULL;
}
