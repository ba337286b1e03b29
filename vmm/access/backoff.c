// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include "vmm/access/backoff.h"

#include <stdlib.h>

#include "vmm/util/bitmap.h"

struct block {
	uint8_t idle;		/* scans in a row that found nothing young */
	uint8_t wait;		/* harvests until the next scan */
	bool skipped;		/* left out of this harvest */
};

struct backoff {
	uint64_t nr_blocks;
	struct block blocks[];
};

struct backoff *backoff_new(uint64_t nr_frames)
{
	uint64_t nr = (nr_frames + BACKOFF_BLOCK - 1) / BACKOFF_BLOCK;
	struct backoff *b = calloc(1, sizeof(*b) + nr * sizeof(*b->blocks));

	if (b)
		b->nr_blocks = nr;
	return b;
}

void backoff_free(struct backoff *b)
{
	free(b);
}

/* The part of the range that is in this block. */
static struct gfn_range part_of(struct gfn_range range, uint64_t block)
{
	uint64_t start = block * BACKOFF_BLOCK, end = start + BACKOFF_BLOCK;

	if (start < range.start.v)
		start = range.start.v;
	if (end > range.start.v + range.nr)
		end = range.start.v + range.nr;
	return (struct gfn_range){ GFN(start), end - start };
}

static uint64_t first_block(struct gfn_range range)
{
	return range.start.v / BACKOFF_BLOCK;
}

static uint64_t end_block(const struct backoff *b, struct gfn_range range)
{
	uint64_t end = range.start.v + range.nr;

	end = end / BACKOFF_BLOCK + (end % BACKOFF_BLOCK != 0);
	return end < b->nr_blocks ? end : b->nr_blocks;
}

void backoff_begin(struct backoff *b, struct gfn_range range, bool at_rest,
		   void (*skip)(void *arg, struct gfn_range part), void *arg)
{
	uint64_t end = end_block(b, range);

	for (uint64_t i = first_block(range); i < end; i++) {
		struct block *block = &b->blocks[i];

		block->skipped = at_rest && block->wait;
		if (!block->skipped)
			continue;
		block->wait--;
		skip(arg, part_of(range, i));
	}
}

/*
 * Number of harvests to skip after `idle` scans without a young page.  When the
 * interval doubles, half of the blocks (by a bit of `place`, their number) wait
 * for the old interval once more: so the blocks are spread over the harvests.
 */
static uint8_t wait_after(uint8_t idle, uint64_t place)
{
	unsigned int every = 1, steps = 0;

	while (every < BACKOFF_MAX && idle >= (steps + 1) * BACKOFF_AFTER) {
		every *= 2;
		steps++;
	}
	if (steps && idle == steps * BACKOFF_AFTER && !(place & every / 2))
		return every / 2 - 1;
	return every - 1;
}

void backoff_end(struct backoff *b, struct gfn_range range,
		 const uint64_t *young)
{
	uint64_t end = end_block(b, range);

	for (uint64_t i = first_block(range); i < end; i++) {
		struct block *block = &b->blocks[i];
		struct gfn_range part = part_of(range, i);
		uint64_t last = part.start.v + part.nr;

		if (bitmap_next(young, part.start.v, last) < last) {
			block->idle = block->wait = 0;
			continue;
		}
		if (block->skipped)
			continue;
		/*
		 * A scan of part of a block is no result for the whole block.
		 */
		if (part.nr < BACKOFF_BLOCK && i + 1 < b->nr_blocks)
			continue;
		if (block->idle < UINT8_MAX)
			block->idle++;
		block->wait = wait_after(block->idle, i);
	}
}
