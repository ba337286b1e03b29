// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Huge pages in reclaim.  A huge page has one accessed bit in the second-level
 * page tables, so mostly all of its frames are idle, or none is.  Of its frames
 * are idle:
 *
 *   all idle               evicted whole, even where less would be enough
 *   half of it or more     evicted in part: the huge page is split
 *   less than half         stays whole, and waits until more of it is idle
 *   none                   stays whole
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

#define FIND_FRAMES (UINT64_C(1) << 20)	/* read at a time: 4 GiB */

/*
 * Older kernels do not report which pages are huge.  A page can be huge only
 * where all of it is resident, so each such block is taken for one.
 */
static void guess_huge(struct engine_scan *scan)
{
	uint64_t g = 0, end;

	memset(scan->huge, 0,
	       BITMAP_WORDS(scan->nr_frames) * sizeof(*scan->huge));
	for (; (end = g + SELECT_HUGE_PAGES) <= scan->nr_frames; g = end)
		if (bitmap_count(scan->resident, g, end) == SELECT_HUGE_PAGES)
			bitmap_set_range(scan->huge, g, end);
}

int engine_find_huge(struct engine *e)
{
	struct gfn_range piece = { GFN(0), 0 };
	int rc = 0;

	if (!e->scan.huge)
		return 0;
	for (; piece.start.v < e->scan.nr_frames && !engine_is_stopping(e);
	     piece.start.v += piece.nr) {
		piece.nr = e->scan.nr_frames - piece.start.v;
		if (piece.nr > FIND_FRAMES)
			piece.nr = FIND_FRAMES;
		rc = guest_mem_huge(e->config.mem, piece, e->scan.huge);
		if (rc)
			break;
	}
	if (rc == -EOPNOTSUPP) {
		guess_huge(&e->scan);
		return 0;
	}
	if (rc)
		engine_set_error(e, "cannot read which pages are huge", rc);
	return rc;
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
		} else if (select_is_worth_splitting(next - i)) {
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

void engine_count_huge(struct engine *e, const uint32_t *gfns, size_t nr)
{
	uint64_t nr_whole = 0, nr_split = 0;
	size_t next;

	for (size_t i = 0; e->scan.huge && i < nr; i = next) {
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
	}
	engine_lock(e);
	e->stats.reclaim.nr_huge_evicted += nr_whole;
	e->stats.reclaim.nr_huge_split += nr_split;
	engine_unlock(e);
}
