// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Down to the target, a batch at a time:
 *
 *   inactive tail, idle long enough --page_referenced--> candidates
 *       candidates --harvest again (the last look)--> still untouched
 *           still untouched --sink--> gone, asked of the host
 *
 * What goes first, see class.h; what the guest can give by itself, ask.c; how much
 * is to go, goal.c.  When nothing is idle for long enough the target is missed; the
 * guest's working set comes first, unless the target is hard.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/engine/engine-internal.h"
#include "vmm/policy/select.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"

/*
 * A source's call costs more than looking at some frames too many: candidates
 * this close are looked at together.
 */
#define LOOK_GAP 512

/*
 * A few pages that can't be taken now are normal (the kernel has them on their
 * way to a list, or pinned); so many are a sink that is full.
 */
#define REFUSED_ENOUGH 4096

/*
 * Of a batch: nothing went, and others may.  Not an errno, as a source or a sink
 * can fail with each of these, and would be asked again and again in one scan.
 */
#define NONE_WENT (-4096)

#define CHOOSE_FRAMES 1024	/* of the list, looked at in one go */
#define JUDGE_COST    (2 * HOLD_WALK)
#define MOVE_COST     4		/* from list to list: its neighbours' links */

/*
 * Pages handed to the sink in one call, 16 MiB: who stops or holds the engine
 * waits for no more than that.
 */
#define SINK_PAGES 4096

/* By its regions in the guest, or by a device of ours. */
static bool is_locked(const struct engine_config *c, uint64_t gfn)
{
	return rmap_page_unevictable(view_map(c->view), gfn) ||
	       guest_mem_is_held(c->mem, GFN(gfn));
}

/* Why a frame may not go, by the reverse map. */
enum verdict { TAKE, KEEP_REFERENCED, KEEP_LOCKED };

static enum verdict judge(const struct engine_config *c, uint64_t gfn)
{
	struct rmap *map = view_map(c->view);
	struct rmap_referenced r;

	if (is_locked(c, gfn))
		return KEEP_LOCKED;
	if (rmap_page_referenced(map, gfn, &r))
		return TAKE;	/* the map does not know it: stage 2 decides */
	return r.has_accessed_bits && r.nr_referenced ? KEEP_REFERENCED : TAKE;
}

/* Not again what the sink refused in this scan, nor from other nodes. */
static bool may_try(uint64_t gfn, void *arg)
{
	const struct engine *e = arg;

	return !bitmap_test(e->pass.refused, gfn) &&
	       nodes_may_go(&e->nodes, gfn);
}

/* Under the view's lock. */
static enum frame_class class_of(struct view *view, uint64_t gfn)
{
	return frame_class_of(rmap_page_flags(view_map(view), gfn));
}

/*
 * In this order: what is free in the guest, what is only in memory, what the
 * guest will write to its disk by itself, and clean page cache.  The last is the
 * guest's to drop, where it does.
 */
enum { STAGE_FREE, STAGE_ANON, STAGE_DIRTY, STAGE_CLEAN, NR_STAGES };

static bool is_of_stage(uint64_t gfn, void *arg)
{
	static const unsigned int stage_of[NR_FRAME_CLASSES] = {
		[CLASS_FREE] = STAGE_FREE,
		[CLASS_ANON] = STAGE_ANON,
		[CLASS_UNKNOWN] = STAGE_ANON,
		[CLASS_DIRTY_FILE] = STAGE_DIRTY,
		[CLASS_CLEAN_FILE] = STAGE_CLEAN,
		[CLASS_NEVER] = NR_STAGES,
	};
	struct engine *e = arg;

	return stage_of[class_of(e->config.view, gfn)] == e->pass.stage &&
	       may_try(gfn, arg);
}

/* The next stage of this scan, and its oldest frames. */
static void begin_stage(struct engine *e, unsigned int stage)
{
	if (stage == STAGE_FREE && e->ask.free.nr_pages)
		stage++;	/* the guest is giving these */
	if (stage == STAGE_CLEAN && e->pass.may_drop)
		stage++;
	e->pass.stage = stage;
	e->history.frames.cursor = FRAME_NIL;
}

/*
 * Frames of this stage into e->pass.candidates, from where the last call ended;
 * from the tail where that was the end of the list.  Held.
 */
static size_t choose_idle(struct engine *e, size_t max)
{
	struct frame_table *t = &e->history.frames;
	size_t n = 0;

	if (t->cursor == FRAME_NIL)
		t->cursor = t->tail[FRAME_INACTIVE];
	while (n < max && t->cursor != FRAME_NIL &&
	       hold_spend(e, CHOOSE_FRAMES))
		n += select_idle(t, e->pass.min_idle, is_of_stage, e,
				 CHOOSE_FRAMES, e->pass.candidates + n,
				 max - n);
	return n;
}

