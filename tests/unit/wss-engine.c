// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The working set by the engine, with a recorded trace for accessed bits: what
 * was used in each window is known to the page, so each estimate has a truth.
 *
 * Nothing depends on speed: after each scan the engine is queried for windows
 * of many lengths.  How many scans a length covers depends on the machine; the
 * engine reports the number, and the truth is computed for that.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "tests/tap.h"
#include "tests/unit/fake-source.h"
#include "vmm/engine/engine.h"
#include "vmm/util/bitmap.h"

#define NR	 1024u		/* frames */
#define NR_SCANS 14u
#define PAGE	 4096
#define FAIL_AFTER 5	/* scans */
#define ALL_TIME (UINT64_C(1) << 40)

/* What the lines of the trace have, and what is taken for used always. */
struct range {
	unsigned int first, end;
};

struct run {
	struct guest_mem *mem;
	struct view *view;
	struct access_source *fake;
	struct reclaim_sink *sink;
	struct engine *engine;
	struct range lines[NR_SCANS];
	struct range assumed;
	uint64_t target_pages;		/* 0: nothing is evicted */
	bool fails;			/* the scan after FAIL_AFTER */
	struct wss_estimate before, after, after_long;	/* of that */
	unsigned int line_of_scan[NR_SCANS + 1];
	unsigned int nr_steps, nr_asked, max_certain;
	unsigned int nr_wrong;
	char wrong[256];	/* the first */
	struct engine_stats last;
	pthread_mutex_t lock;	/* of nr_scans, and while the engine is made */
	pthread_cond_t scanned;
	unsigned int nr_scans;
};

/* Frames used in the last k scans, by the trace alone. */
static uint64_t truth(const struct run *run, unsigned int nr_scans,
		      unsigned int k, bool with_assumed)
{
	uint64_t used[BITMAP_WORDS(NR)] = { 0 };

	for (unsigned int s = nr_scans - k + 1; s <= nr_scans; s++) {
		const struct range *r = &run->lines[run->line_of_scan[s]];

		bitmap_set_range(used, r->first, r->end);
	}
	if (with_assumed && k)
		bitmap_set_range(used, run->assumed.first, run->assumed.end);
	return bitmap_count(used, 0, NR);
}

/* All frames came before the first scan, and are taken for used then. */
static uint64_t upper_truth(const struct run *run, unsigned int nr_scans,
			    unsigned int k)
{
	return k >= nr_scans ? NR : truth(run, nr_scans, k, true);
}

static void check(struct run *run, unsigned int nr, uint64_t window_ns)
{
	struct wss_estimate e;
	uint64_t pages, low, high;

	if (engine_get_wss(run->engine, window_ns, &e))
		tap_bail("no working set after a scan");
	run->nr_asked++;
	if (e.window.certain > run->max_certain)
		run->max_certain = e.window.certain;
	low = truth(run, nr, e.window.certain, false);
	pages = upper_truth(run, nr, e.window.likely);
	high = upper_truth(run, nr, e.window.possible);
	if (e.low == low && e.pages == pages && e.high == high &&
	    low <= pages && pages <= high)
		return;
	if (!run->nr_wrong++)
		snprintf(run->wrong, sizeof(run->wrong), "after scan %u, ages "
			 "below %u, %u, %u: %llu, %llu, %llu, want %llu, %llu, "
			 "%llu", nr, e.window.certain, e.window.likely,
			 e.window.possible, (unsigned long long)e.low,
			 (unsigned long long)e.pages,
			 (unsigned long long)e.high, (unsigned long long)low,
			 (unsigned long long)pages, (unsigned long long)high);
}

static void on_scan(const struct engine_stats *stats, void *arg)
{
	struct run *run = arg;
	unsigned int nr = stats->scan.nr_scans;

	/* The first scan may end before engine_new() has set run->engine. */
	pthread_mutex_lock(&run->lock);
	pthread_mutex_unlock(&run->lock);
	if (nr && nr <= NR_SCANS && !run->fails) {
		run->line_of_scan[nr] = run->nr_steps;
		for (uint64_t w = 1000000; w < ALL_TIME; w = w * 3 / 2)
			check(run, nr, w);
	}
	/* nr is of good scans: it comes again after the one that fails. */
	if (run->fails && nr == FAIL_AFTER && !stats->scan.nr_scan_errors) {
		engine_get_wss(run->engine, 1, &run->before);
		access_fake_fail(run->fake, EIO, 1);
	}
	if (run->fails && nr == FAIL_AFTER + 1) {
		engine_get_wss(run->engine, 1, &run->after);
		engine_get_wss(run->engine, ALL_TIME, &run->after_long);
	}
	/* The last line stays. */
	if (run->nr_steps < NR_SCANS - 1) {
		run->nr_steps++;
		access_fake_step(run->fake);
	}
	pthread_mutex_lock(&run->lock);
	run->last = *stats;
	run->nr_scans = nr;
	pthread_cond_broadcast(&run->scanned);
	pthread_mutex_unlock(&run->lock);
}

