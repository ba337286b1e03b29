// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What one operation may cost, in steps and not in seconds: candidates that a
 * walk checks (rmap_referenced.nr_visited) and work of writers (rmap_work()).
 * However many mappings of a page an agent reports, each operation is small,
 * each walk ends, and walks to other pages take no longer.
 * RMAP_BOUNDS_PLACES=N: mappings.
 */
#include "config.h"

#include "tests/unit/rmap-count.h"

/* Candidates for each mapping, and for each page: anon-vma.c, rule 5. */
#define WASTE 4
#define FREE  9

/* Candidates of all frames below nr; *worst: of one of them. */
static uint64_t visits(uint64_t nr, unsigned int *worst)
{
	uint64_t sum = 0;

	*worst = 0;
	for (uint64_t g = 0; g < nr; g++) {
		unsigned int n = asked(g).nr_visited;

		sum += n;
		*worst = n > *worst ? n : *worst;
	}
	return sum;
}

#define NR UINT64_C(4096)	/* frames that a process has for itself */

static struct rmap_vma *guest_with_all(uint32_t id)
{
	struct rmap_vma *v = region(process(id), BASE, NR, 0, 0);

	for (uint64_t g = 0; g < NR; g++)
		must_map(v, g, g);
	return v;
}

static void check_many(const char *what, uint64_t mappings)
{
	struct rmap_referenced r = asked(NR - 1);
	unsigned int worst;
	uint64_t sum = visits(NR - 1, &worst);

	ok(most <= SMALL, "%s: %llu steps at most an operation", what,
	   (unsigned long long)most);
	ok(r.partial && r.nr_visited == RMAP_WALK_MAX &&
	   r.nr_mappings <= RMAP_WALK_MAX && mappings > RMAP_WALK_MAX,
	   "a walk looks at %u of its candidates and is partial",
	   r.nr_visited);
	ok(worst == 1 && sum == NR - 1, "other pages: %u candidate each",
	   worst);
}

static void one_region(void)
{
	uint64_t mappings = nr_to_map();
	struct rmap_vma *v;
	struct rmap_page_info info;

	begin(NR, RMAP_ANON_VMA);
	guest_with_all(1);
	v = region(process(2), BASE, UINT64_C(1) << 40, 0, 0);
	for (uint64_t i = 0; i < mappings; i++)
		must_map(v, mappings - i, NR - 1);
	check_many("many mappings of one VMA", mappings);
	for (uint64_t i = 0; i < mappings; i++)
		must_unmap(v, mappings - i);
	rmap_page_info(map, NR - 1, &info);
	ok(most <= SMALL && !info.mapcount, "unmapped again: %llu at most",
	   (unsigned long long)most);
	rmap_free(map);
}

static void many_regions(void)
{
	uint64_t mappings = nr_to_map() / 4;
	struct rmap_mm *mm;

	begin(NR, RMAP_ANON_VMA);
	guest_with_all(1);
	mm = process(2);
	for (uint64_t i = 0; i < mappings; i++)
		must_map(region(mm, BASE + i * 2 * NR * PAGE, 2 * NR, 0, 0),
			 i % (2 * NR), NR - 1);
	check_many("one mapping each of many VMAs", mappings);
	rmap_free(map);
}

/*
 * The worst for the interval tree: VMAs that each have the first and the
 * last frame, so that their intervals hold all of them, among frames that are
 * all shared already.
 */
static void spanning_regions(void)
{
	const uint64_t nr = 3000;
	struct rmap_vma *v;
	unsigned int worst;
	uint64_t sum;

	begin(NR, RMAP_ANON_VMA);
	guest_with_all(1);
	guest_with_all(2);
	for (uint64_t i = 0; i < nr; i++) {
		v = region(process(3 + i), BASE, NR, 0, 0);
		must_map(v, 0, 0);
		must_map(v, NR - 1, NR - 1);
	}
	sum = visits(NR, &worst);
	ok(worst <= RMAP_WALK_MAX && sum <= WASTE * nr_mappings() + FREE * NR,
	   "VMAs that span all: %llu candidates, for %llu mappings",
	   (unsigned long long)sum, (unsigned long long)nr_mappings());
	ok(most <= SMALL * FREE, "and %llu steps at most an operation",
	   (unsigned long long)most);
	ok(asked(0).partial && asked(NR - 1).partial && !asked(1).partial &&
	   asked(1).nr_mappings == 2,
	   "a page with many mappings has long walks itself");
	rmap_free(map);
}

/* Processes that share most, and have each a tenth for themselves. */
static void own_among_shared(void)
{
	const uint64_t nr = 300, pages = 100;
	uint64_t own = pages, first_own = own;
	unsigned int worst = 0;
	struct rmap_stats s;
	bool right = true;

	begin(pages + nr * pages / 10, RMAP_ANON_VMA);
	for (uint32_t p = 0; p < nr; p++) {
		struct rmap_vma *v = region(process(1 + p), BASE, pages, 0, 0);

		for (uint64_t i = 0; i < pages; i++)
			must_map(v, i, i % 10 ? i : own++);
	}
	for (uint64_t g = first_own; g < own; g++) {
		struct rmap_referenced r = asked(g);

		right = right && r.nr_mappings == 1;
		worst = r.nr_visited > worst ? r.nr_visited : worst;
	}
	ok(right && worst == 1, "a page of one's own among %llu that share, as an "
	   "agent reports it: %u candidate", (unsigned long long)nr, worst);
	rmap_get_stats(map, &s);
	right = asked(1).nr_mappings == nr && asked(99).nr_mappings == nr;
	ok(s.nr_anon_vmas == nr + 1, "one anon_vma each, and one for all: %llu",
	   (unsigned long long)s.nr_anon_vmas);
	ok(right && most <= SMALL, "what all share is found in all, %llu steps "
	   "at most a mapping", (unsigned long long)most);
	rmap_free(map);
}

int main(void)
{
	one_region();
	many_regions();
	spanning_regions();
	own_among_shared();
	return tap_done();
}
