/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A watchdog process that leaves DAMON as it was before us when we die; see
 * damon-guard.c.
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
/* We end well: the watchdog ends without doing anything. */
void damon_guard_stop(struct damon_guard *guard);
/* We end, and could not do what it does when we die: it does, as soon as it can. */
void damon_guard_leave(struct damon_guard *guard);

#endif
