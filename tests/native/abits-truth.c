// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ground truth for access sources: a guest touches pages we chose, and the
 * source must say which.
 *
 *   abits-truth [--abits NAME] [--mem SIZE] [--huge | --hugetlb]
 *               [--rounds N]
 *		 [--window MS]
 *
 * Each round has its own random hot set, scattered over all of memory; the
 * pages that were hot in the round before are cold now.  Control rounds, in
 * which the guest touches nothing, show what a source reports of its own.
 *
 * Threshold: precision and recall over all rounds at least 95 %, in control
 * rounds at most 1 % young.  Exact sources give 100 % and 0.  Less is allowed
 * since none of them flushes the TLB: a page that stayed in it looks cold; and
 * DAMON samples one page of each region right before it looks, and if that page
 * is not touched again in between, its answer is a guess.
 */
#include "config.h"

#include <errno.h>
#include <popt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/tap.h"
#include "vmm/access/source.h"
#include "vmm/access/tiny_vm.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"
#include "vmm/util/size.h"

#define HUGE_PAGES 512u

static char *opt_abits = "damon", *opt_mem = "64M";
static int opt_huge, opt_hugetlb, opt_rounds = 5, opt_window_ms = 100;

static const struct poptOption options[] = {
	{ "abits", 0, POPT_ARG_STRING, &opt_abits, 0, "source", "NAME" },
	{ "mem", 0, POPT_ARG_STRING, &opt_mem, 0, "memory to touch", "SIZE" },
	{ "huge", 0, POPT_ARG_NONE, &opt_huge, 0, "huge pages", NULL },
	{ "hugetlb", 0, POPT_ARG_NONE, &opt_hugetlb, 0,
	  "huge pages of the host's pool", NULL },
	{ "rounds", 0, POPT_ARG_INT, &opt_rounds, 0, "rounds", "N" },
	{ "window", 0, POPT_ARG_INT, &opt_window_ms, 0,
	  "time between arm and harvest", "MS" },
	POPT_AUTOHELP POPT_TABLEEND
};

struct score {
	uint64_t hot_young, hot_idle, cold_young, cold_idle;
};

static double percent(uint64_t part, uint64_t other)
{
	return part + other ? 100.0 * part / (part + other) : 100;
}

/* A tenth of the units (pages, or huge pages) at random, one page of each. */
static uint64_t choose(struct gfn_range range, uint64_t unit, uint64_t *gfns,
		       uint64_t *truth, uint64_t nr_frames)
{
	uint64_t nr = 0;

	memset(truth, 0, BITMAP_WORDS(nr_frames) * sizeof(*truth));
	for (uint64_t i = 0; i < range.nr; i += unit) {
		uint64_t gfn = range.start.v + i;

		if (rand() % 10)
			continue;
		gfns[nr++] = gfn + rand() % unit;
		bitmap_set_range(truth, gfn, gfn + unit);
	}
	return nr;
}

static void compare(struct gfn_range range, const uint64_t *truth,
		    const uint64_t *young, struct score *s)
{
	for (uint64_t g = range.start.v; g < range.start.v + range.nr; g++) {
		bool y = bitmap_test(young, g);

		if (bitmap_test(truth, g)) {
			s->hot_young += y;
			s->hot_idle += !y;
		} else {
			s->cold_young += y;
			s->cold_idle += !y;
		}
	}
}

/* One window with the guest touching gfns. */
static int window(struct access_source *src, struct tiny_vm *vm,
		  const uint64_t *gfns, uint64_t nr, uint64_t *young)
{
	const struct gfn_range range = tiny_vm_range(vm);
	int err = tiny_vm_touch(vm, gfns, nr);
	uint64_t start;

	if (err)
		return err;
	err = src->ops->arm(src, range);
	if (err)
		return err;
	nanosleep(&(struct timespec){ opt_window_ms / 1000,
			opt_window_ms % 1000 * (long)NSEC_PER_MSEC }, NULL);
	err = tiny_vm_wait(vm, 2);
	if (err)
		return err;
	start = clock_now_ns();
	err = src->ops->harvest(src, range, young);
	printf("# harvest of %llu pages: %.2f ms\n",
	       (unsigned long long)range.nr, (clock_now_ns() - start) / 1e6);
	return err;
}

