/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A watchdog process that restores DAMON's previous configuration when we die;
 * see damon-guard.c.
 */
#ifndef VMM_ACCESS_DAMON_DAMON_GUARD_H
#define VMM_ACCESS_DAMON_DAMON_GUARD_H

#include <sys/types.h>

struct damon_guard {
	pid_t pid;	/* 0: none */
	int fd;		/* owned: the socket that closes when we die */
};

/* 0 or -errno. */
int damon_guard_start(struct damon_guard *guard);
/* For an orderly exit: the watchdog exits without doing anything. */
void damon_guard_stop(struct damon_guard *guard);
/*
 * For an exit whose cleanup failed: the watchdog does it as soon as it gets the
 * lock.
 */
void damon_guard_leave(struct damon_guard *guard);

#endif
