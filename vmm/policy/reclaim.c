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

#include "vmm/policy/engine-internal.h"
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

/* Why a frame may not go, by the reverse map. */
enum verdict { TAKE, KEEP_REFERENCED, KEEP_LOCKED };

static enum verdict judge(struct engine *e, uint64_t gfn)
{
	struct rmap *map = view_map(e->config.view);
	struct rmap_referenced r;

	if (rmap_page_unevictable(map, gfn) ||
	    guest_mem_is_held(e->config.mem, GFN(gfn)))
		return KEEP_LOCKED;
	if (rmap_page_referenced(map, gfn, &r))
		return TAKE;	/* the map does not know it: stage 2 decides */
	return r.has_accessed_bits && r.nr_referenced ? KEEP_REFERENCED : TAKE;
}

/* Not again what the sink refused in this scan, nor from other nodes. */
static bool may_try(uint64_t gfn, void *arg)
{
	const struct engine *e = arg;

	return !bitmap_test(e->refused, gfn) && nodes_may_go(e, gfn);
}

/* Under the view's lock. */
static enum frame_class class_of(const struct engine *e, uint64_t gfn)
{
	return frame_class_of(rmap_page_flags(view_map(e->config.view), gfn));
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

	return stage_of[class_of(e, gfn)] == e->stage && may_try(gfn, arg);
}

/* The next stage of this scan, and its oldest frames. */
static void begin_stage(struct engine *e, unsigned int stage)
{
	if (stage == STAGE_FREE && e->ask.free.nr_pages)
		stage++;	/* the guest is giving these */
	if (stage == STAGE_CLEAN && e->may_drop)
		stage++;
	e->stage = stage;
	e->cursor = FRAME_NIL;
}

/*
 * Candidates, at most max, into e->candidates; those that must stay leave the
 * tail of the list.  Under the lock and the view's.
 */
static size_t choose(struct engine *e, size_t max)
{
	unsigned int min_idle = e->min_idle;
	size_t n = 0, kept = 0;

	while (!n && e->stage < NR_STAGES) {
		n = select_idle(&e->frames, min_idle, is_of_stage, e,
				&e->cursor, e->candidates, max);
		/* To find none takes the whole list: once is enough. */
		if (!n)
			begin_stage(e, e->stage + 1);
	}
	if (e->huge && n) {
		memcpy(e->chosen, e->candidates, n * sizeof(*e->chosen));
		n = select_whole(&e->frames, min_idle, may_try, e, e->huge,
				 e->chosen, n, e->candidates, ENGINE_BATCH);
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t gfn = e->candidates[i];

		switch (judge(e, gfn)) {
		case TAKE:
			e->candidates[kept++] = gfn;
			break;
		case KEEP_REFERENCED:
			/*
			 * Its bits are clear now; the next round sees.  They
			 * do not tell when it was used.
			 */
			frame_touch(&e->frames, gfn, false);
			frame_move(&e->frames, gfn, FRAME_INACTIVE);
			e->stats.nr_rejected_referenced++;
			break;
		case KEEP_LOCKED:
			frame_move(&e->frames, gfn, FRAME_UNEVICTABLE);
			break;
		}
	}
	/* None of them may go: tell apart from "nothing is idle". */
	return kept ? kept : n ? SIZE_MAX : 0;
}

/*
 * Harvests the candidates' surroundings.  Candidates that were touched go back;
 * what else was found young is kept for the next scan.  Returns how many
 * candidates are left, or -errno: then none may be evicted.
 */
static ssize_t last_look(struct engine *e, size_t nr)
{
	size_t nr_ranges = select_ranges(e->candidates, nr, LOOK_GAP,
					 e->ranges);
	size_t kept = 0, saved = 0;

	for (size_t i = 0; i < nr_ranges; i++) {
		int rc = engine_harvest(e, e->ranges[i]);

		if (rc) {
			engine_set_error(e, "accessed bits can't be read", rc);
			return rc;
		}
	}
	pthread_mutex_lock(&e->lock);
	for (size_t i = 0; i < nr; i++) {
		uint32_t gfn = e->candidates[i];

		if (bitmap_test(e->looked, gfn)) {
			frame_touch(&e->frames, gfn,
				    bitmap_test(e->saw, gfn));
			frame_move(&e->frames, gfn, FRAME_ACTIVE);
			saved++;
		} else {
			e->candidates[kept++] = gfn;
		}
	}
	e->stats.nr_saved_by_last_look += saved;
	pthread_mutex_unlock(&e->lock);
	return kept;
}

