// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * DAMON as an access source, exact to the page.
 *
 * DAMON (damon-ctl.c) makes the kernel test and clear the accessed bit of each
 * of the guest's resident pages; the recorder (aging.c) records which were set.
 *
 *   pagemap --PFNs--> runs --> DAMON: one pass --> KVM's bits are cleared
 *                                                    | tracepoint, for each
 *   young <------- take the range's bits <------- recorder, by guest frame
 *
 * Page frame numbers change when pages are evicted, faulted or moved, so they
 * are looked up for every harvest.  A page that moves between the lookup and
 * the pass keeps its accessed bit and is found by the next harvest.
 *
 * Before the pass DAMON clears the bit of one random page in each region, to
 * sample it.  If that page is accessed again before the pass reaches it, it is
 * found; otherwise its state is unknown, and its result of the last harvest is
 * repeated (idle after arm): wrong only if its use just began or ended.
 * ops->assumed() reports these pages.  They are few, one a region, and the next
 * harvest samples others.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/access/backoff.h"
#include "vmm/access/damon/aging.h"
#include "vmm/access/damon/damon-ctl.h"
#include "vmm/access/damon/damon-owner.h"
#include "vmm/access/pfn-map.h"
#include "vmm/access/source.h"
#include "vmm/access/sources.h"
#include "vmm/util/bitmap.h"

/*
 * A region costs about 30 us to set up and to sample, and a page inside it that
 * is not guest memory about 0.5 us to walk.
 */
#define GAP_PAGES 32
#define MAX_RUNS  8192

struct damon_source {
	struct access_source base;	/* first */
	struct aging *aging;		/* owned */
	struct damon_ctl *ctl;		/* owned */
	struct pfn_map *map;		/* owned */
	uint64_t *last;			/* owned: young at the last harvest */
	uint64_t *unknown;		/* owned: guessed at the last harvest */
	/* Owned: resident, and skipped by the backoff, at the last harvest. */
	uint64_t *skipped;
	struct backoff *backoff;	/* owned */
	uint64_t start;			/* of the range last read */
};

static int damon_probe(const struct access_target *target, char *why,
		       size_t len)
{
	int err = pfn_map_check_backing(target->mem, why, len);

	if (!err)
		err = damon_owner_probe(why, len);
	if (!err)
		err = pfn_map_probe(guest_mem_pid(target->mem), why, len);
	if (!err)
		err = aging_probe(why, len);
	return err;
}

static void damon_close(struct access_source *src)
{
	struct damon_source *damon = (struct damon_source *)src;

	damon_ctl_close(damon->ctl);
	aging_close(damon->aging);
	pfn_map_free(damon->map);
	free(damon->last);
	free(damon->unknown);
	free(damon->skipped);
	backoff_free(damon->backoff);
	free(damon);
}

static int damon_open(struct access_source **srcp,
		      const struct access_target *target, char *why, size_t len)
{
	struct damon_source *damon = calloc(1, sizeof(*damon));
	int err;

	if (!damon)
		return -ENOMEM;
	damon->base = (struct access_source){
		.ops = &access_source_damon,
		.granule_pages = 1,
		.lossy = true,
		.cost = ACCESS_COST_RMAP,
	};
	damon->last = bitmap_new(guest_mem_nr_frames(target->mem));
	damon->unknown = bitmap_new(guest_mem_nr_frames(target->mem));
	damon->backoff = backoff_new(guest_mem_nr_frames(target->mem));
	damon->skipped = bitmap_new(guest_mem_nr_frames(target->mem));
	err = damon->last && damon->unknown && damon->skipped &&
	      damon->backoff ? 0 : -ENOMEM;
	if (!err)
		err = pfn_map_new(&damon->map, target->mem, why, len);
	if (!err)
		err = damon_ctl_open(&damon->ctl, false, why, len);
	if (!err)
		err = aging_open(&damon->aging, target->mem, why, len);
	if (err) {
		damon_close(&damon->base);
		return err;
	}
	*srcp = &damon->base;
	return 0;
}

static void skip_frames(void *arg, struct gfn_range part)
{
	struct damon_source *damon = arg;
	uint64_t start = part.start.v, end = start + part.nr;

	for (uint64_t g = start; g < end; g++)
		if (pfn_map_pfn(damon->map, g - damon->start))
			bitmap_set(damon->skipped, g);
	pfn_map_forget(damon->map, part);
}

/*
 * Ages every resident page of range once, except in blocks that the backoff
 * skips.
 */
static int damon_age(struct damon_source *damon, struct gfn_range range,
		     bool at_rest)
{
	const struct pfn_run *runs = NULL;
	int nr, err = pfn_map_read(damon->map, range);

	if (err)
		return err;
	damon->start = range.start.v;
	bitmap_clear_range(damon->skipped, damon->start,
			   damon->start + range.nr);
	backoff_begin(damon->backoff, range, at_rest, skip_frames, damon);
	nr = pfn_map_runs(damon->map, GAP_PAGES, MAX_RUNS, &runs);
	if (nr <= 0)
		return nr;
	return damon_ctl_pass(damon->ctl, runs, nr, damon->aging,
			      damon->base.stopping);
}

static int damon_arm(struct access_source *src, struct gfn_range range)
{
	struct damon_source *damon = (struct damon_source *)src;
	int err = damon_age(damon, range, false);

	if (err)
		return err;
	aging_take(damon->aging, range, NULL, NULL);
	bitmap_clear_range(damon->last, range.start.v,
			   range.start.v + range.nr);
	return 0;
}

static int harvest_piece(struct access_source *src, struct gfn_range range,
			 uint64_t *young)
{
	struct damon_source *damon = (struct damon_source *)src;
	uint64_t start = range.start.v, end = start + range.nr;
	int err = damon_age(damon, range, src->at_rest);

	if (err)
		return err;
	aging_take(damon->aging, range, young, damon->unknown);
	for (uint64_t w = start / 64; start < end && w <= (end - 1) / 64; w++) {
		uint64_t mask = bitmap_word_mask(w, start, end);

		young[w] |= damon->unknown[w] & damon->last[w] & mask;
	}
	/*
	 * Records of frames that are not resident.  A run may span pages of
	 * skipped blocks, whose bits the pass has cleared then.
	 */
	for (uint64_t i = bitmap_next(young, start, end); i < end;
	     i = bitmap_next(young, i + 1, end))
		if (!pfn_map_pfn(damon->map, i - start) &&
		    !bitmap_test(damon->skipped, i))
			bitmap_clear(young, i);
	bitmap_copy_range(damon->last, young, start, end);
	backoff_end(damon->backoff, range, young);
	return 0;
}

/*
 * If the pass over a later piece finds young pages of an earlier piece, in a
 * gap, they stay in the recorder until the next harvest.
 */
static int damon_harvest(struct access_source *src, struct gfn_range range,
			 uint64_t *young)
{
	return access_in_pieces(src, range, young, harvest_piece);
}

static void damon_assumed(struct access_source *src, struct gfn_range range,
			  uint64_t *assumed)
{
	struct damon_source *damon = (struct damon_source *)src;

	bitmap_copy_range(assumed, damon->unknown, range.start.v,
			  range.start.v + range.nr);
}

const struct access_source_ops access_source_damon = {
	.name = "damon",
	.what = "DAMON's young filter on the guest's host pages",
	.lru_only = true,
	.probe = damon_probe,
	.open = damon_open,
	.arm = damon_arm,
	.harvest = damon_harvest,
	.assumed = damon_assumed,
	.close = damon_close,
};
