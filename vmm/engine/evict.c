// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From candidates to evicted pages:
 *
 *   candidates --the recheck: harvested again--> not accessed since the scan
 *              --calls of the sink--> evicted, or kept by it
 *
 * Which pages were evicted is known by their residency after each call.
 *
 * Locks: lock_hold_begin() takes engine lock -> view lock to change the frame
 * table; harvests and the sink are called without either.  A call of the sink
 * is between engine_begin_sink_call() and engine_end_sink_call().
 */
#include "config.h"

#include <errno.h>

#include "vmm/engine/engine-internal.h"
#include "vmm/engine/prefetch.h"
#include "vmm/engine/reclaim.h"
#include "vmm/policy/select.h"
#include "vmm/util/bitmap.h"

/*
 * A call of the source costs more than harvesting some frames that are no
 * candidates: candidates no further apart than this, in frames, share a call.
 */
#define RECHECK_GAP 512

/* Likewise, a query of residency costs as much as some 16 frames. */
#define RESIDENCY_GAP 16

/*
 * A few pages that cannot be evicted now are normal (the kernel has them in a
 * per-CPU batch, or they are pinned); this many in a pass, if fewer have been
 * evicted, mean that the sink is full.
 */
#define FULL_SINK_REFUSALS 4096

/*
 * The cost of moving a frame from list to list, in frames examined
 * (engine-lock.h): that also changes the frame's neighbours in the lists.
 */
#define MOVE_COST 4

/*
 * Whether the source could only assume in this scan that the frame was accessed.
 * It would so again: only a hard target has such candidates, and takes them.
 */
static bool is_assumed(const struct engine *e, uint64_t g)
{
	return bitmap_test(e->scan.young, g) &&
	       !bitmap_test(e->scan.observed, g);
}

/* Puts what is to be harvested for nr candidates into ranges; how many. */
static size_t find_ranges(struct engine *e, size_t nr)
{
	struct gfn_range *ranges = e->pass.ranges;
	size_t n = 0;

	for (size_t i = 0; i < nr; i++) {
		uint64_t g = e->pass.candidates[i], end;

		if (is_assumed(e, g))
			continue;
		end = n ? ranges[n - 1].start.v + ranges[n - 1].nr : 0;
		if (n && g - end <= RECHECK_GAP)
			ranges[n - 1].nr += g + 1 - end;
		else
			ranges[n++] = (struct gfn_range){ GFN(g), 1 };
	}
	return n;
}

/* 0, -ECANCELED, or -errno, already reported. */
static int harvest_candidates(struct engine *e, size_t nr)
{
	size_t nr_ranges = find_ranges(e, nr);
	int rc = 0;

	for (size_t i = 0; !rc && i < nr_ranges; i++)
		rc = engine_is_stopping(e) ? -ECANCELED :
		     engine_harvest(e->config.source, &e->scan,
				    e->pass.ranges[i]);
	if (rc && rc != -ECANCELED)
		engine_set_error(e, "cannot read accessed bits", rc);
	return rc;
}

ssize_t evict_recheck_accessed(struct engine *e, size_t nr)
{
	size_t left = 0, saved = 0;
	int rc = harvest_candidates(e, nr);

	if (rc)
		return rc == -ECANCELED ? 0 : rc;
	lock_hold_begin(e);
	for (size_t i = 0; i < nr && lock_hold_charge(e, MOVE_COST); i++) {
		uint32_t g = e->pass.candidates[i];

		if (bitmap_test(e->scan.pending_young, g) && !is_assumed(e, g)) {
			frame_record_use(
				&e->history.frames, GFN(g),
				bitmap_test(e->scan.pending_observed, g));
			frame_move(&e->history.frames, GFN(g), FRAME_ACTIVE);
			saved++;
		} else {
			e->pass.candidates[left++] = g;
		}
	}
	e->stats.reclaim.nr_saved_by_recheck += saved;
	lock_hold_end(e);
	return left;
}

/*
 * For a frame that the sink kept: if that was because of an access, makes it
 * active and returns true.
 */
static bool activate_if_accessed(const struct reclaim_sink *sink,
				 struct frame_table *t, gfn_t gfn)
{
	if (!sink->ops->rechecks_accessed)
		return false;
	frame_record_use(t, gfn, true);
	frame_move(t, gfn, FRAME_ACTIVE);
	return true;
}

/*
 * Records which of these nr frames were evicted, by scan.resident, and returns
 * how many.  A sink that failed may not have tried the others: they count as
 * neither evicted nor kept.
 */
