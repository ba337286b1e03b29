// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which aligned blocks of 2 MiB are huge pages; blocks.h says when, and this
 * file does it:
 *
 *   1. if more is to be evicted than is idle, huge pages in use are split, the
 *      cheapest first, as many as will do
 *   2. after the scan's reclaim blocks that were looked at for long enough are
 *      judged, and huge again where too little of them was idle
 *   3. and blocks of small pages that are hot as a whole become huge
 *
 * Only of our own memory, and only where the kernel's swap has what is evicted:
 * other sinks keep pages, and their state, by themselves.
 *
 * Locks: none while the kernel splits or collapses; lock_hold_begin() to change
 * the frame table, engine lock for counters.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "vmm/engine/engine-internal.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/min-max.h"

/* In a scan, at most; each is copied, 2 MiB in some milliseconds. */
#define MAX_COLLAPSES 64

/* Of memory, looked at in one scan where any idle page is wanted. */
#define PROACTIVE_SHARE 64

struct block_pages {
	unsigned int nr_resident, nr_hot, nr_swapped;
};

static bool may_change(const struct engine *e)
{
	return e->scan.huge &&
	       guest_mem_ptr(e->config.mem, GPA(0), 1) &&
	       (!e->config.sink || e->config.sink->ops == &sink_swap);
}

/* Hot: used within the idle time of candidates. */
static struct block_pages count_pages(const struct engine *e, uint64_t block)
{
	const struct frame_table *t = &e->history.frames;
	uint64_t g = block * BLOCK_PAGES, end = g + BLOCK_PAGES;
	struct block_pages n = {
		.nr_swapped = bitmap_count(e->scan.swapped, g, end),
	};

	while ((g = bitmap_next(e->scan.resident, g, end)) < end) {
		n.nr_resident++;
		n.nr_hot += t->age[g] < e->scan_policy.min_idle_scans;
		g++;
	}
	return n;
}

/* Pages that came back by a collapse are no refaults of the guest. */
static void set_huge(struct engine *e, uint64_t block)
{
	uint64_t g = block * BLOCK_PAGES, end = g + BLOCK_PAGES;

	lock_hold_begin(e);
	for (; g < end && lock_hold_charge(e, 1); g++)
		if (frame_is_evicted(&e->history.frames, GFN(g)))
			frame_clear_evicted(&e->history.frames, GFN(g));
	e->stats.reclaim.nr_huge_collapsed++;
	lock_hold_end(e);
	g = block * BLOCK_PAGES;
	bitmap_set_range(e->scan.huge, g, end);
	block_set_huge(&e->history.blocks, block, e->history.scan_nr);
}

static void collapse(struct engine *e, uint64_t block)
{
	int rc = guest_mem_collapse(e->config.mem, GFN(block * BLOCK_PAGES));

	if (!rc)
		set_huge(e, block);
	else
		block_set_failed(&e->history.blocks, block, e->history.scan_nr);
}

/*
 * What the guest has returned, such as a part of its balloon, must not become
 * resident again.
 */
static bool has_returned(const struct engine *e, uint64_t block,
			 const struct block_pages *n)
{
	return n->nr_resident + n->nr_swapped < BLOCK_PAGES &&
	       guest_mem_has_holes(e->config.mem, GFN(block * BLOCK_PAGES));
}

/* Judges a block of small pages.  Returns whether it was to be huge. */
static bool update_small(struct engine *e, uint64_t block)
{
	struct block_table *t = &e->history.blocks;
	const uint32_t scan = e->history.scan_nr;
	struct block_pages n = count_pages(e, block);
	bool is_huge;

	if (block_look_is_over(t, block, scan, e->scan_policy.min_idle_scans))
		is_huge = block_judge(t, block, BLOCK_PAGES - n.nr_hot);
	else
		is_huge = block_is_hot(t, block, scan, n.nr_resident, n.nr_hot,
				       e->scan_policy.enabled);
	if (!is_huge || has_returned(e, block, &n))
		return false;
	collapse(e, block);
	return true;
}

static void update_slot(struct engine *e, const struct guest_memslot *s,
			unsigned int *nr_left)
{
	uint64_t block = (s->base.v + BLOCK_PAGES - 1) / BLOCK_PAGES;
	uint64_t end = (s->base.v + s->nr_pages) / BLOCK_PAGES;

	for (; block < end && *nr_left && !engine_is_stopping(e) &&
	       engine_cpu_ns(e) < e->pass.cpu_limit_ns; block++) {
		uint64_t g = block * BLOCK_PAGES;

		if (bitmap_test(e->scan.huge, g)) {
			/* It was split, and the kernel did not do it. */
			if (e->history.blocks.blocks[block].looked_at)
				block_set_failed(&e->history.blocks, block,
						 e->history.scan_nr);
		} else if (bitmap_next(e->scan.resident, g, g + BLOCK_PAGES) <
			   g + BLOCK_PAGES) {
			*nr_left -= update_small(e, block);
		}
	}
}

