// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine with a recorded trace for accessed bits, and with real guest
 * memory and the host's real swap.  The trace says which frames are hot, so it
 * is known for each page whether it must be evicted or stay.
 *
 * Nothing depends on speed: the tests wait for scans, not for time.  A window
 * of the trace ends in the engine's own callback, so one scan is one window.
 *
 * Tests that count to the page run on one CPU.  The kernel keeps a CPU's newest
 * pages (31 in Linux 6.18) in a batch before they reach its LRU lists, and
 * MADV_PAGEOUT empties only the batch of the CPU that it runs on: pages that
 * another CPU has just filled are kept, rightly, and would make the counts
 * depend on the scheduler.  The writer's test uses all CPUs.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "tests/one-cpu.h"
#include "tests/tap.h"
#include "tests/unit/engine-vm.h"
#include "tests/unit/swap-works.h"
#include "tests/unit/stderr-lines.h"
#include "tests/unit/fake-source.h"
#include "vmm/engine/engine.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"

static void test_exactly_the_cold(void)
{
	struct engine_stats s;
	struct engine_page p;
	uint8_t ages[NR];
	struct vm vm;

	vm_prepare(&vm, HOT);
	vm_start(&vm, 0);
	wait_scans(&vm, 6);
	s = stats_of(&vm);
	is_int(resident(&vm, 0, NR - 1), NR, "off: nothing is evicted");
	is_int(s.reclaim.nr_evicted, 0, "off: and none counted");
	is_int(s.memory.nr_resident, NR, "all frames are seen as resident");
	is_int(s.scan.nr_young, NR_HOT, "the hot ones as young");
	is_int(s.memory.age_pages[0], NR_HOT, "age 0 are the hot ones");
	engine_get_ages(vm.engine, (struct gfn_range){ GFN(0), NR }, ages);
	ok(!ages[0] && !ages[NR_HOT - 1] && ages[NR_HOT] >= 5 &&
	   ages[NR - 1] >= 5, "ages can be asked while nothing is evicted");

	set_target(&vm, NR_HOT);
	wait_scans(&vm, 3);
	s = stats_of(&vm);
	is_int(resident(&vm, 0, NR_HOT - 1), NR_HOT, "every hot page stays");
	is_int(resident(&vm, NR_HOT, NR - 1), 0, "every cold page goes");
	is_int(s.reclaim.nr_evicted, NR - NR_HOT, "and is counted once");
	is_int(s.reclaim.nr_refaults, 0, "none came back");
	is_int(s.reclaim.nr_over_target, 0, "the target is met");
	is_int(s.memory.nr_swapped, NR - NR_HOT,
	       "the next scan finds them in swap");
	ok(!engine_get_page(vm.engine, GFN(NR_HOT), &p) && p.swapped &&
	   !p.resident && !strcmp(p.list, "none"), "a cold page is on no list");
	ok(!engine_get_page(vm.engine, GFN(0), &p) && p.resident &&
	   !strcmp(p.list, "active"), "a hot one on the active list");
	is_int(engine_get_page(vm.engine, GFN(NR), &p), -ERANGE,
	       "a frame that is none is refused");

	is_int(nr_wrong(&vm, NR_HOT, NR_HOT + 99), 0,
	       "100 evicted pages have their data");
	wait_scans(&vm, 2);
	s = stats_of(&vm);
	is_int(s.reclaim.nr_refaults, 100, "their return is counted");
	ok(!engine_get_page(vm.engine, GFN(NR_HOT), &p) &&
	   p.nr_evictions >= 1 && p.nr_refaults == 1,
	   "for each page, as its eviction is");
	ok(!engine_get_page(vm.engine, GFN(NR - 1), &p) &&
	   p.nr_evictions == 1 && !p.nr_refaults,
	   "a page that stayed away has only gone");
	ok(!engine_get_page(vm.engine, GFN(0), &p) && !p.nr_evictions &&
	   !p.nr_refaults, "a hot page never went");
	is_int(nr_wrong(&vm, 0, NR - 1), 0, "so have all");
	vm_stop(&vm);
}