static size_t count_evicted(struct engine *e, const uint32_t *gfns, size_t nr,
			    bool failed)
{
	struct frame_table *t = &e->history.frames;
	size_t evicted = 0, saved = 0, kept = 0;
	enum frame_class class;

	lock_hold_begin(e);
	for (size_t i = 0; i < nr && lock_hold_charge(e, MOVE_COST); i++) {
		gfn_t gfn = GFN(gfns[i]);

		if (!bitmap_test(e->scan.resident, gfn.v)) {
			frame_set_evicted(t, gfn, e->history.scan_nr);
			prefetch_forget(e->prefetch, gfn);
			class = engine_class_of(e->config.view, gfn);
			e->stats.reclaim.nr_evicted_of_class[class]++;
			evicted++;
		} else if (!failed) {
			bitmap_set(e->pass.refused, gfn.v);
			if (activate_if_accessed(e->config.sink, t, gfn))
				saved++;
			else
				kept++;
		}
	}
	e->stats.reclaim.nr_evicted += evicted;
	e->stats.reclaim.nr_saved_by_recheck += saved;
	e->stats.reclaim.nr_kept += kept;
	lock_hold_end(e);
	engine_count_huge(e, gfns, nr);
	e->pass.nr_evicted += evicted;
	e->goal.io_pages -= evicted;
	e->pass.nr_refused += kept;
	return evicted;
}

/* After a call that failed: some pages may have been evicted before it did. */
static int read_residency(struct engine *e, const uint32_t *gfns, size_t nr)
{
	size_t nr_ranges = select_ranges(gfns, nr, RESIDENCY_GAP,
					 e->pass.ranges);
	int rc = 0;

	for (size_t i = 0; !rc && i < nr_ranges; i++)
		rc = guest_mem_residency(e->config.mem, e->pass.ranges[i],
					 e->pass.resident, NULL);
	return rc;
}

/*
 * Takes over which of these frames are resident now; those that are not count
 * as swapped, as a frame discarded since the scan is noted by itself.  What
 * else has come back since the scan is for the next one to notice.
 */
static void set_residency(struct engine *e, const uint32_t *gfns, size_t nr,
			  const uint64_t *resident)
{
	for (size_t i = 0; i < nr; i++) {
		if (bitmap_test(resident, gfns[i])) {
			bitmap_set(e->scan.resident, gfns[i]);
			bitmap_clear(e->scan.swapped, gfns[i]);
		} else {
			bitmap_clear(e->scan.resident, gfns[i]);
			bitmap_set(e->scan.swapped, gfns[i]);
		}
	}
}

/*
 * What the sink has unmapped without evicting it counts as accessed in the next
 * scan, as sources look at mapped pages.
 */
static void assume_accessed(struct engine *e, const uint64_t *unmapped)
{
	const uint64_t nr = e->scan.nr_frames;

	for (uint64_t g = 0; (g = bitmap_next(unmapped, g, nr)) < nr; g++)
		bitmap_set(e->scan.pending_young, g);
}

/* One call of the sink.  Returns pages evicted, or -errno, already reported. */
static ssize_t evict_in_one_call(struct engine *e, const uint32_t *gfns,
				 size_t nr)
{
	size_t nr_ranges = select_ranges(gfns, nr, 0, e->pass.ranges), evicted;
	struct reclaim_result res = { 0 };
	int failed, rc;

	engine_split_parts(e, gfns, nr);
	failed = e->config.sink->ops->evict(e->config.sink, e->pass.ranges,
					    nr_ranges, &res);
	/* The engine is stopping, so the result is not needed. */
	if (failed == -ECANCELED)
		return 0;
	if (res.unmapped)
		assume_accessed(e, res.unmapped);
	if (failed)
		engine_set_error(e, "cannot evict cold pages", failed);
	if (failed)
		res.resident = NULL;
	rc = res.resident ? 0 : read_residency(e, gfns, nr);
	if (rc) {
		engine_set_error(e, "cannot read which pages were evicted", rc);
		return rc;
	}
	set_residency(e, gfns, nr,
		      res.resident ? res.resident : e->pass.resident);
	evicted = count_evicted(e, gfns, nr, failed);
	return failed ? failed : (ssize_t)evicted;
}

/* Where a call of the sink from i on is to end: not inside a huge page. */
static size_t end_of_call(const uint32_t *gfns, bool huge, size_t i, size_t nr)
{
	size_t end = nr - i > ENGINE_SINK_PAGES ? i + ENGINE_SINK_PAGES : nr;
	uint64_t block;

	if (end == nr || !huge)
		return end;
	for (block = gfns[end] / SELECT_HUGE_PAGES;
	     gfns[end - 1] / SELECT_HUGE_PAGES == block; end--)
		;
	return end;
}

ssize_t evict_candidates(struct engine *e, size_t nr)
{
	ssize_t evicted = 0, rc;
	size_t end;

	for (size_t i = 0; i < nr; i = end) {
		if (!engine_begin_sink_call(e, true))
			return 0;
		end = end_of_call(e->pass.candidates, e->scan.huge, i, nr);
		rc = evict_in_one_call(e, e->pass.candidates + i, end - i);
		engine_end_sink_call(e);
		if (rc < 0)
			return rc;
		evicted += rc;
	}
	/* A sink that refuses most is full: try again in the next scan. */
	if (e->pass.nr_refused >= FULL_SINK_REFUSALS &&
	    e->pass.nr_refused > e->pass.nr_evicted) {
		e->pass.sink_is_full = true;
		return 0;
	}
	return evicted ? evicted : RECLAIM_NONE_EVICTED;
}
