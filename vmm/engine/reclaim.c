// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One pass of reclaim, a batch at a time, until there is nothing left to do:
 *
 *   1. for the target or the host, less what was requested from the guest
 *   2. for the targets of single nodes (nodes.c)
 *   3. huge pages in use are split to find idle parts (huge-blocks.c)
 *   4. for a hard target, what is in use as well (enum reclaim_effort)
 *   5. proactively: what is idle for so long that refaults stay rare
 *
 *   a batch:  candidates.c --> evict.c's recheck --> huge.c --> evict.c
 *
 * The order of eviction is in price.h and class.h; what the guest can return by
 * itself, in guest-requests.c; how much to evict, in goal.c.
 * When nothing is idle for long enough, the guest stays above its target: its
 * working set comes first, unless the target is hard.
 *
 * Locks: engine lock, for counters; none is held while a batch is under way.
 */
#include "config.h"

#include "vmm/engine/engine-internal.h"
#include "vmm/engine/reclaim.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"
#include "vmm/util/min-max.h"

/*
 * One batch.  Returns pages evicted, RECLAIM_NONE_EVICTED, 0 where another
 * batch would be useless, or -errno.  over: pages to evict, at most.
 */
static ssize_t reclaim_batch(struct engine *e, uint64_t over)
{
	size_t max = reclaim_io_quota(e, min_u64(over, e->pass.batch)), nr;
	ssize_t rc;

	if (!max || e->pass.sink_is_full)
		return 0;
	nr = candidates_choose(e, over, max);
	if (!nr)
		return 0;
	if (nr == SIZE_MAX)
		return RECLAIM_NONE_EVICTED;
	if (e->pass.effort == EFFORT_ANY)
		return evict_candidates(e, nr);
	rc = nr;
	if (!e->config.sink->ops->rechecks_accessed)
		rc = evict_recheck_accessed(e, nr);
	if (rc < 0)
		return rc;
	rc = engine_skip_huge_parts(e, rc);
	return rc ? evict_candidates(e, rc) : RECLAIM_NONE_EVICTED;
}

/* By the batch's result rc, or because the scan has used up its CPU time. */
static bool is_last_batch(const struct engine *e, ssize_t rc)
{
	/* Where all are in use, further checks would only cost time. */
	if (rc == RECLAIM_NONE_EVICTED)
		rc = e->pass.effort != EFFORT_UNACCESSED;
	return rc <= 0 || engine_cpu_ns(e) >= e->pass.cpu_limit_ns;
}

/* The last effort makes progress in each scan, however dear the checks were. */
static bool has_time(const struct engine *e, enum reclaim_effort effort)
{
	return engine_cpu_ns(e) < e->pass.cpu_limit_ns ||
	       (effort == EFFORT_ANY && !e->pass.nr_evicted);
}

/*
 * Evicts batch after batch as long as wanted() returns that pages are to be
 * evicted.  It ends: each batch advances a sweep, and no frame is tried twice.
 */
static ssize_t reclaim_with_effort(struct engine *e, enum reclaim_effort effort,
				   uint64_t (*wanted)(struct engine *e))
{
	uint64_t over;
	ssize_t rc = 0;

	candidates_begin(e, effort);
	while (has_time(e, effort) && (over = wanted(e))) {
		rc = reclaim_batch(e, over);
		if (is_last_batch(e, rc))
			break;
	}
	return rc < 0 && rc != RECLAIM_NONE_EVICTED ? rc : 0;
}

/* What the guest has been asked to return need not be evicted. */
static uint64_t without_requested(const struct engine *e, uint64_t over)
{
	uint64_t requested =
		e->requests.cache.nr_pages + e->requests.free.nr_pages;

	return over > requested ? over - requested : 0;
}

static ssize_t reclaim_idle(struct engine *e,
			    uint64_t (*wanted)(struct engine *e))
{
	return reclaim_with_effort(e, EFFORT_IDLE, wanted);
}

static uint64_t nr_to_evict_unrequested(struct engine *e)
{
	return without_requested(e, reclaim_nr_to_evict(e));
}

/* For the target only: the host's watermarks never take pages in use. */
static uint64_t nr_to_evict_for_hard_target(struct engine *e)
{
	return e->scan_policy.hard
		       ? without_requested(e, reclaim_nr_over_target(e))
		       : 0;
}

/* What costs least for a hard target; what is idle for all else. */
static ssize_t reclaim_for_target(struct engine *e)
{
	ssize_t rc = reclaim_with_effort(e, EFFORT_UNACCESSED,
					 nr_to_evict_for_hard_target);

	return rc ? rc : reclaim_idle(e, nr_to_evict_unrequested);
}

/* What is in use is not taken before it is known which of it is most. */
static ssize_t reclaim_hard(struct engine *e)
{
	/* What huge pages hold will soon be known. */
	if (e->scan.huge && block_should_wait(&e->history.blocks,
					      e->history.scan_nr))
		return 0;
	return reclaim_with_effort(e, EFFORT_ANY, nr_to_evict_for_hard_target);
}

/* No limit, as long as proactive eviction is allowed. */
static uint64_t all_if_proactive(struct engine *e)
{
	return reclaim_proactive_idle(e) < ENGINE_AGES ? e->scan.nr_frames : 0;
}

static ssize_t reclaim_proactively(struct engine *e)
{
	unsigned int scans = reclaim_proactive_idle(e);
	uint64_t before = e->pass.nr_evicted;
	ssize_t rc = 0;

	if (scans < ENGINE_AGES &&
	    engine_cpu_ns(e) < e->pass.cpu_limit_ns) {
		e->pass.min_idle = scans;
		rc = reclaim_idle(e, all_if_proactive);
	}
	engine_lock(e);
	e->stats.reclaim.nr_proactive += e->pass.nr_evicted - before;
	e->stats.reclaim.proactive_scans = scans;
	e->stats.reclaim.nr_recent_refaults =
		proactive_refaults(&e->history.proactive);
	engine_unlock(e);
	return rc;
}

int engine_reclaim(struct engine *e)
{
	uint64_t now = engine_cpu_ns(e), over;
	ssize_t rc;

	e->pass.nr_evicted = e->pass.nr_refused = 0;
	e->pass.sink_is_full = false;
	bitmap_clear_range(e->pass.refused, 0, e->scan.nr_frames);
	bitmap_clear_range(e->pass.tried, 0, e->scan.nr_frames);
	reclaim_goal_update(e);
	if (e->goal.psi_high && !e->scan_policy.hard &&
	    e->pass.cpu_limit_ns > now)
		e->pass.cpu_limit_ns = now + (e->pass.cpu_limit_ns - now) / 4;
	e->pass.cache_is_left_to_guest = engine_leaves_cache_to_guest(e);
	request_guest_memory(e, reclaim_nr_to_evict(e));
	e->pass.min_idle = e->scan_policy.min_idle_scans;
	rc = reclaim_for_target(e);
	if (!rc)
		rc = nodes_reclaim(e, reclaim_idle);
	if (!rc)
		engine_split_blocks(e);
	if (!rc)
		rc = reclaim_hard(e);
	if (!rc)
		rc = reclaim_proactively(e);
	over = reclaim_nr_to_evict(e);
	engine_lock(e);
	e->stats.reclaim.nr_over_target = over;
	engine_unlock(e);
	return rc;
}