/* All hot, and a target that only half of them fits. */
static void test_ages_taken_over(void)
{
	uint8_t ages[NR];
	struct vm vm;

	vm_prepare(&vm, HOT);
	vm_start(&vm, 0);
	wait_scans(&vm, 1);
	memset(ages, 100, sizeof(ages));
	is_int(engine_set_ages(vm.engine, ages, NR), 0, "ages of elsewhere");
	wait_scans(&vm, 3);
	engine_get_ages(vm.engine, (struct gfn_range){ GFN(0), NR }, ages);
	ok(ages[NR_HOT] >= 100 && ages[NR - 1] >= 100,
	   "are taken over by pages that nobody uses (%d)", ages[NR_HOT]);
	ok(!ages[0] && !ages[NR_HOT - 1], "and not by those in use");
	vm_stop(&vm);
}

static void test_working_set_first(void)
{
	struct engine_stats s;
	struct vm vm;

	vm_prepare(&vm, "0-1023\n");
	vm_start(&vm, NR / 2);
	wait_scans(&vm, 8);
	s = stats_of(&vm);
	is_int(resident(&vm, 0, NR - 1), NR, "a working set is not evicted");
	is_int(s.reclaim.nr_evicted, 0, "for a target that it does not fit");
	is_int(s.reclaim.nr_over_target, NR / 2, "what is missing is told");
	vm_stop(&vm);
}

/* All hot again; the target has priority, but not over what is locked. */
static void test_hard_target(void)
{
	struct engine_policy p;
	struct engine_stats s;
	char why[128];
	struct vm vm;
	int rc = 0;

	vm_prepare(&vm, "0-1023\n");
	view_wrlock(vm.view);
	for (uint64_t g = 0; g < 16; g++)
		rc |= rmap_page_set_flags(view_map(vm.view), g, RMAP_PG_LOCKED);
	view_unlock(vm.view);
	if (rc)
		tap_bail("the map refuses the scene");
	vm_start(&vm, NR / 2);
	wait_scans(&vm, 3);
	engine_get_policy(vm.engine, &p);
	p.hard = true;
	if (engine_set_policy(vm.engine, &p, why, sizeof(why)))
		tap_bail("%s", why);
	wait_scans(&vm, 3);
	s = stats_of(&vm);
	is_int(resident(&vm, 0, NR - 1), NR / 2, "hard: the target is met");
	is_int(resident(&vm, 0, 15), 16, "hard: locked pages stay");
	is_int(s.reclaim.nr_evicted, NR / 2, "hard: no page too many went");
	is_int(s.reclaim.nr_over_target, 0, "hard: nothing is missing");
	is_int(nr_wrong(&vm, 0, NR - 1), 0, "hard: the data is whole");
	wait_scans(&vm, 3);
	is_int(resident(&vm, 0, NR - 1), NR / 2,
	       "hard: what came back goes again");
	vm_stop(&vm);
}

static void test_live_target(void)
{
	struct vm vm;

	vm_prepare(&vm, HOT);
	vm_start(&vm, 900);
	wait_scans(&vm, 6);
	is_int(resident(&vm, 0, NR - 1), 900, "900 pages, and no fewer");
	set_target(&vm, 600);
	wait_scans(&vm, 2);
	is_int(resident(&vm, 0, NR - 1), 600, "then 600");
	set_target(&vm, 0);
	wait_scans(&vm, 3);
	is_int(resident(&vm, 0, NR - 1), 600, "off: it stays so");
	is_int(nr_wrong(&vm, 0, NR - 1), 0, "the data is whole");
	vm_stop(&vm);
}

/*
 * Cold, but: 300-309 locked by flag, 310 reserved, 311 a page table, and
 * 320-329 mapped by a region that a process locked.
 */