/* What is idle of their huge pages joins n sorted candidates.  Held. */
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
		if (!hold_spend(e, SELECT_HUGE_PAGES))
			break;
		got = select_whole(&e->history.frames, e->pass.min_idle,
				   may_try, e, e->scan.huge, e->pass.chosen + i,
				   next - i, e->pass.candidates + nr,
				   ENGINE_BATCH - nr);
		if (!got)
			break;	/* there is no room for it */
		nr += got;
	}
	return nr;
}

/*
 * Of n candidates those that may go; the others leave the tail of the list.
 * Held.
 */
static size_t judge_all(struct engine *e, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n && hold_spend(e, JUDGE_COST); i++) {
		uint32_t gfn = e->pass.candidates[i];

		switch (judge(&e->config, gfn)) {
		case TAKE:
			e->pass.candidates[kept++] = gfn;
			break;
		case KEEP_REFERENCED:
			/*
			 * Its bits are clear now; the next round sees.  They
			 * do not tell when it was used.
			 */
			frame_touch(&e->history.frames, gfn, false);
			frame_move(&e->history.frames, gfn, FRAME_INACTIVE);
			e->stats.nr_rejected_referenced++;
			break;
		case KEEP_LOCKED:
			frame_move(&e->history.frames, gfn, FRAME_UNEVICTABLE);
			break;
		}
	}
	return kept;
}

/*
 * Candidates, at most max, into e->pass.candidates; those that must stay leave
 * the tail of the list.  SIZE_MAX: there were some, and none of them may go.
 */
static size_t choose(struct engine *e, size_t max)
{
	size_t n = 0, kept;

	hold_begin(e);
	while (!n && e->pass.stage < NR_STAGES && !engine_is_stopping(e)) {
		n = choose_idle(e, max);
		/* To find none takes the whole list: once is enough. */
		if (!n)
			begin_stage(e, e->pass.stage + 1);
	}
	hold_end(e);
	select_sort(e->pass.candidates, n);
	hold_begin(e);
	if (e->scan.huge)
		n = choose_whole(e, n);
	kept = judge_all(e, n);
	hold_end(e);
	return kept || !n ? kept : SIZE_MAX;
}

/*
 * Harvests the candidates' surroundings.  Candidates that were touched go back;
 * what else was found young is kept for the next scan.  Returns how many
 * candidates are left, or -errno: then none may be evicted.
 */
static ssize_t last_look(struct engine *e, size_t nr)
{
	size_t nr_ranges =
		select_ranges(e->pass.candidates, nr, LOOK_GAP, e->pass.ranges);
	size_t kept = 0, saved = 0;

	for (size_t i = 0; i < nr_ranges; i++) {
		int rc;

		if (engine_is_stopping(e))
			return 0;
		rc = engine_harvest(e->config.source, &e->scan,
				    e->pass.ranges[i]);
		if (rc == -ECANCELED)
			return 0;
		if (rc) {
			engine_set_error(e, "accessed bits can't be read", rc);
			return rc;
		}
	}
	hold_begin(e);
	for (size_t i = 0; i < nr && hold_spend(e, MOVE_COST); i++) {
		uint32_t gfn = e->pass.candidates[i];

		if (bitmap_test(e->scan.pending_young, gfn)) {
			frame_touch(&e->history.frames, gfn,
				    bitmap_test(e->scan.pending_observed, gfn));
			frame_move(&e->history.frames, gfn, FRAME_ACTIVE);
			saved++;
		} else {
			e->pass.candidates[kept++] = gfn;
		}
	}
	e->stats.nr_saved_by_last_look += saved;
	hold_end(e);
	return kept;
}

/* A frame that the sink kept; true when that means that it is in use. */
static bool keep_touched(const struct reclaim_sink *sink, struct frame_table *t,
			 uint32_t gfn)
{
	if (!sink->ops->looks)
		return false;
	frame_touch(t, gfn, true);
	frame_move(t, gfn, FRAME_ACTIVE);
	return true;
}

/*
 * Which of these nr frames went; counts them.  Returns how many.  What a sink that
 * failed has left, it may not have come to: nothing follows from that.
 */
