/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ownership of DAMON's configuration.  Its sysfs directory is one resource of
 * the whole machine, which several vmm processes share and other programs use
 * too:
 *
 *   damon.lock		flock()ed while a pass is set up and runs: vmm processes
 *			take turns.  Its content names the vmm that configured
 *			DAMON last; empty: none, or that vmm did not finish.
 *   damon.saved	exists while DAMON holds our configuration: the
 *			configuration (not running) that another program had
 *			before, or made since.
 *   damon.users	each vmm that uses DAMON holds a shared flock() as long
 *			as it lives.  Whoever gets it exclusively is the last
 *			user and restores damon.saved: a vmm that exits, or the
 *			watchdog of one that died (damon-guard.c).
 *
 * A configuration is ours if every setting has our value, DAMON_MARK among
 * them.  A kdamond that runs such a configuration, while nobody holds the lock,
 * was left by a vmm that died inside a pass: the next vmm turns it off, if the
 * watchdog does not.  Any other running kdamond belongs to another program and
 * is left alone.
 *
 * Lock order: damon.lock, then damon.users.  An object belongs to one thread.
 */
#ifndef VMM_ACCESS_DAMON_DAMON_OWNER_H
#define VMM_ACCESS_DAMON_DAMON_OWNER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct damon_owner {
	int dir_fd;		/* owned: DAMON_CTL_SYSFS */
	int lock_fd, users_fd;	/* owned */
	bool pageout;		/* of damon_sysfs_configure() */
	bool in_doubt;		/* configure again the next time */
	char id[48];		/* in the lock file, if we were last */
};

/* 0, or -errno with the obstacle and its remedy.  No side effects. */
int damon_owner_probe(char *why, size_t len);

/* 0 or -errno with why; then there is nothing to close. */
int damon_owner_open(struct damon_owner *o, bool pageout, char *why,
		     size_t len);
/*
 * Restores the previous configuration if we are the last user.  -EBUSY, logged:
 * another vmm holds the lock, and the cleanup is left to the watchdog; else 0.
 */
int damon_owner_close(struct damon_owner *o);

/*
 * damon.lock.  0, -ECANCELED (*stopping was set; it may be NULL), -EBUSY with why
 * (another holds it for longer than a pass takes), or -errno.
 */
int damon_owner_lock(struct damon_owner *o, const atomic_bool *stopping,
		     char *why, size_t len);
void damon_owner_unlock(struct damon_owner *o);

/*
 * --- with the lock held ---
 * Makes the configuration ours; 1: it was not, and has no regions now; 0: it
 * was already.  -EBUSY with why: another program's kdamond runs, or another
 * -errno with why.  An earlier vmm's kdamond is turned off.
 */
int damon_owner_configure(struct damon_owner *o, char *why, size_t len);
/* 0, or -EBUSY with why: another program's kdamond runs. */
int damon_owner_check(struct damon_owner *o, char *why, size_t len);
/* Whether the configuration is (still) ours; checked right before a pass. */
bool damon_owner_is_ours(const struct damon_owner *o);

#endif
