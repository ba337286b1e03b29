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
 * Whether the pass was complete is seen from the number of regions that the
 * recorder saw the scheme being applied to.
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
#include <inttypes.h>
#include <limits.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/util/cleanup.h"
#include "vmm/util/log.h"

#define RUN_DIR	  "/run/vmm"
#define LOCK_PATH RUN_DIR "/damon.lock"
#define SAVE_PATH RUN_DIR "/damon.saved"

#define INTERVAL_US "100"
#define START_MS    1000	/* for a kdamond to enter its loop */
#define NR_TRIES    3

#define CONTEXT "0/contexts/0"
#define SCHEME	CONTEXT "/schemes/0"
#define TARGET	CONTEXT "/targets/0"

/* Above any memory a machine can have: 52 bits of physical address. */
#define NOWHERE	    (UINT64_C(1) << 51)
#define SPARE_BYTES (UINT64_C(2) << VMM_PAGE_SHIFT)

struct region {
	uint64_t start, end;	/* bytes, as in sysfs */
};

struct damon_ctl {
	int dir_fd;		/* owned: DAMON_CTL_SYSFS */
	int lock_fd;		/* owned */
	char id[48];		/* what the lock file says when we configured */
	struct region *regions;	/* owned; what sysfs has, while it is ours */
	size_t nr_regions;
	pid_t guard;		/* the watchdog, 0: none */
	int guard_fd;		/* owned: closed when we die */
};

extern char **environ;

/* --- files ------------------------------------------------------------- */