static size_t count_gone(struct engine *e, const uint32_t *gfns, size_t nr,
			 bool failed)
{
	struct frame_table *t = &e->history.frames;
	size_t gone = 0, saved = 0, kept = 0;

	hold_begin(e);
	for (size_t i = 0; i < nr && hold_spend(e, MOVE_COST); i++) {
		uint32_t gfn = gfns[i];

		if (!bitmap_test(e->scan.resident, gfn)) {
			frame_set_evicted(t, gfn, e->history.scan_nr);
			e->stats.nr_taken[class_of(e->config.view, gfn)]++;
			gone++;
		} else if (!failed) {
			bitmap_set(e->pass.refused, gfn);
			if (keep_touched(e->config.sink, t, gfn))
				saved++;
			else
				kept++;
		}
	}
	e->stats.nr_evicted += gone;
	e->stats.nr_saved_by_last_look += saved;
	e->stats.nr_kept += kept;
	hold_end(e);
	engine_count_huge(e, gfns, nr);
	e->pass.nr_gone += gone;
	e->goal.io_pages -= gone;
	e->pass.nr_refused += kept;
	return gone;
}

/* One call of the sink.  How many went, or -errno, told. */
static ssize_t evict_some(struct engine *e, const uint32_t *gfns, size_t nr)
{
	size_t nr_ranges = select_ranges(gfns, nr, 0, e->pass.ranges), gone;
	struct reclaim_result res = { 0 };
	int failed, rc;

	failed = e->config.sink->ops->evict(e->config.sink, e->pass.ranges,
					    nr_ranges, &res);
	/* Nobody wants to know any more. */
	if (failed == -ECANCELED)
		return 0;
	if (failed)
		engine_set_error(e, "cold pages can't be evicted", failed);
	/* Some may have gone before it failed. */
	for (size_t i = 0; i < nr_ranges; i++) {
		rc = guest_mem_residency(e->config.mem, e->pass.ranges[i],
					 e->scan.resident, e->scan.swapped);
		if (rc) {
			engine_set_error(e, "what was evicted can't be read",
					 rc);
			return rc;
		}
	}
	gone = count_gone(e, gfns, nr, failed);
	return failed ? failed : (ssize_t)gone;
}

/* As many of the candidates from i on as go in one call; no huge page is cut. */
static size_t end_of_call(const uint32_t *gfns, bool huge, size_t i, size_t nr)
{
	size_t end = nr - i > SINK_PAGES ? i + SINK_PAGES : nr;
	uint64_t block;

	if (end == nr || !huge)
		return end;
	for (block = gfns[end] / SELECT_HUGE_PAGES;
	     gfns[end - 1] / SELECT_HUGE_PAGES == block; end--)
		;
	return end;
}

/*
 * The first nr candidates, sorted.  Returns how many went, NONE_WENT, 0 when it
 * is no use going on, or -errno.
 */
static ssize_t evict(struct engine *e, size_t nr)
{
	ssize_t gone = 0, rc;
	size_t end;

	for (size_t i = 0; i < nr; i = end) {
		if (!engine_begin_move(e, true))
			return 0;
		end = end_of_call(e->pass.candidates, e->scan.huge, i, nr);
		rc = evict_some(e, e->pass.candidates + i, end - i);
		engine_end_move(e);
		if (rc < 0)
			return rc;
		gone += rc;
	}
	/* A sink that refuses most is full: ask it again in the next scan. */
	if (e->pass.nr_refused >= REFUSED_ENOUGH &&
	    e->pass.nr_refused > e->pass.nr_gone)
		return 0;
	return gone ? gone : NONE_WENT;
}

/* One batch.  How many pages went; 0: no use going on; or -errno. */
static ssize_t reclaim_batch(struct engine *e, uint64_t over)
{
	size_t max = goal_io(e, over < e->pass.batch ? over : e->pass.batch),
	       nr;
	ssize_t rc;

	if (!max)
		return 0;
	nr = choose(e, max);
	if (!nr)
		return 0;
	if (nr == SIZE_MAX)
		return NONE_WENT;
	rc = nr;
	if (!e->config.sink->ops->looks)
		rc = last_look(e, nr);
	if (rc < 0)
		return rc;
	rc = engine_spare_huge(e, rc);
	return rc ? evict(e, rc) : NONE_WENT;
}

/* Each batch shortens the list that it takes from, or looks further up it. */
static ssize_t pursue(struct engine *e, uint64_t (*wanted)(struct engine *e))
{
	uint64_t over;
	ssize_t rc = 0;

	begin_stage(e, STAGE_FREE);
	while ((over = wanted(e))) {
		rc = reclaim_batch(e, over);
		if ((rc <= 0 && rc != NONE_WENT) ||
		    clock_thread_cpu_ns() >= e->pass.cpu_limit_ns)
			break;
	}
	return rc < 0 && rc != NONE_WENT ? rc : 0;
}

