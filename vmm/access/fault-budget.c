// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/access/fault-budget.h"
#include "vmm/access/sources.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"
#include "vmm/util/key-value.h"

#define CHUNK_PAGES  512u	/* armed at a time: 2 MiB */
#define GROUP_CHUNKS 8u		/* scanned together, then armed: 16 MiB */
#define AT_REST_DIVISOR   5		/* while at_rest, a fifth of the budget */
#define MAX_SAVED_S  10		/* seconds of unused budget kept at most */
/* Seconds of overdrawn budget (a guest fills its memory) that count at most. */
#define MAX_DEBT_S   1
#define FIRST_COST   128	/* faults per armed chunk: first estimate */
#define COST_SHIFT   6		/* weight of one chunk in the mean: 1/64 */

struct chunk {
	uint16_t nr_marked;	/* pages, by the last scan; 0 once armed */
	bool known;		/* scanned before */
	bool armed;		/* by the last scan */
	bool assumed;		/* marks found then may be of earlier windows */
	bool pending;		/* its turn in this round is yet to come */
	bool huge;		/* marked by one fault, at the last scan */
};

struct fault_budget {
	struct guest_mem *mem;		/* not owned */
	const struct fault_budget_ops *ops;
	void *ctx;
	struct chunk *chunks;		/* owned; by gfn / CHUNK_PAGES */
	uint64_t nr_known, nr_pending;	/* chunks */
	int64_t left;			/* faults; below 0 when overdrawn */
	uint64_t per_second;
	uint64_t fault_pages;
	uint64_t last_ns;		/* when `left` last grew */
	double cost;	/* mean faults of a chunk, once armed, if it is not huge */
	uint64_t *huge;	/* owned; by gfn: in huge pages; NULL: none can be */
};

static uint64_t nr_chunks(const struct guest_mem *mem)
{
	return guest_mem_nr_frames(mem) / CHUNK_PAGES + 1;
}

int fault_budget_new(struct fault_budget **budgetp, struct guest_mem *mem,
		     uint64_t per_second, uint64_t fault_pages,
		     const struct fault_budget_ops *ops, void *ctx)
{
	struct fault_budget *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->chunks = calloc(nr_chunks(mem), sizeof(*b->chunks));
	if (guest_mem_has_thp(mem))
		b->huge = bitmap_new(nr_chunks(mem) * CHUNK_PAGES);
	if (!b->chunks || (guest_mem_has_thp(mem) && !b->huge)) {
		fault_budget_free(b);
		return -ENOMEM;
	}
	b->mem = mem;
	b->ops = ops;
	b->ctx = ctx;
	b->per_second = b->left = per_second;
	b->fault_pages = fault_pages;
	b->last_ns = clock_now_ns();
	b->cost = fault_pages > 1 ? 1 : FIRST_COST;
	*budgetp = b;
	return 0;
}

void fault_budget_free(struct fault_budget *b)
{
	if (!b)
		return;
	free(b->chunks);
	free(b->huge);
	free(b);
}

static const struct key keys[] = {
	{ "faults", KEY_NUMBER, .width = sizeof(uint64_t), .min = 1,
	  .max = SOURCE_MAX_FAULTS, .unit = "faults per second" },
	{ .name = NULL },
};

int fault_budget_parse(const char *options, uint64_t *per_second, char *why,
		       size_t len)
{
	*per_second = SOURCE_FAULTS_PER_SECOND;
	return options ? key_list_parse(keys, options, per_second, why, len) :
			 0;
}

int fault_budget_check(const char *options, char *why, size_t len)
{
	uint64_t per_second;

	return fault_budget_parse(options, &per_second, why, len);
}

/* Chunks that are completely in the range: [*first, *end). */
static void whole_chunks(struct gfn_range range, uint64_t *first, uint64_t *end)
{
	*first = (range.start.v + CHUNK_PAGES - 1) / CHUNK_PAGES;
	*end = (range.start.v + range.nr) / CHUNK_PAGES;
}

int fault_budget_arm(struct fault_budget *b, struct gfn_range range)
{
	uint64_t c, end;
	int rc;

	if (!range.nr)
		return 0;
	rc = b->ops->arm(b->ctx, range);
	if (rc)
		return rc;
	for (whole_chunks(range, &c, &end); c < end; c++)
		b->chunks[c].nr_marked = 0;
	return 0;
}

/* Adds budget for the time that has passed. */
static void refill_budget(struct fault_budget *b, bool at_rest)
{
	uint64_t now = clock_now_ns();
	double rate = b->per_second / (at_rest ? AT_REST_DIVISOR : 1.0);
	double earned = (now - b->last_ns) / 1e9 * rate;
	int64_t most = b->per_second * MAX_SAVED_S;
	int64_t least = -(int64_t)b->per_second * MAX_DEBT_S;

	/* Less than one fault: the time counts in the next call. */
	if (earned < 1)
		return;
	b->last_ns = now;
	if (b->left < least)
		b->left = least;
	b->left = b->left + earned > most ? most : b->left + earned;
}

