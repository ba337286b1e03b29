// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Huge pages in reclaim.  A huge page has one accessed bit in the second-level
 * page tables, so mostly all of its frames are idle, or none is.  Of its frames
 * are idle:
 *
 *   all idle               evicted whole, even where less would be enough
 *   enough (blocks.h)      evicted in part: the huge page is split
 *   less                   stays whole, and waits until more of it is idle
 *   none                   stays whole, or is split to be looked at
 *                          (huge-blocks.c)
 *
 * Idle parts can be seen where page tables map smaller pages than the host has
 * (shadow paging, or a guest's own page tables by the reverse map).
 *
 * Locks: lock_hold_begin() takes engine lock -> view lock, to move frames;
 * counters are changed under the engine lock.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "vmm/engine/engine-internal.h"
#include "vmm/policy/select.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/min-max.h"

#define FIND_FRAMES (UINT64_C(1) << 20)	/* read at a time: 4 GiB */

/* Whether a block of which all is resident is huge, by what is mapped now. */
static bool is_huge(const struct engine *e, uint64_t block, bool is_known)
{
	uint64_t g = block * BLOCK_PAGES, end = g + BLOCK_PAGES;
	const struct engine_scan *scan = &e->scan;

	/* Older kernels do not report it: see blocks.h. */
	if (!is_known)
		return !e->history.blocks.blocks[block].small;
	if (bitmap_count(scan->huge_mapped, g, end) == BLOCK_PAGES)
		return true;
	/* What is not mapped, as the source has unmapped it, is as it was. */
	return bitmap_next(scan->harvested, g, end) >= end &&
	       bitmap_test(scan->huge, g);
}

static void update_huge(struct engine *e, uint64_t from, uint64_t to,
			bool is_known)
{
	struct engine_scan *scan = &e->scan;

	for (uint64_t g = from, end; g < to; g = end) {
		uint64_t block = g / BLOCK_PAGES, nr;

		end = g + BLOCK_PAGES;
		nr = bitmap_count(scan->resident, g, end);
		if (nr && nr < BLOCK_PAGES)
			e->history.blocks.blocks[block].small = true;
		if (nr == BLOCK_PAGES && is_huge(e, block, is_known)) {
			bitmap_set_range(scan->huge, g, end);
			continue;
		}
		bitmap_clear_range(scan->huge, g, end);
		/* If it fails, neighbours of a page in use look used, too. */
		if (nr)
			guest_mem_set_fault_around(e->config.mem, GFN(g),
						   false);
	}
}

/*
 * Reads what is mapped as huge pages, and in `harvested` what is mapped at all.
 * -EOPNOTSUPP: the kernel does not tell.
 */
static int read_huge(struct engine *e)
{
	struct gfn_range piece = { GFN(0), 0 };
	int rc = 0;

	for (; !rc && piece.start.v < e->scan.nr_frames;
	     piece.start.v += piece.nr) {
		if (engine_is_stopping(e))
			return -ECANCELED;
		piece.nr = min_u64(e->scan.nr_frames - piece.start.v,
				   FIND_FRAMES);
		rc = guest_mem_huge(e->config.mem, piece, e->scan.huge_mapped);
		if (!rc)
			rc = guest_mem_mapped(e->config.mem, piece,
					      e->scan.harvested);
	}
	return rc;
}

int engine_find_huge(struct engine *e)
{
	const struct guest_memslot *slots;
	unsigned int nr;
	int rc;

	if (!e->scan.huge)
		return 0;
	rc = read_huge(e);
	if (rc && rc != -EOPNOTSUPP) {
		if (rc != -ECANCELED)
			engine_set_error(e, "cannot read which pages are huge",
					 rc);
		return rc;
	}
	slots = guest_mem_slots(e->config.mem, &nr);
	for (unsigned int i = 0; i < nr; i++) {
		uint64_t from = slots[i].base.v, to = from + slots[i].nr_pages;

		/* Only whole blocks can be huge. */
		from = (from + BLOCK_PAGES - 1) & ~(uint64_t)(BLOCK_PAGES - 1);
		to &= ~(uint64_t)(BLOCK_PAGES - 1);
		update_huge(e, from, to, !rc);
	}
	return 0;
}

unsigned int engine_nr_idle_in_block(struct engine *e, gfn_t gfn)
{
	const struct frame_table *t = &e->history.frames;
	uint64_t block = gfn.v / BLOCK_PAGES, g = block * BLOCK_PAGES;

	if (block == e->pass.block)
		return e->pass.block_idle;
	e->pass.block = block;
	e->pass.block_idle = 0;
	lock_hold_charge(e, BLOCK_PAGES);
	for (uint64_t end = g + BLOCK_PAGES; g < end; g++)
		e->pass.block_idle +=
			frame_list_of(t, GFN(g)) == FRAME_INACTIVE &&
			t->age[g] >= frame_min_idle(t, GFN(g),
						    e->pass.min_idle);
	return e->pass.block_idle;
}

/*
 * Returns where the candidates end that are in the huge page of candidate i; i
 * itself if it is in no huge page.
 */
static size_t end_of_huge_page(const uint64_t *huge, const uint32_t *gfns,
			       size_t i, size_t nr)
{
	uint64_t end = (gfns[i] | (SELECT_HUGE_PAGES - 1)) + 1ull;
	size_t next = i + 1;

	if (!bitmap_test(huge, gfns[i]))
		return i;
	while (next < nr && gfns[next] < end)
		next++;
	return next;
}

/*
 * Candidates [i, next) are not tried again in this scan, nor first in the next:
 * they move to the head of their list.
 */
static void keep_huge_page(struct engine_pass *pass, struct frame_table *t,
			   size_t i, size_t next)
{
	for (; i < next; i++) {
		bitmap_set(pass->refused, pass->candidates[i]);
		frame_move(t, GFN(pass->candidates[i]), FRAME_INACTIVE);
	}
}

size_t engine_skip_huge_parts(struct engine *e, size_t nr)
{
	uint32_t *gfns = e->pass.candidates;
	size_t kept = 0, next;

	if (!e->scan.huge)
		return nr;
	lock_hold_begin(e);
	for (size_t i = 0; i < nr; i = next) {
		next = end_of_huge_page(e->scan.huge, gfns, i, nr);
		if (!lock_hold_charge(e, next > i ? next - i : 1))
			break;
		if (next == i) {
			gfns[kept++] = gfns[i];
			next++;
		} else if (block_is_worth_splitting(next - i)) {
			memmove(gfns + kept, gfns + i,
				(next - i) * sizeof(*gfns));
			kept += next - i;
		} else {
			keep_huge_page(&e->pass, &e->history.frames, i, next);
			e->stats.reclaim.nr_huge_kept++;
		}
	}
	lock_hold_end(e);
	return kept;
}

void engine_split_parts(struct engine *e, const uint32_t *gfns, size_t nr)
{
	size_t next;

	for (size_t i = 0; e->scan.huge && i < nr; i = next) {
		gfn_t block = GFN(gfns[i] & ~(SELECT_HUGE_PAGES - 1u));

		next = end_of_huge_page(e->scan.huge, gfns, i, nr);
		if (next == i) {
			next++;
		} else if (next - i < SELECT_HUGE_PAGES) {
			guest_mem_set_fault_around(e->config.mem, block, false);
			guest_mem_split_huge(e->config.mem, block);
		}
	}
}

void engine_count_huge(struct engine *e, const uint32_t *gfns, size_t nr)
{
	uint64_t nr_whole = 0, nr_split = 0;
	size_t next;

	for (size_t i = 0; e->scan.huge && i < nr; i = next) {
		uint64_t block = gfns[i] & ~(SELECT_HUGE_PAGES - 1u);
		size_t nr_evicted = 0;

		next = end_of_huge_page(e->scan.huge, gfns, i, nr);
		if (next == i) {
			next++;
			continue;
		}
		for (size_t k = i; k < next; k++)
			nr_evicted += !bitmap_test(e->scan.resident, gfns[k]);
		nr_whole += nr_evicted == SELECT_HUGE_PAGES;
		nr_split += nr_evicted && nr_evicted < SELECT_HUGE_PAGES;
		if (nr_evicted)
			bitmap_clear_range(e->scan.huge, block,
					   block + SELECT_HUGE_PAGES);
	}
	engine_lock(e);
	e->stats.reclaim.nr_huge_evicted += nr_whole;
	e->stats.reclaim.nr_huge_split += nr_split;
	engine_unlock(e);
}
