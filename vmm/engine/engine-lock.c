// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine's locks and the order of taking them:
 *
 *     engine lock (fair) --> view lock, to read
 *
 * Other threads take one of them at a time.  lock_hold_begin() queues behind
 * all threads that wait for the engine lock; engine_lock() does not.
 */
#include "config.h"

#include "vmm/engine/engine-internal.h"
#include "vmm/engine/engine-lock.h"
#include "vmm/guest/walk-limit.h"
#include "vmm/util/stop-flag.h"

void engine_lock(struct engine *e)
{
	fair_lock(&e->lock);
}

void engine_unlock(struct engine *e)
{
	fair_unlock(&e->lock);
}

bool engine_is_stopping(struct engine *e)
{
	return stop_flag_is_set(&e->stopping);
}

bool engine_may_evict(const struct engine *e)
{
	return e->policy.enabled && e->config.sink && !e->paused &&
	       !e->stopping;
}

bool engine_begin_sink_call(struct engine *e, bool evict)
{
	bool may;

	engine_lock(e);
	may = evict ? engine_may_evict(e) : !e->paused && !e->stopping;
	e->in_sink_call = may;
	engine_unlock(e);
	return may;
}

void engine_end_sink_call(struct engine *e)
{
	engine_lock(e);
	e->in_sink_call = false;
	pthread_cond_broadcast(&e->sink_idle);
	engine_unlock(e);
}

void lock_hold_begin(struct engine *e)
{
	fair_lock_after_others(&e->lock);
	view_rdlock(e->config.view);
	e->lock_hold_cost = 0;
}

void lock_hold_end(struct engine *e)
{
	if (e->lock_hold_cost > e->stats.scan.max_lock_cost)
		e->stats.scan.max_lock_cost = e->lock_hold_cost;
	view_unlock(e->config.view);
	engine_unlock(e);
}

bool lock_hold_charge(struct engine *e, unsigned int cost)
{
	if (e->lock_hold_cost + cost > LOCK_HOLD_MAX || walk_limit_reached()) {
		lock_hold_end(e);
		lock_hold_begin(e);
	}
	e->lock_hold_cost += cost;
	return !engine_is_stopping(e);
}
