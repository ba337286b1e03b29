// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The order of eviction, requests to the guest, and what throttles the engine;
 * with real memory and swap, as engine.c.
 *
 *   0-255 hot | 256-383 free | 384-511 dirty file | 512-767 clean | rest anon
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "tests/one-cpu.h"
#include "tests/tap.h"
#include "tests/unit/engine-vm.h"
#include "tests/unit/swap-works.h"
#include "vmm/guest/view-internal.h"
#include "vmm/util/clock.h"

#define FREE	  256
#define DIRTY	  384
#define CLEAN	  512
#define ANON	  768
#define NR_CLEAN  (ANON - CLEAN)
#define NR_ANON	  (NR - ANON)

static void make_scene(struct vm *vm)
{
	view_wrlock(vm->view);
	set_flags(vm, 0, FREE, RMAP_PG_ANON);
	set_flags(vm, FREE, DIRTY, RMAP_PG_FREE);
	set_flags(vm, DIRTY, CLEAN, RMAP_PG_FILE | RMAP_PG_DIRTY);
	set_flags(vm, CLEAN, ANON, RMAP_PG_FILE);
	set_flags(vm, ANON, NR, RMAP_PG_ANON | RMAP_PG_SWAPBACKED);
	view_unlock(vm->view);
}

/* An agent that says so, of a guest with much free memory and cache. */
static void connect(struct vm *vm, uint64_t free_pages)
{
	view_wrlock(vm->view);
	vm->view->stats.agent_connected = true;
	vm->view->stats.drops_cache = true;
	vm->view->stats.epoch = 1;
	vm->view->stats.guest.mem_total = UINT64_C(1) << 30;
	vm->view->stats.guest.mem_free = (UINT64_C(64) << 20) +
					 free_pages * PAGE;
	vm->view->stats.guest.clean_cache = NR_CLEAN * PAGE;
	view_unlock(vm->view);
}

static void is_left(struct vm *vm, uint64_t nr_free, uint64_t dirty,
		    uint64_t clean, uint64_t anon, const char *what)
{
	uint64_t f = resident(vm, FREE, DIRTY - 1);
	uint64_t d = resident(vm, DIRTY, CLEAN - 1);
	uint64_t c = resident(vm, CLEAN, ANON - 1);
	uint64_t a = resident(vm, ANON, NR - 1);

	if (!ok(f == nr_free && d == dirty && c == clean && a == anon &&
		resident(vm, 0, FREE - 1) == FREE, "%s", what))
		printf("# free %d, dirty %d, clean %d, anonymous %d\n", (int)f,
		       (int)d, (int)c, (int)a);
}

/* Without anybody to ask: by what costs least, one after the other. */
static void test_order(void)
{
	struct engine_stats s;
	struct vm vm;

	vm_prepare(&vm, HOT);
	make_scene(&vm);
	vm_start(&vm, NR - 128);
	wait_scans(&vm, 6);
	is_left(&vm, 0, 128, NR_CLEAN, NR_ANON, "free memory goes first");
	set_target(&vm, NR - 128 - NR_ANON);
	wait_scans(&vm, 3);
	is_left(&vm, 0, 128, NR_CLEAN, 0, "then what is only in memory");
	set_target(&vm, NR - 256 - NR_ANON);
	wait_scans(&vm, 3);
	is_left(&vm, 0, 0, NR_CLEAN, 0, "then dirty page cache");
	set_target(&vm, 1);
	wait_scans(&vm, 3);
	is_left(&vm, 0, 0, 0, 0, "and clean page cache, of a guest that can't "
		"be asked to drop it");
	s = stats_of(&vm);
	ok(s.reclaim.nr_evicted_of_class[CLASS_FREE] == 128 &&
		   s.reclaim.nr_evicted_of_class[CLASS_ANON] == NR_ANON &&
		   s.reclaim.nr_evicted_of_class[CLASS_DIRTY_FILE] == 128 &&
		   s.reclaim.nr_evicted_of_class[CLASS_CLEAN_FILE] ==
			   NR_CLEAN &&
		   !s.reclaim.nr_evicted_of_class[CLASS_UNKNOWN] &&
		   !s.reclaim.nr_evicted_of_class[CLASS_NEVER],
	   "each is counted as what it was");
	is_int(s.memory.nr_of_class[CLASS_ANON], FREE, "and so is what stays");
	is_int(nr_wrong(&vm, 0, NR - 1), 0, "the data is whole");
	vm_stop(&vm);
}

