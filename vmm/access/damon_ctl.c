// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How one exact pass is had out of DAMON.
 *
 * A scheme with a filter of type `young` tests every page of every region and
 * clears the accessed bit of those that are young, whenever the scheme is
 * applied: at the end of each turn of the kdamond's loop here, since all
 * intervals are one.  It looks whether it should stop between turns only.  So
 * the kdamond is told to stop as soon as it is inside its first turn, and the
 * write that tells it returns after that turn's end:
 *
 *   on        off (waits ........................)
 *   | sample a page a region | interval | the pass | end
 *
 * Whether the pass was complete the recorder knows: it saw the scheme come to the
 * first region without memory.
 *
 * Regions are the guest's runs of page frames.  Each region costs two small
 * writes and a sample, a foreign page inside a region about half a
 * microsecond: hence small gaps are swallowed.  Only values that changed are
 * written, and spare regions lie where no memory is, so that a few runs more
 * or less do not make all directories anew.
 */
#include "config.h"

#include "vmm/access/damon_ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/access/aging_window.h"
#include "vmm/access/damon_guard.h"
#include "vmm/access/damon_sysfs.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/clock.h"
#include "vmm/util/log.h"

#define START_MS    1000	/* for a kdamond to enter its loop */
#define NR_TRIES    3

/* A pass of another vmm takes a fraction of this, also on a busy machine. */
#define LOCK_NS	 (10 * NSEC_PER_SEC)
/* At the end there is less time: a stop has its limit (stop-guard.h). */
#define CLOSE_NS NSEC_PER_SEC
#define POLL_US	 1000

#define SPARE_BYTES (UINT64_C(2) << VMM_PAGE_SHIFT)

struct region {
	uint64_t start, end;	/* bytes, as in sysfs */
};

struct damon_ctl {
	int dir_fd;		/* owned: DAMON_CTL_SYSFS */
	int lock_fd;		/* owned */
	bool pageout;
	char id[48];		/* what the lock file says when we configured */
	struct region *regions;	/* owned; what sysfs has, while it is ours */
	size_t nr_regions;
	struct damon_guard guard;
	bool refused;		/* by a module, and said */
	bool stuck;		/* another vmm has the lock, and said */
};

/* --- whose is it? ------------------------------------------------------ */

static int refuse_running(int dir_fd, int i, char *why, size_t len)
{
	char path[48], pid[16] = "?", action[32] = "?";

	snprintf(path, sizeof(path), "%d/pid", i);
	damon_sysfs_get(dir_fd, path, pid, sizeof(pid));
	snprintf(path, sizeof(path), "%d/contexts/0/schemes/0/action", i);
	damon_sysfs_get(dir_fd, path, action, sizeof(action));
	snprintf(why, len, "DAMON is in use: kdamond %d (pid %s, action %s) was "
		 "started by somebody else, and the kernel adds no kdamond "
		 "while one runs; when you may stop it: echo off > "
		 DAMON_CTL_SYSFS "/%d/state", i, pid, action, i);
	return -EBUSY;
}

/*
 * Kernel modules with a kdamond of their own, which is not in DAMON_CTL_SYSFS.
 * Distributions turn on the first one.
 */
static int refuse_module(char *why, size_t len)
{
	static const char *const names[] = {
		"damon_stat", "damon_reclaim", "damon_lru_sort",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char path[64], on[8] = "";

		snprintf(path, sizeof(path), "/sys/module/%s/parameters/enabled",
			 names[i]);
		if (damon_sysfs_get(AT_FDCWD, path, on, sizeof(on)) || *on != 'Y')
			continue;
		snprintf(why, len, "DAMON is in use by the kernel's %s, and one "
			 "excludes the other; when you may stop it: "
			 "echo N > %s", names[i], path);
		return -EBUSY;
	}
	return 0;
}

