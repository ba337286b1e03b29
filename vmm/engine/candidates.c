// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Chooses the frames that a batch of reclaim tries to evict.
 *
 *   1. frames of the inactive list that are idle for long enough and belong to
 *      the current stage become candidates: e->pass.candidates
 *   2. the other idle frames, of any class, of the huge pages that they are in
 *      are added
 *   3. frames that are unevictable, or accessed through a mapping, leave the
 *      tail of the list; the others remain candidates
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

#define CHOOSE_FRAMES 1024	/* of the list, examined at a time */
#define JUDGE_COST    (2 * LOCK_HOLD_WALK)	/* of judge(), in frames */

/* Whether a frame may be evicted, by what the reverse map shows. */
enum verdict { EVICT, KEEP_REFERENCED, KEEP_UNEVICTABLE };

static enum verdict judge(const struct engine_config *c, gfn_t gfn)
{
	struct rmap *map = view_map(c->view);
	struct rmap_referenced r;

	if (engine_is_unevictable(c, gfn))
		return KEEP_UNEVICTABLE;
	if (rmap_page_referenced(map, gfn.v, &r))
		return EVICT;	/* not in the map: only the source decides */
	return r.has_accessed_bits && r.nr_referenced ? KEEP_REFERENCED : EVICT;
}

/*
 * Not if the sink has refused the frame in this scan, or if only pages of
 * another node are to be evicted now.
 */
static bool may_try(gfn_t gfn, void *arg)
{
	const struct engine *e = arg;

	return !bitmap_test(e->pass.refused, gfn.v) &&
	       nodes_may_evict(&e->nodes, gfn);
}

static bool is_of_stage(gfn_t gfn, void *arg)
{
	static const enum reclaim_stage stage_of[NR_FRAME_CLASSES] = {
		[CLASS_FREE] = RECLAIM_FREE,
		[CLASS_ANON] = RECLAIM_ANON,
		[CLASS_UNKNOWN] = RECLAIM_ANON,
		[CLASS_DIRTY_FILE] = RECLAIM_DIRTY,
		[CLASS_CLEAN_FILE] = RECLAIM_CLEAN,
		[CLASS_NEVER] = NR_RECLAIM_STAGES,
	};
	struct engine *e = arg;
	enum frame_class class = engine_class_of(e->config.view, gfn);

	return stage_of[class] == e->pass.stage && may_try(gfn, arg);
}

void candidates_begin(struct engine *e, enum reclaim_stage stage)
{
	if (stage == RECLAIM_FREE && e->requests.free.nr_pages)
		stage++;	/* the guest has been asked to return these */
	if (stage == RECLAIM_CLEAN && e->pass.may_drop)
		stage++;
	e->pass.stage = stage;
	e->history.frames.cursor = FRAME_NIL;
}

/*
 * Puts frames of this stage into e->pass.candidates, and returns how many.
 * Continues where the last call ended, or at the tail if that was the end of
 * the list.  Both locks held.
 */
static size_t choose_idle(struct engine *e, size_t max)
{
	struct frame_table *t = &e->history.frames;
	size_t n = 0;

	if (t->cursor == FRAME_NIL)
		t->cursor = t->tail[FRAME_INACTIVE];
	while (n < max && t->cursor != FRAME_NIL &&
	       lock_hold_charge(e, CHOOSE_FRAMES))
		n += select_idle(t, e->pass.min_idle, is_of_stage, e,
				 CHOOSE_FRAMES, e->pass.candidates + n,
				 max - n);
	return n;
}

/*
 * Adds to n sorted candidates the other idle frames of their huge pages, and
 * returns how many candidates there are then.  Both locks held.
 */
static size_t choose_whole(struct engine *e, size_t n)
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
		got = select_whole(&e->history.frames, e->pass.min_idle,
				   may_try, e, e->scan.huge, e->pass.chosen + i,
				   next - i, e->pass.candidates + nr,
				   ENGINE_BATCH - nr);
		if (!got)
			break;	/* there is no room for the huge page */
		nr += got;
	}
	return nr;
}

/*
 * Reduces n candidates to those that may be evicted, and returns how many are
 * left; the others leave the tail of the list.  Both locks held.
 */
static size_t judge_all(struct engine *e, size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < n && lock_hold_charge(e, JUDGE_COST); i++) {
		gfn_t gfn = GFN(e->pass.candidates[i]);

		switch (judge(&e->config, gfn)) {
		case EVICT:
			e->pass.candidates[left++] = (uint32_t)gfn.v;
			break;
		case KEEP_REFERENCED:
			/*
			 * judge() has cleared its accessed bits, so the next
			 * scan shows whether it is still in use.  They do not
			 * show when it was used, so this is no observed access.
			 */
			frame_touch(&e->history.frames, gfn, false);
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

size_t candidates_choose(struct engine *e, size_t max)
{
	size_t n = 0, left;

	lock_hold_begin(e);
	while (!n && e->pass.stage < NR_RECLAIM_STAGES &&
	       !engine_is_stopping(e)) {
		n = choose_idle(e, max);
		/* Finding none means that the whole list was searched. */
		if (!n)
			candidates_begin(e, e->pass.stage + 1);
	}
	lock_hold_end(e);
	select_sort(e->pass.candidates, n);
	lock_hold_begin(e);
	if (e->scan.huge)
		n = choose_whole(e, n);
	left = judge_all(e, n);
	lock_hold_end(e);
	return left || !n ? left : SIZE_MAX;
}

size_t candidates_choose_hard(struct engine *e, size_t max)
{
	const uint64_t *const protected[] = {
		[PROTECT_YOUNG] = e->scan.young,
		[PROTECT_OBSERVED] = e->scan.observed,
		[PROTECT_NONE] = NULL,
	};
	uint64_t left = e->scan.nr_frames;
	size_t nr = 0;

	lock_hold_begin(e);
	while (nr < max && lock_hold_charge(e, 1)) {
		const uint64_t *protection = protected[e->pass.protection];
		gfn_t gfn = GFN(e->pass.clock_hand);

		if (!left--) {
			if (!protection || nr)
				break;
			e->pass.protection++;
			left = e->scan.nr_frames;
			continue;
		}
		if (++e->pass.clock_hand >= e->scan.nr_frames)
			e->pass.clock_hand = 0;
		if (protection && bitmap_test(protection, gfn.v))
			continue;
		if (bitmap_test(e->scan.resident, gfn.v) && may_try(gfn, e) &&
		    frame_list_of(&e->history.frames, gfn) !=
			    FRAME_UNEVICTABLE &&
		    lock_hold_charge(e, LOCK_HOLD_WALK) &&
		    !engine_is_unevictable(&e->config, gfn))
			e->pass.candidates[nr++] = (uint32_t)gfn.v;
	}
	lock_hold_end(e);
	/* The clock hand may have wrapped round at the end of memory. */
	select_sort(e->pass.candidates, nr);
	return nr;
}
