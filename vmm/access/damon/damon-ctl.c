// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How DAMON is made to do exactly one pass over every page.
 *
 * A scheme with a filter of type `young` tests every page of every region and
 * clears the accessed bit of those that are young, whenever the scheme is
 * applied: here at the end of each iteration of the kdamond's loop (a turn),
 * since all intervals are equal.  The kdamond checks for a request to stop only
 * between iterations.  So it is turned off as soon as it is inside the first,
 * and the write that turns it off returns after the end of that iteration:
 *
 *   on        off (waits ................................)
 *   | sample one page per region | interval | the pass | end
 *
 * If there are more pages than one turn should cover, the pass is split into
 * several turns, with a pause between them for other vmm processes.
 *
 * The recorder knows whether a turn was complete: the scheme must have reached
 * the first region without memory.
 *
 * Regions are the guest's runs of page frames.  Each region costs two small
 * writes and a sample, a page inside a region that is not guest memory about
 * half a microsecond: hence regions span small gaps.  Only values that changed
 * are written, and spare regions are placed where there is no memory, so that a
 * few runs more or less do not recreate all directories.
 */
#include "config.h"

#include "vmm/access/damon/damon-ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vmm/access/damon/aging-window.h"
#include "vmm/access/damon/damon-guard.h"
#include "vmm/access/damon/damon-owner.h"
#include "vmm/access/damon/damon-sysfs.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/clock.h"
#include "vmm/util/error-text.h"
#include "vmm/util/log.h"
#include "vmm/util/stop-flag.h"

#define START_MS    1000	/* for a kdamond to enter its loop */
#define NR_TRIES    3

/* A kdamond takes some 0.5 us for a small page. */
#define MIN_TURN_PAGES (UINT64_C(1) << 14)
#define MAX_TURN_PAGES (UINT64_C(1) << 19)
#define FAST_NS	       (NSEC_PER_SEC / 10)
#define SLOW_NS	       (NSEC_PER_SEC / 2)
/*
 * Other vmm processes get a turn between two of ours: they try for the lock
 * more often than this.
 */
#define OTHERS_US      3000
/* How long another program, such as a script, may take to configure DAMON. */
#define NR_CHANGES     10
#define CHANGE_US      100000

#define SPARE_BYTES (UINT64_C(2) << VMM_PAGE_SHIFT)

struct region {
	uint64_t start, end;	/* bytes, as in sysfs */
};

struct damon_ctl {
	struct damon_owner owner;
	struct region *regions;	/* owned; as in sysfs, if the config is ours */
	size_t nr_regions;
	uint64_t turn_pages;	/* in one turn of the kdamond, at most */
	struct damon_guard guard;
	bool refused;		/* the last turn was: -EBUSY, logged */
};

/* --- regions ----------------------------------------------------------- */

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
	/* DAMON requires three; an eighth, and the last always, are spare. */
	size_t want = nr + nr / 8 + 3;
	int err;

	if (nr < ctl->nr_regions && ctl->nr_regions <= 4 * want)
		return 0;
	free(ctl->regions);
	ctl->nr_regions = 0;
	ctl->regions = calloc(want, sizeof(*ctl->regions));
	if (!ctl->regions)
		return -ENOMEM;
	err = damon_sysfs_put_u64(ctl->owner.dir_fd, DAMON_TARGET "/regions/nr_regions", want);
	/*
	 * As max, so that DAMON does not split regions; as min, so that it does
	 * not merge them.
	 */
	if (!err)
		err = damon_sysfs_put_u64(ctl->owner.dir_fd,
			      DAMON_CONTEXT "/monitoring_attrs/nr_regions/max", want);
	if (!err)
		err = damon_sysfs_put_u64(ctl->owner.dir_fd,
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
			err = damon_sysfs_put_u64(ctl->owner.dir_fd, path, want.start);
		snprintf(path, sizeof(path), DAMON_TARGET "/regions/%zu/end", i);
		if (!err && have->end != want.end)
			err = damon_sysfs_put_u64(ctl->owner.dir_fd, path, want.end);
		if (!err)
			*have = want;
	}
	if (err)
		ctl->nr_regions = 0;	/* unknown: write all next time */
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

/*
 * The write that turns the kdamond off can't be interrupted before the turn has
 * ended, not even by SIGKILL.  So the size of turns is bounded by their
 * measured duration.
 */
static void bound_turns(struct damon_ctl *ctl, const struct pfn_run *runs,
			size_t nr, uint64_t took_ns)
{
	uint64_t nr_pages = 0;

	for (size_t i = 0; i < nr; i++)
		nr_pages += runs[i].end - runs[i].start;
	log_debug("damon: a batch of %zu regions, %" PRIu64 " pages took "
		  "%" PRIu64 " us", nr, nr_pages, took_ns / 1000);
	if (took_ns > SLOW_NS && nr_pages >= 2 * MIN_TURN_PAGES) {
		if (nr_pages / 2 < ctl->turn_pages)
			ctl->turn_pages = nr_pages / 2;
	} else if (took_ns < FAST_NS && nr_pages >= ctl->turn_pages / 2 &&
		   ctl->turn_pages <= MAX_TURN_PAGES / 2) {
		ctl->turn_pages *= 2;
	}
}

