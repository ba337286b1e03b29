// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Chooses the frames that a batch of reclaim tries to evict: those of the
 * lowest price (price.h), which their class raises (class.h).
 *
 *   1. all frames that may be evicted are counted by rank, which gives the rank
 *      up to which there are enough (choice.h); once for many batches
 *   2. a sweep through memory takes those: e->pass.candidates
 *   3. the other idle frames of the huge pages that they are in are added
 *   4. frames that are unevictable, or accessed through a mapping, are removed;
 *      the others remain candidates
 *
 * A frame is tried once in a pass.  Which frames may be evicted depends on the
 * effort: enum reclaim_effort.
 *
 * Locks: lock_hold_begin() takes engine lock -> view lock, and neither is held
 * on entry or return.
 */
#include "config.h"

#include <string.h>

#include "vmm/engine/engine-internal.h"
#include "vmm/engine/reclaim.h"
#include "vmm/policy/select.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/min-max.h"

/* Of check_by_rmap(), in frames. */
#define RMAP_CHECK_COST (2 * LOCK_HOLD_WALK)

/* Whether a frame may be evicted, as the reverse map shows. */
enum rmap_check { MAY_EVICT, KEEP_REFERENCED, KEEP_UNEVICTABLE };

static enum rmap_check check_by_rmap(const struct engine_config *c, gfn_t gfn)
{
	struct rmap *map = view_map(c->view);
	struct rmap_referenced r;

	if (engine_is_unevictable(c, gfn))
		return KEEP_UNEVICTABLE;
	if (rmap_page_referenced(map, gfn.v, &r))
		return MAY_EVICT; /* not in the map: only the source decides */
	return r.has_accessed_bits && r.nr_referenced ? KEEP_REFERENCED
						      : MAY_EVICT;
}

/*
 * Not if the sink has refused the frame in this scan, or if only pages of
 * another node are to be evicted now.
 */
static bool may_be_candidate(gfn_t gfn, void *arg)
{
	const struct engine *e = arg;

	return !bitmap_test(e->pass.refused, gfn.v) &&
	       nodes_may_evict(&e->nodes, gfn);
}

/* Whether a frame may be evicted with this effort, by its list and age. */
static bool is_eligible(struct engine *e, gfn_t gfn)
{
	const struct frame_table *t = &e->history.frames;
	enum frame_list list = frame_list_of(t, gfn);

	if (list == FRAME_NONE || list == FRAME_UNEVICTABLE)
		return false;
	if (e->pass.effort == EFFORT_ANY)
		return may_be_candidate(gfn, e);
	/* Whether it is worth it to take parts of the block is not known yet. */
	if (e->scan.huge && block_is_looked_at(&e->history.blocks,
					       gfn.v / BLOCK_PAGES))
		return false;
	if (bitmap_test(e->pass.tried, gfn.v))
		return false;
	if (e->pass.effort == EFFORT_IDLE &&
	    (list != FRAME_INACTIVE ||
	     t->age[gfn.v] < frame_min_idle(t, gfn, e->pass.min_idle)))
		return false;
	return may_be_candidate(gfn, e);
}

static bool in_huge_page(const struct engine *e, gfn_t gfn)
{
	return e->scan.huge && bitmap_test(e->scan.huge, gfn.v);
}

/* The frame's rank, by its price and class; -1: its class keeps it. */
static int rank_of(struct engine *e, gfn_t gfn)
{
	const struct frame_table *t = &e->history.frames;
	enum frame_class class = engine_class_of(e->config.view, gfn);
	unsigned int rank;

	if (class == CLASS_NEVER)
		return -1;
	/* The guest has been asked to return these. */
	if ((class == CLASS_FREE && e->requests.free.nr_pages) ||
	    (class == CLASS_CLEAN_FILE && e->pass.cache_is_left_to_guest))
		return e->pass.effort == EFFORT_ANY ? PRICE_RANKS - 1 : -1;
	if (class == CLASS_FREE)
		return 0;
	rank = price_rank(&e->history.prices, frame_history(t, gfn),
			  t->age[gfn.v]);
	if (in_huge_page(e, gfn))
		rank = max_u64(rank, block_split_rank(
				       engine_nr_idle_in_block(e, gfn)));
	return min_u64(max_u64(rank, 1) + frame_class_cost(class),
		       PRICE_RANKS - 1);
}

void candidates_begin(struct engine *e, enum reclaim_effort effort)
{
	e->pass.effort = effort;
	e->pass.sweep_frames_left = 0;
	e->pass.nr_sweeps = 0;
	e->pass.block = UINT64_MAX;
}

/*
 * Counts the frames that may be evicted, and sets the limit so that it is
 * enough.  False: none may be.  Both locks held.
 */
static bool begin_sweep(struct engine *e, uint64_t wanted)
{
	const uint64_t nr = e->scan.nr_frames;
	uint64_t g = 0;

	if (e->pass.effort == EFFORT_UNACCESSED && e->pass.nr_sweeps)
		return false;
	e->pass.nr_sweeps++;
	price_update(&e->history.prices);
	memset(&e->pass.choice, 0, sizeof(e->pass.choice));
	for (; (g = bitmap_next(e->scan.resident, g, nr)) < nr &&
	       lock_hold_charge(e, 1); g++) {
		int rank = is_eligible(e, GFN(g)) ? rank_of(e, GFN(g)) : -1;

		if (rank >= 0)
			choice_count(&e->pass.choice, rank);
	}
	e->pass.sweep_frames_left = nr;
	return choice_set_limit(&e->pass.choice, wanted);
}

