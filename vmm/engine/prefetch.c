// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Chooses what to prefetch, and measures how much of it is used.
 *
 * Locks: lock_hold_begin() takes engine lock -> view lock, for the reverse map
 * and the frame table; the sink is called without either, between
 * engine_begin_sink_call() and engine_end_sink_call().
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/engine/engine-internal.h"
#include "vmm/engine/prefetch.h"
#include "vmm/policy/select.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/min-max.h"

#define MAX_SITES	 16384 /* refaults examined in a scan */
#define RUN_GAP		 16    /* pages, at most, to the next of a run */
#define MIN_RUN		 4     /* refaults */
#define MIN_LIMIT	 64    /* pages */
#define MIN_RESULTS	 64    /* pages prefetched before the limit changes */
#define REGION_PAGE_COST 16    /* of a page in a region, in frames examined */

/*
 * A refaulted page, at the place where one process maps it.  With ids, not
 * pointers: the locks are released now and then, and the region may disappear
 * meanwhile.
 */
struct refault_site {
	uint32_t mm;			/* rmap_mm_id() of the process */
	uint64_t vma_start, addr;	/* virtual addresses */
};

struct prefetch {
	uint64_t *prefetched;	/* bitmap: prefetched, not used yet; owned */
	unsigned int limit;	/* pages to prefetch in a scan */
	/* Prefetched, and of these used, since the limit was last adjusted. */
	uint64_t nr_measured, nr_hits;
	size_t nr_sites;
	struct refault_site sites[MAX_SITES];
};

void prefetch_free(struct prefetch *p)
{
	if (p)
		free(p->prefetched);
	free(p);
}

void prefetch_forget(struct prefetch *p, gfn_t gfn)
{
	if (p)
		bitmap_clear(p->prefetched, gfn.v);
}

static struct prefetch *prefetch_new(uint64_t nr_frames)
{
	struct prefetch *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->prefetched = bitmap_new(nr_frames);
	p->limit = MIN_LIMIT;
	if (p->prefetched)
		return p;
	free(p);
	return NULL;
}

static bool record_site(const struct rmap *map, uint64_t gfn,
			const struct rmap_vma *vma, uint64_t addr, void *arg)
{
	struct rmap_vma_desc desc;

	rmap_vma_describe(vma, &desc);
	*(struct refault_site *)arg =
		(struct refault_site){ rmap_mm_id(rmap_vma_mm(vma)), desc.start,
				       addr };
	return false;		/* one mapping is enough */
}

/* Adds the frame, unless no process maps it.  Both locks held. */
static void add_site(struct rmap *map, struct prefetch *p, uint64_t gfn)
{
	const struct rmap_walk_control rwc = {
		.arg = &p->sites[p->nr_sites],
		.rmap_one = record_site,
	};

	p->sites[p->nr_sites].addr = UINT64_MAX;
	if (!rmap_walk(map, gfn, &rwc) &&
	    p->sites[p->nr_sites].addr != UINT64_MAX)
		p->nr_sites++;
}

/*
 * Finds pages that are back since the last scan: by a fault, or prefetched and
 * used now.  Both locks held.
 */
static void find_refaults(struct engine *e, struct prefetch *p)
{
	uint64_t hits = 0;

	p->nr_sites = 0;
	for (uint64_t g = bitmap_next(e->scan.resident, 0, e->scan.nr_frames);
	     g < e->scan.nr_frames && p->nr_sites < MAX_SITES &&
	     lock_hold_charge(e, 1);
	     g = bitmap_next(e->scan.resident, g + 1, e->scan.nr_frames)) {
		if (bitmap_test(p->prefetched, g)) {
			if (!bitmap_test(e->scan.young, g))
				continue;
			bitmap_clear(p->prefetched, g);
			hits++;
		} else if (!frame_is_evicted(&e->history.frames, GFN(g))) {
			continue;
		}
		lock_hold_charge(e, LOCK_HOLD_WALK);
		add_site(view_map(e->config.view), p, g);
	}
	p->nr_hits += hits;
	e->stats.prefetch.nr_prefetch_hits += hits;
}

static int compare_sites(const void *a, const void *b)
{
	const struct refault_site *x = a, *y = b;

	if (x->mm != y->mm)
		return x->mm < y->mm ? -1 : 1;
	return (x->addr > y->addr) - (x->addr < y->addr);
}