/*
 * Anonymous memory is used in every eighth scan, page cache never: that it is
 * dearer to evict counts less.
 */
static void test_warm(void)
{
	struct vm vm;

	vm_prepare(&vm, "0-255 768-1023\n" HOT HOT HOT HOT HOT HOT HOT);
	make_scene(&vm);
	vm_start(&vm, 0);
	wait_scans(&vm, 40);
	set_target(&vm, NR - 256);
	wait_scans(&vm, 3);
	is_left(&vm, 0, 0, NR_CLEAN, NR_ANON,
		"what will be used goes after what will not");
	set_target(&vm, NR - 256 - NR_CLEAN);
	wait_scans(&vm, 3);
	is_left(&vm, 0, 0, 0, NR_ANON, "clean page cache, too");
	vm_stop(&vm);
}

/* --- a guest that frees memory on request --------------------------------- */

static struct {
	struct vm *vm;
	uint64_t nr_cache, nr_free;	/* pages asked for, in all */
	unsigned int nr_calls;
	bool deaf;
} given;

/* What the guest's kernel would do: the frames are free, the host forgets them. */
static int drop_cache(void *ctx, uint64_t nr_bytes)
{
	given.nr_cache += nr_bytes / PAGE;
	given.nr_calls++;
	return given.deaf ? -ENOTCONN : 0;
}

static int give_free(void *ctx, uint64_t nr_bytes)
{
	given.nr_free += nr_bytes / PAGE;
	given.nr_calls++;
	return given.deaf ? -EBUSY : 0;
}

static const struct engine_guest asks = {
	.drop_cache = drop_cache, .give_free = give_free,
};

static void begin(struct vm *vm)
{
	memset(&given, 0, sizeof(given));
	given.vm = vm;
}

static void test_cache(void)
{
	struct engine_stats s;
	struct vm vm;

	begin(&vm);
	vm_prepare(&vm, HOT);
	make_scene(&vm);
	connect(&vm, 0);
	/* 400 must go: of these the guest has 256 in its cache. */
	vm_start_asking(&vm, NR - 400, &asks);
	wait_scans(&vm, 6);
	is_int(given.nr_cache, NR_CLEAN, "the guest is asked for its idle cache");
	is_int(given.nr_calls, 1, "once");
	is_left(&vm, 0, 128, NR_CLEAN, NR_ANON - 16,
		"only the rest is taken from it: free memory, and 16 pages more");
	s = stats_of(&vm);
	is_int(s.reclaim.nr_cache_requested, NR_CLEAN, "it is counted");
	is_int(s.memory.nr_idle_clean, NR_CLEAN,
	       "and so is what it could drop");

	/* It dropped all, and the host has it. */
	for (uint64_t g = CLEAN; g < ANON; g++)
		guest_mem_discard(vm.mem, (struct gfn_range){ GFN(g), 1 });
	view_wrlock(vm.view);
	vm.view->stats.epoch += 3;
	vm.view->stats.guest.clean_cache = 0;
	view_unlock(vm.view);
	wait_scans(&vm, 4);
	is_int(given.nr_calls, 1, "it has no more, so it is not asked again");
	is_left(&vm, 0, 128, 0, NR_ANON - 16, "and nothing else went for that");
	set_target(&vm, 1);
	wait_scans(&vm, 4);
	is_left(&vm, 0, 0, 0, 0, "in the end all that is idle goes");
	is_int(stats_of(&vm).reclaim.nr_evicted_of_class[CLASS_CLEAN_FILE], 0,
	       "but clean page cache was never written");
	vm_stop(&vm);
}

static void test_missed_cache(void)
{
	struct vm vm;

	begin(&vm);
	vm_prepare(&vm, HOT);
	make_scene(&vm);
	connect(&vm, 0);
	vm_start_asking(&vm, 0, &asks);
	wait_scans(&vm, 4);
	/* It has had to read a lot of it again. */
	set_target(&vm, NR);
	wait_scans(&vm, 2);
	view_wrlock(vm.view);
	vm.view->stats.guest.nr_refaults_file = 100000;
	view_unlock(vm.view);
	wait_scans(&vm, 2);
	ok(stats_of(&vm).reclaim.file_share < 0.4,
	   "page cache that is missed: %.2f", stats_of(&vm).reclaim.file_share);
	set_target(&vm, NR - 600);
	wait_scans(&vm, 3);
	ok(given.nr_cache <= 240, "less of it is asked for: %d of 600",
	   (int)given.nr_cache);
	vm_stop(&vm);
}

