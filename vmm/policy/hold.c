// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include "vmm/policy/engine-internal.h"
#include "vmm/policy/hold.h"

void engine_lock(struct engine *e)
{
	atomic_fetch_add(&e->nr_asked, 1);
	pthread_mutex_lock(&e->lock);
	e->nr_served++;
	if (e->gives_way)
		pthread_cond_signal(&e->served);
}

void engine_unlock(struct engine *e)
{
	pthread_mutex_unlock(&e->lock);
}

/*
 * A thread that unlocks a mutex and locks it again mostly wins against one that
 * has yet to wake up.  So all who have asked by now are served first.
 */
static void lock_after_others(struct engine *e)
{
	uint64_t asked = atomic_load(&e->nr_asked);

	pthread_mutex_lock(&e->lock);
	e->gives_way = true;
	while (e->nr_served < asked)
		pthread_cond_wait(&e->served, &e->lock);
	e->gives_way = false;
}

bool engine_is_stopping(struct engine *e)
{
	return atomic_load_explicit(&e->stopping, memory_order_relaxed);
}

void hold_begin(struct engine *e)
{
	lock_after_others(e);
	view_rdlock(e->config.view);
	e->spent = 0;
}

void hold_end(struct engine *e)
{
	if (e->spent > e->stats.most_spent)
		e->stats.most_spent = e->spent;
	view_unlock(e->config.view);
	engine_unlock(e);
}

bool hold_spend(struct engine *e, unsigned int cost)
{
	if (e->spent + cost > HOLD_MAX) {
		hold_end(e);
		hold_begin(e);
	}
	e->spent += cost;
	return !engine_is_stopping(e);
}
