// SPDX-License-Identifier: GPL-2.0-or-later
/* DAMON's sysfs files, and the settings that we write once. */
#include "config.h"

#include "vmm/access/damon/damon-sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/util/clock.h"
#include "vmm/util/error-text.h"
#include "vmm/util/log.h"
#include "vmm/util/small-file.h"

#define INTERVAL_US "100"

/*
 * All of DAMON's files share a lock that the kernel takes with trylock and that
 * each kdamond takes briefly after each sample (Linux 6.12): reads and writes
 * fail with EBUSY every so often.  So they are retried for BUSY_NS and, on busy
 * processors, at least the given number of times.
 */
#define BUSY_NS	   (NSEC_PER_SEC / 2)
#define BUSY_TRIES 200
#define BUSY_US	   500

struct retry_limit {
	uint64_t end_ns;	/* 0: not begun */
	unsigned int nr_tries;
};

/* Waits a moment before a retry.  False: out of retries. */
static bool try_again(struct retry_limit *p)
{
	uint64_t now = clock_now_ns();

	if (!p->end_ns)
		p->end_ns = now + BUSY_NS;
	if (now > p->end_ns && p->nr_tries >= BUSY_TRIES)
		return false;
	p->nr_tries++;
	usleep(BUSY_US);
	return true;
}

static ssize_t write_again(int fd, const char *text)
{
	struct retry_limit p = { 0 };
	ssize_t n;

	do {
		n = pwrite(fd, text, strlen(text), 0);
		n = n < 0 ? -errno : n;
	} while (n == -EBUSY && try_again(&p));
	return n;
}

