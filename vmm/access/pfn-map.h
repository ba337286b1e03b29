/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the host has a range of guest frames right now: their host page
 * frames (PFNs), as /proc/PID/pagemap tells them.
 *
 * A snapshot: the host may move, evict or fault pages any time, so take one
 * for each harvest.  Needs CAP_SYS_ADMIN, since PFNs are told to nobody else.
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
 * For the kernel's page tracking by physical address, which looks at pages on
 * its LRU lists only.  -EOPNOTSUPP with why: guest memory is on none of them.
 */
int pfn_map_check_backing(const struct guest_mem *mem, char *why, size_t len);

/* 0, -ENOMEM, or what opening pagemap says, with why. */
int pfn_map_new(struct pfn_map **mapp, const struct guest_mem *mem, char *why,
		size_t len);
void pfn_map_free(struct pfn_map *map);

/* Looks up range.  0, -EPERM (PFNs are hidden from us), -errno. */
int pfn_map_read(struct pfn_map *map, struct gfn_range range);

/* Of the range last read: resident frames, and the PFN of the i-th frame
 * of the range or 0 when it is not resident. */
uint64_t pfn_map_nr_resident(const struct pfn_map *map);
uint64_t pfn_map_pfn(const struct pfn_map *map, uint64_t i);

/* Forgets frames of the range last read, as if they were not resident. */
void pfn_map_forget(struct pfn_map *map, struct gfn_range part);

/*
 * The PFNs as sorted runs.  Gaps of up to gap_pages foreign pages are included
 * in a run; the gap is widened until there are at most max_runs runs.
 * *runsp belongs to the map, until the next call.  The number of runs or
 * -ENOMEM.
 */
int pfn_map_runs(struct pfn_map *map, uint64_t gap_pages, size_t max_runs,
		 const struct pfn_run **runsp);

/*
 * Copies of runs, from *pos on, what has max_pages pages together, into part,
 * which has room for as many runs; *pos, zeros at first, is where the next part
 * begins.  No huge page is cut, where that can be.  The number of runs; 0: that
 * was all.
 */
struct pfn_pos {
	size_t run;
	uint64_t done;		/* pages of it */
};
size_t pfn_runs_part(const struct pfn_run *runs, size_t nr,
		     struct pfn_pos *pos, uint64_t max_pages,
		     struct pfn_run *part);

/* Can we read PFNs?  0 or -errno with why. */
int pfn_map_probe(pid_t pid, char *why, size_t len);

/*
 * Sorts bits of PFNs into runs: bitmap has a bit for each PFN from base on,
 * nr_bits of them.  Pure, for tests.  runs has room for max_runs; the number
 * of runs, or -E2BIG when there are more.
 */
int pfn_runs_from_bitmap(const uint64_t *bitmap, uint64_t base,
			 uint64_t nr_bits, uint64_t gap_pages,
			 struct pfn_run *runs, size_t max_runs);

#endif
