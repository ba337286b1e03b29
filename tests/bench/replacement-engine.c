// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine on a trace: its own thread is left out, its scans are called at
 * fixed numbers of references.  The source has the accessed bits that the trace
 * sets; the sink marks pages as evicted and does nothing else, and the next
 * reference to such a page is a miss and makes it resident.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/replacement.h"
#include "tests/bench/replacement-list.h"
#include "vmm/engine/engine.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"

struct bits_source {
	struct access_source base;	/* first */
	uint64_t *accessed;		/* owned */
};

struct null_sink {
	struct reclaim_sink base;	/* first */
	struct guest_mem *mem;
	uint64_t nr_resident;
};

static int bits_harvest(struct access_source *src, struct gfn_range range,
			uint64_t *young)
{
	struct bits_source *bits = (struct bits_source *)src;
	uint64_t start = range.start.v, end = start + range.nr;

	bitmap_copy_range(young, bits->accessed, start, end);
	bitmap_clear_range(bits->accessed, start, end);
	return 0;
}

static const struct access_source_ops bits_ops = {
	.name = "trace",
	.harvest = bits_harvest,
};

static int null_evict(struct reclaim_sink *base, const struct gfn_range *ranges,
		      size_t nr, struct reclaim_result *res)
{
	struct null_sink *sink = (struct null_sink *)base;

	for (size_t i = 0; i < nr; i++)
		for (uint64_t k = 0; k < ranges[i].nr; k++) {
			gfn_t gfn = GFN(ranges[i].start.v + k);

			res->tried++;
			if (guest_mem_is_evicted(sink->mem, gfn)) {
				res->absent++;
				continue;
			}
			guest_mem_set_evicted(sink->mem, gfn, true);
			sink->nr_resident--;
			res->evicted++;
		}
	return 0;
}

static const struct reclaim_sink_ops null_ops = {
	.name = "null",
	.evict = null_evict,
};

static void fail(const char *what)
{
	fprintf(stderr, "replacement: %s\n", what);
	exit(1);
}

#define AVERAGE_SCANS 64

struct run {
	const struct trace *t;
	struct replacement_engine *r;
	struct guest_mem *mem;
	struct view *view;
	struct bits_source source;
	struct null_sink sink;
	struct engine *engine;
	uint64_t nr_back;	/* since the last scan */
	double mean_back;	/* in a scan, of the last AVERAGE_SCANS about */
	double sum_resident;
};

static void start(struct run *run)
{
	const uint64_t bytes = (uint64_t)run->t->nr_pages << VMM_PAGE_SHIFT;
	struct engine_config config = {
		.is_stepped = true,
		/* Nothing depends on the clock: an hour of CPU time a scan. */
		.policy = { .enabled = true, .target_bytes = bytes / 2,
			    .scan_period_ms = 3600 * 1000, .min_idle_scans = 2,
			    .cpu_percent = 100, .hard = true },
	};

	if (guest_mem_new(&run->mem, bytes, GUEST_MEM_ANON) ||
	    view_new(&run->view, run->mem))
		fail("no memory");
	/* All of it stays in RAM; what is evicted is told by marks alone. */
	memset(guest_mem_ptr(run->mem, GPA(0), bytes), 1, bytes);
	for (uint64_t g = 0; g < run->t->nr_pages; g++)
		if (guest_mem_set_evicted(run->mem, GFN(g), true))
			fail("no memory");
	guest_mem_set_accessible_in_place(run->mem, true);
	run->source = (struct bits_source){
		.base = { .ops = &bits_ops, .granule_pages = 1,
			  .cost = ACCESS_COST_WALK },
		.accessed = bitmap_new(guest_mem_nr_frames(run->mem)),
	};
	if (!run->source.accessed)
		fail("no memory");
	run->sink = (struct null_sink){ .base.ops = &null_ops,
					.mem = run->mem };
	config.mem = run->mem;
	config.view = run->view;
	config.source = &run->source.base;
	config.sink = &run->sink.base;
	if (engine_new(&run->engine, &config))
		fail("no engine");
}

static void stop(struct run *run)
{
	engine_free(run->engine);
	view_free(run->view);
	guest_mem_free(run->mem);
	free(run->source.accessed);
}

static void scan(struct run *run)
{
	struct engine_policy p;
	char why[128];

	engine_get_policy(run->engine, &p);
	run->mean_back += (run->nr_back - run->mean_back) / AVERAGE_SCANS;
	p.target_bytes = (uint64_t)(run->t->nr_stay - run->mean_back / 2 + 0.5)
			 << VMM_PAGE_SHIFT;
	run->nr_back = 0;
	if (engine_set_policy(run->engine, &p, why, sizeof(why)))
		fail(why);
	engine_scan_now(run->engine);
	run->r->nr_scans++;
}

static void refer(struct run *run, size_t i)
{
	gfn_t gfn = GFN(run->t->refs[i]);

	bitmap_set(run->source.accessed, gfn.v);
	if (guest_mem_is_evicted(run->mem, gfn)) {
		guest_mem_set_evicted(run->mem, gfn, false);
		run->sink.nr_resident++;
		run->nr_back++;
		run->r->nr_misses += trace_counts(run->t, i);
	}
	if (trace_counts(run->t, i))
		run->sum_resident += run->sink.nr_resident;
}

void replacement_engine(const struct trace *t, struct replacement_engine *r)
{
	struct run run = { .t = t, .r = r };
	uint64_t before;

	*r = (struct replacement_engine){ 0 };
	start(&run);
	before = clock_thread_cpu_ns();
	for (size_t i = 0; i < t->nr_refs; i++) {
		refer(&run, i);
		if ((i + 1) % t->scan_refs == 0)
			scan(&run);
	}
	r->cpu_ns = clock_thread_cpu_ns() - before;
	r->mean_resident = run.sum_resident / (t->nr_refs - t->nr_warm);
	stop(&run);
}
