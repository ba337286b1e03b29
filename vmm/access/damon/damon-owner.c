// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include "vmm/access/damon/damon-owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/access/damon/damon-ctl.h"
#include "vmm/access/damon/damon-sysfs.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/clock.h"
#include "vmm/util/error-text.h"
#include "vmm/util/log.h"
#include "vmm/util/stop-flag.h"

/* A pass of another vmm takes a fraction of this, even on a busy machine. */
#define LOCK_NS	 (10 * NSEC_PER_SEC)
/* When stopping there is less time: a stop has a deadline (stop-guard.h). */
#define CLOSE_NS NSEC_PER_SEC
#define POLL_US	 1000

/* --- others ------------------------------------------------------------ */

static int refuse_running(int dir_fd, int i, char *why, size_t len)
{
	char path[48], pid[16] = "?", action[32] = "?";

	snprintf(path, sizeof(path), "%d/pid", i);
	damon_sysfs_get(dir_fd, path, pid, sizeof(pid));
	snprintf(path, sizeof(path), "%d/contexts/0/schemes/0/action", i);
	damon_sysfs_get(dir_fd, path, action, sizeof(action));
	snprintf(why, len, "DAMON is in use: kdamond %d (pid %s, action %s) "
		 "was started by another program, and the kernel adds no "
		 "kdamond while one runs; if you may stop it: echo off > "
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
		snprintf(why, len, "DAMON is in use by the kernel's %s, which "
			 "excludes other users; if you may stop it: echo N > "
			 "%s", names[i], path);
		return -EBUSY;
	}
	return 0;
}

static bool is_saved(void)
{
	return !access(DAMON_SAVE_PATH, F_OK);
}

/* Whether some vmm made the configuration, with or without pageout. */
static bool is_made_by_vmm(int dir_fd)
{
	return is_saved() && (damon_sysfs_is_configured(dir_fd, false) ||
			      damon_sysfs_is_configured(dir_fd, true));
}

/* The number of a running kdamond of another program, or -1. */
static int running_of_others(int dir_fd)
{
	int i = damon_sysfs_running(dir_fd);

	return i < 0 || is_made_by_vmm(dir_fd) ? -1 : i;
}

int damon_owner_probe(char *why, size_t len)
{
	__cleanup_close int fd = open(DAMON_CTL_SYSFS, O_RDONLY | O_DIRECTORY |
				      O_CLOEXEC);
	__cleanup_close int lock_fd = open(DAMON_LOCK_PATH, O_RDONLY | O_CLOEXEC);
	int i;

	if (fd < 0) {
		snprintf(why, len, "no " DAMON_CTL_SYSFS ": a kernel with "
			 "CONFIG_DAMON_PADDR and CONFIG_DAMON_SYSFS is needed");
		return -ENOENT;
	}
	if (faccessat(fd, "nr_kdamonds", R_OK | W_OK, AT_EACCESS)) {
		snprintf(why, len, "only root may configure DAMON: run as "
			 "root");
		return -EACCES;
	}
	/* If the lock is held, a vmm is inside a pass: we wait for our turn. */
	if (lock_fd < 0 || !flock(lock_fd, LOCK_SH | LOCK_NB)) {
		i = running_of_others(fd);
		if (i >= 0)
			return refuse_running(fd, i, why, len);
	}
	return refuse_module(why, len);
}

/* --- the lock ---------------------------------------------------------- */