/*
 * The price of a huge page in use, by its first page: all have been used alike,
 * as far as is known.  -1: not to be split now; one that was not used in the
 * last scan may soon be idle as a whole.
 */
static int rank_of_block(const struct engine *e, uint64_t block)
{
	const struct frame_table *t = &e->history.frames;
	gfn_t gfn = GFN(block * BLOCK_PAGES);

	if (!bitmap_test(e->scan.huge, gfn.v) ||
	    !bitmap_test(e->scan.resident, gfn.v) ||
	    t->age[gfn.v] || !nodes_may_evict(&e->nodes, gfn) ||
	    !block_may_split(&e->history.blocks, block, e->history.scan_nr))
		return -1;
	return price_rank(&e->history.prices, frame_history(t, gfn),
			  t->age[gfn.v]);
}

/* The next scan finds out whether the kernel has done it. */
static void split(struct engine *e, uint64_t block)
{
	gfn_t gfn = GFN(block * BLOCK_PAGES);

	guest_mem_set_fault_around(e->config.mem, gfn, false);
	if (guest_mem_split_huge(e->config.mem, gfn)) {
		block_set_failed(&e->history.blocks, block, e->history.scan_nr);
		return;
	}
	bitmap_clear_range(e->scan.huge, gfn.v, gfn.v + BLOCK_PAGES);
	block_set_split(&e->history.blocks, block, e->history.scan_nr,
			e->scan_policy.min_idle_scans);
	engine_lock(e);
	e->stats.reclaim.nr_huge_looked_at++;
	engine_unlock(e);
}

/* Pages over what is idle: for the target, the host, or proactively. */
static uint64_t nr_wanted(struct engine *e)
{
	uint64_t wanted = reclaim_nr_to_evict(e), requested =
		e->requests.cache.nr_pages + e->requests.free.nr_pages;

	wanted = wanted > requested ? wanted - requested : 0;
	if (reclaim_proactive_idle(e) < ENGINE_AGES)
		wanted = max_u64(wanted, e->scan.nr_frames / PROACTIVE_SHARE);
	return wanted;
}

static void update_prices(struct engine *e)
{
	engine_lock(e);
	price_update(&e->history.prices);
	engine_unlock(e);
}

static void split_cheapest(struct engine *e, uint64_t wanted)
{
	const uint64_t nr_blocks = e->scan.nr_frames / BLOCK_PAGES;
	struct choice *choice = &e->pass.choice;
	uint64_t nr = 0;
	int rank;

	if (!wanted)
		return;
	update_prices(e);
	memset(choice, 0, sizeof(*choice));
	for (uint64_t b = 0; b < nr_blocks; b++) {
		rank = rank_of_block(e, b);
		if (rank < 0)
			continue;
		choice_count(choice, rank);
		nr++;
	}
	nr = block_nr_to_split(&e->history.blocks, nr, wanted);
	nr = choice_set_limit(choice, nr);
	for (uint64_t b = 0; nr && b < nr_blocks && !engine_is_stopping(e); b++) {
		rank = rank_of_block(e, b);
		if (rank >= 0 && choice_take(choice, rank)) {
			split(e, b);
			nr--;
		}
	}
}

/* Eviction has ended as nothing more is idle, not for want of time or room. */
static bool is_all_idle_evicted(struct engine *e)
{
	return engine_cpu_ns(e) < e->pass.cpu_limit_ns &&
	       !e->pass.sink_is_full &&
	       (!e->scan_policy.io_bytes || e->goal.io_pages > 0);
}

void engine_split_blocks(struct engine *e)
{
	if (!may_change(e) || !is_all_idle_evicted(e))
		return;
	split_cheapest(e, nr_wanted(e));
	for (unsigned int i = 0; i < e->nodes.nr; i++) {
		e->nodes.current = i;
		split_cheapest(e, nodes_nr_over_target(e));
	}
	e->nodes.current = -1;
}

void engine_update_blocks(struct engine *e)
{
	unsigned int nr_left = MAX_COLLAPSES, nr;
	const struct guest_memslot *slots;

	if (!may_change(e))
		return;
	slots = guest_mem_slots(e->config.mem, &nr);
	for (unsigned int i = 0; i < nr; i++)
		update_slot(e, &slots[i], &nr_left);
}