static void test_locked(void)
{
	const struct rmap_vma_desc desc = {
		.start = 0x10000, .end = 0x10000 + 10 * PAGE,
		.flags = RMAP_VM_READ | RMAP_VM_WRITE | RMAP_VM_LOCKED,
	};
	struct rmap_vma *vma;
	struct engine_page p;
	struct rmap_mm *mm;
	struct rmap *map;
	struct vm vm;
	int rc = 0;

	vm_prepare(&vm, HOT);
	view_wrlock(vm.view);
	map = view_map(vm.view);
	for (uint64_t g = 300; g < 310; g++)
		rc |= rmap_page_set_flags(map, g, RMAP_PG_LOCKED);
	rc |= rmap_page_set_flags(map, 310, RMAP_PG_RESERVED);
	rc |= rmap_page_set_flags(map, 311, RMAP_PG_PGTABLE);
	rc |= rmap_mm_add(map, 1, RMAP_NO_PGD, &mm);
	rc |= rmap_vma_add(map, mm, &desc, &vma);
	for (uint64_t i = 0; i < 10; i++)
		rc |= rmap_map_page(map, vma, desc.start + i * PAGE, 320 + i);
	view_unlock(vm.view);
	if (rc)
		tap_bail("the map refuses the scene");

	vm_start(&vm, 1);
	wait_scans(&vm, 8);
	is_int(resident(&vm, 300, 311), 12, "locked and reserved frames stay");
	is_int(resident(&vm, 320, 329), 10, "so do those of locked regions");
	is_int(resident(&vm, 0, NR - 1), NR_HOT + 22, "all other cold ones go");
	is_int(stats_of(&vm).memory.nr_unevictable, 22,
	       "and 22 are unevictable");
	ok(!engine_get_page(vm.engine, GFN(325), &p) &&
	   !strcmp(p.list, "unevictable"), "by name too");
	set_target(&vm, NR);
	wait_scans(&vm, 2);
	is_int(stats_of(&vm).memory.nr_unevictable, 22,
	       "also while nothing is to go");
	set_target(&vm, 1);

	view_wrlock(vm.view);
	rc |= rmap_vma_set_flags(map, vma, RMAP_VM_READ | RMAP_VM_WRITE);
	rc |= rmap_page_set_flags(map, 300, 0);
	view_unlock(vm.view);
	wait_scans(&vm, 4);
	is_int(resident(&vm, 320, 329), 0, "unlocked, they go");
	is_int(resident(&vm, 300, 311), 11, "the rest stays");
	vm_stop(&vm);
}

/* Free frames first, though others are as old. */
static void test_free_first(void)
{
	struct vm vm;
	int rc = 0;

	vm_prepare(&vm, HOT);
	view_wrlock(vm.view);
	for (uint64_t g = 700; g < 800; g++)
		rc |= rmap_page_set_flags(view_map(vm.view), g, RMAP_PG_FREE);
	view_unlock(vm.view);
	vm_start(&vm, NR - 100);
	wait_scans(&vm, 5);
	ok(!rc && !resident(&vm, 700, 799), "what is free in the guest goes");
	is_int(resident(&vm, 0, NR - 1), NR - 100, "and is enough");
	is_int(nr_wrong(&vm, 700, 799), 0, "but it is not discarded");
	vm_stop(&vm);
}

/*
 * Frame 500 is cold until the scan that would evict it: it is touched between
 * the harvest and the last check.  A source of our own wraps the fake.
 */
struct late {
	struct access_source base;	/* first */
	struct access_source *fake;	/* not owned */
	uint64_t burn_ns;		/* CPU time of a harvest */
	atomic_uint nr_small;		/* harvests of less than all */
	atomic_uint nr_at_rest[2];	/* of all frames, of less: at rest */
	bool was_at_rest;		/* in the last harvest of all */
	unsigned int fail_small_at;	/* the n-th of them fails; 0: none */
	uint64_t touched;		/* young in the first small one; 0: none */
	atomic_uint nr_used;		/* from 500 on: young in each of all */
};

static int late_harvest(struct access_source *src, struct gfn_range r,
			uint64_t *young)
{
	struct late *l = (struct late *)src;
	uint64_t start = clock_thread_cpu_ns();
	int rc = l->fake->ops->harvest(l->fake, r, young);

	while (clock_thread_cpu_ns() - start < l->burn_ns)
		;
	l->nr_at_rest[r.nr != NR] += src->at_rest;
	if (r.nr == NR)
		l->was_at_rest = src->at_rest;
	if (!rc && r.nr == NR && l->nr_used)
		bitmap_set_range(young, 500, 500 + l->nr_used);
	if (rc || r.nr == NR)
		return rc;
	l->nr_small++;
	if (l->nr_small == l->fail_small_at)
		return -EIO;
	if (l->touched >= r.start.v && l->touched < r.start.v + r.nr) {
		bitmap_set(young, l->touched);
		l->touched = 0;
	}
	return 0;
}

