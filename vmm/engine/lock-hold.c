// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine's locks and the order of taking them:
 *
 *     engine lock (fair) --> view lock, to read
 *
 * Other threads take one of them at a time.  hold_begin() queues behind all who
 * wait for the engine lock; engine_lock() takes its turn among them.
 */
#include "config.h"

#include "vmm/engine/engine-internal.h"
#include "vmm/engine/lock-hold.h"
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
	return e->policy.enabled && e->config.sink && !e->held && !e->stopping;
}

bool engine_begin_move(struct engine *e, bool evict)
{
	bool may;

	engine_lock(e);
	may = evict ? engine_may_evict(e) : !e->held && !e->stopping;
	e->moving = may;
	engine_unlock(e);
	return may;
}

void engine_end_move(struct engine *e)
{
	engine_lock(e);
	e->moving = false;
	pthread_cond_broadcast(&e->rests);
	engine_unlock(e);
}

void hold_begin(struct engine *e)
{
	fair_lock_after_others(&e->lock);
	view_rdlock(e->config.view);
	e->hold_cost = 0;
}

void hold_end(struct engine *e)
{
	if (e->hold_cost > e->stats.scan.most_spent)
		e->stats.scan.most_spent = e->hold_cost;
	view_unlock(e->config.view);
	engine_unlock(e);
}

bool hold_spend(struct engine *e, unsigned int cost)
{
	if (e->hold_cost + cost > HOLD_MAX || walk_limit_reached()) {
		hold_end(e);
		hold_begin(e);
	}
	e->hold_cost += cost;
	return !engine_is_stopping(e);
}
