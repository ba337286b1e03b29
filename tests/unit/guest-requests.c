// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest gives free memory by its balloon, and drops page cache, which is then
 * free memory as well.  Whichever happens first, none of it is evicted.
 *
 *   0-255 hot | 2048 free | 4096 clean page cache | rest anonymous
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define NR 8192			/* frames: the balloon is worth asking */

#include "tests/one-cpu.h"
#include "tests/tap.h"
#include "tests/unit/engine-vm.h"
#include "tests/unit/swap-works.h"
#include "vmm/guest/view-internal.h"

#define FREE	 256
#define CLEAN	 (FREE + 2048)
#define ANON	 (CLEAN + 4096)
#define NR_FREE	 (CLEAN - FREE)
#define NR_CLEAN (ANON - CLEAN)

/*
 * The guest.  All of it runs in the engine's thread, so that what it does comes
 * a number of scans after it was asked, however little of a processor is had.
 */
static struct {
	struct vm *vm;
	_Atomic uint64_t nr_cache, nr_free;	/* pages asked for, in all */
	_Atomic unsigned int nr_calls;	/* of give_free */
	unsigned int nr_busy;		/* refused calls of give_free */
	unsigned int nr_taken;		/* and those that were not */
	/* What it gives for the first and for the second request: frames, and
	 * how many scans later. */
	unsigned int gives_after, scans;
	uint64_t gives_from[2], gives_to[2];
	bool report_waits;		/* see __wrap_view_get_stats() */
} guest;

/* As the agent's messages do: the engine ages a frame by itself if it changed. */
static void change_flags(struct vm *vm, uint64_t first, uint64_t end,
			 uint32_t flags)
{
	set_flags(vm, first, end, flags);
	for (uint64_t g = first; g < end; g++)
		bitmap_set(vm->view->changed, g / 64);
}

static void discard(struct vm *vm, uint64_t first, uint64_t end)
{
	for (uint64_t g = first; g < end; g++)
		guest_mem_discard(vm->mem, (struct gfn_range){ GFN(g), 1 });
}

/* The agent's report of a guest that has dropped its page cache. */
static void show_dropped(struct vm *vm)
{
	view_wrlock(vm->view);
	change_flags(vm, CLEAN, ANON, RMAP_PG_FREE);
	vm->view->stats.epoch += 3;
	vm->view->stats.guest.clean_cache = 0;
	view_unlock(vm->view);
}

/*
 * Reclaim begins by a look at the statistics: a report that comes just then is
 * newer than what the scan has counted.
 */
void __real_view_get_stats(struct view *view, struct view_stats *stats);
void __wrap_view_get_stats(struct view *view, struct view_stats *stats);
void __wrap_view_get_stats(struct view *view, struct view_stats *stats)
{
	if (guest.report_waits) {
		guest.report_waits = false;
		show_dropped(guest.vm);
	}
	__real_view_get_stats(view, stats);
}

static int drop_cache(void *ctx, uint64_t nr_bytes)
{
	(void)ctx;
	guest.nr_cache += nr_bytes / PAGE;
	return 0;
}

static int give_free(void *ctx, uint64_t nr_bytes)
{
	(void)ctx;
	guest.nr_calls++;
	if (guest.nr_busy) {
		guest.nr_busy--;
		return -EBUSY;
	}
	guest.nr_free += nr_bytes / PAGE;
	guest.nr_taken++;
	guest.scans = 0;
	return 0;
}

static const struct engine_guest asks = {
	.drop_cache = drop_cache, .give_free = give_free,
};

static void after_scan(struct vm *vm, const struct engine_stats *stats)
{
	(void)stats;
	/* Its cache is gone a scan after it was asked. */
	if (guest.nr_cache && vm->view->stats.guest.clean_cache)
		guest.report_waits = true;
	if (guest.nr_taken && guest.nr_taken <= 2 &&
	    ++guest.scans == guest.gives_after)
		discard(vm, guest.gives_from[guest.nr_taken - 1],
			guest.gives_to[guest.nr_taken - 1]);
}