static void report(const char *what, const struct score *s)
{
	printf("# %s: hot: %llu young, %llu idle; cold: %llu young, %llu idle\n",
	       what, (unsigned long long)s->hot_young,
	       (unsigned long long)s->hot_idle,
	       (unsigned long long)s->cold_young,
	       (unsigned long long)s->cold_idle);
}

int main(int argc, const char **argv)
{
	poptContext ctx = poptGetContext(NULL, argc, argv, options, 0);
	struct score all = { 0 }, control = { 0 };
	uint64_t bytes, nr_frames, *gfns, *truth, *young, unit;
	struct access_source *src;
	struct access_target target;
	struct tiny_vm *vm;
	const struct access_source_ops *ops;
	enum guest_mem_backing backing;
	char why[1024];
	int err;

	if (poptGetNextOpt(ctx) != -1 || size_parse(opt_mem, &bytes))
		tap_bail("wrong usage, see --help");
	poptFreeContext(ctx);
	unit = opt_huge || opt_hugetlb ? HUGE_PAGES : 1;
	backing = opt_hugetlb ? GUEST_MEM_HUGETLB :
		  opt_huge ? GUEST_MEM_THP : GUEST_MEM_ANON;
	if (unit == 1 && !access_find(&ops, opt_abits, why, sizeof(why)))
		backing = ops->backing;
	err = tiny_vm_new(&vm, bytes >> VMM_PAGE_SHIFT, backing);
	if (err == -ENOENT || err == -EACCES)
		tap_skip_all("no /dev/kvm, or no permission to use it");
	if (err)
		tap_bail("the test's VM does not run: %s", strerror(-err));
	target = (struct access_target){ .mem = tiny_vm_mem(vm),
					 .vm_fd = tiny_vm_fd(vm) };
	if (access_open(&src, opt_abits, &target, why, sizeof(why)))
		tap_skip_all(why);
	printf("# source %s, %s\n", src->ops->name, opt_mem);

	nr_frames = guest_mem_nr_frames(target.mem);
	gfns = calloc(nr_frames, sizeof(*gfns));
	truth = bitmap_new(nr_frames);
	young = bitmap_new(nr_frames);
	if (!gfns || !truth || !young)
		tap_bail("no memory");
	srand(1);
	for (int i = 0; i < opt_rounds; i++) {
		struct score s = { 0 };
		uint64_t nr = choose(tiny_vm_range(vm), unit, gfns, truth,
				     nr_frames);

		err = window(src, vm, gfns, nr, young);
		if (!ok(!err, "round %d: armed and harvested", i + 1)) {
			printf("# %s\n", strerror(-err));
			break;
		}
		compare(tiny_vm_range(vm), truth, young, &s);
		compare(tiny_vm_range(vm), truth, young, &all);
		report("round", &s);
		memset(truth, 0, BITMAP_WORDS(nr_frames) * sizeof(*truth));
		err = window(src, vm, NULL, 0, young);
		if (!ok(!err, "round %d: control harvested", i + 1))
			break;
		compare(tiny_vm_range(vm), truth, young, &control);
	}
	report("all rounds", &all);
	report("control", &control);
	ok(all.hot_young, "hot pages were seen");
	ok(percent(all.hot_young, all.hot_idle) >= 95, "recall %.3f %% >= 95 %%",
	   percent(all.hot_young, all.hot_idle));
	ok(percent(all.hot_young, all.cold_young) >= 95,
	   "precision %.3f %% >= 95 %%",
	   percent(all.hot_young, all.cold_young));
	ok(percent(control.cold_young, control.cold_idle) <= 1,
	   "control: %.3f %% young <= 1 %%",
	   percent(control.cold_young, control.cold_idle));
	access_close(src);
	tiny_vm_free(vm);
	free(gfns);
	free(truth);
	free(young);
	return tap_done();
}
