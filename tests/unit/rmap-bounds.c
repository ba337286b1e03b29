// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What one operation may cost, in steps and not in seconds: places that a walk
 * looks at (rmap_referenced.nr_visited) and what writers did (rmap_work()).
 * However many places an agent says a page is in, each operation is small, each
 * walk ends, and the pages beside it pay nothing.  RMAP_BOUNDS_PLACES=N: places.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "rmap/rmap.h"
#include "tests/tap.h"

#define PAGE  RMAP_PAGE_SIZE
#define BASE  UINT64_C(0x100000000)
#define RW    (RMAP_VM_READ | RMAP_VM_WRITE)
#define INODE 7

/* Of one operation: a link or two, and what it takes to find them. */
#define SMALL 16
/* Of one that moves all known places of a page. */
#define LARGE (4 * RMAP_WALK_MAX)
/* Looked at in vain, for each mapping and for each page: anon_vma.c. */
#define WASTE 4
#define FREE  9

static struct rmap *map;
static uint64_t most, total, nr_ops;	/* work of operations */

/* With a provider a walk does not end with the last mapping that was told. */
static int know_nothing(void *ctx, const struct rmap_mm *mm, uint64_t addr,
			struct rmap_pte *pte)
{
	return -ENOENT;
}

static const struct rmap_pte_ops provider = { .lookup = know_nothing };

static void begin(uint64_t nr_frames, enum rmap_scheme scheme)
{
	struct rmap_config c = { .nr_frames = nr_frames, .scheme = scheme };

	if (rmap_new(&map, &c))
		tap_bail("no memory");
	rmap_set_pte_provider(map, &provider, NULL);
	most = total = nr_ops = 0;
}

static void count(uint64_t from)
{
	uint64_t n = rmap_work(map) - from;

	total += n;
	nr_ops++;
	most = n > most ? n : most;
}

static struct rmap_mm *process(uint32_t id)
{
	struct rmap_mm *mm;

	if (rmap_mm_add(map, id, RMAP_NO_PGD, &mm))
		tap_bail("rmap_mm_add");
	return mm;
}

static struct rmap_vma *region(struct rmap_mm *mm, uint64_t start, uint64_t nr,
			       uint64_t pgoff, uint64_t ino)
{
	struct rmap_vma_desc d = { start, start + nr * PAGE, pgoff, RW,
				   { ino ? 8 : 0, ino } };
	struct rmap_vma *vma;

	if (rmap_vma_add(map, mm, &d, &vma))
		tap_bail("rmap_vma_add");
	return vma;
}

static int map_at(struct rmap_vma *vma, uint64_t page, uint64_t gfn)
{
	struct rmap_vma_desc d;
	uint64_t from = rmap_work(map);
	int rc;

	rmap_vma_describe(vma, &d);
	rc = rmap_map_page(map, vma, d.start + page * PAGE, gfn);
	count(from);
	return rc;
}

static void must_map(struct rmap_vma *vma, uint64_t page, uint64_t gfn)
{
	if (map_at(vma, page, gfn))
		tap_bail("rmap_map_page");
}

static void must_unmap(struct rmap_vma *vma, uint64_t page)
{
	struct rmap_vma_desc d;
	uint64_t from = rmap_work(map);

	rmap_vma_describe(vma, &d);
	if (rmap_unmap_page(map, vma, d.start + page * PAGE))
		tap_bail("rmap_unmap_page");
	count(from);
}

static struct rmap_referenced asked(uint64_t gfn)
{
	struct rmap_referenced r = { 0 };

	if (rmap_page_referenced(map, gfn, &r))
		tap_bail("rmap_page_referenced");
	return r;
}

/* Of all frames below nr: places looked at; *worst: of one of them. */
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

static uint64_t nr_mappings(void)
{
	struct rmap_stats s;

	rmap_get_stats(map, &s);
	return s.nr_mappings;
}

static uint64_t nr_places(void)
{
	const char *env = getenv("RMAP_BOUNDS_PLACES");

	return env ? strtoull(env, NULL, 0) : 200000;
}

/* --- one frame at many places ------------------------------------------------ */

#define NR UINT64_C(4096)	/* frames that a process has for itself */

static struct rmap_vma *guest_with_all(uint32_t id)
{
	struct rmap_vma *v = region(process(id), BASE, NR, 0, 0);