static void test_free(void)
{
	struct vm vm;

	begin(&vm);
	vm_prepare(&vm, HOT);
	/* More than is too little to ask for. */
	view_wrlock(vm.view);
	set_flags(&vm, 0, NR, RMAP_PG_FREE);
	view_unlock(vm.view);
	connect(&vm, 2 * NR);
	vm_start_asking(&vm, 1, &asks);
	wait_scans(&vm, 4);
	is_int(given.nr_free, 0, "a little free memory is not worth the balloon");
	is_int(resident(&vm, 0, NR - 1), 256, "it goes as the rest does");
	vm_stop(&vm);
}

static void test_deaf(void)
{
	struct vm vm;

	begin(&vm);
	given.deaf = true;
	vm_prepare(&vm, HOT);
	make_scene(&vm);
	connect(&vm, 0);
	vm_start_asking(&vm, NR - 400, &asks);
	wait_scans(&vm, 6);
	ok(given.nr_calls, "a guest is asked that does not listen");
	is_left(&vm, 0, 112, NR_CLEAN, 0, "and nobody waits for it");
	is_int(stats_of(&vm).reclaim.nr_cache_requested, 0,
	       "what was not heard counts not");
	vm_stop(&vm);
}

/* It says yes, and then nothing comes. */
static void test_in_vain(void)
{
	struct vm vm;

	begin(&vm);
	vm_prepare(&vm, HOT);
	make_scene(&vm);
	connect(&vm, 0);
	vm_start_asking(&vm, NR - 400, &asks);
	wait_scans(&vm, 6);
	is_left(&vm, 0, 128, NR_CLEAN, NR_ANON - 16, "it is waited for");
	while (resident(&vm, DIRTY, CLEAN - 1) == 128)
		wait_scans(&vm, 1);
	wait_scans(&vm, 2);
	is_left(&vm, 0, 112, NR_CLEAN, 0, "but not for ever");
	is_int(given.nr_calls, 1, "and it is not asked again at once");
	vm_stop(&vm);
}

/* --- what holds it back ----------------------------------------------------- */

static void change(struct vm *vm, const char *text)
{
	struct engine_policy p;
	char why[256];

	engine_get_policy(vm->engine, &p);
	if (engine_policy_parse(text, &p, why, sizeof(why)) ||
	    engine_set_policy(vm->engine, &p, why, sizeof(why)))
		tap_bail("%s: %s", text, why);
}

static void test_watermarks(void)
{
	char text[128];
	struct vm vm;

	vm_prepare(&vm, HOT);
	vm_start(&vm, 0);
	/* The host has more than a few bytes: it is relaxed. */
	change(&vm, "target=1M,low=4K,high=8K");
	wait_scans(&vm, 6);
	is_int(resident(&vm, 0, NR - 1), NR,
	       "above the high watermark nothing goes, whatever the target");
	ok(stats_of(&vm).reclaim.above_high && !stats_of(&vm).reclaim.below_low,
	   "it is told");
	/* It has less than all that an address can name. */
	snprintf(text, sizeof(text), "target=%d,low=1024T,high=1024T", NR * PAGE);
	change(&vm, text);
	wait_scans(&vm, 3);
	is_int(resident(&vm, 0, NR - 1), NR_HOT,
	       "below the low one all that is idle goes, target or not");
	ok(stats_of(&vm).reclaim.below_low && !stats_of(&vm).reclaim.above_high,
	   "and told, too");
	vm_stop(&vm);
}

/* What the host has: a number of the test's, where there is one. */
static _Atomic int64_t host_has = -1;

int64_t __real_pressure_available(void);
int64_t __wrap_pressure_available(void);
int64_t __wrap_pressure_available(void)
{
	int64_t has = host_has;

	return has >= 0 ? has : __real_pressure_available();
}

