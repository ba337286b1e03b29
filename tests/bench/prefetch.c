// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The gain of prefetching neighbours: a process of a guest walks, page by page,
 * through evicted memory, with and without it.
 *
 *   prefetch [--mem SIZE] [--runs N] [--pace US] [--json FILE]
 *
 * The engine, its reverse map and the sinks are the real ones.  The guest is a
 * thread that touches "guest memory" in the order of its virtual addresses and
 * works for --pace microseconds on each page; frames are shuffled, so that
 * physical neighbours are of no use.  The source replays a trace: nothing is
 * used until everything is evicted, then everything is.  Each touch is timed;
 * cases take turns.  "hits" are pages that were prefetched and then touched.
 */
#include "config.h"

#include <errno.h>
#include <popt.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"
#include "tests/unit/fake-source.h"
#include "vmm/engine/engine.h"
#include "vmm/util/clock.h"
#include "vmm/util/size.h"

#define PAGE	 VMM_PAGE_SIZE
#define BASE	 UINT64_C(0x7f0000000000)	/* of the region, in the guest */
#define WINDOWS	 4000
#define PREFETCH 4096

static char *opt_mem = "32M", *opt_json;
static int opt_runs = 5, opt_pace = 20;

static const struct poptOption options[] = {
	{ "mem", 0, POPT_ARG_STRING, &opt_mem, 0, "of the guest", "SIZE" },
	{ "runs", 0, POPT_ARG_INT, &opt_runs, 0, "of each case", "N" },
	{ "pace", 0, POPT_ARG_INT, &opt_pace, 0, "work on each page", "US" },
	{ "json", 0, POPT_ARG_STRING, &opt_json, 0, "results", "FILE" },
	POPT_AUTOHELP POPT_TABLEEND
};

static const struct wcase {
	const char *name;
	const struct reclaim_sink_ops *ops;
	unsigned int prefetch_pages;
} cases[] = {
	{ "swap, none", &sink_swap, 0 },
	{ "swap, prefetch", &sink_swap, PREFETCH },
	{ "store, none", &sink_store, 0 },
	{ "store, prefetch", &sink_store, PREFETCH },
};

#define NR_CASES (sizeof(cases) / sizeof(cases[0]))

struct guest {
	struct guest_mem *mem;
	struct view *view;
	struct access_source *source;
	struct reclaim_sink *sink;
	struct engine *engine;
	bool walking;		/* atomic; read in the engine's thread */
};

static uint64_t nr_pages, *frame_of, *times;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "prefetch: %s: %s\n", what, why);
	exit(1);
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint64_t word(uint64_t i)
{
	return i % 2 ? i / 512 : mix(i);
}

static uint64_t *page(const struct guest *g, uint64_t i)
{
	return guest_mem_ptr(g->mem, gfn_to_gpa(GFN(frame_of[i])), PAGE);
}

/* One process with one region, as an agent would have reported it. */
static void make_map(struct guest *g)
{
	const struct rmap_vma_desc desc = {
		.start = BASE, .end = BASE + nr_pages * PAGE,
		.flags = RMAP_VM_READ | RMAP_VM_WRITE,
	};
	struct rmap *map = view_map(g->view);
	struct rmap_mm *mm;
	struct rmap_vma *vma;

	view_wrlock(g->view);
	if (rmap_mm_add(map, 1, RMAP_NO_PGD, &mm) ||
	    rmap_vma_add(map, mm, &desc, &vma))
		die("reverse map", "no memory");
	for (uint64_t i = 0; i < nr_pages; i++)
		if (rmap_map_page(map, vma, BASE + i * PAGE, frame_of[i]))
			die("reverse map", "no memory");
	view_unlock(g->view);
}

static char *make_trace(void)
{
	char *text = NULL;
	size_t len;
	FILE *f = bench_check(open_memstream(&text, &len));

	fputs("-\n", f);
	for (int i = 0; i < WINDOWS; i++)
		fprintf(f, "0-%llu\n", (unsigned long long)nr_pages - 1);
	fclose(f);
	return text;
}

static void on_scan(const struct engine_stats *stats, void *arg)
{
	struct guest *g = arg;

	if (__atomic_load_n(&g->walking, __ATOMIC_ACQUIRE))
		access_fake_step(g->source);
}

static void start(struct guest *g, const struct wcase *c)
{
	struct engine_config config = {
		.policy = { .enabled = true, .target_bytes = PAGE,
			    .scan_period_ms = 10, .min_idle_scans = 1,
			    .cpu_percent = 100 },
	};
	char why[512] = "", *trace = make_trace();

	*g = (struct guest){ 0 };
	if (guest_mem_new(&g->mem, nr_pages * PAGE, GUEST_MEM_ANON) ||
	    view_new(&g->view, g->mem))
		die(c->name, "no memory");
	for (uint64_t i = 0; i < nr_pages; i++)
		for (uint64_t k = 0; k < 512; k++)
			page(g, i)[k] = word(i * 512 + k);
	make_map(g);
	if (access_fake_open(&g->source, trace, nr_pages, why, sizeof(why)) ||
	    c->ops->open(&g->sink, g->mem, NULL, why, sizeof(why)))
		die(c->name, why);
	free(trace);
	config.mem = g->mem;
	config.view = g->view;
	config.source = g->source;
	config.sink = g->sink;
	if (engine_new(&g->engine, &config))
		die(c->name, "no engine");
	engine_on_scan(g->engine, on_scan, g);
}