int damon_sysfs_put(int dir_fd, const char *path, const char *value)
{
	int fd = openat(dir_fd, path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write_again(fd, value);
	close(fd);
	return n < 0 ? n : 0;
}

int damon_sysfs_put_u64(int dir_fd, const char *path, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return damon_sysfs_put(dir_fd, path, text);
}

int damon_sysfs_get(int dir_fd, const char *path, char *buf, size_t len)
{
	struct retry_limit p = { 0 };
	ssize_t n;

	do {
		n = small_file_read_at(dir_fd, path, buf, len);
	} while (n == -EBUSY && try_again(&p));
	if (n < 0)
		return n;
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

int damon_sysfs_get_u64(int dir_fd, const char *path, uint64_t *value)
{
	char text[32];
	int err = damon_sysfs_get(dir_fd, path, text, sizeof(text));

	if (!err)
		*value = strtoull(text, NULL, 10);
	return err;
}

int damon_sysfs_running(int dir_fd)
{
	uint64_t nr = 0;
	char path[32], state[16];
	int err;

	if (damon_sysfs_get_u64(dir_fd, "nr_kdamonds", &nr))
		return -1;
	for (uint64_t i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "%" PRIu64 "/state", i);
		err = damon_sysfs_get(dir_fd, path, state, sizeof(state));
		if (err == -EBUSY || (!err && !strcmp(state, "on")))
			return i;
	}
	return -1;
}

struct setting {
	const char *path;
	const char *value;
};

/* Writes the value, or compares the file's with it.  0 or -errno. */
typedef int setting_fn(int dir_fd, const char *path, const char *value);

static int put_and_log(int dir_fd, const char *path, const char *value)
{
	int err = damon_sysfs_put(dir_fd, path, value);

	if (err)
		log_debug("damon: %s = %s: %s", path, value, error_text(-err));
	return err;
}

static int compare(int dir_fd, const char *path, const char *value)
{
	char now[64];
	int err = damon_sysfs_get(dir_fd, path, now, sizeof(now));

	return err ? err : strcmp(now, value) ? -EINVAL : 0;
}

/* dir: replaces the %s in a path. */
static int for_all(int dir_fd, const struct setting *s, const char *dir,
		   setting_fn *fn)
{
	char path[PATH_MAX];
	int err = 0;

	for (; !err && s->path; s++) {
		const char *mark = strstr(s->path, "%s");

		if (mark)
			snprintf(path, sizeof(path), "%.*s%s%s",
				 (int)(mark - s->path), s->path, dir, mark + 2);
		else
			snprintf(path, sizeof(path), "%s", s->path);
		err = fn(dir_fd, path, s->value);
	}
	return err;
}

/* One context on physical addresses, one scheme that matches every region. */
static const struct setting base_settings[] = {
	{ "nr_kdamonds", "1" },
	{ "0/contexts/nr_contexts", "1" },
	{ DAMON_CONTEXT "/operations", "paddr" },
	{ DAMON_CONTEXT "/targets/nr_targets", "1" },
	{ DAMON_CONTEXT "/schemes/nr_schemes", "1" },
	{ DAMON_SCHEME "/access_pattern/sz/min", "0" },
	{ DAMON_MARK_PATH, DAMON_MARK },
	{ DAMON_SCHEME "/access_pattern/nr_accesses/min", "0" },
	{ DAMON_SCHEME "/access_pattern/nr_accesses/max", "4294967295" },
	{ DAMON_SCHEME "/access_pattern/age/min", "0" },
	{ DAMON_SCHEME "/access_pattern/age/max", "4294967295" },
	{ NULL, NULL },
};

/*
 * Since Linux 6.14 the action `stat` evaluates the filters, and filters can
 * allow pages.
 */
static const struct setting stat_settings[] = {
	{ DAMON_SCHEME "/action", "stat" },
	{ DAMON_SCHEME "/%s/nr_filters", "1" },
	{ DAMON_SCHEME "/%s/0/type", "young" },
	{ DAMON_SCHEME "/%s/0/matching", "Y" },
	{ DAMON_SCHEME "/%s/0/allow", "Y" },
	{ NULL, NULL },
};

/*
 * Since Linux 6.10, where all actions but `stat` evaluate the filters: any
 * page-wise action, with filters that let no page through.  The first filter
 * tests and clears, the other two reject the pages that it did not reject.
 */
static const struct setting reject_settings[] = {
	{ DAMON_SCHEME "/action", "lru_deprio" },
	{ DAMON_SCHEME "/%s/nr_filters", "3" },
	{ DAMON_SCHEME "/%s/0/type", "young" },
	{ DAMON_SCHEME "/%s/0/matching", "Y" },
	{ DAMON_SCHEME "/%s/1/type", "anon" },
	{ DAMON_SCHEME "/%s/1/matching", "Y" },
	{ DAMON_SCHEME "/%s/2/type", "anon" },
	{ DAMON_SCHEME "/%s/2/matching", "N" },
	{ NULL, NULL },
};

/*
 * A single rejecting filter of type `young`: pages accessed since the last pass
 * stay resident, and their bit is cleared.
 */
static const struct setting pageout_settings[] = {
	{ DAMON_SCHEME "/action", "pageout" },
	{ DAMON_SCHEME "/%s/nr_filters", "1" },
	{ DAMON_SCHEME "/%s/0/type", "young" },
	{ DAMON_SCHEME "/%s/0/matching", "Y" },
	{ NULL, NULL },
};

/* Since Linux 6.15 the filters that examine pages have their own directory. */
static const char *filters_dir(int dir_fd)
{
	return faccessat(dir_fd, DAMON_SCHEME "/ops_filters", F_OK, 0) ?
		       "filters" : "ops_filters";
}

/* The settings of this kernel's filter. */
static const struct setting *filter_settings(int dir_fd, bool pageout)
{
	char path[PATH_MAX];

	if (pageout)
		return pageout_settings;
	snprintf(path, sizeof(path), DAMON_SCHEME "/%s/0/allow",
		 filters_dir(dir_fd));
	return faccessat(dir_fd, path, F_OK, 0) ? reject_settings : stat_settings;
}

static const struct setting interval_settings[] = {
	{ DAMON_CONTEXT "/monitoring_attrs/intervals/sample_us", INTERVAL_US },
	{ DAMON_CONTEXT "/monitoring_attrs/intervals/aggr_us", INTERVAL_US },
	{ DAMON_SCHEME "/apply_interval_us", INTERVAL_US },
	{ NULL, NULL },
};

int damon_sysfs_configure(int dir_fd, bool pageout)
{
	static const struct setting a_filter[] = {
		{ DAMON_SCHEME "/%s/nr_filters", "1" }, { NULL, NULL },
	};
	int err = for_all(dir_fd, base_settings, "", put_and_log);
	const char *dir = filters_dir(dir_fd);

	if (!err)
		err = for_all(dir_fd, a_filter, dir, put_and_log);
	if (!err)
		err = for_all(dir_fd, filter_settings(dir_fd, pageout), dir,
			      put_and_log);
	return err ? err : for_all(dir_fd, interval_settings, "", put_and_log);
}

bool damon_sysfs_is_configured(int dir_fd, bool pageout)
{
	return !for_all(dir_fd, base_settings, "", compare) &&
	       !for_all(dir_fd, filter_settings(dir_fd, pageout),
			filters_dir(dir_fd), compare) &&
	       !for_all(dir_fd, interval_settings, "", compare);
}