/*
 * Continues the sweep where the last one ended.  Frames of equal rank so take
 * turns: a sweep that needs only some of them starts behind those of the last.
 * Both locks held.
 */
static size_t sweep(struct engine *e, size_t max)
{
	const uint64_t nr = e->scan.nr_frames;
	size_t n = 0;

	while (n < max && e->pass.sweep_frames_left && lock_hold_charge(e, 1)) {
		gfn_t gfn = GFN(e->pass.clock_hand);
		uint64_t next = bitmap_next(e->scan.resident, gfn.v, nr);
		int rank;

		/* Steps over what is not resident. */
		if (next != gfn.v) {
			next = min_u64(next - gfn.v, e->pass.sweep_frames_left);
			e->pass.sweep_frames_left -= next;
			e->pass.clock_hand = (gfn.v + next) % nr;
			continue;
		}
		e->pass.sweep_frames_left--;
		e->pass.clock_hand = (gfn.v + 1) % nr;
		rank = is_eligible(e, gfn) ? rank_of(e, gfn) : -1;
		if (rank >= 0 && choice_take(&e->pass.choice, rank))
			e->pass.candidates[n++] = (uint32_t)gfn.v;
	}
	return n;
}

/*
 * Adds to n sorted candidates the other idle frames of their huge pages, and
 * returns how many candidates there are then.  Both locks held.
 */
static size_t complete_huge_pages(struct engine *e, size_t n)
{
	size_t nr = 0, next, got;

	memcpy(e->pass.chosen, e->pass.candidates, n * sizeof(*e->pass.chosen));
	for (size_t i = 0; i < n; i = next) {
		uint64_t end =
			(e->pass.chosen[i] | (SELECT_HUGE_PAGES - 1)) + 1ull;

		for (next = i + 1; next < n && e->pass.chosen[next] < end;
		     next++)
			;
		if (!lock_hold_charge(e, SELECT_HUGE_PAGES))
			break;
		got = select_complete_huge(
			&e->history.frames, e->pass.min_idle, may_be_candidate,
			e, e->scan.huge, e->pass.chosen + i, next - i,
			e->pass.candidates + nr, ENGINE_BATCH - nr);
		/* 0: no room for the huge page, or none of it is idle. */
		nr += got;
	}
	return nr;
}

/*
 * Reduces n candidates to those that may be evicted, and returns how many are
 * left.  Both locks held.
 */
static size_t remove_by_rmap(struct engine *e, size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < n && lock_hold_charge(e, RMAP_CHECK_COST); i++) {
		gfn_t gfn = GFN(e->pass.candidates[i]);

		switch (check_by_rmap(&e->config, gfn)) {
		case MAY_EVICT:
			e->pass.candidates[left++] = (uint32_t)gfn.v;
			break;
		case KEEP_REFERENCED:
			/*
			 * check_by_rmap() has cleared its accessed bits, so the
			 * next scan shows whether it is still in use.  They do
			 * not show when it was used, so this is no observed
			 * access.
			 */
			frame_record_use(&e->history.frames, gfn, false);
			frame_move(&e->history.frames, gfn, FRAME_INACTIVE);
			e->stats.reclaim.nr_rejected_referenced++;
			break;
		case KEEP_UNEVICTABLE:
			frame_move(&e->history.frames, gfn, FRAME_UNEVICTABLE);
			break;
		}
	}
	return left;
}

/* Frames that were chosen are not chosen again in this pass. */
static void set_tried(struct engine *e, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bitmap_set(e->pass.tried, e->pass.candidates[i]);
}

/*
 * The last effort: leaves out what is unevictable, which is not tried again.
 * Both locks held.
 */
static size_t remove_unevictable(struct engine *e, size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < n && lock_hold_charge(e, LOCK_HOLD_WALK); i++) {
		gfn_t gfn = GFN(e->pass.candidates[i]);

		if (engine_is_unevictable(&e->config, gfn))
			frame_move(&e->history.frames, gfn, FRAME_UNEVICTABLE);
		else
			e->pass.candidates[left++] = (uint32_t)gfn.v;
	}
	return left;
}

size_t candidates_choose(struct engine *e, uint64_t wanted, size_t max)
{
	size_t n = 0, left;

	lock_hold_begin(e);
	while (!n && !engine_is_stopping(e)) {
		if (!e->pass.sweep_frames_left && !begin_sweep(e, wanted))
			break;
		n = sweep(e, max);
	}
	lock_hold_end(e);
	/* The sweep may have gone on at the start of memory. */
	select_sort(e->pass.candidates, n);
	set_tried(e, n);
	lock_hold_begin(e);
	if (e->pass.effort == EFFORT_ANY) {
		left = remove_unevictable(e, n);
	} else {
		if (e->scan.huge)
			n = complete_huge_pages(e, n);
		left = remove_by_rmap(e, n);
	}
	lock_hold_end(e);
	return left || !n ? left : SIZE_MAX;
}