/* In a round each known chunk has one turn to be armed. */
static void begin_round(struct fault_budget *b)
{
	for (uint64_t c = 0; c < nr_chunks(b->mem); c++)
		b->chunks[c].pending = b->chunks[c].known;
	b->nr_pending = b->nr_known;
}

/*
 * Finds which chunks of a group are huge pages.  Before Linux 6.7 the kernel
 * does not tell: a chunk of which all is marked is taken for one.
 */
static int find_huge(struct fault_budget *b, struct gfn_range group,
		     const uint64_t *marked)
{
	uint64_t c, end;
	int rc;

	if (!b->huge)
		return 0;
	rc = guest_mem_huge(b->mem, group, b->huge);
	for (whole_chunks(group, &c, &end); c < end; c++)
		b->chunks[c].huge =
			bitmap_count(rc ? marked : b->huge, c * CHUNK_PAGES,
				     (c + 1) * CHUNK_PAGES) == CHUNK_PAGES;
	return rc == -EOPNOTSUPP ? 0 : rc;
}

/*
 * Charges the faults of a chunk since the last scan; nr of its pages are marked
 * now.  In the first scan it is not known when they were marked.
 */
static void charge_chunk(struct fault_budget *b, struct chunk *chunk,
			 unsigned int nr)
{
	uint64_t fault_pages = chunk->huge ? CHUNK_PAGES : b->fault_pages;

	if (!chunk->known) {
		chunk->known = chunk->pending = true;
		b->nr_known++;
		b->nr_pending++;
	} else if (nr > chunk->nr_marked) {
		b->left -= (nr - chunk->nr_marked) / fault_pages;
	}
	/* Marks made since the previous scan look the same as older ones. */
	chunk->assumed = !chunk->armed && chunk->nr_marked;
	if (chunk->armed && !chunk->huge)
		b->cost += ((double)nr / b->fault_pages - b->cost) /
			   (1 << COST_SHIFT);
	chunk->nr_marked = nr;
	chunk->armed = false;
}

/*
 * Whether the chunk is to be armed now.  *left: the budget, in faults, less the
 * expected cost of the chunks armed in this harvest.
 */
static bool is_due(struct fault_budget *b, struct chunk *chunk, double *left)
{
	if (!chunk->pending || (chunk->nr_marked && *left <= 0))
		return false;
	chunk->pending = false;
	b->nr_pending--;
	if (!chunk->nr_marked)
		return false;	/* it is armed already */
	chunk->armed = true;
	*left -= chunk->huge ? 1 : b->cost;
	return true;
}

/* Charges the chunks [c, end), and arms those that are due, in runs. */
static int charge_and_arm_group(struct fault_budget *b, uint64_t c,
				uint64_t end, const uint64_t *young,
				double *left)
{
	uint64_t first = c;	/* of a run to be armed */

	for (; c <= end; c++) {
		struct gfn_range run = { GFN(first * CHUNK_PAGES),
					 (c - first) * CHUNK_PAGES };
		bool turn = false;
		int rc;

		if (c < end) {
			charge_chunk(b, &b->chunks[c],
				     bitmap_count(young, c * CHUNK_PAGES,
						  (c + 1) * CHUNK_PAGES));
			turn = is_due(b, &b->chunks[c], left);
		}
		if (turn)
			continue;
		rc = fault_budget_arm(b, run);
		if (rc) {
			for (; first < c; first++)
				b->chunks[first].armed = false;
			return rc;
		}
		first = c + 1;
	}
	return 0;
}

int fault_budget_harvest(struct fault_budget *b,
			 const struct access_source *src, struct gfn_range range,
			 uint64_t *young)
{
	uint64_t g = range.start.v, end = g + range.nr, next, first, last;
	double left;
	int rc = 0;

	refill_budget(b, src->at_rest);
	if (!b->nr_pending)
		begin_round(b);
	left = b->left;
	for (; !rc && g < end; g = next) {
		next = (g / CHUNK_PAGES + GROUP_CHUNKS) * CHUNK_PAGES;
		if (next > end)
			next = end;
		struct gfn_range group = { GFN(g), next - g };

		rc = access_is_stopping(src) ?
			     -ECANCELED :
			     b->ops->read_accessed(b->ctx, group, young);
		whole_chunks(group, &first, &last);
		if (!rc)
			rc = find_huge(b, group, young);
		if (!rc && first < last)
			rc = charge_and_arm_group(b, first, last, young, &left);
	}
	return rc;
}

/* Chunks only partly in the range have the state of an earlier harvest. */
void fault_budget_assumed(struct fault_budget *b, struct gfn_range range,
			  uint64_t *assumed)
{
	uint64_t g = range.start.v, end = g + range.nr, next, first, last;

	whole_chunks(range, &first, &last);
	for (; g < end; g = next) {
		uint64_t c = g / CHUNK_PAGES;
		const struct chunk *chunk = &b->chunks[c];

		next = (c + 1) * CHUNK_PAGES;
		if (next > end)
			next = end;
		bitmap_clear_range(assumed, g, next);
		if (c >= first && c < last ? chunk->assumed :
					     !chunk->armed && chunk->nr_marked)
			bitmap_set_range(assumed, g, next);
	}
}
