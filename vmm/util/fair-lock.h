/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mutex for a thread that does much work under it, a piece at a time.  A
 * thread that unlocks an ordinary mutex and locks it again usually wins against
 * waiters that have yet to wake up.  That thread uses fair_lock_after_others()
 * instead: all threads already waiting get the lock first.
 *
 * `mutex` may be given to pthread_cond_wait() and the like while it is held.
 */
#ifndef VMM_UTIL_FAIR_LOCK_H
#define VMM_UTIL_FAIR_LOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fair_lock {
	_Atomic uint64_t nr_requested;	/* calls of fair_lock() that began */
	pthread_mutex_t mutex;		/* guards the rest */
	uint64_t nr_served;		/* of nr_requested, how many got it */
	bool yields;			/* a thread waits for `served` */
	pthread_cond_t served;		/* nr_served grew */
};

void fair_lock_init(struct fair_lock *lock);
void fair_lock_destroy(struct fair_lock *lock);

/* Any thread. */
void fair_lock(struct fair_lock *lock);
void fair_unlock(struct fair_lock *lock);

/*
 * Called without the lock, by one thread at a time: takes it after all waiters.
 */
void fair_lock_after_others(struct fair_lock *lock);

#endif