/* The region that the page is in, or NULL if it no longer exists. */
static const struct rmap_vma *vma_of(struct rmap *map,
				     const struct refault_site *site)
{
	struct rmap_mm *mm = rmap_mm_find(map, site->mm);
	const struct rmap_vma *vma =
		mm ? rmap_vma_find(mm, site->vma_start) : NULL;
	struct rmap_vma_desc desc;

	if (!vma)
		return NULL;
	rmap_vma_describe(vma, &desc);
	return desc.start == site->vma_start ? vma : NULL;
}

/*
 * Adds to nr candidates the evicted pages at [from, to) of the site's region,
 * up to max candidates in all; returns how many there are then.  Both locks
 * held.
 */
static size_t add_evicted_of_region(struct engine *e,
				    const struct refault_site *site,
				    uint64_t from, uint64_t to, size_t nr,
				    size_t max)
{
	struct rmap *map = view_map(e->config.view);
	uint64_t gfn;

	while (nr < max && from < to && lock_hold_charge(e, REGION_PAGE_COST)) {
		const struct rmap_vma *vma = vma_of(map, site);

		if (!vma || !rmap_vma_next_page(map, vma, &from, &gfn) ||
		    from >= to)
			break;
		if (gfn < e->scan.nr_frames &&
		    bitmap_test(e->scan.swapped, gfn) &&
		    frame_is_evicted(&e->history.frames, GFN(gfn)))
			e->pass.candidates[nr++] = gfn;
		from += RMAP_PAGE_SIZE;
	}
	return nr;
}

/*
 * Adds evicted pages within twice the run's length after it; if there are none,
 * before it.  first, last: of the run.
 */
static size_t choose_around_run(struct engine *e,
				const struct refault_site *first,
				const struct refault_site *last,
				size_t nr_sites, size_t nr, size_t max)
{
	uint64_t span = 2 * nr_sites * RMAP_PAGE_SIZE;
	uint64_t from = last->addr + RMAP_PAGE_SIZE;
	size_t before = nr;

	nr = add_evicted_of_region(e, first, from, from + span, nr, max);
	if (nr > before || !first->addr)
		return nr;
	/* Only the nearest pages, where not all fit. */
	if (span > (max - nr) * RMAP_PAGE_SIZE)
		span = (max - nr) * RMAP_PAGE_SIZE;
	from = first->addr > span ? first->addr - span : 0;
	return add_evicted_of_region(e, first, from, first->addr, nr, max);
}

/* Whether a site continues the run of the entry before it. */
static bool continues_run(const struct refault_site *site)
{
	return site[0].mm == site[-1].mm &&
	       site[0].vma_start == site[-1].vma_start &&
	       site[0].addr - site[-1].addr <= RUN_GAP * RMAP_PAGE_SIZE;
}

/* Puts frames to prefetch into e->pass.candidates, sorted; returns how many. */
static size_t choose_frames(struct engine *e, struct prefetch *p)
{
	size_t nr = 0, max = p->limit, i = 0, end;

	if (max > e->scan_policy.prefetch_pages)
		max = e->scan_policy.prefetch_pages;
	if (max > ENGINE_BATCH)
		max = ENGINE_BATCH;
	qsort(p->sites, p->nr_sites, sizeof(*p->sites), compare_sites);
	lock_hold_begin(e);
	for (; i < p->nr_sites && nr < max; i = end) {
		for (end = i + 1;
		     end < p->nr_sites && continues_run(p->sites + end);)
			end++;
		if (end - i >= MIN_RUN)
			nr = choose_around_run(e, &p->sites[i],
					       &p->sites[end - 1], end - i, nr,
					       max);
	}
	lock_hold_end(e);
	/* One frame can be in several processes. */
	select_sort(e->pass.candidates, nr);
	for (end = i = 0; i < nr; i++)
		if (!end ||
		    e->pass.candidates[end - 1] != e->pass.candidates[i])
			e->pass.candidates[end++] = e->pass.candidates[i];
	return end;
}

/*
 * Notes which of the requested frames are back.  A sink that fails, or stops
 * early, leaves the rest marked as evicted.  The kernel's swap only gets a
 * hint, and reads ahead by itself: all frames requested from it count as back.
 */
static void record_prefetched(struct engine *e, struct prefetch *p,
			      const uint32_t *gfns, size_t nr)
{
	uint64_t nr_back = 0;

	lock_hold_begin(e);
	for (size_t i = 0; i < nr && lock_hold_charge(e, 1); i++) {
		gfn_t gfn = GFN(gfns[i]);

		if (guest_mem_is_evicted(e->config.mem, gfn))
			continue;
		bitmap_set(p->prefetched, gfn.v);
		frame_clear_evicted(&e->history.frames, gfn);
		nr_back++;
	}
	e->stats.prefetch.nr_prefetched += nr_back;
	lock_hold_end(e);
	p->nr_measured += nr_back;
}