static void open_trace(struct run *run)
{
	char trace[NR_SCANS * 32] = "", why[256];

	for (unsigned int i = 0; i < NR_SCANS; i++)
		snprintf(trace + strlen(trace), 32, "%u-%u\n",
			 run->lines[i].first, run->lines[i].end - 1);
	if (access_fake_open(&run->fake, trace, NR, why, sizeof(why)))
		tap_bail("%s", why);
}

/* False, having said why: this host can't evict, and the test would. */
static bool run_start(struct run *run)
{
	struct engine_config config = {
		.policy = { .enabled = run->target_pages != 0,
			    .target_bytes = run->target_pages * PAGE,
			    .scan_period_ms = 10, .min_idle_scans = 2,
			    .cpu_percent = 100 },
	};

	char why[512];

	if (guest_mem_new(&run->mem, NR * PAGE, GUEST_MEM_ANON) ||
	    view_new(&run->view, run->mem))
		tap_bail("no memory");
	if (run->target_pages &&
	    sink_swap.open(&run->sink, run->mem, NULL, why, sizeof(why))) {
		ok(false, "frames that are in swap: %s", why);
		view_free(run->view);
		guest_mem_free(run->mem);
		return false;
	}
	pthread_mutex_init(&run->lock, NULL);
	pthread_cond_init(&run->scanned, NULL);
	memset(guest_mem_ptr(run->mem, GPA(0), NR * PAGE), 1, NR * PAGE);
	open_trace(run);
	if (run->assumed.end)
		access_fake_assume(run->fake, (struct gfn_range){
				GFN(run->assumed.first),
				run->assumed.end - run->assumed.first });
	config.mem = run->mem;
	config.view = run->view;
	config.source = run->fake;
	config.sink = run->sink;
	/* Each scan counts: a callback set later would miss the first ones. */
	config.on_scan = on_scan;
	config.on_scan_arg = run;
	pthread_mutex_lock(&run->lock);
	if (engine_new(&run->engine, &config))
		tap_bail("no engine");
	pthread_mutex_unlock(&run->lock);
	return true;
}

static void run_wait(struct run *run, unsigned int nr_scans)
{
	pthread_mutex_lock(&run->lock);
	while (run->nr_scans < nr_scans)
		pthread_cond_wait(&run->scanned, &run->lock);
	pthread_mutex_unlock(&run->lock);
}

static void run_stop(struct run *run)
{
	engine_free(run->engine);
	if (run->sink)
		run->sink->ops->close(run->sink);
	access_close(run->fake);
	view_free(run->view);
	guest_mem_free(run->mem);
	pthread_cond_destroy(&run->scanned);
	pthread_mutex_destroy(&run->lock);
}

static void told(const struct run *run, const char *what)
{
	ok(!run->nr_wrong, "%s: %u estimates are the truth", what,
	   run->nr_asked);
	if (run->nr_wrong)
		printf("# %u are wrong, first %s\n", run->nr_wrong, run->wrong);
	ok(run->max_certain >= NR_SCANS - 1, "%s: long windows were among them",
	   what);
}

static void test_moving(void)
{
	struct run run = { .fails = false };

	for (unsigned int i = 0; i < NR_SCANS; i++)
		run.lines[i] = (struct range){ i * 40, i * 40 + 100 };
	run_start(&run);
	run_wait(&run, NR_SCANS);
	run_stop(&run);
	told(&run, "a set that moves");
}

static void test_assumed(void)
{
	struct run run = { .assumed = { 900, 1000 } };

	for (unsigned int i = 0; i < NR_SCANS; i++)
		run.lines[i] = (struct range){ i * 10, i * 70 + 50 };
	run_start(&run);
	run_wait(&run, NR_SCANS);
	run_stop(&run);
	/* The trace comes into what is assumed: line 13 has 130 to 959. */
	told(&run, "with frames the source can't look at");
}

static void test_evicted(void)
{
	struct run run = { .target_pages = 256 };

	/*
	 * What was used in the first scans is evicted, and was still used then.
	 */
	for (unsigned int i = 0; i < NR_SCANS; i++)
		run.lines[i] = (struct range){ 0, i < 4 ? 600 : 100 };
	if (!run_start(&run))
		return;
	run_wait(&run, NR_SCANS);
	run_stop(&run);
	told(&run, "with frames in swap");
	ok(run.last.reclaim.nr_evicted > NR / 2, "that were most, %d",
	   (int)run.last.reclaim.nr_evicted);
}

/* A scan that failed: its pages may all have been used without detection. */
static void test_failed(void)
{
	struct run run = { .fails = true };

	for (unsigned int i = 0; i < NR_SCANS; i++)
		run.lines[i] = (struct range){ 0, 100 };
	run_start(&run);
	run_wait(&run, FAIL_AFTER + 1);
	run_stop(&run);
	is_int(run.last.scan.nr_scan_errors, 1, "one scan failed");
	is_int(run.before.pages, 100, "before it what was used is known");
	is_int(run.after.pages, NR, "after it all may have been used");
	is_int(run.after_long.low, 100, "but only what was seen is certain");
	is_int(run.after_long.assumed, NR - 100, "the rest is assumed");
}

int main(void)
{
	test_moving();
	test_assumed();
	test_evicted();
	test_failed();
	return tap_done();
}