	for (uint64_t g = 0; g < NR; g++)
		must_map(v, g, g);
	return v;
}

static void check_many(const char *what, uint64_t places)
{
	struct rmap_referenced r = asked(NR - 1);
	unsigned int worst;
	uint64_t sum = visits(NR - 1, &worst);

	ok(most <= SMALL, "%s: %llu steps at most an operation", what,
	   (unsigned long long)most);
	ok(r.partial && r.nr_visited == RMAP_WALK_MAX &&
	   r.nr_mappings <= RMAP_WALK_MAX && places > RMAP_WALK_MAX,
	   "a walk looks at %u of its places and says that it is partial",
	   r.nr_visited);
	ok(worst == 1 && sum == NR - 1, "the pages beside it: %u place each",
	   worst);
}

static void one_region(void)
{
	uint64_t places = nr_places();
	struct rmap_vma *v;
	struct rmap_page_info info;

	begin(NR, RMAP_ANON_VMA);
	guest_with_all(1);
	v = region(process(2), BASE, UINT64_C(1) << 40, 0, 0);
	for (uint64_t i = 0; i < places; i++)
		must_map(v, places - i, NR - 1);
	check_many("many places of one region", places);
	for (uint64_t i = 0; i < places; i++)
		must_unmap(v, places - i);
	rmap_page_info(map, NR - 1, &info);
	ok(most <= SMALL && !info.mapcount, "unmapped again: %llu at most",
	   (unsigned long long)most);
	rmap_free(map);
}

static void many_regions(void)
{
	uint64_t places = nr_places() / 4;
	struct rmap_mm *mm;

	begin(NR, RMAP_ANON_VMA);
	guest_with_all(1);
	mm = process(2);
	for (uint64_t i = 0; i < places; i++)
		must_map(region(mm, BASE + i * 2 * NR * PAGE, 2 * NR, 0, 0),
			 i % (2 * NR), NR - 1);
	check_many("one place each of many regions", places);
	rmap_free(map);
}

/*
 * The worst for the interval tree: regions that each have the first and the
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
	   "regions that span all: %llu places looked at, for %llu mappings",
	   (unsigned long long)sum, (unsigned long long)nr_mappings());
	ok(most <= SMALL * FREE, "and %llu steps at most an operation",
	   (unsigned long long)most);
	ok(asked(0).partial && asked(NR - 1).partial && !asked(1).partial &&
	   asked(1).nr_mappings == 2, "who is at many places pays for it");
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
	   "agent tells it: %u place looked at", (unsigned long long)nr, worst);
	rmap_get_stats(map, &s);
	right = asked(1).nr_mappings == nr && asked(99).nr_mappings == nr;
	ok(s.nr_anon_vmas == nr + 1, "one anon_vma each, and one for all: %llu",
	   (unsigned long long)s.nr_anon_vmas);
	ok(right && most <= SMALL, "what all share is found in all, %llu steps "
	   "at most a mapping", (unsigned long long)most);
	rmap_free(map);
}

/* --- files -------------------------------------------------------------------- */

static void library(void)
{
	uint64_t nr = nr_places() / 2;
	struct rmap_vma *v = NULL, *first = NULL;
	struct rmap_page_info info;
	struct rmap_referenced r;
	uint64_t from;

	begin(64, RMAP_ANON_VMA);
	for (uint32_t p = 0; p < nr; p++) {
		v = region(process(1 + p), BASE, 16, 0, INODE);
		must_map(v, 5, 5);
		if (p == RMAP_WALK_MAX / 2)
			must_map(v, 6, 6);
		first = first ? first : v;
	}
	r = asked(5);
	ok(most <= SMALL && r.partial && r.nr_visited == RMAP_WALK_MAX &&
	   r.nr_mappings == RMAP_WALK_MAX,
	   "a library page of %llu processes: %u found, and partial",
	   (unsigned long long)nr, r.nr_mappings);
	r = asked(6);
	ok(r.nr_visited <= RMAP_WALK_MAX, "one that few of them have: %u",
	   r.nr_visited);
	/* Elsewhere: to find all its places would take too long. */
	from = rmap_work(map);
	ok(map_at(v, 9, 5) == -EOVERFLOW &&
	   !rmap_page_info(map, 5, &info) && !info.anon && info.index == 5 &&
	   (uint64_t)info.mapcount == nr - 1,
	   "told at another place of the file: -EOVERFLOW, as it was");
	ok(rmap_work(map) - from <= LARGE, "after %llu steps",
	   (unsigned long long)(rmap_work(map) - from));
	must_unmap(first, 5);
	ok(most <= LARGE, "unmapping one: few");
	rmap_free(map);
}