static int lock_within(int fd, uint64_t limit_ns, const atomic_bool *stopping)
{
	uint64_t end = clock_now_ns() + limit_ns;

	for (;;) {
		if (stop_flag_is_set(stopping))
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

/* The vmm that configured DAMON last; "": none, or it did not finish. */
static void read_id(char *id, size_t len)
{
	if (damon_sysfs_get(AT_FDCWD, DAMON_LOCK_PATH, id, len))
		*id = '\0';
}

int damon_owner_lock(struct damon_owner *o, const atomic_bool *stopping,
		     char *why, size_t len)
{
	char id[sizeof(o->id)];
	int err = lock_within(o->lock_fd, LOCK_NS, stopping);

	read_id(id, sizeof(id));
	id[strcspn(id, ".")] = '\0';
	if (err == -EBUSY)
		snprintf(why, len, "DAMON is in use by another vmm, which has "
			 "held " DAMON_LOCK_PATH " for longer than a pass "
			 "takes: if that process is stopped, kill -CONT %s "
			 "(the last that configured DAMON)", *id ? id : "PID");
	else if (err)
		snprintf(why, len, DAMON_LOCK_PATH ": %s", error_text(-err));
	return err;
}

void damon_owner_unlock(struct damon_owner *o)
{
	flock(o->lock_fd, LOCK_UN);
}

/* --- the configuration ------------------------------------------------- */

/*
 * While the id is empty, the configuration belongs to no vmm: one that dies
 * meanwhile leaves it incomplete.
 */
static int write_id(struct damon_owner *o, const char *id)
{
	if (!*id)
		return ftruncate(o->lock_fd, 0) ? -errno : 0;
	return pwrite(o->lock_fd, id, strlen(id), 0) < 0 ? -errno : 0;
}

static int turn_off(struct damon_owner *o)
{
	/* Only a configuration of a vmm has this mark. */
	log_info("damon: stopping the kdamond of a vmm that has died");
	return damon_sysfs_put(o->dir_fd, "0/state", "off");
}

static int replace(struct damon_owner *o, const char *last_id)
{
	int err = 0;

	/*
	 * The configuration of another program, which may have replaced ours.
	 */
	if (!is_saved() || (*last_id && !is_made_by_vmm(o->dir_fd)))
		err = damon_tree_save(DAMON_CTL_SYSFS, DAMON_SAVE_PATH);
	if (!err)
		err = write_id(o, "");
	if (!err)
		err = damon_sysfs_configure(o->dir_fd, o->pageout);
	if (!err)
		err = write_id(o, o->id);
	return err;
}

int damon_owner_check(struct damon_owner *o, char *why, size_t len)
{
	int i = running_of_others(o->dir_fd);

	if (refuse_module(why, len))
		return -EBUSY;
	return i >= 0 ? refuse_running(o->dir_fd, i, why, len) : 0;
}

int damon_owner_configure(struct damon_owner *o, char *why, size_t len)
{
	char id[sizeof(o->id)];
	/* A kdamond turned on since we began makes each later step fail. */
	int err = damon_owner_check(o, why, len);

	if (err)
		return err;
	if (damon_sysfs_running(o->dir_fd) >= 0)
		err = turn_off(o);
	read_id(id, sizeof(id));
	if (!err && !o->in_doubt && !strcmp(id, o->id) && damon_owner_is_ours(o))
		return 0;
	if (!err)
		err = replace(o, id);
	o->in_doubt = err;
	if (err)
		snprintf(why, len, "DAMON refuses the configuration (%s)%s",
			 error_text(-err), err == -EINVAL || err == -ENOENT ?
			 ": the young filter needs Linux 6.10" : "");
	return err ? err : 1;
}

bool damon_owner_is_ours(const struct damon_owner *o)
{
	return is_saved() && damon_sysfs_is_configured(o->dir_fd, o->pageout);
}

/* --- open and close ---------------------------------------------------- */

static void close_files(struct damon_owner *o)
{
	int fds[] = { o->dir_fd, o->lock_fd, o->users_fd };

	for (int i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int open_files(struct damon_owner *o)
{
	o->dir_fd = open(DAMON_CTL_SYSFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (o->dir_fd < 0)
		return -errno;
	if (mkdir(DAMON_RUN_DIR, 0700) && errno != EEXIST)
		return -errno;
	o->lock_fd = open(DAMON_LOCK_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (o->lock_fd < 0)
		return -errno;
	o->users_fd = open(DAMON_USERS_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return o->users_fd < 0 ? -errno : 0;
}

int damon_owner_open(struct damon_owner *o, bool pageout, char *why,
		     size_t len)
{
	static unsigned int nr_opened;
	int err;

	*o = (struct damon_owner){
		.dir_fd = -1, .lock_fd = -1, .users_fd = -1,
		.pageout = pageout,
	};
	snprintf(o->id, sizeof(o->id), "%d.%u", (int)getpid(),
		 __atomic_add_fetch(&nr_opened, 1, __ATOMIC_RELAXED));
	err = open_files(o);
	if (err)
		snprintf(why, len, "%s or " DAMON_CTL_SYSFS ": %s",
			 DAMON_RUN_DIR, error_text(-err));
	if (!err)
		err = damon_owner_lock(o, NULL, why, len);
	if (err) {
		close_files(o);
		return err;
	}
	/* Nobody holds it exclusively for longer than the damon.lock. */
	if (flock(o->users_fd, LOCK_SH))
		err = -errno;
	damon_owner_unlock(o);
	if (err) {
		snprintf(why, len, DAMON_USERS_PATH ": %s", error_text(-err));
		close_files(o);
	}
	return err;
}

/* By the last vmm that uses DAMON, with the lock held. */
static void put_back(struct damon_owner *o)
{
	char id[sizeof(o->id)];

	if (!is_saved())
		return;
	read_id(id, sizeof(id));
	/*
	 * Restore only if the current configuration is ours or incomplete; any
	 * other is newer than the saved one.
	 */
	if (running_of_others(o->dir_fd) < 0 &&
	    (!*id || is_made_by_vmm(o->dir_fd))) {
		if (damon_sysfs_running(o->dir_fd) >= 0 && turn_off(o))
			return;
		damon_sysfs_put(o->dir_fd, "nr_kdamonds", "0");
		damon_tree_restore(DAMON_CTL_SYSFS, DAMON_SAVE_PATH);
	}
	unlink(DAMON_SAVE_PATH);
	write_id(o, "");
}

int damon_owner_close(struct damon_owner *o)
{
	int err = lock_within(o->lock_fd, CLOSE_NS, NULL);

	if (err)
		log_warn("damon: another vmm holds %s: DAMON's earlier "
			 "configuration is restored when that vmm releases it",
			 DAMON_LOCK_PATH);
	else if (!flock(o->users_fd, LOCK_EX | LOCK_NB))
		put_back(o);
	close_files(o);
	return err;
}