/* A frame that the sink kept; true when that means that it is in use. */
static bool keep_touched(struct engine *e, uint32_t gfn)
{
	if (!e->config.sink->ops->looks)
		return false;
	frame_touch(&e->frames, gfn, true);
	frame_move(&e->frames, gfn, FRAME_ACTIVE);
	return true;
}

/*
 * Returns how many went, -EAGAIN for none, 0 when it is no use going on, or
 * -errno.
 */
static ssize_t evict(struct engine *e, size_t nr)
{
	size_t nr_ranges = select_ranges(e->candidates, nr, 0, e->ranges);
	struct reclaim_result res = { 0 };
	size_t gone = 0, saved = 0;
	int rc;

	rc = e->config.sink->ops->evict(e->config.sink, e->ranges, nr_ranges,
					&res);
	if (rc) {
		engine_set_error(e, "cold pages can't be evicted", rc);
		return rc;
	}
	for (size_t i = 0; i < nr_ranges; i++) {
		rc = guest_mem_residency(e->config.mem, e->ranges[i],
					 e->resident, e->swapped);
		if (rc) {
			engine_set_error(e, "what was evicted can't be read",
					 rc);
			return rc;
		}
	}
	pthread_mutex_lock(&e->lock);
	view_rdlock(e->config.view);
	for (size_t i = 0; i < nr; i++) {
		uint32_t gfn = e->candidates[i];

		if (bitmap_test(e->resident, gfn)) {
			bitmap_set(e->refused, gfn);
			saved += keep_touched(e, gfn);
			continue;
		}
		frame_set_evicted(&e->frames, gfn, e->scan);
		e->stats.nr_taken[class_of(e, gfn)]++;
		gone++;
	}
	view_unlock(e->config.view);
	engine_count_huge(e, nr);
	e->stats.nr_evicted += gone;
	e->stats.nr_saved_by_last_look += saved;
	e->stats.nr_kept += nr - gone - saved;
	pthread_mutex_unlock(&e->lock);
	e->nr_gone += gone;
	e->io_pages -= gone;
	e->nr_refused += nr - gone - saved;
	/* A sink that refuses most is full: ask it again in the next scan. */
	if (e->nr_refused >= REFUSED_ENOUGH && e->nr_refused > e->nr_gone)
		return 0;
	return gone ? (ssize_t)gone : -EAGAIN;
}

/* One batch.  How many pages went; 0: no use going on; or -errno. */
static ssize_t reclaim_batch(struct engine *e, uint64_t over)
{
	size_t max = goal_io(e, over < e->batch ? over : e->batch), nr;
	ssize_t rc;

	if (!max)
		return 0;
	pthread_mutex_lock(&e->lock);
	view_rdlock(e->config.view);
	nr = choose(e, max);
	view_unlock(e->config.view);
	pthread_mutex_unlock(&e->lock);
	if (!nr)
		return 0;
	if (nr == SIZE_MAX)
		return -EAGAIN;
	rc = nr;
	if (!e->config.sink->ops->looks)
		rc = last_look(e, nr);
	if (rc < 0)
		return rc;
	rc = engine_spare_huge(e, rc);
	return rc ? evict(e, rc) : -EAGAIN;
}

