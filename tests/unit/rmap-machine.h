/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A naive oracle: a small machine with, for each process, one array of page
 * table entries and one of VMAs by page.  machine_check() compares all of it
 * with all of the map, and reports differences.  Included once per program.
 */
#ifndef TESTS_UNIT_RMAP_MACHINE_H
#define TESTS_UNIT_RMAP_MACHINE_H

#include <stdio.h>
#include <string.h>

#include "rmap/rmap.h"

#define NR_MMS	  12
#define NR_PAGES  160	/* of a process */
#define NR_FRAMES 96
#define BASE	  UINT64_C(0x7f0000000000)

struct region {
	bool used;
	struct rmap_vma_desc desc;
};

struct machine {
	struct rmap *map;
	uint64_t rng;
	bool mm_used[NR_MMS];
	uint32_t pte[NR_MMS][NR_PAGES];		/* gfn + 1 */
	uint32_t seen[NR_MMS][NR_PAGES];	/* stamp of the walk */
	uint8_t region_of[NR_MMS][NR_PAGES];	/* index + 1 */
	struct region region[NR_MMS][NR_PAGES];
	uint32_t stamp;
	uint64_t outstanding;		/* bytes held by the map */
	unsigned int fail_percent;	/* of allocations */
	unsigned int nr_failed;
	bool lose_unmaps;		/* a planted fault */
	bool telling;			/* each step is printed */
	char why[160];
};

static uint64_t addr_of(unsigned int page)
{
	return BASE + ((uint64_t)page << RMAP_PAGE_SHIFT);
}

static unsigned int page_of(uint64_t addr)
{
	return (addr - BASE) >> RMAP_PAGE_SHIFT;
}

static bool fail(struct machine *m, const char *what, uint64_t a, uint64_t b)
{
	if (!m->why[0])
		snprintf(m->why, sizeof(m->why), "%s (%llu, %llu)", what,
			 (unsigned long long)a, (unsigned long long)b);
	return false;
}

/* The frame's oracle answers, and the walk's. */
struct check {
	struct machine *m;
	struct rmap_page_info info;
	unsigned int hits;
	bool good;
};

static bool check_hit(const struct rmap *map, uint64_t gfn,
		      const struct rmap_vma *vma, uint64_t addr, void *arg)
{
	struct check *c = arg;
	struct machine *m = c->m;
	unsigned int mm = rmap_mm_id(rmap_vma_mm(vma)), page = page_of(addr);
	struct rmap_vma_desc d;

	c->good = mm < NR_MMS && page < NR_PAGES &&
		  m->pte[mm][page] == gfn + 1 && m->seen[mm][page] != m->stamp;
	if (!c->good)
		return fail(m, "walk found a wrong mapping", gfn, page);
	m->seen[mm][page] = m->stamp;
	c->hits++;
	rmap_vma_describe(vma, &d);
	if (c->info.anon)
		return true;
	if (d.file.dev != c->info.file.dev || d.file.ino != c->info.file.ino)
		c->good = fail(m, "page of another file", gfn, page);
	else if (!(d.flags & RMAP_VM_NONLINEAR) &&
		 c->info.index != d.pgoff + page - page_of(d.start))
		c->good = fail(m, "page at another index", gfn, page);
	return c->good;
}

static bool check_frames(struct machine *m)
{
	unsigned int count[NR_FRAMES] = { 0 }, total = 0;
	struct rmap_stats stats;

	for (unsigned int i = 0; i < NR_MMS; i++) {
		for (unsigned int p = 0; p < NR_PAGES; p++) {
			if (m->pte[i][p]) {
				count[m->pte[i][p] - 1]++;
				total++;
			}
		}
	}
	rmap_get_stats(m->map, &stats);
	if (stats.nr_mappings != total)
		return fail(m, "nr_mappings", stats.nr_mappings, total);
	for (unsigned int f = 0; f < NR_FRAMES; f++) {
		struct check c = { .m = m, .good = true };
		struct rmap_walk_control rwc = { .rmap_one = check_hit,
						 .arg = &c };
		struct rmap_referenced ref;

		m->stamp++;
		rmap_page_info(m->map, f, &c.info);
		if (c.info.mapcount != (int)count[f] - 1)
			return fail(m, "mapcount of a frame", f, count[f]);
		if (c.info.has_object != (count[f] > 0))
			return fail(m, "mapping of a frame", f, count[f]);
		rmap_walk(m->map, f, &rwc);
		if (!c.good)
			return false;
		if (c.hits != count[f])
			return fail(m, "walk missed a mapping", f, c.hits);
		rmap_page_referenced(m->map, f, &ref);
		if (ref.nr_mappings != count[f] || ref.nr_referenced)
			return fail(m, "page_referenced", f, ref.nr_mappings);
	}
	return true;
}

/* VMAs and their pages, in the order of addresses. */
static bool check_mms(struct machine *m)
{
	for (unsigned int i = 0; i < NR_MMS; i++) {
		struct rmap_mm *mm = rmap_mm_find(m->map, i);
		unsigned int p = 0;

		if (!mm != !m->mm_used[i])
			return fail(m, "process found", i, !!mm);
		if (!mm)
			continue;
		for (struct rmap_vma *v = rmap_vma_next(mm, 0); v || p < NR_PAGES;) {
			struct rmap_vma_desc d = { 0 }, *want;
			uint64_t addr, gfn;

			while (p < NR_PAGES && !m->region_of[i][p])
				p++;
			if (!v || p == NR_PAGES) {
				if (v || p < NR_PAGES)
					return fail(m, "VMA list", i, p);
				break;
			}
			want = &m->region[i][m->region_of[i][p] - 1].desc;
			rmap_vma_describe(v, &d);
			if (memcmp(&d, want, sizeof(d)))
				return fail(m, "VMA described", i, p);
			addr = d.start;
			for (; p < page_of(d.end); p++) {
				if (!m->pte[i][p])
					continue;
				if (!rmap_vma_next_page(m->map, v, &addr,
							&gfn) ||
				    addr != addr_of(p) ||
				    gfn + 1 != m->pte[i][p])
					return fail(m, "next page", i, p);
				addr += RMAP_PAGE_SIZE;
			}
			if (rmap_vma_next_page(m->map, v, &addr, &gfn))
				return fail(m, "page too many", i, p);
			v = rmap_vma_next(mm, d.end);
		}
	}
	return true;
}

static bool machine_check(struct machine *m)
{
	return check_frames(m) && check_mms(m);
}

#endif
