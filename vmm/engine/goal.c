// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How much memory to evict:
 *
 *   host has      below low             low to high          high or more
 *                 idle pages,           for the target,      nothing
 *                 until there is high   and proactively
 *
 * (available memory, and the policy's watermarks low and high.)  Without
 * watermarks the middle column always applies.  Pressure stalls (PSI), in the
 * guest or on the host, mean that memory is short: then nothing is evicted
 * proactively, and for the target a quarter as fast.
 *
 * Locks: engine lock, for the current policy; none to read the host's state.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "vmm/engine/engine-internal.h"
#include "vmm/util/clock.h"
#include "vmm/util/min-max.h"
#include "vmm/util/pressure.h"

static bool is_psi_high(struct view *view, unsigned int limit)
{
	struct view_stats guest;
	int host = pressure_memory();

	view_get_stats(view, &guest);
	/* Without PSI in the kernel, pressure counts as none. */
	return host > (int)limit || (guest.agent_connected &&
	       guest.guest.psi_some_avg10 * 100 > limit);
}

static void read_host_state(struct engine_goal *goal,
			    const struct engine_policy *p)
{
	int64_t available = p->low_bytes ? pressure_available() : -ENODATA;

	goal->wanted_by_host = 0;
	if (available < 0) {
		goal->below_low = goal->above_high = false;
		return;
	}
	if ((uint64_t)available < p->low_bytes)
		goal->below_low = true;
	if ((uint64_t)available >= p->high_bytes)
		goal->below_low = false;
	goal->above_high = (uint64_t)available >= p->high_bytes;
	if (goal->below_low)
		goal->wanted_by_host =
			(p->high_bytes - available) >> VMM_PAGE_SHIFT;
}

/*
 * Adds the I/O quota of the time since the last call.  No more is kept than the
 * quota of a second or of a period, whichever is longer.
 */
static void refill_io(struct engine_goal *goal, const struct engine_policy *p)
{
	uint64_t now = clock_now_ns(), period = p->scan_period_ms;
	double rate = p->io_bytes / (double)VMM_PAGE_SIZE;
	double most = rate * (period > 1000 ? period : 1000) / 1000;
	double pages =
		goal->io_pages + rate * (now - goal->io_last_ns) / NSEC_PER_SEC;

	if (!p->io_bytes)
		pages = 0;	/* evictions without a quota are no debt */
	goal->io_pages = pages < most ? pages : most;
	goal->io_last_ns = now;
}

void reclaim_goal_update(struct engine *e)
{
	const struct engine_policy *p = &e->scan_policy;
	struct engine_goal *goal = &e->goal;

	goal->psi_high = p->enabled && p->psi_limit &&
			 is_psi_high(e->config.view, p->psi_limit);
	read_host_state(goal, p);
	refill_io(goal, p);
	engine_lock(e);
	e->stats.reclaim.throttled_by_psi = goal->psi_high;
	e->stats.reclaim.below_low = goal->below_low;
	e->stats.reclaim.above_high = goal->above_high;
	engine_unlock(e);
}

/* Under the lock. */
static uint64_t over_target(const struct engine *e, uint64_t resident)
{
	uint64_t target = e->policy.target_bytes >> VMM_PAGE_SHIFT;

	return engine_may_evict(e) && target && resident > target &&
	       !e->goal.above_high ? resident - target : 0;
}

uint64_t reclaim_nr_over_target(struct engine *e)
{
	uint64_t resident = engine_scan_nr_resident(&e->scan), over;

	engine_lock(e);
	over = over_target(e, resident);
	engine_unlock(e);
	return over;
}

uint64_t reclaim_nr_to_evict(struct engine *e)
{
	uint64_t resident = engine_scan_nr_resident(&e->scan);
	uint64_t by_host = 0, over;

	engine_lock(e);
	if (engine_may_evict(e) &&
	    e->goal.wanted_by_host > e->pass.nr_evicted)
		by_host = e->goal.wanted_by_host - e->pass.nr_evicted;
	over = max_u64(over_target(e, resident), by_host);
	engine_unlock(e);
	return min_u64(over, resident);
}

unsigned int reclaim_proactive_idle(struct engine *e)
{
	unsigned int scans = ENGINE_AGES;

	engine_lock(e);
	if (engine_may_evict(e) && e->policy.proactive_ppm &&
	    !e->goal.psi_high && !e->goal.above_high)
		scans = proactive_threshold(&e->history.proactive);
	/* Age 255 stands for all higher ages, too, so it is no threshold. */
	if (scans >= FRAME_AGE_MAX)
		scans = ENGINE_AGES;
	engine_unlock(e);
	return scans;
}

size_t reclaim_io_quota(struct engine *e, size_t max)
{
	size_t allowed = e->goal.io_pages > 0 ? e->goal.io_pages : 0;

	engine_lock(e);
	if (!e->policy.io_bytes)
		allowed = max;
	if (allowed < max)
		e->stats.reclaim.nr_io_delayed += max - allowed;
	engine_unlock(e);
	return min_u64(allowed, max);
}