static int put(int dir_fd, const char *path, const char *value)
{
	int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int put_u64(int dir_fd, const char *path, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return put(dir_fd, path, text);
}

static int get(int dir_fd, const char *path, char *buf, size_t len)
{
	int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, len - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return n;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

static int get_u64(int dir_fd, const char *path, uint64_t *value)
{
	char text[32];
	int err = get(dir_fd, path, text, sizeof(text));

	if (!err)
		*value = strtoull(text, NULL, 10);
	return err;
}

/* --- whose is it? ------------------------------------------------------ */

/* Index of a kdamond that runs, or -1. */
static int running_kdamond(int dir_fd)
{
	uint64_t nr = 0;
	char path[32], state[16];

	if (get_u64(dir_fd, "nr_kdamonds", &nr))
		return -1;
	for (uint64_t i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "%" PRIu64 "/state", i);
		if (!get(dir_fd, path, state, sizeof(state)) &&
		    !strcmp(state, "on"))
			return i;
	}
	return -1;
}

static int refuse_running(int dir_fd, int i, char *why, size_t len)
{
	char path[48], pid[16] = "?", action[32] = "?";

	snprintf(path, sizeof(path), "%d/pid", i);
	get(dir_fd, path, pid, sizeof(pid));
	snprintf(path, sizeof(path), "%d/contexts/0/schemes/0/action", i);
	get(dir_fd, path, action, sizeof(action));
	snprintf(why, len, "DAMON is in use: kdamond %d (pid %s, action %s) was "
		 "started by somebody else, and the kernel adds no kdamond "
		 "while one runs; when you may stop it: echo off > "
		 DAMON_CTL_SYSFS "/%d/state", i, pid, action, i);
	return -EBUSY;
}

int damon_ctl_probe(char *why, size_t len)
{
	__cleanup_close int fd = open(DAMON_CTL_SYSFS, O_RDONLY | O_DIRECTORY |
				      O_CLOEXEC);
	__cleanup_close int lock_fd = -1;
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
	i = running_kdamond(fd);
	/* With damon.saved it is a vmm's: we wait for our turn. */
	if (i >= 0 && access(SAVE_PATH, F_OK))
		return refuse_running(fd, i, why, len);
	return 0;
}

/* --- the configuration ------------------------------------------------- */

struct setting {
	const char *path;
	const char *value;
};

static int put_all(int dir_fd, const struct setting *s)
{
	for (; s->path; s++) {
		int err = put(dir_fd, s->path, s->value);

		if (err) {
			log_debug("damon: %s = %s: %s", s->path, s->value,
				  strerror(-err));
			return err;
		}
	}
	return 0;
}

/* One context on physical addresses, one scheme that matches every region. */
static const struct setting base_settings[] = {
	{ "nr_kdamonds", "1" },
	{ "0/contexts/nr_contexts", "1" },
	{ CONTEXT "/operations", "paddr" },
	{ CONTEXT "/targets/nr_targets", "1" },
	{ CONTEXT "/schemes/nr_schemes", "1" },
	{ SCHEME "/access_pattern/sz/min", "0" },
	{ SCHEME "/access_pattern/sz/max", "18446744073709551615" },
	{ SCHEME "/access_pattern/nr_accesses/min", "0" },
	{ SCHEME "/access_pattern/nr_accesses/max", "4294967295" },
	{ SCHEME "/access_pattern/age/min", "0" },
	{ SCHEME "/access_pattern/age/max", "4294967295" },
	{ NULL, NULL },
};

/* Since 6.14 the action `stat` asks the filters, and filters can allow. */
static const struct setting stat_settings[] = {
	{ SCHEME "/action", "stat" },
	{ SCHEME "/%s/nr_filters", "1" },
	{ SCHEME "/%s/0/type", "young" },
	{ SCHEME "/%s/0/matching", "Y" },
	{ SCHEME "/%s/0/allow", "Y" },
	{ NULL, NULL },
};

/*
 * From 6.10 on, where all actions but `stat` ask the filters: any page-wise
 * action, and filters that let no page through.  The first one tests and
 * clears, the other two reject what it did not.
 */
static const struct setting reject_settings[] = {
	{ SCHEME "/action", "lru_deprio" },
	{ SCHEME "/%s/nr_filters", "3" },
	{ SCHEME "/%s/0/type", "young" },
	{ SCHEME "/%s/0/matching", "Y" },
	{ SCHEME "/%s/1/type", "anon" },
	{ SCHEME "/%s/1/matching", "Y" },
	{ SCHEME "/%s/2/type", "anon" },
	{ SCHEME "/%s/2/matching", "N" },
	{ NULL, NULL },
};

static int put_filters(int dir_fd)
{
	const char *dir = "ops_filters";	/* since 6.15 */
	const struct setting *s = stat_settings;
	char path[PATH_MAX];
	int err;

	if (faccessat(dir_fd, SCHEME "/ops_filters", F_OK, 0))
		dir = "filters";
	snprintf(path, sizeof(path), SCHEME "/%s/nr_filters", dir);
	err = put(dir_fd, path, "1");
	if (err)
		return err;
	snprintf(path, sizeof(path), SCHEME "/%s/0/allow", dir);
	if (faccessat(dir_fd, path, F_OK, 0))
		s = reject_settings;
	for (; s->path; s++) {
		const char *mark = strstr(s->path, "%s");

		if (mark)
			snprintf(path, sizeof(path), "%.*s%s%s",
				 (int)(mark - s->path), s->path, dir, mark + 2);
		else
			snprintf(path, sizeof(path), "%s", s->path);
		err = put(dir_fd, path, s->value);
		if (err) {
			log_debug("damon: %s = %s: %s", path, s->value,
				  strerror(-err));
			return err;
		}
	}
	return 0;
}

static const struct setting interval_settings[] = {
	{ CONTEXT "/monitoring_attrs/intervals/sample_us", INTERVAL_US },
	{ CONTEXT "/monitoring_attrs/intervals/aggr_us", INTERVAL_US },
	{ SCHEME "/apply_interval_us", INTERVAL_US },
	{ NULL, NULL },
};

/* The lock is held.  Makes the configuration ours unless it is already. */
static int configure(struct damon_ctl *ctl)
{
	int i = running_kdamond(ctl->dir_fd), err;
	char id[sizeof(ctl->id)], path[32];

	if (i >= 0) {
		if (access(SAVE_PATH, F_OK))
			return -EBUSY;
		snprintf(path, sizeof(path), "%d/state", i);
		log_info("damon: stopping the kdamond of a vmm that died");
		err = put(ctl->dir_fd, path, "off");
		if (err)
			return err;
	}
	if (access(SAVE_PATH, F_OK)) {
		err = damon_tree_save(DAMON_CTL_SYSFS, SAVE_PATH);
		if (err)
			return err;
	} else if (!get(AT_FDCWD, LOCK_PATH, id, sizeof(id)) &&
		   !strcmp(id, ctl->id)) {
		return 0;
	}
	ctl->nr_regions = 0;
	err = ftruncate(ctl->lock_fd, 0) ? -errno : 0;
	if (!err)
		err = put_all(ctl->dir_fd, base_settings);
	if (!err)
		err = put_filters(ctl->dir_fd);
	if (!err)
		err = put_all(ctl->dir_fd, interval_settings);
	/* Last: who reads its own id here finds all of the above in place. */
	if (!err && pwrite(ctl->lock_fd, ctl->id, strlen(ctl->id), 0) < 0)
		err = -errno;
	return err;
}

static struct region wanted_region(const struct pfn_run *runs, size_t nr,
				   size_t i)
{
	uint64_t spare = NOWHERE + (i - nr) * 2 * SPARE_BYTES;

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
	err = put_u64(ctl->dir_fd, TARGET "/regions/nr_regions", want);
	/* max: so many, so that DAMON does not split them. min: no merging. */
	if (!err)
		err = put_u64(ctl->dir_fd,
			      CONTEXT "/monitoring_attrs/nr_regions/max", want);
	if (!err)
		err = put_u64(ctl->dir_fd,
			      CONTEXT "/monitoring_attrs/nr_regions/min", 3);
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

		snprintf(path, sizeof(path), TARGET "/regions/%zu/start", i);
		if (have->start != want.start)
			err = put_u64(ctl->dir_fd, path, want.start);
		snprintf(path, sizeof(path), TARGET "/regions/%zu/end", i);
		if (!err && have->end != want.end)
			err = put_u64(ctl->dir_fd, path, want.end);
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
		aging_begin(aging, ctl->nr_regions);
		err = put(ctl->dir_fd, "0/state", "on");
		if (!err) {
			wait_started(aging);
			err = put(ctl->dir_fd, "0/state", "off");
		}
		aging_end(aging);
		if (err || aging_nr_regions(aging) >= ctl->nr_regions)
			return err;
		log_debug("damon: %" PRIu64 " of %zu regions in one pass",
			  aging_nr_regions(aging), ctl->nr_regions);
	}
	return -EIO;
}

