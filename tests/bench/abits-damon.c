// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * DAMON used as documented: it samples regions of our address space, which it
 * splits and merges by itself, and reports how often each was found accessed.
 * All pages of a region that was ever accessed count as young.
 *
 * sysfs is restored; another program's kdamond is left alone, and ours does not
 * outlive us (damon-guard.h).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/abits.h"
#include "vmm/access/damon/damon-ctl.h"
#include "vmm/access/damon/damon-owner.h"
#include "vmm/access/damon/damon-guard.h"
#include "vmm/access/damon/damon-sysfs.h"
#include "vmm/util/bitmap.h"

#define REGION DAMON_TARGET "/regions/0"
#define TRIED  DAMON_SCHEME "/tried_regions"

struct damon {
	struct access_source base;	/* first */
	const struct guest_mem *mem;
	int dir_fd, lock_fd;		/* owned */
	struct damon_guard guard;
};

static const char *const settings[][2] = {
	{ "nr_kdamonds", "1" },
	{ "0/contexts/nr_contexts", "1" },
	{ DAMON_CONTEXT "/operations", "vaddr" },
	{ DAMON_CONTEXT "/targets/nr_targets", "1" },
	{ DAMON_TARGET "/regions/nr_regions", "1" },
	{ DAMON_CONTEXT "/schemes/nr_schemes", "1" },
	{ DAMON_SCHEME "/action", "stat" },
	{ DAMON_MARK_PATH, DAMON_MARK },	/* for the guard */
	{ DAMON_SCHEME "/access_pattern/nr_accesses/max", "4294967295" },
	{ DAMON_SCHEME "/access_pattern/age/max", "4294967295" },
};

static int configure(struct damon *s)
{
	unsigned int nr;
	const struct guest_memslot *slot = guest_mem_slots(s->mem, &nr);
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(settings) / sizeof(*settings); i++)
		err = damon_sysfs_put(s->dir_fd, settings[i][0], settings[i][1]);
	if (!err)
		err = damon_sysfs_put_u64(s->dir_fd, DAMON_TARGET "/pid_target",
					  getpid());
	if (!err)
		err = damon_sysfs_put_u64(s->dir_fd, REGION "/start", slot->hva);
	if (!err)
		err = damon_sysfs_put_u64(s->dir_fd, REGION "/end", slot->hva +
					  (slot->nr_pages << VMM_PAGE_SHIFT));
	return err ? err : damon_sysfs_put(s->dir_fd, "0/state", "on");
}

static int damon_probe(const struct access_target *target, char *why,
		       size_t len)
{
	(void)target;
	return damon_owner_probe(why, len);
}

static void damon_close(struct access_source *src)
{
	struct damon *s = (struct damon *)src;

	if (damon_sysfs_running(s->dir_fd) >= 0)
		damon_sysfs_put(s->dir_fd, "0/state", "off");
	damon_sysfs_put(s->dir_fd, "nr_kdamonds", "0");
	damon_tree_restore(DAMON_CTL_SYSFS, DAMON_SAVE_PATH);
	unlink(DAMON_SAVE_PATH);
	damon_guard_stop(&s->guard);
	close(s->dir_fd);
	close(s->lock_fd);
	free(s);
}

static int damon_open(struct access_source **srcp,
		      const struct access_target *target, char *why, size_t len)
{
	struct damon *s = bench_check(calloc(1, sizeof(*s)));
	int err;

	s->base.ops = linux_damon.ops;
	s->mem = target->mem;
	mkdir(DAMON_RUN_DIR, 0700);
	s->dir_fd = open(DAMON_CTL_SYSFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s->lock_fd = open(DAMON_LOCK_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->dir_fd < 0 || s->lock_fd < 0 ||
	    flock(s->lock_fd, LOCK_EX | LOCK_NB) ||
	    damon_sysfs_running(s->dir_fd) >= 0 || !access(DAMON_SAVE_PATH, F_OK)) {
		snprintf(why, len, "DAMON is in use");
		err = -EBUSY;
		goto err_close;
	}
	err = damon_tree_save(DAMON_CTL_SYSFS, DAMON_SAVE_PATH);
	if (!err)
		err = damon_guard_start(&s->guard);
	if (err)
		goto err_close;
	err = configure(s);
	if (!err) {
		*srcp = &s->base;
		return 0;
	}
	snprintf(why, len, "DAMON refuses the configuration: %s",
		 strerror(-err));
	damon_close(&s->base);
	return err;

err_close:
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s);
	return err;
}

/* It counts by itself, and begins anew every aggregation interval. */
static int damon_arm(struct access_source *src, struct gfn_range range)
{
	struct damon *s = (struct damon *)src;

	(void)range;
	return damon_sysfs_running(s->dir_fd) >= 0 ? 0 : -EIO;
}

static int get_region(struct damon *s, unsigned int i, const char *name,
		      uint64_t *value)
{
	char path[128];

	snprintf(path, sizeof(path), TRIED "/%u/%s", i, name);
	return damon_sysfs_get_u64(s->dir_fd, path, value);
}

static int damon_harvest(struct access_source *src, struct gfn_range range,
			 uint64_t *young)
{
	struct damon *s = (struct damon *)src;
	uint64_t start, end, nr, hva, from, to;
	int err;

	if (!guest_mem_gfn_to_hva(s->mem, range.start, &hva))
		return -EFAULT;
	bitmap_clear_range(young, range.start.v, range.start.v + range.nr);
	err = damon_sysfs_put(s->dir_fd, "0/state",
			      "update_schemes_tried_regions");
	for (unsigned int i = 0; !err; i++) {
		if (get_region(s, i, "start", &start))
			return i ? 0 : -ENODATA;
		err = get_region(s, i, "end", &end);
		if (!err)
			err = get_region(s, i, "nr_accesses", &nr);
		if (err || !nr)
			continue;
		from = start > hva ? (start - hva) >> VMM_PAGE_SHIFT : 0;
		to = end > hva ? (end - hva) >> VMM_PAGE_SHIFT : 0;
		if (to > range.nr)
			to = range.nr;
		if (from < to)
			bitmap_set_range(young, range.start.v + from,
					 range.start.v + to);
	}
	return err;
}

/* The first field of schedstat. */
static uint64_t damon_thread_cpu_ns(struct access_source *src)
{
	struct damon *s = (struct damon *)src;
	uint64_t pid = 0, ns = 0;
	char path[64];

	if (damon_sysfs_get_u64(s->dir_fd, "0/pid", &pid))
		return 0;
	snprintf(path, sizeof(path), "/proc/%" PRIu64 "/schedstat", pid);
	damon_sysfs_get_u64(AT_FDCWD, path, &ns);
	return ns;
}

static const struct access_source_ops damon_ops = {
	.name = "linux-damon",
	.what = "DAMON's own sampling, by sysfs",
	.probe = damon_probe,
	.open = damon_open,
	.arm = damon_arm,
	.harvest = damon_harvest,
	.close = damon_close,
};

const struct way linux_damon = {
	.ops = &damon_ops,
	.window_ms = 1000,
	.thread_cpu_ns = damon_thread_cpu_ns,
};
