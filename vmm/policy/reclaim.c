// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Down to the target, a batch at a time:
 *
 *   inactive tail, idle long enough --page_referenced--> candidates
 *       candidates --harvest again (the last look)--> still untouched
 *           still untouched --sink--> gone, asked of the host
 *
 * Frames that are free in the guest go first: nobody will miss them.  When
 * nothing is idle for long enough the target is missed; the guest's working set
 * comes first.
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

	if (rmap_page_unevictable(map, gfn))
		return KEEP_LOCKED;
	if (rmap_page_referenced(map, gfn, &r))
		return TAKE;	/* the map does not know it: stage 2 decides */
	return r.has_accessed_bits && r.nr_referenced ? KEEP_REFERENCED : TAKE;
}

/* What the sink refused in this scan is not asked for again in it. */
static bool may_try(uint64_t gfn, void *arg)
{
	const struct engine *e = arg;

	return !bitmap_test(e->refused, gfn);
}

static bool is_free_in_guest(uint64_t gfn, void *arg)
{
	struct engine *e = arg;

	return may_try(gfn, arg) &&
	       (rmap_page_flags(view_map(e->config.view), gfn) & RMAP_PG_FREE);
}

/*
 * Candidates, at most max, into e->candidates; those that must stay leave the
 * tail of the list.  Under the lock and the view's.
 */
static size_t choose(struct engine *e, size_t max)
{
	unsigned int min_idle = e->policy.min_idle_scans;
	size_t n, kept = 0;

	n = e->no_free ? 0 : select_idle(&e->frames, min_idle,
					 is_free_in_guest, e, e->candidates,
					 max);
	/* To find none takes the whole list: once a scan is enough. */
	e->no_free = !n;
	if (!n)
		n = select_idle(&e->frames, min_idle, may_try, e,
				e->candidates, max);
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
	for (size_t i = 0; i < nr; i++) {
		uint32_t gfn = e->candidates[i];

		if (bitmap_test(e->resident, gfn)) {
			bitmap_set(e->refused, gfn);
			saved += keep_touched(e, gfn);
			continue;
		}
		frame_set_evicted(&e->frames, gfn, e->scan);
		gone++;
	}
	engine_count_huge(e, nr);
	e->stats.nr_evicted += gone;
	e->stats.nr_saved_by_last_look += saved;
	e->stats.nr_kept += nr - gone - saved;
	pthread_mutex_unlock(&e->lock);
	e->nr_gone += gone;
	e->nr_refused += nr - gone - saved;
	/* A sink that refuses most is full: ask it again in the next scan. */
	if (e->nr_refused >= REFUSED_ENOUGH && e->nr_refused > e->nr_gone)
		return 0;
	return gone ? (ssize_t)gone : -EAGAIN;
}

/* Pages over the target, 0 when the policy asks for none. */
static uint64_t excess(struct engine *e)
{
	uint64_t resident = bitmap_count(e->resident, 0, e->nr_frames);
	uint64_t target, over = 0;

	pthread_mutex_lock(&e->lock);
	target = e->policy.target_bytes >> VMM_PAGE_SHIFT;
	if (e->policy.enabled && target && e->config.sink && resident > target)
		over = resident - target;
	if (e->stopping)
		over = 0;
	pthread_mutex_unlock(&e->lock);
	return over;
}

/* One batch.  How many pages went; 0: no use going on; or -errno. */
static ssize_t reclaim_batch(struct engine *e, uint64_t over)
{
	size_t max = over < e->batch ? over : e->batch, nr;
	ssize_t rc;

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

int engine_reclaim(struct engine *e)
{
	uint64_t over;
	ssize_t rc = 0;

	e->no_free = false;
	e->nr_gone = e->nr_refused = 0;
	memset(e->refused, 0, BITMAP_WORDS(e->nr_frames) * sizeof(*e->refused));
	rc = excess(e) ? engine_find_huge(e) : 0;
	if (rc)
		return rc;
	/* Each batch shortens the list that it takes from, so this ends. */
	while ((over = excess(e))) {
		rc = reclaim_batch(e, over);
		if ((rc <= 0 && rc != -EAGAIN) ||
		    clock_thread_cpu_ns() >= e->reclaim_until_ns)
			break;
	}
	pthread_mutex_lock(&e->lock);
	e->stats.nr_over_target = over;
	pthread_mutex_unlock(&e->lock);
	return rc < 0 && rc != -EAGAIN ? rc : 0;
}
