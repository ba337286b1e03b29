// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long the engine holds its locks, counted and not timed: the engine's
 * calls into the map and the frame table between two releases of a lock are
 * counted by functions that wrap the real ones (--wrap).  One frame has many
 * candidate places in a region where all other frames may be too, so that each
 * walk is expensive.
 */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/engine/engine-internal.h"
#include "vmm/guest/view-internal.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"

#define PAGE	 4096
#define NR       (4 * (uint64_t)LOCK_HOLD_MAX)	/* frames: 256 MiB */
#define PLACES	 100
#define MAX_WALKS (LOCK_HOLD_MAX / LOCK_HOLD_WALK)

/* --- what is counted ------------------------------------------------------ */
enum counted { WALKS, AGED, CHOSEN, CAME_BACK, NR_COUNTED };

static const char *const names[NR_COUNTED] = {
	"walks over mappings", "frames aged", "frames chosen from",
	"frames looked at for having come back",
};

/* Since the view's lock was released, and since any mutex was. */
static _Thread_local unsigned int in_view[NR_COUNTED], in_mutex[NR_COUNTED];
static _Atomic unsigned int most[NR_COUNTED], total[NR_COUNTED];
static atomic_uint nr_holds;
/* Called by the engine's thread in a walk, with the locks held. */
static void (*_Atomic in_walk)(void);
/* Likewise, as it judges a frame that may go. */
static void (*_Atomic in_judge)(void);

static void count(enum counted what)
{
	unsigned int n = ++in_view[what];
	void (*hook)(void);

	if (++in_mutex[what] > n)
		n = in_mutex[what];
	if (n > most[what])
		most[what] = n;
	total[what]++;
	hook = in_walk;
	if (what == WALKS && hook)
		hook();
}

void __real_view_rdlock(struct view *view);
void __wrap_view_rdlock(struct view *view);
void __wrap_view_rdlock(struct view *view)
{
	nr_holds++;
	__real_view_rdlock(view);
}

void __real_view_unlock(struct view *view);
void __wrap_view_unlock(struct view *view);
void __wrap_view_unlock(struct view *view)
{
	memset(in_view, 0, sizeof(in_view));
	__real_view_unlock(view);
}

int __real_pthread_mutex_unlock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock)
{
	memset(in_mutex, 0, sizeof(in_mutex));
	return __real_pthread_mutex_unlock(lock);
}

int __real_rmap_page_referenced(struct rmap *map, uint64_t gfn,
				struct rmap_referenced *out);
int __wrap_rmap_page_referenced(struct rmap *map, uint64_t gfn,
				struct rmap_referenced *out);
int __wrap_rmap_page_referenced(struct rmap *map, uint64_t gfn,
				struct rmap_referenced *out)
{
	count(WALKS);
	return __real_rmap_page_referenced(map, gfn, out);
}

bool __real_rmap_page_unevictable(const struct rmap *map, uint64_t gfn);
bool __wrap_rmap_page_unevictable(const struct rmap *map, uint64_t gfn);
bool __wrap_rmap_page_unevictable(const struct rmap *map, uint64_t gfn)
{
	void (*hook)(void) = in_judge;

	count(WALKS);
	if (hook)
		hook();
	return __real_rmap_page_unevictable(map, gfn);
}

int __real_rmap_walk(const struct rmap *map, uint64_t gfn,
		     const struct rmap_walk_control *rwc);
int __wrap_rmap_walk(const struct rmap *map, uint64_t gfn,
		     const struct rmap_walk_control *rwc);
int __wrap_rmap_walk(const struct rmap *map, uint64_t gfn,
		     const struct rmap_walk_control *rwc)
{
	count(WALKS);
	return __real_rmap_walk(map, gfn, rwc);
}

enum frame_event __real_frame_observe(struct frame_table *t, uint64_t gfn,
				      const struct frame_observation *look,
				      uint32_t scan, unsigned int min_idle);
enum frame_event __wrap_frame_observe(struct frame_table *t, uint64_t gfn,
				      const struct frame_observation *look,
				      uint32_t scan, unsigned int min_idle);
enum frame_event __wrap_frame_observe(struct frame_table *t, uint64_t gfn,
				      const struct frame_observation *look,
				      uint32_t scan, unsigned int min_idle)
{
	count(AGED);
	return __real_frame_observe(t, gfn, look, scan, min_idle);
}

unsigned int __real_frame_min_idle(const struct frame_table *t, uint64_t gfn,
				   unsigned int min_idle);
unsigned int __wrap_frame_min_idle(const struct frame_table *t, uint64_t gfn,
				   unsigned int min_idle);