/* Of a file that fewer map the page becomes anonymous, with all its places. */
static void odd_page(void)
{
	const uint32_t nr = RMAP_WALK_MAX;
	struct rmap_page_info info;
	struct rmap_referenced r;
	struct rmap_vma *v = NULL;
	int rc;

	begin(64, RMAP_ANON_VMA);
	for (uint32_t p = 0; p < nr; p++) {
		v = region(process(1 + p), BASE, 16, 0, INODE);
		must_map(v, 5, 5);
	}
	rc = map_at(v, 9, 5);
	ok(!rc && most > nr && most <= LARGE, "%u places move in %llu steps", nr,
	   (unsigned long long)most);
	r = asked(5);
	ok(!rmap_page_info(map, 5, &info) && info.anon &&
	   (uint32_t)info.mapcount == nr && r.partial &&
	   r.nr_mappings == RMAP_WALK_MAX, "and are found");
	rmap_free(map);
}

/* It is looked for no longer than until its last known place is met. */
static void odd_page_of_few(void)
{
	struct rmap_vma *first;
	struct rmap_page_info info;

	begin(64, RMAP_ANON_VMA);
	first = region(process(1), BASE, 16, 0, INODE);
	must_map(first, 5, 5);
	for (uint32_t p = 0; p < 2 * RMAP_WALK_MAX; p++)
		region(process(2 + p), BASE, 16, 2, INODE);
	ok(!map_at(first, 9, 5) && !rmap_page_info(map, 5, &info) && info.anon,
	   "a page of one of %u that map its file is found at once",
	   2 * RMAP_WALK_MAX);
	rmap_free(map);
}

/* Regions without known offsets are searched, and that ends as well. */
static void nonlinear(void)
{
	const uint64_t nr = 100000;
	struct rmap_vma_desc d = { BASE, BASE + nr * PAGE, 0,
				   RW | RMAP_VM_NONLINEAR, { 8, INODE } };
	struct rmap_page_info info;
	struct rmap_referenced r;
	struct rmap_vma *v, *w;

	begin(nr, RMAP_ANON_VMA);
	if (rmap_vma_add(map, process(1), &d, &v))
		tap_bail("rmap_vma_add");
	for (uint64_t i = 0; i < nr; i++)
		must_map(v, i, i);
	r = asked(nr - 1);
	ok(r.partial && !r.nr_mappings, "a page beyond what is searched: partial");
	r = asked(1);
	ok(r.nr_mappings == 1, "one in front is found");
	w = region(process(2), BASE, 16, 0, INODE + 1);
	ok(map_at(w, 0, nr - 1) == -EOVERFLOW &&
	   !rmap_page_info(map, nr - 1, &info) && !info.mapcount &&
	   most < 1 << 17, "told elsewhere: -EOVERFLOW, after %llu steps",
	   (unsigned long long)most);
	ok(!map_at(w, 1, 1) && asked(1).nr_mappings == 2, "the other: found twice");
	rmap_free(map);
}

/* --- the bound itself ---------------------------------------------------------- */

static bool count_place(const struct rmap *m, uint64_t gfn,
			const struct rmap_vma *vma, uint64_t addr, void *arg)
{
	++*(unsigned int *)arg;
	return true;
}