static const struct access_source_ops late_ops = {
	.name = "late", .harvest = late_harvest,
};

static void vm_start_late(struct vm *vm, struct late *l, uint64_t target)
{
	l->base = (struct access_source){ .ops = &late_ops,
					  .granule_pages = 1 };
	l->fake = vm->fake;
	vm->source = &l->base;
	vm_start(vm, target);
}

/* What the engine tells its source in the harvest of its last scan. */
static void test_at_rest(void)
{
	static const struct {
		uint64_t target;
		bool at_rest;
		const char *name;
	} t[] = {
		{ 900, true, "a target that is reached: the source may rest" },
		{ NR_HOT / 2, false, "one that is not: it may not" },
		{ 0, false, "without one it is to see all it can" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct late l = { 0 };
		struct vm vm;

		vm_prepare(&vm, HOT);
		vm_start_late(&vm, &l, t[i].target);
		wait_scans(&vm, 8);
		engine_free(vm.engine);
		vm.engine = NULL;
		is_int(l.was_at_rest, t[i].at_rest, t[i].name);
		vm_stop(&vm);
	}
}

/* Somebody else reads it all, as QEMU does to send it. */
static void test_held(void)
{
	struct engine_stats before, s;
	struct late l = { .nr_used = 0 };
	struct engine_page p;
	struct vm vm;

	vm_prepare(&vm, HOT);
	vm_start_late(&vm, &l, NR_HOT);
	wait_scans(&vm, 12);
	before = stats_of(&vm);
	ok(before.memory.nr_swapped > NR / 2, "most is in swap (%lld)",
	   (long long)before.memory.nr_swapped);
	engine_pause(vm.engine, true);
	/* One scan may be under way; the next one is 100 periods away. */
	before = stats_of(&vm);
	for (int i = 0, nr_equal = 0; i < 1000 && nr_equal < 5; i++) {
		usleep(200000);
		s = stats_of(&vm);
		nr_equal = s.scan.nr_scans == before.scan.nr_scans
				   ? nr_equal + 1
				   : 0;
		before = s;
	}
	is_int(s.scan.nr_scans, before.scan.nr_scans, "held: no scan is made");
	is_int(nr_wrong(&vm, 0, NR - 1), 0, "everything comes back as it was");
	l.nr_used = 10;		/* the guest used some as well */
	engine_pause(vm.engine, false);
	wait_scans(&vm, 1);
	s = stats_of(&vm);
	ok(s.scan.nr_scans > before.scan.nr_scans, "let go: scans go on");
	is_int(s.reclaim.nr_refaults, before.reclaim.nr_refaults + 10,
	       "only what the guest used is a refault");
	ok(!engine_get_page(vm.engine, GFN(509), &p) && p.nr_refaults == 1,
	   "of its page, too");
	is_int(nr_wrong(&vm, NR - 100, NR - 1), 0, "what else came back");
	ok(!engine_get_page(vm.engine, GFN(NR - 1), &p) && !p.nr_refaults,
	   "is none");
	vm_stop(&vm);
}

static void test_recheck(void)
{
	struct late l = { .touched = 500 };
	struct engine_stats s;
	struct vm vm;

	vm_prepare(&vm, HOT);
	vm_start_late(&vm, &l, NR_HOT + 1);
	wait_scans(&vm, 4);
	s = stats_of(&vm);
	is_int(s.reclaim.nr_saved_by_recheck, 1, "the recheck saves one");
	is_int(resident(&vm, 500, 500), 1, "the one touched just now");
	is_int(resident(&vm, 0, NR - 1), NR_HOT + 1, "the others go");
	vm_stop(&vm);
}

/*
 * At its target the source may skip what is idle, but not in the recheck of a
 * page that is to be evicted.
 */
static void test_recheck_at_rest(void)
{
	struct late l = { .nr_small = 0 };
	struct vm vm;

	vm_prepare(&vm, HOT);
	vm_start_late(&vm, &l, NR_HOT + 1);
	while (!l.nr_at_rest[0])
		wait_scans(&vm, 1);
	for (unsigned int nr = l.nr_small; l.nr_small == nr;) {
		(void)*(volatile uint64_t *)page(&vm, 600);
		wait_scans(&vm, 10);
	}
	ok(l.nr_at_rest[0] && !l.nr_at_rest[1],
	   "at rest candidates are rechecked all the same: %u scans at rest, "
	   "%u of %u rechecks", l.nr_at_rest[0], l.nr_at_rest[1], l.nr_small);
	is_int(nr_wrong(&vm, 0, NR - 1), 0, "no page is wrong");
	vm_stop(&vm);
}

/*
 * Pages in use are between the cold ones, so rechecks go over them.  A hard
 * target that takes more than the cold pages then goes by the clock hand, from
 * frame 0 on, as all that is left is in use.
 */
static void test_recheck_spares_what_is_between(void)
{
	struct engine_policy p;
	char why[128];
	struct vm vm;

	vm_prepare(&vm, "0-127 384-511\n");
	vm_start(&vm, 0);
	wait_scans(&vm, 6);
	engine_get_policy(vm.engine, &p);
	p.enabled = p.hard = true;
	p.scan_period_ms = 200;
	p.target_bytes = 200 * PAGE;
	if (engine_set_policy(vm.engine, &p, why, sizeof(why)))
		tap_bail("%s", why);
	while (resident(&vm, 0, NR - 1) > 200)
		wait_scans(&vm, 1);
	ok(resident(&vm, 384, 511) == 128 && resident(&vm, 0, 127) == 72,
	   "a recheck does not make what is between look idle: %u and %u left",
	   (unsigned int)resident(&vm, 0, 127),
	   (unsigned int)resident(&vm, 384, 511));
	vm_stop(&vm);
}

/*
 * The cold frames are two runs, too far apart for one check.  In the first run
 * frame 260 is touched and detected; then the check of the second run fails.
 * What was seen must not be forgotten with the failure: the bit is clear now,
 * and nothing else will ever tell.
 */
static void see_260(struct vm *vm, const struct engine_stats *s)
{
	if (s->scan.nr_scan_errors && !vm->mark_scan)
		vm->mark_scan = s->scan.nr_scans;
	else if (vm->mark_scan && s->scan.nr_scans == vm->mark_scan + 1)
		vm->seen = 1 + resident(vm, 260, 260);
}

static void test_recheck_fails(void)
{
	struct late l = { .fail_small_at = 2, .touched = 260 };
	struct vm vm;

	vm_prepare(&vm, "0-255 270-1019\n");	/* cold: 256-269, 1020-1023 */
	vm.after = see_260;
	vm_start_late(&vm, &l, 1006);
	wait_scans(&vm, 10);
	ok(vm.mark_scan, "the recheck fails");
	is_int(vm.seen, 2, "a touch that it saw before is not forgotten");
	is_int(resident(&vm, 256, 269), 0, "later, all that is cold goes");
	vm_stop(&vm);
}

static void fail_for_good(struct vm *vm, const struct engine_stats *s)
{
	access_fake_fail(vm->fake, EIO, 1);
}

static void fail_no_more(struct vm *vm, const struct engine_stats *s)
{
	access_fake_fail(vm->fake, 0, 0);
}

static void set_after(struct vm *vm,
		      void (*fn)(struct vm *, const struct engine_stats *))
{
	pthread_mutex_lock(&vm->lock);
	vm->after = fn;
	pthread_mutex_unlock(&vm->lock);
}

static void test_source_fails(void)
{
	struct engine_stats s, before;
	struct vm vm;

	vm_prepare(&vm, HOT);
	vm_start(&vm, 0);
	wait_scans(&vm, 5);
	set_after(&vm, fail_for_good);
	wait_scans(&vm, 1);
	before = stats_of(&vm);
	set_target(&vm, NR_HOT);
	wait_scans(&vm, 3);
	s = stats_of(&vm);
	is_int(resident(&vm, 0, NR - 1), NR, "no bits, no eviction");
	is_int(s.reclaim.nr_evicted, 0, "none counted");
	is_int(s.scan.nr_scans, before.scan.nr_scans,
	       "a failed scan is no scan");
	ok(s.scan.nr_scan_errors >= before.scan.nr_scan_errors + 3,
	   "failures are counted (%llu)",
	   (unsigned long long)s.scan.nr_scan_errors);
	ok(strstr(s.scan.last_error, "Input/output error"), "and told: %s",
	   s.scan.last_error);
	ok(s.scan.period_ns > 10000000, "it tries less often: %llu ms",
	   (unsigned long long)s.scan.period_ns / 1000000);
	set_after(&vm, fail_no_more);
	wait_scans(&vm, 6);
	s = stats_of(&vm);
	is_int(resident(&vm, 0, NR_HOT - 1), NR_HOT, "then hot ones stay");
	is_int(resident(&vm, NR_HOT, NR - 1), 0, "and cold ones go");
	ok(!s.scan.last_error[0], "and the error is over");
	is_int(s.scan.period_ns, 10000000, "the period is the policy's again");
	vm_stop(&vm);
}

static int evict_error;
static atomic_uint nr_evict_calls;

static int evict_fails(struct reclaim_sink *sink, const struct gfn_range *r,
		       size_t nr, struct reclaim_result *res)
{
	nr_evict_calls++;
	return -evict_error;
}

/*
 * Whatever the error is: it is reported, and in one scan the sink fails once.
 */
static void test_sink_fails(int error)
{
	const struct reclaim_sink_ops ops = { .name = "full",
					      .evict = evict_fails };
	struct reclaim_sink full = { .ops = &ops }, *swap;
	struct engine_stats s;
	unsigned int nr_calls;
	struct vm vm;

	forget_lines();
	evict_error = error;
	nr_evict_calls = 0;
	vm_prepare(&vm, HOT);
	swap = vm.sink;
	vm.sink = &full;
	vm_start(&vm, NR_HOT);
	wait_scans(&vm, 6);
	s = stats_of(&vm);
	is_int(s.reclaim.nr_evicted, 0, "a sink that fails takes nothing");
	ok(strstr(s.scan.last_error, strerror(error)), "and is told: %s",
	   s.scan.last_error);
	is_int(count_lines("cannot evict cold pages"), 1, "by one line");
	forget_lines();
	is_int(s.reclaim.nr_over_target, NR - NR_HOT,
	       "so is the target that is missed");
	nr_calls = nr_evict_calls;
	s = stats_of(&vm);
	ok(nr_calls && nr_calls <= s.scan.nr_scans + 1,
	   "it is asked once a scan: %u times in %llu", nr_calls,
	   (unsigned long long)s.scan.nr_scans);
	vm.sink = swap;
	vm_stop(&vm);
}

/* A page that is refaulted soon is left alone for longer, twice as long. */
static void see_600(struct vm *vm, const struct engine_stats *s)
{
	struct engine_page p;

	if (s->reclaim.nr_refaults && !vm->mark_scan)
		vm->mark_scan = s->scan.nr_scans;
	if (!vm->mark_scan || vm->seen ||
	    engine_get_page(vm->engine, GFN(600), &p) || !p.swapped)
		return;
	vm->seen = s->scan.nr_scans - vm->mark_scan;
}

static void test_protection(void)
{
	struct vm vm;

	vm_prepare(&vm, HOT);
	vm.after = see_600;
	vm_start(&vm, NR_HOT);
	wait_scans(&vm, 5);
	is_int(resident(&vm, 600, 600), 0, "a cold page is gone");
	is_int(nr_wrong(&vm, 600, 600), 0, "it comes back whole");
	wait_scans(&vm, 12);
	is_int(stats_of(&vm).reclaim.nr_refaults, 1, "one refault");
	is_int(vm.seen, 4, "then it must be idle for 4 scans, not for 2");
	vm_stop(&vm);
}

/* Writes and verifies all pages all the time, as a guest would. */
struct writer {
	struct vm *vm;
	atomic_bool stop;
	uint64_t nr_rounds, nr_bad;
};

static void *writer_thread(void *arg)
{
	struct writer *w = arg;

	for (uint64_t round = 1; !w->stop; round++) {
		for (uint64_t g = 0; g < NR; g++) {
			volatile uint64_t *p = page(w->vm, g);

			w->nr_bad += round > 1 &&
				     (p[0] != round - 1 || p[511] != ~p[0]);
			p[0] = round;
			p[511] = ~round;
		}
		w->nr_rounds = round;
	}
	return NULL;
}

static void test_writer(void)
{
	struct writer w = { 0 };
	struct engine_stats s;
	pthread_t thread;
	struct vm vm;

	/* The bits lie: the writer touches all. Only the data must be right. */
	vm_prepare(&vm, HOT);
	vm_start(&vm, NR_HOT);
	w.vm = &vm;
	if (pthread_create(&thread, NULL, writer_thread, &w))
		tap_bail("no thread");
	for (int i = 0; i < 200; i++) {
		wait_scans(&vm, 10);
		s = stats_of(&vm);
		if (s.reclaim.nr_refaults > 2 * NR)
			break;
	}
	w.stop = true;
	pthread_join(thread, NULL);
	ok(s.reclaim.nr_refaults > 2 * NR, "%llu evictions, %llu refaults",
	   (unsigned long long)s.reclaim.nr_evicted,
	   (unsigned long long)s.reclaim.nr_refaults);
	is_int(w.nr_bad, 0, "under a writer lose none of its writes");
	ok(w.nr_rounds > 1, "%llu rounds", (unsigned long long)w.nr_rounds);
	vm_stop(&vm);
}

#define P(period, idle, cpu, ...)					      \
	{ .enabled = true, .scan_period_ms = period, .min_idle_scans = idle,  \
	  .cpu_percent = cpu, __VA_ARGS__ }

static void test_policy_limits(void)
{
	static const struct {
		struct engine_policy p;
		const char *says;
	} t[] = {
		{ P(9, 2, 10), "scan_period_ms" },
		{ P(3600001, 2, 10), "scan_period_ms" },
		{ P(1000, 0, 10), "min_idle_scans" },
		{ P(1000, 255, 10), "min_idle_scans" },
		{ P(1000, 2, 0), "cpu_percent" },
		{ P(1000, 2, 101), "cpu_percent" },
		{ P(1000, 2, 10, .proactive_ppm = 1000001), "proactive_ppm" },
		{ P(1000, 2, 10, .psi_limit = 10001), "psi_limit" },
		{ P(1000, 2, 10, .low_bytes = 1), "watermarks" },
		{ P(1000, 2, 10, .high_bytes = 1), "watermarks" },
		{ P(1000, 2, 10, .low_bytes = 2, .high_bytes = 1),
		  "watermarks" },
	};
	struct engine_policy p;
	struct vm vm;
	char why[128];

	vm_prepare(&vm, HOT);
	vm_start(&vm, 0);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		why[0] = 0;
		ok(engine_set_policy(vm.engine, &t[i].p, why, sizeof(why)) ==
		   -EINVAL && strstr(why, t[i].says), "refused: %s", why);
	}
	engine_get_policy(vm.engine, &p);
	is_int(p.scan_period_ms, 10, "and the policy is as before");
	vm_stop(&vm);
}