int damon_ctl_probe(char *why, size_t len)
{
	__cleanup_close int fd = open(DAMON_CTL_SYSFS, O_RDONLY | O_DIRECTORY |
				      O_CLOEXEC);
	int i;

	if (fd < 0) {
		snprintf(why, len, "no " DAMON_CTL_SYSFS ": the kernel needs "
			 "CONFIG_DAMON_PADDR and CONFIG_DAMON_SYSFS");
		return -ENOENT;
	}
	if (faccessat(fd, "nr_kdamonds", R_OK | W_OK, AT_EACCESS)) {
		snprintf(why, len, "DAMON may be configured by root only: run "
			 "as root");
		return -EACCES;
	}
	i = damon_sysfs_running(fd);
	/* With damon.saved it is a vmm's: we wait for our turn. */
	if (i >= 0 && access(DAMON_SAVE_PATH, F_OK))
		return refuse_running(fd, i, why, len);
	return refuse_module(why, len);
}

/* --- the configuration ------------------------------------------------- */

/* The lock is held.  Makes the configuration ours unless it is already. */
static int configure(struct damon_ctl *ctl)
{
	int i = damon_sysfs_running(ctl->dir_fd), err;
	char id[sizeof(ctl->id)], path[32], why[256];

	/* Turned on since we began: it would be refused each time, and late. */
	if (refuse_module(why, sizeof(why))) {
		if (!ctl->refused)
			log_warn("%s", why);
		ctl->refused = true;
		return -EBUSY;
	}
	ctl->refused = false;
	if (i >= 0) {
		if (access(DAMON_SAVE_PATH, F_OK))
			return -EBUSY;
		snprintf(path, sizeof(path), "%d/state", i);
		log_info("damon: stopping the kdamond of a vmm that died");
		err = damon_sysfs_put(ctl->dir_fd, path, "off");
		if (err)
			return err;
	}
	if (access(DAMON_SAVE_PATH, F_OK)) {
		err = damon_tree_save(DAMON_CTL_SYSFS, DAMON_SAVE_PATH);
		if (err)
			return err;
	} else if (!damon_sysfs_get(AT_FDCWD, DAMON_LOCK_PATH, id, sizeof(id)) &&
		   !strcmp(id, ctl->id)) {
		return 0;
	}
	ctl->nr_regions = 0;
	err = ftruncate(ctl->lock_fd, 0) ? -errno : 0;
	if (!err)
		err = damon_sysfs_configure(ctl->dir_fd, ctl->pageout);
	/* Last: who reads its own id here finds all of the above in place. */
	if (!err && pwrite(ctl->lock_fd, ctl->id, strlen(ctl->id), 0) < 0)
		err = -errno;
	return err;
}

static struct region wanted_region(const struct pfn_run *runs, size_t nr,
				   size_t i)
{
	uint64_t spare = AGING_NOWHERE + (i - nr) * 2 * SPARE_BYTES;

	if (i < nr)
		return (struct region){ runs[i].start << VMM_PAGE_SHIFT,
					runs[i].end << VMM_PAGE_SHIFT };
	return (struct region){ spare, spare + SPARE_BYTES };
}

static int resize_regions(struct damon_ctl *ctl, size_t nr)
{
	/* DAMON wants three at least; an eighth is spare, the last always. */
	size_t want = nr + nr / 8 + 3;
	int err;

	if (nr < ctl->nr_regions && ctl->nr_regions <= 4 * want)
		return 0;
	free(ctl->regions);
	ctl->nr_regions = 0;
	ctl->regions = calloc(want, sizeof(*ctl->regions));
	if (!ctl->regions)
		return -ENOMEM;
	err = damon_sysfs_put_u64(ctl->dir_fd, DAMON_TARGET "/regions/nr_regions", want);
	/* max: so many, so that DAMON does not split them. min: no merging. */
	if (!err)
		err = damon_sysfs_put_u64(ctl->dir_fd,
			      DAMON_CONTEXT "/monitoring_attrs/nr_regions/max", want);
	if (!err)
		err = damon_sysfs_put_u64(ctl->dir_fd,
			      DAMON_CONTEXT "/monitoring_attrs/nr_regions/min", 3);
	if (!err)
		ctl->nr_regions = want;
	return err;
}