/* Each batch shortens the list that it takes from, or looks further up it. */
static ssize_t pursue(struct engine *e, uint64_t (*wanted)(struct engine *e))
{
	uint64_t over;
	ssize_t rc = 0;

	begin_stage(e, STAGE_FREE);
	while ((over = wanted(e))) {
		rc = reclaim_batch(e, over);
		if ((rc <= 0 && rc != -EAGAIN) ||
		    clock_thread_cpu_ns() >= e->reclaim_until_ns)
			break;
	}
	return rc < 0 && rc != -EAGAIN ? rc : 0;
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
	const uint64_t *const spared[] = { e->young, e->proven, NULL };
	uint64_t left = e->nr_frames;
	size_t nr = 0;

	while (nr < max) {
		const uint64_t *spare = spared[e->hard_pass];
		uint64_t gfn = e->hand;

		if (!left--) {
			if (!spare || nr)
				break;
			e->hard_pass++;
			left = e->nr_frames;
			continue;
		}
		e->hand = gfn + 1 < e->nr_frames ? gfn + 1 : 0;
		if (spare && bitmap_test(spare, gfn))
			continue;
		if (bitmap_test(e->resident, gfn) && may_try(gfn, e) &&
		    frame_list_of(&e->frames, gfn) != FRAME_UNEVICTABLE &&
		    !rmap_page_unevictable(view_map(e->config.view), gfn))
			e->candidates[nr++] = (uint32_t)gfn;
	}
	return nr;
}

static ssize_t reclaim_hard(struct engine *e)
{
	uint64_t over;
	ssize_t rc = 0;

	e->hard_pass = 0;
	while (e->policy_hard && (over = goal_excess(e))) {
		size_t nr, max = goal_io(e, over < e->batch ? over : e->batch);

		pthread_mutex_lock(&e->lock);
		view_rdlock(e->config.view);
		nr = choose_any(e, max);
		view_unlock(e->config.view);
		pthread_mutex_unlock(&e->lock);
		rc = nr ? evict(e, nr) : 0;
		if ((rc <= 0 && rc != -EAGAIN) ||
		    clock_thread_cpu_ns() >= e->reclaim_until_ns)
			break;
	}
	return rc < 0 && rc != -EAGAIN ? rc : 0;
}

static uint64_t beyond_asked(struct engine *e)
{
	uint64_t over = goal_excess(e);
	uint64_t asked = e->ask.cache.nr_pages + e->ask.free.nr_pages;

	return over > asked ? over - asked : 0;
}

static uint64_t anything_idle(struct engine *e)
{
	return goal_proactive(e) < ENGINE_AGES ? e->nr_frames : 0;
}

/* What is idle for so long that nobody will miss it, target or not. */
static ssize_t reclaim_proactively(struct engine *e)
{
	unsigned int scans = goal_proactive(e);
	uint64_t before = e->nr_gone;
	ssize_t rc = 0;

	if (scans < ENGINE_AGES && clock_thread_cpu_ns() < e->reclaim_until_ns) {
		e->min_idle = scans;
		rc = pursue(e, anything_idle);
	}
	pthread_mutex_lock(&e->lock);
	e->stats.nr_proactive += e->nr_gone - before;
	e->stats.proactive_scans = scans;
	e->stats.nr_promotions = proactive_refaults(&e->proactive);
	pthread_mutex_unlock(&e->lock);
	return rc;
}

int engine_reclaim(struct engine *e)
{
	uint64_t now = clock_thread_cpu_ns(), over;
	ssize_t rc;

	e->nr_gone = e->nr_refused = 0;
	memset(e->refused, 0, BITMAP_WORDS(e->nr_frames) * sizeof(*e->refused));
	goal_look(e);
	pthread_mutex_lock(&e->lock);
	e->policy_hard = e->policy.hard;
	pthread_mutex_unlock(&e->lock);
	if (e->psi_high && !e->policy_hard && e->reclaim_until_ns > now)
		e->reclaim_until_ns = now + (e->reclaim_until_ns - now) / 4;
	e->may_drop = ask_may_drop(e);
	ask_guest(e, goal_excess(e));
	rc = beyond_asked(e) || anything_idle(e) || e->nodes.nr ?
		engine_find_huge(e) : 0;
	if (rc)
		return rc;
	pthread_mutex_lock(&e->lock);
	e->min_idle = e->policy.min_idle_scans;
	pthread_mutex_unlock(&e->lock);
	rc = pursue(e, beyond_asked);
	if (!rc)
		rc = nodes_pursue(e, pursue);
	if (!rc)
		rc = reclaim_hard(e);
	if (!rc)
		rc = reclaim_proactively(e);
	over = goal_excess(e);
	pthread_mutex_lock(&e->lock);
	e->stats.nr_over_target = over;
	pthread_mutex_unlock(&e->lock);
	return rc;
}
