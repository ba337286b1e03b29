// SPDX-License-Identifier: GPL-2.0-or-later
/* Backoff for idle memory: fewer scans, bounded delay, never a wrong result. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/tap.h"
#include "vmm/access/backoff.h"
#include "vmm/util/bitmap.h"

#define NR_BLOCKS 256
#define NR_FRAMES (NR_BLOCKS * BACKOFF_BLOCK + 100)	/* a last one, in part */

static const struct gfn_range all = { { 0 }, NR_FRAMES };
static uint64_t accessed[BITMAP_WORDS(NR_FRAMES)];	/* in the "hardware" */
static uint64_t young[BITMAP_WORDS(NR_FRAMES)];
static uint64_t skipped[BITMAP_WORDS(NR_FRAMES)];
static uint64_t nr_skipped;

static void skip(void *arg, struct gfn_range part)
{
	(void)arg;
	nr_skipped += part.nr;
	bitmap_set_range(skipped, part.start.v, part.start.v + part.nr);
}

/* As a source does it: what is skipped keeps its bits.  Frames looked at. */
static uint64_t harvest(struct backoff *b, struct gfn_range range, bool at_rest)
{
	memset(skipped, 0, sizeof(skipped));
	memset(young, 0, sizeof(young));
	nr_skipped = 0;
	backoff_begin(b, range, at_rest, skip, NULL);
	for (uint64_t i = range.start.v; i < range.start.v + range.nr; i++)
		if (!bitmap_test(skipped, i) && bitmap_test(accessed, i)) {
			bitmap_clear(accessed, i);
			bitmap_set(young, i);
		}
	backoff_end(b, range, young);
	return range.nr - nr_skipped;
}

static void test_cost(struct backoff *b)
{
	uint64_t looked = 0, most = 0, least = NR_FRAMES;

	for (int i = 0; i < 200; i++)
		harvest(b, all, true);
	for (int i = 0; i < 64; i++) {
		uint64_t n = harvest(b, all, true);

		looked += n;
		most = n > most ? n : most;
		least = n < least ? n : least;
	}
	ok(looked <= 64 * (uint64_t)NR_FRAMES / BACKOFF_MAX + NR_FRAMES / 8,
	   "idle memory costs 1/%d: %.4f", BACKOFF_MAX,
	   looked / (64.0 * NR_FRAMES));
	ok(most <= 4 * (least + BACKOFF_BLOCK),
	   "each time about the same: %d to %d frames", (int)least, (int)most);

	/* A tenth of the blocks is hot. */
	looked = 0;
	for (int i = 0; i < 264; i++) {
		uint64_t n;

		for (uint64_t block = 0; block < NR_BLOCKS; block += 10)
			bitmap_set(accessed, block * BACKOFF_BLOCK + 17);
		n = harvest(b, all, true);
		looked += i < 200 ? 0 : n;
	}
	ok(looked <= 64.0 * NR_FRAMES * (0.1 + 1.0 / BACKOFF_MAX + 0.02),
	   "the cost falls with the share in use: %.4f for a tenth",
	   looked / (64.0 * NR_FRAMES));
}

static void test_lateness(struct backoff *b)
{
	uint64_t hot = 0;
	int late, nr_late = 0, latest = 0;

	for (int i = 0; i < 300; i++)
		harvest(b, all, true);
	for (uint64_t block = 0; block < NR_BLOCKS; block += 7) {
		bitmap_set(accessed, block * BACKOFF_BLOCK + block % 512);
		hot++;
	}
	bitmap_set(accessed, NR_FRAMES - 1);
	hot++;
	for (late = 0; late < BACKOFF_MAX; late++) {
		harvest(b, all, true);
		if (bitmap_count(young, 0, NR_FRAMES)) {
			hot -= bitmap_count(young, 0, NR_FRAMES);
			latest = late;
			nr_late += late > 0;
		}
	}
	is_int(hot, 0, "what was used while it was skipped is found");
	ok(latest < BACKOFF_MAX && nr_late, "within %d harvests: %d",
	   BACKOFF_MAX, latest);

	/* A block in use is looked at each time. */
	for (int i = 0; i < 40; i++) {
		bitmap_set(accessed, 5 * BACKOFF_BLOCK);
		harvest(b, all, true);
		if (!bitmap_test(young, 5 * BACKOFF_BLOCK) && i >= BACKOFF_MAX)
			break;
		late = i;
	}
	is_int(late, 39, "a block in use is looked at each time");
}

static void ignore(void *arg, struct gfn_range part)
{
	(void)arg;
	(void)part;
}

/* A source may come upon accesses to what it was to skip, as damon does. */
static void test_found_in_skipped(struct backoff *b)
{
	const uint64_t g = 8 * BACKOFF_BLOCK + 100;

	do
		harvest(b, all, true);
	while (!bitmap_test(skipped, g));
	backoff_begin(b, all, true, ignore, NULL);
	bitmap_set(young, g);
	backoff_end(b, all, young);
	for (int i = 0; i < BACKOFF_AFTER; i++) {
		harvest(b, all, true);
		if (bitmap_test(skipped, g))
			break;
		nr_skipped = i;
	}
	is_int(nr_skipped, BACKOFF_AFTER - 1,
	       "a page found young in a skipped block ends the skipping");
}

static void test_not_at_rest(struct backoff *b)
{
	for (int i = 0; i < 100; i++)
		harvest(b, all, true);
	is_int(harvest(b, all, false), NR_FRAMES,
	       "when the answer counts nothing is skipped");
	/* A last check of single frames says nothing about their blocks. */
	bitmap_set(accessed, 3 * BACKOFF_BLOCK + 9);
	for (int i = 0; i < 100; i++)
		harvest(b, (struct gfn_range){ GFN(3 * BACKOFF_BLOCK), 8 },
			false);
	harvest(b, all, false);
	ok(bitmap_test(young, 3 * BACKOFF_BLOCK + 9), "and nothing is lost");
	for (int i = 0; i < 3; i++)
		harvest(b, (struct gfn_range){ GFN(3 * BACKOFF_BLOCK), 8 },
			false);
	ok(harvest(b, (struct gfn_range){ GFN(3 * BACKOFF_BLOCK), 8 }, true) == 8,
	   "looks at a few frames do not make their block idle");
}

int main(void)
{
	struct backoff *b = backoff_new(NR_FRAMES);

	if (!b)
		tap_bail("no memory");
	is_int(harvest(b, all, true), NR_FRAMES, "at first all is looked at");
	test_cost(b);
	test_lateness(b);
	test_found_in_skipped(b);
	test_not_at_rest(b);
	backoff_free(b);
	b = backoff_new(0);
	is_int(harvest(b, (struct gfn_range){ GFN(0), 0 }, true), 0,
	       "no memory at all");
	backoff_free(b);
	return tap_done();
}