unsigned int __wrap_frame_min_idle(const struct frame_table *t, uint64_t gfn,
				   unsigned int min_idle)
{
	count(CHOSEN);
	return __real_frame_min_idle(t, gfn, min_idle);
}

bool __real_frame_is_evicted(const struct frame_table *t, uint64_t gfn);
bool __wrap_frame_is_evicted(const struct frame_table *t, uint64_t gfn);
bool __wrap_frame_is_evicted(const struct frame_table *t, uint64_t gfn)
{
	count(CAME_BACK);
	return __real_frame_is_evicted(t, gfn);
}

/* --- the guest ------------------------------------------------------------ */
static struct guest_mem *mem;
static struct view *view;
static struct reclaim_sink *swap_sink, sink;
static struct engine *engine;
static atomic_bool all_young = true, always_new, half;
static atomic_ulong nr_scans;
static atomic_uint nr_evict_calls, most_evicted, nr_small_looks;
static atomic_uint nr_evict_calls_before, most_calls;	/* in a scan */
static void (*_Atomic in_evict)(void);
static void (*_Atomic in_small_look)(void);

static int harvest(struct access_source *src, struct gfn_range r,
		   uint64_t *young)
{
	bool used = all_young;

	/* In every second scan only, so that pages never become active. */
	if (always_new && r.nr == NR)
		used = nr_scans % 2;
	bitmap_clear_range(young, r.start.v, r.start.v + r.nr);
	for (uint64_t g = r.start.v; g < r.start.v + r.nr; g++)
		if (used || (half && g / 1024 % 2))
			bitmap_set(young, g);
	if (r.nr < NR) {
		nr_small_looks++;
		if (in_small_look)
			in_small_look();
	}
	return 0;
}

static const struct access_source_ops source_ops = {
	.name = "all or none", .harvest = harvest,
};
static struct access_source source = { .ops = &source_ops,
				       .granule_pages = 1,
				       .cost = ACCESS_COST_RMAP };

/* The real one, and counts. */
static int evict(struct reclaim_sink *s, const struct gfn_range *ranges,
		 size_t nr, struct reclaim_result *res)
{
	unsigned int pages = 0;

	for (size_t i = 0; i < nr; i++)
		pages += ranges[i].nr;
	if (pages > most_evicted)
		most_evicted = pages;
	nr_evict_calls++;
	if (in_evict)
		in_evict();
	return swap_sink->ops->evict(swap_sink, ranges, nr, res);
}

static int prefetch(struct reclaim_sink *s, const struct gfn_range *ranges,
		    size_t nr)
{
	return swap_sink->ops->prefetch(swap_sink, ranges, nr);
}

static const struct reclaim_sink_ops sink_ops = {
	.name = "counted", .evict = evict, .prefetch = prefetch,
};

static void on_scan(const struct engine_stats *s, void *arg)
{
	unsigned int nr = nr_evict_calls - nr_evict_calls_before;

	nr_evict_calls_before += nr;
	if (nr > most_calls)
		most_calls = nr;
	nr_scans++;
}

static void wait_scans(unsigned int nr)
{
	unsigned long until = nr_scans + nr + 1;

	while (nr_scans < until)
		usleep(1000);
}

/*
 * Frame i at page i of a region; the last one at the last pages of a region of
 * another process, too, so that all of them may be there.
 */
static void lay_map(void)
{
	const uint64_t base = 0x100000000;
	struct rmap_vma_desc few = { .start = base, .end = base + NR * PAGE,
				     .flags = RMAP_VM_READ };
	struct rmap_vma_desc many = { .start = base, .end = base + 8 * NR * PAGE,
				      .flags = RMAP_VM_READ };
	struct rmap *map = view_map(view);
	struct rmap_vma *a, *b;
	struct rmap_mm *p, *q;
	int rc = 0;

	view_wrlock(view);
	rc |= rmap_mm_add(map, 1, RMAP_NO_PGD, &p);
	rc |= rmap_mm_add(map, 2, RMAP_NO_PGD, &q);
	rc |= rmap_vma_add(map, p, &few, &a) | rmap_vma_add(map, q, &many, &b);
	for (uint64_t i = 0; !rc && i < NR; i++)
		rc = rmap_map_page(map, a, base + i * PAGE, i);
	for (uint64_t i = 1; !rc && i <= PLACES; i++)
		rc = rmap_map_page(map, b, many.end - i * PAGE, NR - 1);
	view_unlock(view);
	if (rc)
		tap_bail("the map refuses the scene");
}

static void touch_all(void)
{
	for (uint64_t g = 0; g < NR; g++)
		*(volatile uint64_t *)guest_mem_ptr(mem, GPA(g * PAGE), 8) =
			g * 0x9e3779b97f4a7c15ull;
}