static int lock(struct damon_ctl *ctl)
{
	while (flock(ctl->lock_fd, LOCK_EX))
		if (errno != EINTR)
			return -errno;
	return 0;
}

int damon_ctl_pass(struct damon_ctl *ctl, const struct pfn_run *runs,
		   size_t nr, struct aging *aging)
{
	int err;

	if (!nr)
		return 0;
	err = lock(ctl);
	if (err)
		return err;
	err = configure(ctl);
	if (!err)
		err = put_regions(ctl, runs, nr);
	if (!err)
		err = run_pass(ctl, aging);
	/* Somebody changed it under us: begin anew the next time. */
	if (err && err != -EBUSY && ftruncate(ctl->lock_fd, 0))
		log_debug("damon: %s: %s", LOCK_PATH, strerror(errno));
	flock(ctl->lock_fd, LOCK_UN);
	return err;
}

/* --- the watchdog ------------------------------------------------------ */

/*
 * A shell that reads from a pipe of which we hold the other end.  A line means
 * that we ended well.  Without one we died, perhaps inside a pass: a kdamond
 * that runs while nobody holds the lock is ours then, and it would walk on.
 */
static const char guard_script[] =
	"read -r bye && exit 0\n"
	"exec 9>>" LOCK_PATH " && flock 9 || exit 1\n"
	"[ -e " SAVE_PATH " ] || exit 0\n"
	"grep -q on " DAMON_CTL_SYSFS "/0/state && "
	"echo off >" DAMON_CTL_SYSFS "/0/state\n";