/*
 * For a hard target, when nothing is idle: what has not been used since the last
 * scan, and then whatever comes, in turn, so that each page stays for as long as
 * the others.  A page that is in use is back at once, for the price of a fault;
 * one that is not stays away.
 */
static size_t choose_any(struct engine *e, size_t max)
{
	/* Of what this scan has seen used, the last; of what it could not see,
	 * before that. */
	const uint64_t *const spared[] = { e->scan.young, e->scan.observed,
					   NULL };
	uint64_t left = e->scan.nr_frames;
	size_t nr = 0;

	hold_begin(e);
	while (nr < max && hold_spend(e, 1)) {
		const uint64_t *spare = spared[e->pass.hard_pass];
		uint64_t gfn = e->pass.clock_hand;

		if (!left--) {
			if (!spare || nr)
				break;
			e->pass.hard_pass++;
			left = e->scan.nr_frames;
			continue;
		}
		e->pass.clock_hand = gfn + 1 < e->scan.nr_frames ? gfn + 1 : 0;
		if (spare && bitmap_test(spare, gfn))
			continue;
		if (bitmap_test(e->scan.resident, gfn) && may_try(gfn, e) &&
		    frame_list_of(&e->history.frames, gfn) !=
			    FRAME_UNEVICTABLE &&
		    hold_spend(e, HOLD_WALK) && !is_locked(&e->config, gfn))
			e->pass.candidates[nr++] = (uint32_t)gfn;
	}
	hold_end(e);
	/* The hand may have passed the end of memory. */
	select_sort(e->pass.candidates, nr);
	return nr;
}

static ssize_t reclaim_hard(struct engine *e)
{
	uint64_t over;
	ssize_t rc = 0;

	e->pass.hard_pass = 0;
	while (e->scan_policy.hard && (over = goal_excess(e))) {
		size_t nr,
			max = goal_io(e, over < e->pass.batch ? over
							      : e->pass.batch);

		nr = choose_any(e, max);
		rc = nr ? evict(e, nr) : 0;
		if ((rc <= 0 && rc != NONE_WENT) ||
		    clock_thread_cpu_ns() >= e->pass.cpu_limit_ns)
			break;
	}
	return rc < 0 && rc != NONE_WENT ? rc : 0;
}

static uint64_t beyond_asked(struct engine *e)
{
	uint64_t over = goal_excess(e);
	uint64_t asked = e->ask.cache.nr_pages + e->ask.free.nr_pages;

	return over > asked ? over - asked : 0;
}

static uint64_t anything_idle(struct engine *e)
{
	return goal_proactive(e) < ENGINE_AGES ? e->scan.nr_frames : 0;
}

/* What is idle for so long that nobody will miss it, target or not. */
static ssize_t reclaim_proactively(struct engine *e)
{
	unsigned int scans = goal_proactive(e);
	uint64_t before = e->pass.nr_gone;
	ssize_t rc = 0;

	if (scans < ENGINE_AGES &&
	    clock_thread_cpu_ns() < e->pass.cpu_limit_ns) {
		e->pass.min_idle = scans;
		rc = pursue(e, anything_idle);
	}
	engine_lock(e);
	e->stats.nr_proactive += e->pass.nr_gone - before;
	e->stats.proactive_scans = scans;
	e->stats.nr_promotions = proactive_refaults(&e->history.proactive);
	engine_unlock(e);
	return rc;
}

int engine_reclaim(struct engine *e)
{
	uint64_t now = clock_thread_cpu_ns(), over;
	ssize_t rc;

	e->pass.nr_gone = e->pass.nr_refused = 0;
	memset(e->pass.refused, 0,
	       BITMAP_WORDS(e->scan.nr_frames) * sizeof(*e->pass.refused));
	goal_look(e);
	if (e->goal.psi_high && !e->scan_policy.hard &&
	    e->pass.cpu_limit_ns > now)
		e->pass.cpu_limit_ns = now + (e->pass.cpu_limit_ns - now) / 4;
	e->pass.may_drop = ask_may_drop(e);
	ask_guest(e, goal_excess(e));
	rc = beyond_asked(e) || anything_idle(e) || e->nodes.nr ?
		engine_find_huge(e) : 0;
	if (rc)
		return rc;
	e->pass.min_idle = e->scan_policy.min_idle_scans;
	rc = pursue(e, beyond_asked);
	if (!rc)
		rc = nodes_pursue(e, pursue);
	if (!rc)
		rc = reclaim_hard(e);
	if (!rc)
		rc = reclaim_proactively(e);
	over = goal_excess(e);
	engine_lock(e);
	e->stats.nr_over_target = over;
	engine_unlock(e);
	return rc;
}
