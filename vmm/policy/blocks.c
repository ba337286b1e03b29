// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm/policy/blocks.h"
#include "vmm/policy/price.h"
#include "vmm/util/min-max.h"

/*
 * Of one use of a small page in each scan, in refaults: what its longer walks
 * cost.
 */
#define WALK_COST 0.05

#define FIRST_GAIN (BLOCK_PAGES / 2)	/* before one was looked at */
#define GAIN_WEIGHT 16			/* blocks that the mean is of */
#define MIN_SHARE 8			/* of all, split in one scan at most */
#define MIN_SPLIT 8

#define RETRY_SCANS 8
#define WAIT_SCANS 16	/* after a look in vain; twice as long each time */
#define MAX_VAIN   6

/*
 * Pages of a block that is to become huge: resident, and of these hot.  Without
 * reclaim it is enough that the guest has filled most of it.
 */
#define MIN_HOT	   (BLOCK_PAGES - BLOCK_MIN_IDLE)
#define MIN_FILLED (BLOCK_PAGES / 4 * 3)

int block_table_init(struct block_table *t, uint64_t nr_frames)
{
	t->nr = nr_frames / BLOCK_PAGES + 1;
	t->blocks = calloc(t->nr, sizeof(*t->blocks));
	t->gain = FIRST_GAIN;
	t->nr_looked_at = t->wait_until = 0;
	return t->blocks ? 0 : -ENOMEM;
}

void block_table_destroy(struct block_table *t)
{
	free(t->blocks);
}

/* The first scan finds what was used at the split, and all since. */
static unsigned int look_scans(unsigned int min_idle)
{
	return min_idle + 2;
}

static bool has_waited(const struct block *b, uint32_t scan)
{
	unsigned int wait = b->vain ? WAIT_SCANS << (b->vain - 1) : RETRY_SCANS;

	return !b->since || scan - b->since >= wait;
}

bool block_may_split(const struct block_table *t, uint64_t block, uint32_t scan)
{
	const struct block *b = &t->blocks[block];

	return !b->looked_at && has_waited(b, scan);
}

/* The pages to be expected from blocks that are being looked at. */
static uint64_t expected_pages(const struct block_table *t)
{
	return t->nr_looked_at * t->gain;
}

uint64_t block_nr_to_split(const struct block_table *t, uint64_t nr,
			   uint64_t wanted)
{
	uint64_t most = max_u64(nr / MIN_SHARE, MIN_SPLIT);
	uint64_t expected = expected_pages(t);

	if (wanted <= expected)
		return 0;
	/* Where looks find nothing, this keeps few of them under way. */
	return min_u64(min_u64((wanted - expected) / (t->gain + 1) + 1, most),
		       nr);
}

void block_set_split(struct block_table *t, uint64_t block, uint32_t scan,
		     unsigned int min_idle)
{
	struct block *b = &t->blocks[block];

	if (!b->since)
		t->wait_until = scan + look_scans(min_idle);
	t->nr_looked_at += !b->looked_at;
	b->looked_at = b->small = true;
	b->since = scan;
}

bool block_is_looked_at(const struct block_table *t, uint64_t block)
{
	return t->blocks[block].looked_at;
}

bool block_look_is_over(const struct block_table *t, uint64_t block,
			uint32_t scan, unsigned int min_idle)
{
	const struct block *b = &t->blocks[block];

	return b->looked_at && scan - b->since >= look_scans(min_idle);
}

bool block_should_wait(const struct block_table *t, uint32_t scan)
{
	return scan < t->wait_until;
}

bool block_judge(struct block_table *t, uint64_t block, unsigned int nr_idle)
{
	struct block *b = &t->blocks[block];

	t->gain += (nr_idle - t->gain) / GAIN_WEIGHT;
	t->nr_looked_at -= b->looked_at;
	b->looked_at = false;
	if (block_is_worth_splitting(nr_idle)) {
		b->vain = 0;
		return false;
	}
	if (b->vain < MAX_VAIN)
		b->vain++;
	return true;
}

void block_set_huge(struct block_table *t, uint64_t block, uint32_t scan)
{
	struct block *b = &t->blocks[block];

	t->nr_looked_at -= b->looked_at;
	b->looked_at = b->small = false;
	b->since = scan;
	/* It was hot as a whole: a look now would find the same. */
	if (!b->vain)
		b->vain = 1;
}

void block_set_failed(struct block_table *t, uint64_t block, uint32_t scan)
{
	struct block *b = &t->blocks[block];

	t->nr_looked_at -= b->looked_at;
	b->looked_at = false;
	b->since = scan;
}

bool block_is_hot(const struct block_table *t, uint64_t block, uint32_t scan,
		  unsigned int nr_resident, unsigned int nr_hot, bool wanted)
{
	const struct block *b = &t->blocks[block];

	if (b->looked_at || (b->since && scan - b->since < RETRY_SCANS))
		return false;
	return wanted ? nr_hot >= MIN_HOT : nr_resident >= MIN_FILLED;
}

bool block_is_worth_splitting(unsigned int nr_idle)
{
	return nr_idle >= BLOCK_MIN_IDLE;
}

unsigned int block_split_rank(unsigned int nr_idle)
{
	if (!nr_idle || nr_idle >= BLOCK_PAGES)
		return 0;
	return price_rank_of(WALK_COST * (BLOCK_PAGES - nr_idle) / nr_idle);
}