static int put_regions(struct damon_ctl *ctl, const struct pfn_run *runs,
		       size_t nr)
{
	char path[96];
	int err = resize_regions(ctl, nr);

	for (size_t i = 0; !err && i < ctl->nr_regions; i++) {
		struct region want = wanted_region(runs, nr, i);
		struct region *have = &ctl->regions[i];

		snprintf(path, sizeof(path), DAMON_TARGET "/regions/%zu/start", i);
		if (have->start != want.start)
			err = damon_sysfs_put_u64(ctl->dir_fd, path, want.start);
		snprintf(path, sizeof(path), DAMON_TARGET "/regions/%zu/end", i);
		if (!err && have->end != want.end)
			err = damon_sysfs_put_u64(ctl->dir_fd, path, want.end);
		if (!err)
			*have = want;
	}
	if (err)
		ctl->nr_regions = 0;	/* unknown: write all the next time */
	return err;
}

/* --- one pass ---------------------------------------------------------- */

/* Waits until the kdamond is inside its first turn. */
static void wait_started(const struct aging *aging)
{
	for (int us = 0; us < START_MS * 1000 && !aging_has_started(aging);
	     us += 50)
		usleep(50);
}

static int run_pass(struct damon_ctl *ctl, struct aging *aging)
{
	int err;

	/* A kdamond told to stop before its first turn does none. */
	for (int i = 0; i < NR_TRIES; i++) {
		aging_begin(aging);
		err = damon_sysfs_put(ctl->dir_fd, "0/state", "on");
		if (!err) {
			wait_started(aging);
			err = damon_sysfs_put(ctl->dir_fd, "0/state", "off");
		}
		aging_end(aging);
		if (err || aging_is_complete(aging))
			return err;
		log_debug("damon: a pass was not complete");
	}
	return -EIO;
}

static int lock_within(int fd, uint64_t limit_ns, const atomic_bool *stopping)
{
	uint64_t end = clock_now_ns() + limit_ns;

	for (;;) {
		if (stopping && atomic_load_explicit(stopping,
						     memory_order_relaxed))
			return -ECANCELED;
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (clock_now_ns() >= end)
			return -EBUSY;
		usleep(POLL_US);
	}
}

static int lock(struct damon_ctl *ctl, const atomic_bool *stopping, char *why,
		size_t len)
{
	char id[sizeof(ctl->id)] = "";
	int err = lock_within(ctl->lock_fd, LOCK_NS, stopping);

	if (err != -EBUSY) {
		snprintf(why, len, DAMON_LOCK_PATH ": %s", strerror(-err));
		return err;
	}
	damon_sysfs_get(AT_FDCWD, DAMON_LOCK_PATH, id, sizeof(id));
	id[strcspn(id, ".")] = '\0';
	snprintf(why, len, "DAMON is in use by another vmm, which holds "
		 DAMON_LOCK_PATH " for longer than a pass takes: if it is "
		 "stopped, kill -CONT %s (the last that configured DAMON)",
		 *id ? id : "PID");
	return err;
}

int damon_ctl_pass(struct damon_ctl *ctl, const struct pfn_run *runs,
		   size_t nr, struct aging *aging, const atomic_bool *stopping)
{
	char why[256];
	int err;

	if (!nr)
		return 0;
	err = lock(ctl, stopping, why, sizeof(why));
	/* As long as it lasts, once. */
	if (err == -EBUSY && !ctl->stuck)
		log_warn("%s", why);
	ctl->stuck = err == -EBUSY;
	if (err)
		return err;
	err = configure(ctl);
	if (!err)
		err = put_regions(ctl, runs, nr);
	if (!err)
		err = run_pass(ctl, aging);
	/* Somebody changed it under us: begin anew the next time. */
	if (err && err != -EBUSY && ftruncate(ctl->lock_fd, 0))
		log_debug("damon: %s: %s", DAMON_LOCK_PATH, strerror(errno));
	flock(ctl->lock_fd, LOCK_UN);
	return err;
}