static int guard_start(struct damon_ctl *ctl)
{
	char *argv[] = { "sh", "-c", (char *)guard_script, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int pipe_fd[2], err;

	if (pipe2(pipe_fd, O_CLOEXEC))
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipe_fd[0], 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	posix_spawnattr_init(&attr);
	/* Its own session: Ctrl-C on our terminal must not end it. */
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
	err = posix_spawn(&ctl->guard, "/bin/sh", &actions, &attr, argv,
			  environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	close(pipe_fd[0]);
	if (err) {
		close(pipe_fd[1]);
		ctl->guard = 0;
		return -err;
	}
	ctl->guard_fd = pipe_fd[1];
	return 0;
}

static void guard_stop(struct damon_ctl *ctl)
{
	if (!ctl->guard)
		return;
	/* A watchdog that died already makes this fail: nothing is lost. */
	if (write(ctl->guard_fd, "bye\n", 4) < 0)
		log_debug("damon: the watchdog is gone");
	close(ctl->guard_fd);
	while (waitpid(ctl->guard, NULL, 0) < 0 && errno == EINTR)
		;
}

/* --- open and close ---------------------------------------------------- */

static int open_files(struct damon_ctl *ctl)
{
	ctl->dir_fd = open(DAMON_CTL_SYSFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ctl->dir_fd < 0)
		return -errno;
	if (mkdir(RUN_DIR, 0700) && errno != EEXIST)
		return -errno;
	ctl->lock_fd = open(LOCK_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return ctl->lock_fd < 0 ? -errno : 0;
}

int damon_ctl_open(struct damon_ctl **ctlp, char *why, size_t len)
{
	static unsigned int nr_opened;
	struct damon_ctl *ctl;
	int err, i;

	ctl = calloc(1, sizeof(*ctl));
	if (!ctl)
		return -ENOMEM;
	ctl->dir_fd = ctl->lock_fd = ctl->guard_fd = -1;
	snprintf(ctl->id, sizeof(ctl->id), "%d.%u", (int)getpid(),
		 __atomic_add_fetch(&nr_opened, 1, __ATOMIC_RELAXED));
	err = open_files(ctl);
	if (err) {
		snprintf(why, len, "%s or " DAMON_CTL_SYSFS ": %s", LOCK_PATH,
			 strerror(-err));
		goto err_free;
	}
	err = guard_start(ctl);
	if (err) {
		snprintf(why, len, "cannot start /bin/sh: %s", strerror(-err));
		goto err_free;
	}
	/* Configure now, so that what this kernel lacks is told at once. */
	err = lock(ctl);
	if (!err)
		err = configure(ctl);
	i = running_kdamond(ctl->dir_fd);
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
	if (!lock(ctl)) {
		/*
		 * Of several vmm the last that configured puts the old state
		 * back; another that still lives saves that state again.
		 */
		get(AT_FDCWD, LOCK_PATH, id, sizeof(id));
		if ((!*id || !strcmp(id, ctl->id)) &&
		    !access(SAVE_PATH, F_OK) &&
		    running_kdamond(ctl->dir_fd) < 0) {
			put(ctl->dir_fd, "nr_kdamonds", "0");
			damon_tree_restore(DAMON_CTL_SYSFS, SAVE_PATH);
			unlink(SAVE_PATH);
			if (ftruncate(ctl->lock_fd, 0))
				log_debug("damon: %s", strerror(errno));
		}
		flock(ctl->lock_fd, LOCK_UN);
	}
	guard_stop(ctl);
	close(ctl->dir_fd);
	close(ctl->lock_fd);
	free(ctl->regions);
	free(ctl);
}