static int run_turn(struct damon_ctl *ctl, const struct pfn_run *runs,
		    size_t nr, struct aging *aging)
{
	int err, dir_fd = ctl->owner.dir_fd;

	/* A kdamond turned off before its first turn does no pass. */
	for (int i = 0; i < NR_TRIES; i++) {
		uint64_t began = clock_now_ns();

		/*
		 * Setup takes a while, and programs other than vmm do not take
		 * our lock.
		 */
		if (!damon_owner_is_ours(&ctl->owner))
			return -EBUSY;
		aging_begin(aging);
		err = damon_sysfs_put(dir_fd, "0/state", "on");
		if (!err) {
			wait_started(aging);
			err = damon_sysfs_put(dir_fd, "0/state", "off");
		}
		aging_end(aging);
		bound_turns(ctl, runs, nr, clock_now_ns() - began);
		if (err || aging_is_complete(aging))
			return err;
		log_debug("damon: a pass did not complete");
	}
	return -EIO;
}

/* The lock is held. */
static int take_turn(struct damon_ctl *ctl, const struct pfn_run *runs,
		     size_t nr, struct aging *aging, char *why, size_t len)
{
	int err = damon_owner_configure(&ctl->owner, why, len);

	if (err > 0) {
		ctl->nr_regions = 0;
		err = 0;
	}
	if (!err)
		err = put_regions(ctl, runs, nr);
	if (!err)
		err = run_turn(ctl, runs, nr, aging);
	if (!err)
		return 0;
	/* Another program may have changed it: configure it again next time. */
	ctl->owner.in_doubt = true;
	return err;
}

static int locked_turn(struct damon_ctl *ctl, const struct pfn_run *runs,
		       size_t nr, struct aging *aging,
		       const atomic_bool *stopping)
{
	char why[256] = "another program changed DAMON's configuration while a "
			"pass was set up";
	int err = damon_owner_lock(&ctl->owner, stopping, why, sizeof(why));

	if (!err) {
		err = take_turn(ctl, runs, nr, aging, why, sizeof(why));
		/*
		 * While another program configures DAMON, our writes fail with
		 * various errors: retry, until its kdamond runs or it is done.
		 */
		for (int i = 0; err && err != -ENOMEM && err != -EIO &&
		     i < NR_CHANGES && !stop_flag_is_set(stopping); i++) {
			if (damon_owner_check(&ctl->owner, why, sizeof(why))) {
				err = -EBUSY;
				break;
			}
			usleep(CHANGE_US);
			err = take_turn(ctl, runs, nr, aging, why, sizeof(why));
		}
		damon_owner_unlock(&ctl->owner);
	}
	/* Report it once for as long as it lasts. */
	if (err == -EBUSY && !ctl->refused)
		log_warn("%s", why);
	ctl->refused = err == -EBUSY;
	return err;
}

int damon_ctl_pass(struct damon_ctl *ctl, const struct pfn_run *runs,
		   size_t nr, struct aging *aging, const atomic_bool *stopping)
{
	__cleanup_free struct pfn_run *part = malloc(nr * sizeof(*part));
	struct pfn_pos pos = { 0 };
	bool first = true;
	int err = 0;
	size_t n;

	if (nr && !part)
		return -ENOMEM;
	while (!err && (n = pfn_runs_part(runs, nr, &pos, ctl->turn_pages,
					  part))) {
		if (!first)
			usleep(OTHERS_US);
		first = false;
		err = locked_turn(ctl, part, n, aging, stopping);
	}
	return err;
}

/* --- open and close ---------------------------------------------------- */

/* At open, so that a feature missing in this kernel is reported at once. */
static int configure_first(struct damon_ctl *ctl, char *why, size_t len)
{
	int err = damon_owner_lock(&ctl->owner, NULL, why, len);

	if (err)
		return err;
	err = damon_owner_configure(&ctl->owner, why, len);
	damon_owner_unlock(&ctl->owner);
	return err < 0 ? err : 0;
}

int damon_ctl_open(struct damon_ctl **ctlp, bool pageout, char *why, size_t len)
{
	struct damon_ctl *ctl = calloc(1, sizeof(*ctl));
	int err;

	if (!ctl)
		return -ENOMEM;
	ctl->turn_pages = MAX_TURN_PAGES;
	err = damon_owner_open(&ctl->owner, pageout, why, len);
	if (err) {
		free(ctl);
		return err;
	}
	err = damon_guard_start(&ctl->guard);
	if (err)
		snprintf(why, len, "cannot start /bin/sh: %s",
			 error_text(-err));
	else
		err = configure_first(ctl, why, len);
	if (err) {
		damon_ctl_close(ctl);
		return err;
	}
	*ctlp = ctl;
	return 0;
}

void damon_ctl_close(struct damon_ctl *ctl)
{
	if (!ctl)
		return;
	if (damon_owner_close(&ctl->owner))
		damon_guard_leave(&ctl->guard);
	else
		damon_guard_stop(&ctl->guard);
	free(ctl->regions);
	free(ctl);
}