/* Doubles or halves the limit, by how much was used.  max: of the policy. */
static void adjust_limit(struct prefetch *p, unsigned int max)
{
	if (p->nr_measured < MIN_RESULTS)
		return;
	if (2 * p->nr_hits >= p->nr_measured && p->limit < max)
		p->limit *= 2;
	else if (4 * p->nr_hits < p->nr_measured && p->limit > MIN_LIMIT)
		p->limit /= 2;
	p->nr_measured = p->nr_hits = 0;
}

static void prefetch_ranges(struct engine *e, size_t nr_ranges)
{
	int rc;

	if (!nr_ranges)
		return;
	rc = e->config.sink->ops->prefetch(e->config.sink, e->pass.ranges,
					   nr_ranges);
	for (size_t i = 0; i < nr_ranges; i++)
		guest_mem_residency_stale(e->config.mem, e->pass.ranges[i]);
	if (rc)
		engine_set_error(e, "cannot prefetch evicted pages", rc);
}

static void prefetch_neighbours(struct engine *e)
{
	struct prefetch *p;
	size_t nr;

	if (!e->prefetch)
		e->prefetch = prefetch_new(e->scan.nr_frames);
	p = e->prefetch;
	if (!p)
		return;
	lock_hold_begin(e);
	find_refaults(e, p);
	lock_hold_end(e);
	/* By the results of earlier prefetches, before new ones are made. */
	adjust_limit(p, e->scan_policy.prefetch_pages);
	nr = choose_frames(e, p);
	for (size_t i = 0; i < nr; i += ENGINE_SINK_PAGES) {
		const uint32_t *gfns = e->pass.candidates + i;
		size_t n = min_u64(nr - i, ENGINE_SINK_PAGES);

		if (!engine_begin_sink_call(e, false))
			return;
		prefetch_ranges(e, select_ranges(gfns, n, 0, e->pass.ranges));
		record_prefetched(e, p, gfns, n);
		engine_end_sink_call(e);
	}
}

/*
 * Puts a batch of evicted frames that were accessed, from *at on, into
 * e->pass.candidates.  Not by scan.swapped: pages that the guest created while
 * residency was read may look swapped, but are not evicted.
 */
static size_t find_accessed(struct engine *e, uint64_t *at)
{
	size_t nr = 0;

	for (; *at < e->scan.nr_frames && nr < ENGINE_SINK_PAGES;
	     *at = bitmap_next(e->scan.observed, *at + 1, e->scan.nr_frames))
		if (guest_mem_is_evicted(e->config.mem, GFN(*at)))
			e->pass.candidates[nr++] = *at;
	return nr;
}

/*
 * Reads residency again, so that this scan sees the pages moved back as
 * resident, and so as refaults.  Returns how many are.
 */
static uint64_t reread_residency(struct engine *e, size_t nr, size_t nr_ranges)
{
	uint64_t back = 0;

	for (size_t i = 0; i < nr_ranges; i++) {
		int rc = guest_mem_residency(e->config.mem, e->pass.ranges[i],
					     e->scan.resident, e->scan.swapped);

		if (rc)
			engine_set_error(e, "cannot read which pages were "
					 "prefetched", rc);
	}
	for (size_t i = 0; i < nr; i++)
		back += bitmap_test(e->scan.resident, e->pass.candidates[i]);
	return back;
}

/* For a sink whose pages stay accessible: brings back those that were used. */
static void promote_accessed(struct engine *e)
{
	uint64_t at = bitmap_next(e->scan.observed, 0, e->scan.nr_frames), back;
	size_t nr, nr_ranges;

	while ((nr = find_accessed(e, &at)) &&
	       engine_begin_sink_call(e, false)) {
		nr_ranges = select_ranges(e->pass.candidates, nr, 0,
					  e->pass.ranges);
		prefetch_ranges(e, nr_ranges);
		back = reread_residency(e, nr, nr_ranges);
		engine_lock(e);
		e->stats.prefetch.nr_promoted += back;
		engine_unlock(e);
		engine_end_sink_call(e);
	}
}

void engine_prefetch(struct engine *e)
{
	bool wanted = e->scan_policy.enabled && e->scan_policy.prefetch_pages;

	if (!e->config.sink || !e->config.sink->ops->prefetch)
		return;
	if (e->config.sink->ops->accessible_in_place)
		promote_accessed(e);
	else if (wanted)
		prefetch_neighbours(e);
}