/* Each scan burns 4 ms of CPU time: 10 % of a core allow one in 40 ms. */
static void test_quota(void)
{
	struct late l = { .burn_ns = 4000000 };
	struct engine_policy p;
	struct engine_stats s;
	struct vm vm;
	char why[128];

	vm_prepare(&vm, HOT);
	vm_start_late(&vm, &l, 0);
	engine_get_policy(vm.engine, &p);
	p.cpu_percent = 10;
	engine_set_policy(vm.engine, &p, why, sizeof(why));
	wait_scans(&vm, 2);
	engine_get_stats(vm.engine, &s);
	ok(s.scan.period_ns >= 40000000, "a dear scan runs less often: %llu ms",
	   (unsigned long long)s.scan.period_ns / 1000000);
	ok(s.scan.scan_cpu_ns_total >= 3 * l.burn_ns,
	   "its CPU time is counted");
	vm_stop(&vm);
}

int main(void)
{
	cpu_set_t all;

	check_that_swap_works(PAGE);
	catch_stderr();
	stay_on_one_cpu(&all);
	test_exactly_the_cold();
	test_ages_taken_over();
	test_held();
	test_working_set_first();
	test_hard_target();
	test_live_target();
	test_at_rest();
	test_locked();
	test_free_first();
	test_recheck();
	test_recheck_at_rest();
	test_recheck_spares_what_is_between();
	test_recheck_fails();
	test_source_fails();
	test_sink_fails(ENOSPC);
	test_sink_fails(EAGAIN);
	test_protection();
	test_policy_limits();
	test_quota();
	sched_setaffinity(0, sizeof(all), &all);
	test_writer();
	return tap_done();
}