static void at_the_bound(enum rmap_scheme scheme, const char *name)
{
	unsigned int n = 0;
	struct rmap_walk_control rwc = { .arg = &n, .rmap_one = count_place };
	struct rmap_mm *mm;
	struct rmap_vma *v = NULL;
	struct rmap_referenced r;
	int exact, more, wide;

	begin(64, scheme);
	for (uint32_t p = 0; p < RMAP_WALK_MAX; p++) {
		v = region(process(1 + p), BASE, 16, 0, 0);
		must_map(v, 5, 5);
	}
	exact = rmap_walk(map, 5, &rwc);
	r = asked(5);
	ok(!exact && n == RMAP_WALK_MAX && !r.partial &&
	   r.nr_mappings == RMAP_WALK_MAX && r.nr_visited == RMAP_WALK_MAX,
	   "%s: %u places are found", name, n);
	mm = process(5000);
	must_map(region(mm, BASE, 16, 0, 0), 5, 5);
	n = 0;
	more = rmap_walk(map, 5, &rwc);
	r = asked(5);
	ok(more == 1 && n == RMAP_WALK_MAX && r.partial,
	   "one more: told to be partial");
	n = 0;
	rwc.max_places = 2 * RMAP_WALK_MAX;
	wide = rmap_walk(map, 5, &rwc);
	ok(!wide && n == RMAP_WALK_MAX + 1, "a walk may ask for more");
	n = 0;
	rwc.max_places = 1;
	ok(rmap_walk(map, 5, &rwc) == 1 && n == 1, "or for less");
	ok(!rmap_page_unevictable(map, 5), "a lock not found is none");
	rmap_free(map);
}

/* Processes of the group that have nothing at the address are asked as well. */
static void group_of_many(void)
{
	struct rmap_referenced r;
	struct rmap_vma *v;

	begin(64, RMAP_ANON_MM);
	for (uint32_t p = 0; p < 2 * RMAP_WALK_MAX; p++) {
		v = region(process(1 + p), BASE, p ? 4 : 16, 0, 0);
		must_map(v, 1, 1);
		if (!p)
			must_map(v, 5, 5);
	}
	r = asked(5);
	ok(r.partial && r.nr_visited == RMAP_WALK_MAX && !r.nr_mappings &&
	   most <= SMALL, "anon_mm: %u of a large group are asked",
	   r.nr_visited);
	rmap_free(map);
}

/* A region's size costs nothing, only what is in it. */
static void huge_region(void)
{
	struct rmap_vma_desc d = { 0, UINT64_C(1) << 55, 0, RW, { 0, 0 } };
	struct rmap_vma *v, *up;
	struct rmap_stats s;
	struct rmap_mm *mm;

	begin(64, RMAP_ANON_VMA);
	mm = process(1);
	if (rmap_vma_add(map, mm, &d, &v))
		tap_bail("rmap_vma_add");
	must_map(v, 0, 1);
	must_map(v, UINT64_C(1) << 30, 2);
	must_map(v, (UINT64_C(1) << 43) - 1, 3);
	ok(!rmap_vma_split(map, v, UINT64_C(1) << 54, &up) &&
	   !rmap_vma_merge(map, v, up) &&
	   !rmap_vma_resize(map, v, UINT64_C(1) << 50) && nr_mappings() == 2,
	   "2^43 pages: split, merged, cut");
	rmap_mm_remove(map, mm);
	rmap_get_stats(map, &s);
	ok(rmap_work(map) <= 8 * SMALL && s.bytes_other < 4096,
	   "and gone with its process: %llu steps in all, %llu bytes stay",
	   (unsigned long long)rmap_work(map),
	   (unsigned long long)s.bytes_other);
	rmap_free(map);
}

/* Exit costs what the process has, in steps that can be counted as they go. */
static void long_exit(void)
{
	const uint64_t nr = 50000;
	struct rmap_vma *v;
	struct rmap_mm *mm;
	uint64_t from;

	begin(nr, RMAP_ANON_VMA);
	mm = process(1);
	v = region(mm, BASE, nr, 0, 0);
	for (uint64_t g = 0; g < nr; g++)
		must_map(v, g, g);
	from = rmap_work(map);
	rmap_mm_remove(map, mm);
	ok(rmap_work(map) - from <= 4 * nr && !nr_mappings(),
	   "a process of %llu pages ends in %llu steps", (unsigned long long)nr,
	   (unsigned long long)(rmap_work(map) - from));
	rmap_free(map);
}

int main(void)
{
	one_region();
	many_regions();
	spanning_regions();
	own_among_shared();
	library();
	odd_page();
	odd_page_of_few();
	nonlinear();
	at_the_bound(RMAP_ANON_VMA, "anon_vma");
	at_the_bound(RMAP_ANON_MM, "anon_mm");
	at_the_bound(RMAP_PTE_CHAIN, "pte_chain");
	group_of_many();
	huge_region();
	long_exit();
	return tap_done();
}
