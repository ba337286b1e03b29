// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the engine learns of each scan for its prices (price.h): frames of a
 * sample, resident or evicted, and whether they were used since the scan
 * before.  A use of an evicted frame is its refault.
 *
 * In a large guest the sample is some of its memory, other words of 64 frames
 * in each scan, so that it costs no more than a small guest does.
 *
 * Locks: none.  Only the engine's thread changes what is read here.
 */
#include "config.h"

#include "vmm/engine/engine-internal.h"
#include "vmm/util/bitmap.h"

#define SAMPLE_WORDS 256	/* 16384 frames, more or less */

enum use { NOT_USED, USED, UNKNOWN };

/* For a frame that was resident in the scan before. */
static enum use use_of_resident(const struct engine *e, uint64_t g)
{
	if (!bitmap_test(e->scan.resident, g))
		return UNKNOWN;		/* discarded, or taken by the host */
	if (bitmap_test(e->scan.observed, g))
		return USED;
	return bitmap_test(e->scan.young, g) ? UNKNOWN : NOT_USED;
}

/* For one that was evicted; one that was prefetched is none. */
static enum use use_of_evicted(const struct engine *e, uint64_t g)
{
	const uint64_t *used = e->config.source->assumed_are_mapped ?
				       e->scan.young : e->scan.observed;

	if (bitmap_test(e->scan.resident, g))
		return bitmap_test(used, g) ? USED : UNKNOWN;
	return bitmap_test(e->scan.swapped, g) ? NOT_USED : UNKNOWN;
}

static void learn_frame(struct engine *e, gfn_t gfn)
{
	struct engine_history *h = &e->history;
	enum frame_list list = frame_list_of(&h->frames, gfn);
	enum use use;

	if (list == FRAME_UNEVICTABLE)
		return;
	if (list != FRAME_NONE)
		use = use_of_resident(e, gfn.v);
	else if (frame_is_evicted(&h->frames, gfn))
		use = use_of_evicted(e, gfn.v);
	else
		return;
	/* Its age as of the scan before this one. */
	if (use != UNKNOWN)
		price_count(&h->prices, frame_history(&h->frames, gfn),
			    frame_age(&h->frames, gfn, h->scan_nr - 1),
			    use == USED);
}

void engine_learn_prices(struct engine *e)
{
	const uint64_t nr = e->scan.nr_frames, nr_words = BITMAP_WORDS(nr);
	const uint64_t step = (nr_words + SAMPLE_WORDS - 1) / SAMPLE_WORDS;

	for (uint64_t w = e->history.scan_nr % step; w < nr_words; w += step)
		for (uint64_t g = w * 64; g < (w + 1) * 64 && g < nr; g++)
			learn_frame(e, GFN(g));
}
