// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * First unmaps the pages to be evicted (the candidates), then passes those that
 * are resident to the evictor.  Which pages are unmapped:
 *
 *   candidates    ## #    .####      .##.     # mapped, . not mapped
 *   other pages     m  mm      mmmmmm         m mapped
 *   unmapped      -------------       ---
 *
 * For each range that is unmapped KVM flushes TLBs and interrupts the vCPUs,
 * which costs both sides some 35 us; a page unmapped without need costs its
 * next user a minor fault of some 8 us, if it is used at all.  So ranges are
 * joined where few mapped pages are between them.
 */
#include "config.h"

#include <errno.h>

#include "vmm/sink/sink-swap-evictor.h"
#include "vmm/util/bitmap.h"

#define MAX_RUNS 512		/* unmapped, or sent, in one call */

/*
 * Two ranges are unmapped as one if at most JOIN_MAPPED mapped pages, and fewer
 * than JOIN_FRAMES frames in all, are between them; a hole between two slots is
 * larger.  Nor are ranges further apart than that queried in one call, as a
 * query costs 1 us and some 15 ns for each frame.
 */
#define JOIN_MAPPED 4
#define JOIN_FRAMES 64

struct run_list {
	struct gfn_range runs[MAX_RUNS];
	size_t nr;
};

/* Sets in `mapped` which frames of the ranges, and between them, are mapped. */
static int find_mapped(const struct guest_mem *mem,
		       const struct gfn_range *ranges, size_t nr,
		       uint64_t *mapped)
{
	size_t i = 0;
	int rc = 0;

	while (!rc && i < nr)
		rc = guest_mem_mapped(mem, sink_join_ranges(ranges, nr,
							    JOIN_FRAMES, &i),
				      mapped);
	return rc;
}

/* Whether a range that begins at `next` may be unmapped with the last one. */
static bool may_join(const struct gfn_range *last, uint64_t next,
		     const uint64_t *mapped)
{
	uint64_t end = last->start.v + last->nr;

	return next >= end && next - end < JOIN_FRAMES &&
	       bitmap_count(mapped, end, next) <= JOIN_MAPPED;
}

/* Joins [start, end) to the last range. */
static void join(struct gfn_range *last, uint64_t start, uint64_t end,
		 const uint64_t *mapped, uint64_t *others)
{
	uint64_t g = last->start.v + last->nr;

	for (; (g = bitmap_next(mapped, g, start)) < start; g++)
		bitmap_set(others, g);
	last->nr = end - last->start.v;
}

/* Adds [start, end) to the list; a full list is unmapped first. */
static int add_unmap(struct guest_mem *mem, struct run_list *list,
		     uint64_t start, uint64_t end, const uint64_t *mapped,
		     uint64_t *others)
{
	struct gfn_range *last = list->nr ? &list->runs[list->nr - 1] : NULL;
	int rc = 0;

	if (last && may_join(last, start, mapped)) {
		join(last, start, end, mapped, others);
		return 0;
	}
	if (list->nr == MAX_RUNS) {
		rc = guest_mem_unmap_many(mem, list->runs, list->nr);
		list->nr = 0;
	}
	list->runs[list->nr++] = (struct gfn_range){ GFN(start), end - start };
	return rc;
}

static int unmap(struct guest_mem *mem, struct run_list *list,
		 const struct gfn_range *ranges, size_t nr,
		 const uint64_t *mapped, uint64_t *others)
{
	int rc = 0;

	list->nr = 0;
	for (size_t i = 0; !rc && i < nr; i++) {
		uint64_t end = ranges[i].start.v + ranges[i].nr;
		uint64_t g = bitmap_next(mapped, ranges[i].start.v, end);

		if (g < end)
			rc = add_unmap(mem, list, g, end, mapped, others);
	}
	return rc ? rc : guest_mem_unmap_many(mem, list->runs, list->nr);
}

/*
 * Passes only resident frames to the evictor: it maps what it gets, which would
 * allocate pages for the others.
 */
static int evict(struct evictor *evictor, struct run_list *list,
		 const struct gfn_range *ranges, size_t nr,
		 const uint64_t *resident, const atomic_bool *stopping)
{
	int rc = 0;

	list->nr = 0;
	for (size_t i = 0; !rc && i < nr; i++) {
		uint64_t g = ranges[i].start.v, end = g + ranges[i].nr, next;

		for (; !rc && (g = bitmap_next(resident, g, end)) < end;
		     g = next) {
			next = bitmap_next_zero(resident, g, end);
			list->runs[list->nr++] =
				(struct gfn_range){ GFN(g), next - g };
			if (list->nr < MAX_RUNS)
				continue;
			rc = evictor_evict(evictor, list->runs, list->nr,
					   stopping);
			list->nr = 0;
		}
	}
	return rc ? rc : evictor_evict(evictor, list->runs, list->nr, stopping);
}

int swap_evict_by_evictor(struct guest_mem *mem, struct evictor *evictor,
			  const struct gfn_range *ranges, size_t nr,
			  const uint64_t *resident, uint64_t *mapped,
			  uint64_t *others, const atomic_bool *stopping)
{
	struct run_list list;
	int rc = find_mapped(mem, ranges, nr, mapped);

	if (!rc)
		rc = unmap(mem, &list, ranges, nr, mapped, others);
	return rc ? rc : evict(evictor, &list, ranges, nr, resident, stopping);
}