static void start(bool young, uint64_t target_pages)
{
	const struct engine_config config = {
		.mem = mem, .view = view, .source = &source, .sink = &sink,
		.policy = { .enabled = true, .target_bytes = target_pages * PAGE,
			    .scan_period_ms = 10, .min_idle_scans = 2,
			    .cpu_percent = 100 },
	};

	all_young = young;
	nr_evict_calls = most_evicted = nr_small_looks = 0;
	nr_evict_calls_before = most_calls = 0;
	for (int i = 0; i < NR_COUNTED; i++)
		most[i] = total[i] = 0;
	if (engine_new(&engine, &config))
		tap_bail("no engine");
	engine_on_scan(engine, on_scan, NULL);
}

static void set_policy(bool hard, unsigned int prefetch_pages)
{
	struct engine_policy p;
	char why[128];

	engine_get_policy(engine, &p);
	p.hard = hard;
	p.prefetch_pages = prefetch_pages;
	if (engine_set_policy(engine, &p, why, sizeof(why)))
		tap_bail("%s", why);
}

static void check_holds(const char *when)
{
	const unsigned int limits[NR_COUNTED] = {
		[WALKS] = MAX_WALKS,
		[AGED] = LOCK_HOLD_MAX,
		[CHOSEN] = LOCK_HOLD_MAX,
		[CAME_BACK] = LOCK_HOLD_MAX,
	};
	struct engine_stats s;

	engine_get_stats(engine, &s);
	for (int i = 0; i < NR_COUNTED; i++)
		ok(most[i] <= limits[i], "%s: %s: %u in all, %u in a hold",
		   when, names[i], total[i], most[i]);
	ok(s.scan.max_lock_cost && s.scan.max_lock_cost <= LOCK_HOLD_MAX,
	   "%s: by its own count at most %u of %u", when, s.scan.max_lock_cost,
	   LOCK_HOLD_MAX);
}

/* --- tests ---------------------------------------------------------------- */
static void test_holds(void)
{
	static uint8_t ages[NR];
	struct engine_stats s;

	touch_all();
	start(true, NR);
	wait_scans(3);
	check_holds("all in use");
	ok(total[WALKS] > NR && total[AGED] >= 3 * NR,
	   "all frames were asked of the map");
	memset(ages, 9, sizeof(ages));
	engine_set_ages(engine, ages, NR);
	wait_scans(1);
	check_holds("ages taken over");

	engine_free(engine);
	start(false, NR / 2);
	wait_scans(6);
	engine_get_stats(engine, &s);
	ok(s.reclaim.nr_evicted >= NR / 2, "idle pages went: %llu",
	   (unsigned long long)s.reclaim.nr_evicted);
	check_holds("down to the target");
	ok(total[CHOSEN] >= NR / 2 && total[WALKS] >= NR / 2,
	   "all were chosen and judged");
	is_int(most_evicted, 4096, "the sink gets 16 MiB in a call");

	engine_pause(engine, true);
	touch_all();
	engine_pause(engine, false);
	wait_scans(1);
	check_holds("all back, read by others");
	ok(total[CAME_BACK] >= NR, "each was asked whether it had gone");

	all_young = true;
	wait_scans(1);
	set_policy(true, 4096);
	wait_scans(2);
	touch_all();
	wait_scans(3);
	check_holds("a hard target, and prefetch");
	engine_free(engine);
}

/* --- who waits comes first ------------------------------------------------ */
static atomic_int waiter_tid;
static atomic_uint holds_then, holds_when_it_had_it;
static atomic_bool waiter_may_go, has_waited;

static void *waiter(void *arg)
{
	waiter_tid = (int)syscall(SYS_gettid);
	while (!waiter_may_go)
		usleep(100);
	waiter_tid = -waiter_tid;	/* sleeps from here on: for the lock */
	engine_lock(engine);
	holds_when_it_had_it = nr_holds;
	engine_unlock(engine);
	return NULL;
}

static bool is_asleep(int tid)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	if (f)
		fclose(f);
	return state == 'S';
}

/* In the engine's thread, which holds the lock. */
static void let_it_wait(void)
{
	static unsigned int nr_asleep;

	waiter_may_go = true;
	if (waiter_tid >= 0) {
		nr_asleep = 0;
		return;		/* it runs to the lock: at one of the next */
	}
	/* Once may be another's malloc or print: so often is the lock. */
	nr_asleep = is_asleep(-waiter_tid) ? nr_asleep + 1 : 0;
	if (nr_asleep < 3)
		return;
	holds_then = nr_holds;
	has_waited = true;
	in_walk = NULL;
}

/*
 * How often the engine took the lock while another thread waited; false: none
 * had to wait, the lock was free.
 */
