// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A tiny VM touches two pages, then only one of them (hot); the source must
 * report the hot page as young and the other (cold) as idle.
 *
 * A source without TLB flushes may miss the hot page in one window, so a few
 * windows are tried; the cold page must be reported cold in the same window.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "vmm/access/source.h"
#include "vmm/access/tiny-vm.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"
#include "vmm/util/error-text.h"

#define NR_PAGES   512
#define MAX_FRAMES 8192		/* of the tiny VM, its program included */
#define NR_WINDOWS 10
#define WINDOW_MS  20

/* How often each page was reported young, in how many windows. */
struct seen {
	unsigned int hot, cold, windows;
};

static int run_window(struct access_source *src, struct tiny_vm *vm,
		      struct seen *seen)
{
	const struct gfn_range range = tiny_vm_range(vm);
	const uint64_t cold = range.start.v + 100, hot = range.start.v + 200;
	uint64_t young[BITMAP_WORDS(MAX_FRAMES)] = { 0 };
	int err = tiny_vm_touch(vm, (uint64_t[]){ cold, hot }, 2);

	if (!err)
		err = tiny_vm_touch(vm, &hot, 1);
	if (!err)
		err = src->ops->arm(src, range);
	for (int i = 0; !err && i < NR_WINDOWS; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = WINDOW_MS *
						NSEC_PER_MSEC }, NULL);
		err = tiny_vm_wait(vm, 100);
		if (!err)
			err = src->ops->harvest(src, range, young);
		if (err)
			break;
		seen->windows++;
		seen->hot += bitmap_test(young, hot);
		seen->cold += bitmap_test(young, cold);
		if (bitmap_test(young, hot) && !bitmap_test(young, cold))
			return 0;
	}
	return err ? err : -ENODATA;
}

int access_selftest(const struct access_source_ops *ops, char *why, size_t len)
{
	struct access_source *src = NULL;
	struct access_target target;
	struct seen seen = { 0 };
	struct tiny_vm *vm;
	int err = tiny_vm_new(&vm, NR_PAGES, ops->backing);

	if (err) {
		snprintf(why, len, "self-test: the test VM cannot run: %s",
			 error_text(-err));
		return err;
	}
	*why = '\0';
	target = (struct access_target){
		.mem = tiny_vm_mem(vm),
		.vm_fd = tiny_vm_fd(vm),
	};
	err = guest_mem_nr_frames(target.mem) > MAX_FRAMES ? -E2BIG :
	      ops->probe(&target, why, len);
	if (!err)
		err = ops->open(&src, &target, why, len);
	if (!err) {
		err = run_window(src, vm, &seen);
		if (err == -ENODATA)
			snprintf(why, len, "self-test: in %u scans the page in "
				 "use was reported young %u times, the unused "
				 "page %u times",
				 seen.windows, seen.hot, seen.cold);
		else if (err)
			snprintf(why, len, "self-test: %s", error_text(-err));
		src->ops->close(src);
	} else if (!*why) {
		snprintf(why, len, "%s", error_text(-err));
	}
	tiny_vm_free(vm);
	return err;
}
