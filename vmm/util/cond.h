/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Condition variables with deadlines in clock_now_ns() time. */
#ifndef VMM_UTIL_COND_H
#define VMM_UTIL_COND_H

#include <pthread.h>

#include "vmm/util/clock.h"

static inline void cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

/* 0, possibly spurious; or ETIMEDOUT. cond must be set up by cond_init(). */
static inline int cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock,
				  uint64_t ns)
{
	const struct timespec t = { ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };

	return pthread_cond_timedwait(cond, lock, &t);
}

#endif
