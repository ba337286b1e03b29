/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_UTIL_THREAD_H
#define VMM_UTIL_THREAD_H

#include <pthread.h>
#include <signal.h>

/*
 * Starts a thread with all signals blocked, so that signals for the process go
 * to the threads that wait for them.  0 or -errno.
 */
static inline int thread_start(pthread_t *thread, void *(*run)(void *arg),
			       void *arg)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -rc;
}

#endif
