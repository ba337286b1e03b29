/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host page frames (PFNs) that back a range of guest frames right now, from
 * /proc/PID/pagemap.
 *
 * A snapshot: the host may move, evict or fault pages any time, so take one for
 * each harvest.  Needs CAP_SYS_ADMIN, without which the kernel hides PFNs.
 */
#ifndef VMM_ACCESS_PFN_MAP_H
#define VMM_ACCESS_PFN_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/mem/guest-mem.h"

struct pfn_map;

/* Host page frames [start, end). */
struct pfn_run {
	uint64_t start;
	uint64_t end;
};

/*
 * Whether the kernel can track this memory by physical address, which it does
 * only for pages on its LRU lists.  0, or -EOPNOTSUPP with why: hugetlb pages.
 */
int pfn_map_check_backing(const struct guest_mem *mem, char *why, size_t len);

/* 0, -ENOMEM, or the error of opening pagemap; why may be left unset. */
int pfn_map_new(struct pfn_map **mapp, const struct guest_mem *mem, char *why,
		size_t len);
void pfn_map_free(struct pfn_map *map);

/* Looks up range.  0, -EPERM (PFNs are hidden from us), -errno. */
int pfn_map_read(struct pfn_map *map, struct gfn_range range);

/*
 * For the range last read: the number of resident frames, and the PFN of the
 * i-th frame, or 0 if it is not resident.
 */
uint64_t pfn_map_nr_resident(const struct pfn_map *map);
uint64_t pfn_map_pfn(const struct pfn_map *map, uint64_t i);

/* Forgets frames of the range last read, as if they were not resident. */
void pfn_map_forget(struct pfn_map *map, struct gfn_range part);

/*
 * The PFNs as sorted runs.  A run spans gaps of up to gap_pages pages that are
 * not in the map; gap_pages is raised until there are at most max_runs runs.
 * *runsp belongs to the map, until the next call.  The number of runs, or
 * -ENOMEM.
 */
int pfn_map_runs(struct pfn_map *map, uint64_t gap_pages, size_t max_runs,
		 const struct pfn_run **runsp);

/*
 * Copies the runs from *pos on, max_pages pages in total, into part, which has
 * room for as many runs, and advances *pos, which starts as zeros.  Huge pages
 * are not split if possible.  The number of runs; 0: the end was reached.
 */
struct pfn_pos {
	size_t run;
	uint64_t done;		/* pages of that run */
};
size_t pfn_runs_part(const struct pfn_run *runs, size_t nr,
		     struct pfn_pos *pos, uint64_t max_pages,
		     struct pfn_run *part);

/* Whether we can read PFNs.  0 or -errno with why. */
int pfn_map_probe(pid_t pid, char *why, size_t len);

/*
 * Converts a bitmap of PFNs to runs: it has nr_bits bits, one for each PFN from
 * base on.  Pure, for tests.  runs has room for max_runs; the number of runs,
 * or -E2BIG when there are more.
 */
int pfn_runs_from_bitmap(const uint64_t *bitmap, uint64_t base,
			 uint64_t nr_bits, uint64_t gap_pages,
			 struct pfn_run *runs, size_t max_runs);

#endif