static void stop(struct guest *g)
{
	engine_free(g->engine);
	g->sink->ops->close(g->sink);
	access_close(g->source);
	view_free(g->view);
	guest_mem_free(g->mem);
}

static void wait_until_away(struct guest *g, const char *name)
{
	struct engine_stats s;

	for (int i = 0; i < 6000; i++) {
		engine_get_stats(g->engine, &s);
		if (s.scan.nr_scans > 3 &&
		    s.reclaim.nr_evicted >= nr_pages - nr_pages / 50)
			return;
		usleep(10000);
	}
	die(name, "memory was not evicted within a minute");
}

static void set_policy(struct guest *g, const struct wcase *c)
{
	struct engine_policy p;
	char why[128];

	engine_get_policy(g->engine, &p);
	p.target_bytes = 0;
	p.prefetch_pages = c->prefetch_pages;
	if (engine_set_policy(g->engine, &p, why, sizeof(why)))
		die(c->name, why);
}

static void walk(struct guest *g, const struct wcase *c)
{
	for (uint64_t i = 0; i < nr_pages; i++) {
		volatile uint64_t *at = page(g, i);
		uint64_t begin = clock_now_ns(), now, k = i % 512;
		bool good = at[k] == word(i * 512 + k);

		now = clock_now_ns();
		times[i] = now - begin;
		if (!good)
			die(c->name, "a page came back different");
		while (clock_now_ns() - now < opt_pace * 1000u)
			;
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void add(struct bench *b, const char *name, const char *what,
		const char *unit, double value)
{
	char text[96];

	snprintf(text, sizeof(text), "%s/%s", name, what);
	bench_add(b, text, unit, value);
}

/* The mean wait for a page, ns. */
static double run_case(struct bench *b, const struct wcase *c)
{
	struct engine_stats s;
	struct guest g;
	double sum = 0;

	start(&g, c);
	wait_until_away(&g, c->name);
	set_policy(&g, c);
	__atomic_store_n(&g.walking, true, __ATOMIC_RELEASE);
	walk(&g, c);
	usleep(50000);		/* for the scan that sees the last of it */
	engine_get_stats(g.engine, &s);
	stop(&g);
	for (uint64_t i = 0; i < nr_pages; i++)
		sum += times[i];
	qsort(times, nr_pages, sizeof(*times), compare);
	add(b, c->name, "mean wait", "ns", sum / nr_pages);
	add(b, c->name, "p50", "ns", times[nr_pages / 2]);
	add(b, c->name, "p99", "ns", times[nr_pages * 99 / 100]);
	if (c->prefetch_pages) {
		add(b, c->name, "asked back", "pages",
		    s.prefetch.nr_prefetched);
		add(b, c->name, "hits", "pages", s.prefetch.nr_prefetch_hits);
	}
	return sum / nr_pages;
}

static void run(struct bench *b, int round)
{
	double mean[NR_CASES];

	for (size_t k = 0; k < NR_CASES; k++) {
		size_t i = round % 2 ? NR_CASES - 1 - k : k;

		mean[i] = run_case(b, &cases[i]);
	}
	for (size_t i = 0; i + 1 < NR_CASES; i += 2)
		add(b, cases[i + 1].name, "of none", "ratio",
		    mean[i + 1] / mean[i]);
}

int main(int argc, const char **argv)
{
	poptContext popt = poptGetContext("prefetch", argc, argv, options, 0);
	struct bench *b = bench_new("prefetch");
	uint64_t bytes;
	int rc = poptGetNextOpt(popt);

	if (rc < -1) {
		fprintf(stderr, "prefetch: %s: %s\n", poptBadOption(popt, 0),
			poptStrerror(rc));
		return 2;
	}
	if (size_parse(opt_mem, &bytes) || bytes < 2 << 20 ||
	    bytes % (2 << 20) || opt_runs < 1 || opt_pace < 0) {
		fprintf(stderr, "prefetch: --mem SIZE is a multiple of 2M, "
			"--runs 1 or more, --pace 0 or more\n");
		return 2;
	}
	nr_pages = bytes / PAGE;
	frame_of = bench_check(malloc(nr_pages * sizeof(*frame_of)));
	times = bench_check(malloc(nr_pages * sizeof(*times)));
	for (uint64_t i = 0; i < nr_pages; i++)
		frame_of[i] = i;
	for (uint64_t i = nr_pages - 1; i; i--) {
		uint64_t k = mix(i) % (i + 1), t = frame_of[i];

		frame_of[i] = frame_of[k];
		frame_of[k] = t;
	}
	for (int round = 0; round < opt_runs; round++)
		run(b, round);
	bench_note(b, "pages", "%llu", (unsigned long long)nr_pages);
	bench_note(b, "pace-us", "%d", opt_pace);
	free(frame_of);
	free(times);
	poptFreeContext(popt);
	return bench_finish(b, opt_json);
}