/* All that is free or clean must go, and nothing else. */
static void start(struct vm *vm)
{
	vm_prepare(vm, HOT);
	view_wrlock(vm->view);
	change_flags(vm, 0, FREE, RMAP_PG_ANON);
	change_flags(vm, FREE, CLEAN, RMAP_PG_FREE);
	change_flags(vm, CLEAN, ANON, RMAP_PG_FILE);
	change_flags(vm, ANON, NR, RMAP_PG_ANON);
	vm->view->stats.agent_connected = true;
	vm->view->stats.drops_cache = true;
	vm->view->stats.epoch = 1;
	vm->view->stats.guest.mem_total = UINT64_C(1) << 30;
	vm->view->stats.guest.mem_free = UINT64_C(256) << 20;
	vm->view->stats.guest.clean_cache = NR_CLEAN * PAGE;
	view_unlock(vm->view);
	guest.vm = vm;
	vm->after = after_scan;
}

static void is_met(struct vm *vm, const char *what)
{
	struct engine_stats s;

	do {
		wait_scans(vm, 1);
		s = stats_of(vm);
	} while (s.memory.nr_resident > NR - (ANON - FREE));
	ok(1, "%s: the target is met", what);
}

/* The page cache is dropped while the balloon still fills. */
static void test_cache_first(void)
{
	struct vm vm;

	memset(&guest, 0, sizeof(guest));
	guest.gives_after = 6;
	guest.gives_from[0] = FREE;
	guest.gives_to[0] = guest.gives_from[1] = CLEAN;
	guest.gives_to[1] = ANON;
	start(&vm);
	vm_start_asking(&vm, NR - (ANON - FREE), &asks);
	is_met(&vm, "a guest that gives all");
	is_int(guest.nr_cache, NR_CLEAN, "the guest is asked for its page cache");
	is_int(guest.nr_free, ANON - FREE, "and for what is free, and then for "
					   "what became free");
	is_int(stats_of(&vm).reclaim.nr_evicted, 0, "nothing was evicted");
	is_int(guest.nr_calls, 2, "nor asked for once more");
	vm_stop(&vm);
}

/* A balloon that is giving already, for the moment. */
static void test_busy(void)
{
	struct vm vm;

	memset(&guest, 0, sizeof(guest));
	guest.nr_busy = 3;
	guest.gives_after = 1;
	guest.gives_from[0] = FREE;
	guest.gives_to[0] = ANON;
	start(&vm);
	vm_start_asking(&vm, NR - (ANON - FREE), &asks);
	is_met(&vm, "a balloon that was busy");
	is_int(stats_of(&vm).reclaim.nr_evicted, 0,
	       "it is asked again: nothing was "
	       "evicted");
	ok(guest.nr_calls > 3, "%u times", guest.nr_calls);
	is_int(stats_of(&vm).reclaim.nr_free_requested, guest.nr_free,
	       "what it did not take counts not as asked for");
	vm_stop(&vm);
}

/*
 * One that frees nothing (it names what the host does not have), or is always busy:
 * waited for, but not for ever, and then less and less often.
 */
static void test_gives_nothing(unsigned int nr_busy)
{
	const char *what = nr_busy ? "always busy" : "gives nothing";
	unsigned int nr_calls;
	struct vm vm;

	memset(&guest, 0, sizeof(guest));
	guest.nr_busy = nr_busy;
	guest.gives_after = 1;
	guest.gives_from[0] = FREE;
	guest.gives_to[0] = FREE + 1024;
	start(&vm);
	/* Half of what is free is not resident, and that is given. */
	discard(&vm, FREE, FREE + 1024);
	vm.view->stats.drops_cache = false;
	vm_start_asking(&vm, NR - NR_FREE, &asks);
	wait_scans(&vm, 6);
	ok(guest.nr_calls, "%s: it is asked", what);
	while (!stats_of(&vm).reclaim.nr_evicted)
		wait_scans(&vm, 1);
	nr_calls = guest.nr_calls;
	wait_scans(&vm, 6);
	ok(stats_of(&vm).memory.nr_resident <= NR - NR_FREE,
	   "%s: the target is met", what);
	ok(guest.nr_calls - nr_calls <= 1, "%s: it is left alone then", what);
	vm_stop(&vm);
}

int main(void)
{
	check_that_swap_works(PAGE);
	stay_on_one_cpu(NULL);
	alarm(600);	/* of a hang */
	test_cache_first();
	test_busy();
	test_gives_nothing(0);
	test_gives_nothing(1000000);
	return tap_done();
}
