// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include "vmm/util/fair-lock.h"

void fair_lock_init(struct fair_lock *l)
{
	*l = (struct fair_lock){ .nr_requested = 0 };
	pthread_mutex_init(&l->mutex, NULL);
	pthread_cond_init(&l->served, NULL);
}

void fair_lock_destroy(struct fair_lock *l)
{
	pthread_cond_destroy(&l->served);
	pthread_mutex_destroy(&l->mutex);
}

void fair_lock(struct fair_lock *l)
{
	atomic_fetch_add(&l->nr_requested, 1);
	pthread_mutex_lock(&l->mutex);
	l->nr_served++;
	if (l->yields)
		pthread_cond_signal(&l->served);
}

void fair_unlock(struct fair_lock *l)
{
	pthread_mutex_unlock(&l->mutex);
}

void fair_lock_after_others(struct fair_lock *l)
{
	uint64_t requested = atomic_load(&l->nr_requested);

	pthread_mutex_lock(&l->mutex);
	l->yields = true;
	while (l->nr_served < requested)
		pthread_cond_wait(&l->served, &l->mutex);
	l->yields = false;
}