static bool wait_once(unsigned int *nr_before)
{
	pthread_t thread;

	waiter_tid = 0;
	waiter_may_go = has_waited = false;
	if (pthread_create(&thread, NULL, waiter, NULL))
		tap_bail("no thread");
	while (!waiter_tid)
		usleep(100);
	in_walk = let_it_wait;
	pthread_join(thread, NULL);
	in_walk = NULL;
	*nr_before += has_waited ? holds_when_it_had_it - holds_then : 0;
	return has_waited;
}

static void test_fair(void)
{
	unsigned int nr_before = 0, nr = 0;

	touch_all();
	always_new = true;
	start(true, NR);
	wait_scans(1);
	while (nr < 50)
		nr += wait_once(&nr_before);
	is_int(nr_before, 0, "who waits for the lock has it before the engine "
	       "takes it again, 50 times");
	engine_free(engine);
	always_new = false;
}

/* --- the end -------------------------------------------------------------- */
static atomic_bool reached;
static atomic_uint after_stop;

/* In the engine's thread: continues when the engine has been told to stop. */
static void wait_for_stop(void)
{
	after_stop++;
	reached = true;
	while (!engine_is_stopping(engine))
		usleep(100);
}

/* Stops the engine while it is there; what it still does after that. */
static unsigned int stop_in(void (*_Atomic *hook)(void))
{
	after_stop = 0;
	reached = false;
	*hook = wait_for_stop;
	all_young = false;	/* from here on pages are idle, and may go */
	while (!reached)
		usleep(100);
	engine_free(engine);
	*hook = NULL;
	return after_stop - 1;
}

static void test_stop(void)
{
	touch_all();
	start(true, 1);
	ok(stop_in(&in_walk) <= 1, "told to stop in a walk: no other frame's");

	half = true;	/* so that there are many ranges to look at */
	start(true, 1);
	is_int(stop_in(&in_small_look), 0, "in a recheck: no other one");
	is_int(nr_evict_calls, 0, "and nothing is evicted");
	half = false;

	start(true, 1);
	is_int(stop_in(&in_evict), 0, "in the sink: no other call");
	is_int(most_evicted, 4096, "of 16 MiB at most");
}

/* --- what is judged, and for how long ------------------------------------- */
/* A device pins all memory just then. */
static void hold_all(void)
{
	in_judge = NULL;
	guest_mem_pin(mem, GPA(0), NR * PAGE);
}

static void test_pinned(bool hard)
{
	struct engine_stats s;

	touch_all();
	start(true, 1);
	in_judge = hold_all;
	if (hard)
		set_policy(true, 0);
	else
		all_young = false;
	while (in_judge)
		usleep(1000);
	wait_scans(1);
	is_int(nr_evict_calls, 0, hard ? "for a hard target neither" :
	       "held since they were aged: none goes");
	engine_get_stats(engine, &s);
	ok(s.memory.nr_unevictable >= ENGINE_BATCH, "and they are unevictable");
	engine_free(engine);
	guest_mem_unpin(mem, GPA(0), NR * PAGE);
}

/* Far more CPU time than a scan of this guest, and than a period has. */
static void burn(void)
{
	uint64_t until = clock_thread_cpu_ns() + 100 * NSEC_PER_MSEC;

	while (clock_thread_cpu_ns() < until)
		;
}

static void test_share(bool hard)
{
	struct engine_stats s;

	touch_all();
	start(true, NR / 4);
	in_evict = burn;
	if (hard)
		set_policy(true, 0);
	else
		all_young = false;
	do {
		wait_scans(1);
		engine_get_stats(engine, &s);
	} while (s.reclaim.nr_evicted < NR / 2 + NR / 8);
	in_evict = NULL;
	is_int(most_calls, ENGINE_BATCH / 4096,
	       hard ? "for a hard target as well" :
	       "a dear sink: a batch of four calls in a scan");
	engine_free(engine);
}

int main(void)
{
	char why[512];

	if (guest_mem_new(&mem, NR * PAGE, GUEST_MEM_ANON) ||
	    view_new(&view, mem))
		tap_bail("no memory");
	if (sink_swap.probe(mem, why, sizeof(why)))
		tap_fail_all(why);
	if (sink_swap.open(&swap_sink, mem, NULL, why, sizeof(why)))
		tap_bail("%s", why);
	sink.ops = &sink_ops;
	lay_map();
	test_holds();
	test_fair();
	test_stop();
	test_pinned(false);
	test_pinned(true);
	test_share(false);
	test_share(true);
	swap_sink->ops->close(swap_sink);
	view_free(view);
	guest_mem_free(mem);
	return tap_done();
}
