/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of the engine: a VM's memory, filled and checked, with a trace for
 * accessed bits and the host's real swap.  A window of the trace ends in the
 * engine's own callback, so one scan is one window.
 */
#ifndef TESTS_UNIT_ENGINE_VM_H
#define TESTS_UNIT_ENGINE_VM_H

#include <pthread.h>
#include <string.h>

#include "tests/tap.h"
#include "tests/unit/fake-source.h"
#include "vmm/engine/engine.h"
#include "vmm/util/bitmap.h"

#ifndef NR
#define NR	   1024		/* frames: 4 MiB */
#endif
#define NR_HOT	   256
#define PAGE	   4096
#define HOT	   "0-255\n"	/* a trace of one window, again and again */

struct vm {
	struct guest_mem *mem;
	struct view *view;
	struct access_source *fake;	/* the trace */
	struct access_source *source;	/* what the engine gets */
	struct reclaim_sink *sink;
	struct engine *engine;
	pthread_mutex_t lock;
	pthread_cond_t scanned;
	unsigned long nr_scans;		/* good and bad; under lock */
	uint64_t mark_scan, seen;	/* for those below */
	/* Run in the engine's thread after each scan; under lock. */
	void (*after)(struct vm *vm, const struct engine_stats *stats);
};

static uint64_t *page(struct vm *vm, uint64_t gfn)
{
	return guest_mem_ptr(vm->mem, GPA(gfn * PAGE), PAGE);
}

/* Of frames [first, end) in the reverse map.  The caller holds the view's lock. */
static inline void set_flags(struct vm *vm, uint64_t first, uint64_t end,
			     uint32_t flags)
{
	for (uint64_t g = first; g < end; g++)
		if (rmap_page_set_flags(view_map(vm->view), g, flags))
			tap_bail("the reverse map refuses flags of a frame");
}

static void fill(struct vm *vm, uint64_t first, uint64_t last)
{
	/* Not compressible to nothing, and not alike. */
	for (uint64_t g = first; g <= last; g++)
		for (uint64_t i = 0; i < PAGE / 8; i++)
			page(vm, g)[i] = (g * 512 + i) * 0x9e3779b97f4a7c15ull;
}

static inline unsigned int nr_wrong(struct vm *vm, uint64_t first, uint64_t last)
{
	unsigned int n = 0;

	for (uint64_t g = first; g <= last; g++)
		for (uint64_t i = 0; i < PAGE / 8; i++)
			n += page(vm, g)[i] !=
			     (g * 512 + i) * 0x9e3779b97f4a7c15ull;
	return n;
}

/*
 * The trace says that these are used, and so they are: a host that takes idle
 * pages by itself would take them else.  Evicted pages stay evicted.
 */
__attribute__((no_sanitize("thread"))) static void use_hot(struct vm *vm)
{
	uint64_t there[BITMAP_WORDS(NR)] = { 0 };
	const struct gfn_range hot = { GFN(0), NR_HOT };

	if (guest_mem_residency(vm->mem, hot, there, NULL))
		return;
	for (uint64_t g = bitmap_next(there, 0, NR_HOT); g < NR_HOT;
	     g = bitmap_next(there, g + 1, NR_HOT))
		(void)*(volatile uint64_t *)page(vm, g);
}

static void on_scan(const struct engine_stats *stats, void *arg)
{
	struct vm *vm = arg;

	use_hot(vm);
	access_fake_step(vm->fake);
	pthread_mutex_lock(&vm->lock);
	if (vm->after)
		vm->after(vm, stats);
	vm->nr_scans++;
	pthread_cond_broadcast(&vm->scanned);
	pthread_mutex_unlock(&vm->lock);
}

/* Waits for nr scans that began after the call. */
static inline void wait_scans(struct vm *vm, unsigned int nr)
{
	unsigned long until;

	pthread_mutex_lock(&vm->lock);
	/* One may be under way already. */
	until = vm->nr_scans + nr + 1;
	while (vm->nr_scans < until)
		pthread_cond_wait(&vm->scanned, &vm->lock);
	pthread_mutex_unlock(&vm->lock);
}

/* Memory filled, and everything but the engine. */
static void vm_prepare(struct vm *vm, const char *trace)
{
	char why[512] = "?";

	memset(vm, 0, sizeof(*vm));
	pthread_mutex_init(&vm->lock, NULL);
	pthread_cond_init(&vm->scanned, NULL);
	if (guest_mem_new(&vm->mem, NR * PAGE, GUEST_MEM_ANON) ||
	    view_new(&vm->view, vm->mem))
		tap_bail("no memory");
	if (access_fake_open(&vm->fake, trace, NR, why, sizeof(why)) ||
	    sink_swap.open(&vm->sink, vm->mem, NULL, why, sizeof(why)))
		tap_bail("%s", why);
	vm->source = vm->fake;
	fill(vm, 0, NR - 1);
}

static void vm_start_asking(struct vm *vm, uint64_t target_pages,
			    const struct engine_guest *guest)
{
	const struct engine_config config = {
		.mem = vm->mem, .view = vm->view, .source = vm->source,
		.sink = vm->sink, .guest = guest,
		.policy = { .enabled = target_pages != 0,
			    .target_bytes = target_pages * PAGE,
			    .scan_period_ms = 10, .min_idle_scans = 2,
			    .cpu_percent = 100 },
		.on_scan = on_scan, .on_scan_arg = vm,
	};

	if (engine_new(&vm->engine, &config))
		tap_bail("no engine");
}

static inline void vm_start(struct vm *vm, uint64_t target_pages)
{
	vm_start_asking(vm, target_pages, NULL);
}

static void vm_stop(struct vm *vm)
{
	engine_free(vm->engine);
	vm->sink->ops->close(vm->sink);
	access_close(vm->fake);
	view_free(vm->view);
	guest_mem_free(vm->mem);
	pthread_cond_destroy(&vm->scanned);
	pthread_mutex_destroy(&vm->lock);
}

/* How many frames of [first, last] are resident, by the host's word. */
static inline uint64_t resident(struct vm *vm, uint64_t first, uint64_t last)
{
	uint64_t map[BITMAP_WORDS(NR)] = { 0 };
	struct gfn_range all = { GFN(0), NR };

	if (guest_mem_residency(vm->mem, all, map, NULL))
		tap_bail("residency can't be read");
	return bitmap_count(map, first, last + 1);
}

static inline struct engine_stats stats_of(struct vm *vm)
{
	struct engine_stats s;

	engine_get_stats(vm->engine, &s);
	return s;
}

static inline void set_target(struct vm *vm, uint64_t pages)
{
	struct engine_policy p;
	char why[128];

	engine_get_policy(vm->engine, &p);
	p.enabled = pages != 0;
	p.target_bytes = pages * PAGE;
	if (engine_set_policy(vm->engine, &p, why, sizeof(why)))
		tap_bail("%s", why);
}

#endif