/* From below low on memory is wanted until there is high, and not before. */
static void test_hysteresis(void)
{
	static const struct {
		int64_t has;		/* MiB; low is 100, high 200 */
		bool below, above;
		const char *what;
	} t[] = {
		{ 100, false, false, "at low: nothing is wanted" },
		{ 199, false, false, "nor between" },
		{ 99, true, false, "below low it is" },
		{ 100, true, false, "still at low" },
		{ 199, true, false, "still just below high" },
		{ 200, false, true, "not at high" },
		{ 199, false, false, "nor between again" },
	};
	struct vm vm;

	vm_prepare(&vm, HOT);
	host_has = INT64_C(100) << 20;
	vm_start(&vm, 0);
	change(&vm, "on,low=100M,high=200M");
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct engine_stats s;

		fill(&vm, 0, NR - 1);
		host_has = t[i].has << 20;
		wait_scans(&vm, 2);
		/* A scan may have evicted for the case before. */
		if (!t[i].below)
			fill(&vm, 0, NR - 1);
		wait_scans(&vm, 12);
		/* After refaults pages must be idle for longer. */
		for (int k = 0; t[i].below && k < 100 &&
		     resident(&vm, 0, NR - 1) == NR; k++)
			wait_scans(&vm, 1);
		s = stats_of(&vm);
		ok(s.reclaim.below_low == t[i].below &&
			   s.reclaim.above_high == t[i].above,
		   "%s: told", t[i].what);
		ok((resident(&vm, 0, NR - 1) < NR) == t[i].below,
		   "%s: and done", t[i].what);
	}
	host_has = -1;
	vm_stop(&vm);
}

static void test_io_quota(void)
{
	struct engine_stats s;
	uint64_t since;
	struct vm vm;

	vm_prepare(&vm, HOT);
	vm_start(&vm, 0);
	/* A page a second: in some scans next to nothing. */
	since = clock_now_ns();
	change(&vm, "target=1M,io=4K");
	wait_scans(&vm, 8);
	s = stats_of(&vm);
	ok(s.reclaim.nr_evicted <= 2 + (clock_now_ns() - since) / NSEC_PER_SEC,
	   "the I/O quota holds: %d pages", (int)s.reclaim.nr_evicted);
	ok(s.reclaim.nr_io_delayed, "and what waits for it is told");
	change(&vm, "io=1G");
	wait_scans(&vm, 8);
	is_int(resident(&vm, 0, NR - 1), 256, "without it the rest goes");
	vm_stop(&vm);
}

static void test_psi(void)
{
	struct vm vm;

	vm_prepare(&vm, HOT);
	connect(&vm, 0);
	view_wrlock(vm.view);
	vm.view->stats.guest.psi_some_avg10 = 30;
	view_unlock(vm.view);
	vm_start(&vm, 0);
	change(&vm, "target=1M,psi=20");
	wait_scans(&vm, 4);
	ok(stats_of(&vm).reclaim.throttled_by_psi,
	   "a guest under pressure is seen");
	is_int(resident(&vm, 0, NR - 1), 256, "its target is pursued, if slower");
	change(&vm, "psi=off");
	wait_scans(&vm, 3);
	ok(!stats_of(&vm).reclaim.throttled_by_psi, "psi=off: it is not asked");
	vm_stop(&vm);
}

/* Devices have frames 300-302 and 310. */
static void test_held(void)
{
	struct vm vm;

	vm_prepare(&vm, HOT);
	guest_mem_pin(vm.mem, GPA(300 * PAGE + 4000), 2 * PAGE);
	guest_mem_pin(vm.mem, GPA(310 * PAGE), 1);
	guest_mem_pin(vm.mem, GPA(310 * PAGE), 16);
	guest_mem_pin(vm.mem, GPA(UINT64_MAX - 3), 100);
	guest_mem_pin(vm.mem, GPA(NR * PAGE), 100);
	vm_start(&vm, 1);
	wait_scans(&vm, 6);
	is_int(resident(&vm, NR_HOT, NR - 1), 4, "what a device holds stays");
	guest_mem_unpin(vm.mem, GPA(300 * PAGE + 4000), 2 * PAGE);
	guest_mem_unpin(vm.mem, GPA(310 * PAGE), 1);
	wait_scans(&vm, 4);
	is_int(resident(&vm, NR_HOT, NR - 1), 1, "until all have let go of it");
	guest_mem_unpin(vm.mem, GPA(310 * PAGE), 1);
	guest_mem_unpin(vm.mem, GPA(310 * PAGE), 1);
	wait_scans(&vm, 4);
	is_int(resident(&vm, NR_HOT, NR - 1), 0, "and then it goes");
	vm_stop(&vm);
}

int main(void)
{
	check_that_swap_works(PAGE);
	stay_on_one_cpu(NULL);
	test_order();
	test_warm();
	test_cache();
	test_missed_cache();
	test_free();
	test_deaf();
	test_in_vain();
	test_watermarks();
	test_hysteresis();
	test_io_quota();
	test_psi();
	test_held();
	return tap_done();
}