/* --- open and close ---------------------------------------------------- */

static int open_files(struct damon_ctl *ctl)
{
	ctl->dir_fd = open(DAMON_CTL_SYSFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ctl->dir_fd < 0)
		return -errno;
	if (mkdir(DAMON_RUN_DIR, 0700) && errno != EEXIST)
		return -errno;
	ctl->lock_fd = open(DAMON_LOCK_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return ctl->lock_fd < 0 ? -errno : 0;
}

int damon_ctl_open(struct damon_ctl **ctlp, bool pageout, char *why, size_t len)
{
	static unsigned int nr_opened;
	struct damon_ctl *ctl;
	int err, i;

	ctl = calloc(1, sizeof(*ctl));
	if (!ctl)
		return -ENOMEM;
	ctl->dir_fd = ctl->lock_fd = -1;
	ctl->pageout = pageout;
	snprintf(ctl->id, sizeof(ctl->id), "%d.%u", (int)getpid(),
		 __atomic_add_fetch(&nr_opened, 1, __ATOMIC_RELAXED));
	err = open_files(ctl);
	if (err) {
		snprintf(why, len, "%s or " DAMON_CTL_SYSFS ": %s", DAMON_LOCK_PATH,
			 strerror(-err));
		goto err_free;
	}
	err = damon_guard_start(&ctl->guard);
	if (err) {
		snprintf(why, len, "cannot start /bin/sh: %s", strerror(-err));
		goto err_free;
	}
	/* Configure now, so that what this kernel lacks is told at once. */
	err = lock(ctl, NULL, why, len);
	if (err) {
		damon_ctl_close(ctl);
		return err;
	}
	err = configure(ctl);
	i = damon_sysfs_running(ctl->dir_fd);
	flock(ctl->lock_fd, LOCK_UN);
	if (!err) {
		*ctlp = ctl;
		return 0;
	}
	if (err == -EBUSY && i >= 0)
		refuse_running(ctl->dir_fd, i, why, len);
	else
		snprintf(why, len, "DAMON refuses the configuration (%s): the "
			 "young filter needs Linux 6.10", strerror(-err));
	damon_ctl_close(ctl);
	return err;

err_free:
	if (ctl->dir_fd >= 0)
		close(ctl->dir_fd);
	if (ctl->lock_fd >= 0)
		close(ctl->lock_fd);
	free(ctl);
	return err;
}

void damon_ctl_close(struct damon_ctl *ctl)
{
	char id[sizeof(ctl->id)] = "";

	if (!ctl)
		return;
	if (lock_within(ctl->lock_fd, CLOSE_NS, NULL)) {
		log_warn("damon: %s is held by another vmm: what was "
			 "configured before us is for it to put back",
			 DAMON_LOCK_PATH);
	} else {
		/*
		 * Of several vmm the last that configured puts the old state
		 * back; another that still lives saves that state again.
		 */
		damon_sysfs_get(AT_FDCWD, DAMON_LOCK_PATH, id, sizeof(id));
		if ((!*id || !strcmp(id, ctl->id)) &&
		    !access(DAMON_SAVE_PATH, F_OK) &&
		    damon_sysfs_running(ctl->dir_fd) < 0) {
			damon_sysfs_put(ctl->dir_fd, "nr_kdamonds", "0");
			damon_tree_restore(DAMON_CTL_SYSFS, DAMON_SAVE_PATH);
			unlink(DAMON_SAVE_PATH);
			if (ftruncate(ctl->lock_fd, 0))
				log_debug("damon: %s", strerror(errno));
		}
		flock(ctl->lock_fd, LOCK_UN);
	}
	damon_guard_stop(&ctl->guard);
	close(ctl->dir_fd);
	close(ctl->lock_fd);
	free(ctl->regions);
	free(ctl);
}
