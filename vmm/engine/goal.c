// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How much memory is to go:
 *
 *   host has      below low             low to high          above high
 *                 idle pages,           for the target,      nothing
 *                 until there is high   and proactively
 *
 * Without watermarks it is the middle one always.  Pressure stalls, in the guest
 * or on the host, mean that memory is missed: nothing goes proactively then, and
 * the target is pursued a quarter as fast.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "vmm/engine/engine-internal.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"
#include "vmm/util/pressure.h"

static bool is_psi_high(struct engine *e, unsigned int limit)
{
	struct view_stats guest;
	int host = pressure_memory();

	view_get_stats(e->config.view, &guest);
	/* A kernel without PSI feels no pressure that we could know of. */
	return host > (int)limit || (guest.agent_connected &&
	       guest.guest.psi_some_avg10 * 100 > limit);
}

static void look_at_host(struct engine *e, const struct engine_policy *p)
{
	int64_t available = p->low_bytes ? pressure_available() : -ENODATA;

	e->goal.wanted_by_host = 0;
	if (available < 0) {
		e->goal.pressing = e->goal.relaxed = false;
		return;
	}
	if ((uint64_t)available < p->low_bytes)
		e->goal.pressing = true;
	if ((uint64_t)available >= p->high_bytes)
		e->goal.pressing = false;
	e->goal.relaxed = (uint64_t)available >= p->high_bytes;
	if (e->goal.pressing)
		e->goal.wanted_by_host =
			(p->high_bytes - available) >> VMM_PAGE_SHIFT;
}

/* What the quota allows in a second or a period, whichever is longer. */
static void refill_io(struct engine *e, const struct engine_policy *p)
{
	uint64_t now = clock_now_ns(), period = p->scan_period_ms;
	double rate = p->io_bytes / (double)VMM_PAGE_SIZE;
	double most = rate * (period > 1000 ? period : 1000) / 1000;
	double pages = e->goal.io_pages +
		       rate * (now - e->goal.io_last_ns) / NSEC_PER_SEC;

	e->goal.io_pages = pages < most ? pages : most;
	e->goal.io_last_ns = now;
}

void goal_look(struct engine *e)
{
	struct engine_policy p;

	engine_get_policy(e, &p);
	e->goal.psi_high =
		p.enabled && p.psi_limit && is_psi_high(e, p.psi_limit);
	look_at_host(e, &p);
	refill_io(e, &p);
	engine_lock(e);
	e->stats.held_by_psi = e->goal.psi_high;
	e->stats.below_low = e->goal.pressing;
	e->stats.above_high = e->goal.relaxed;
	engine_unlock(e);
}

uint64_t goal_excess(struct engine *e)
{
	uint64_t resident =
		bitmap_count(e->scan.resident, 0, e->scan.nr_frames);
	uint64_t target, over = 0;

	engine_lock(e);
	target = e->policy.target_bytes >> VMM_PAGE_SHIFT;
	if (engine_may_evict(e)) {
		if (target && resident > target && !e->goal.relaxed)
			over = resident - target;
		if (e->goal.wanted_by_host > e->pass.nr_gone &&
		    over < e->goal.wanted_by_host - e->pass.nr_gone)
			over = e->goal.wanted_by_host - e->pass.nr_gone;
	}
	engine_unlock(e);
	return over < resident ? over : resident;
}

unsigned int goal_proactive(struct engine *e)
{
	unsigned int scans = ENGINE_AGES;

	engine_lock(e);
	if (engine_may_evict(e) && e->policy.proactive_ppm &&
	    !e->goal.psi_high && !e->goal.relaxed)
		scans = proactive_threshold(&e->history.proactive);
	/* 255 stands for more, too. */
	if (scans >= FRAME_AGE_MAX)
		scans = ENGINE_AGES;
	engine_unlock(e);
	return scans;
}

size_t goal_io(struct engine *e, size_t max)
{
	bool limited;

	engine_lock(e);
	limited = e->policy.io_bytes;
	if (limited && e->goal.io_pages < (int64_t)max)
		e->stats.nr_io_delayed +=
			max - (e->goal.io_pages > 0 ? e->goal.io_pages : 0);
	engine_unlock(e);
	if (!limited || e->goal.io_pages >= (int64_t)max)
		return max;
	return e->goal.io_pages > 0 ? e->goal.io_pages : 0;
}
