// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which pages are unmapped, and which the evictor gets:
 *
 *   candidates    ##.#....#####......##.      # mapped, . not
 *   other pages     m   mm     mmmmmmm        m mapped
 *   unmapped      ----  ------       --
 *
 * For each range that is unmapped KVM flushes TLBs and interrupts the vCPUs,
 * which costs both sides some 35 us; a page unmapped without need costs its
 * next user a minor fault of some 8 us, if it is used at all.  So ranges are
 * joined where few mapped pages are between them.
 */
#include "config.h"

#include <errno.h>

#include "vmm/sink/sink-swap-elsewhere.h"
#include "vmm/util/bitmap.h"

#define MAX_RUNS 512

/* Mapped pages, not candidates, between two ranges that are unmapped as one. */
#define JOIN_MAPPED 4
/*
 * Frames between them: less than the hole between two slots.  As many are
 * between two ranges whose mapped pages are found in one query, which costs
 * some 15 ns a frame, and a call 1 us.
 */
#define JOIN_FRAMES 64

struct run_list {
	struct gfn_range runs[MAX_RUNS];
	size_t nr;
};

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

/* Whether the next range may be unmapped with the one before it. */
static bool may_join(const struct gfn_range *last, uint64_t next,
		     const uint64_t *mapped)
{
	uint64_t end = last->start.v + last->nr;

	return next >= end && next - end < JOIN_FRAMES &&
	       bitmap_count(mapped, end, next) <= JOIN_MAPPED;
}

/* [start, end) has at least one mapped page. */
static int add_unmap(struct guest_mem *mem, struct run_list *list,
		     uint64_t start, uint64_t end, const uint64_t *mapped)
{
	struct gfn_range *last = list->nr ? &list->runs[list->nr - 1] : NULL;
	int rc = 0;

	if (last && may_join(last, start, mapped)) {
		last->nr = end - last->start.v;
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
		 const uint64_t *mapped)
{
	int rc = 0;

	list->nr = 0;
	for (size_t i = 0; !rc && i < nr; i++) {
		uint64_t end = ranges[i].start.v + ranges[i].nr;
		uint64_t g = bitmap_next(mapped, ranges[i].start.v, end);

		if (g < end)
			rc = add_unmap(mem, list, g, end, mapped);
	}
	return rc ? rc : guest_mem_unmap_many(mem, list->runs, list->nr);
}

/* Holes between resident pages must not be filled. */
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

int swap_evict_elsewhere(struct guest_mem *mem, struct evictor *evictor,
			 const struct gfn_range *ranges, size_t nr,
			 const uint64_t *resident, uint64_t *mapped,
			 const atomic_bool *stopping)
{
	struct run_list list;
	int rc = find_mapped(mem, ranges, nr, mapped);

	if (!rc)
		rc = unmap(mem, &list, ranges, nr, mapped);
	return rc ? rc : evict(evictor, &list, ranges, nr, resident, stopping);
}
