// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The bounds of walks and searches: file pages with very many mappings, the
 * limit itself in all schemes, VMAs that have to be searched, and operations on
 * VMAs, whose cost depends on their contents and not on their size.
 */
#include "config.h"

#include "tests/unit/rmap-count.h"

static void library(void)
{
	uint64_t nr = nr_to_map() / 2;
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
	/* Elsewhere: to find all its mappings would take too long. */
	from = rmap_work(map);
	ok(map_at(v, 9, 5) == -EOVERFLOW &&
	   !rmap_page_info(map, 5, &info) && !info.anon && info.index == 5 &&
	   (uint64_t)info.mapcount == nr - 1,
	   "reported at another offset of the file: -EOVERFLOW, as it was");
	ok(rmap_work(map) - from <= LARGE, "after %llu steps",
	   (unsigned long long)(rmap_work(map) - from));
	must_unmap(first, 5);
	ok(most <= LARGE, "unmapping one: few");
	rmap_free(map);
}

/* Of a file that fewer map, it becomes anonymous, with all its mappings. */
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
	ok(!rc && most > nr && most <= LARGE, "%u mappings move in %llu steps",
	   nr, (unsigned long long)most);
	r = asked(5);
	ok(!rmap_page_info(map, 5, &info) && info.anon &&
	   (uint32_t)info.mapcount == nr && r.partial &&
	   r.nr_mappings == RMAP_WALK_MAX, "and are found");
	rmap_free(map);
}

/* The search for it ends when its last recorded mapping is found. */
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

/* VMAs without known offsets are searched, and that ends as well. */
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
	   most < 1 << 17, "reported elsewhere: -EOVERFLOW, after %llu steps",
	   (unsigned long long)most);
	ok(!map_at(w, 1, 1) && asked(1).nr_mappings == 2, "the other: found twice");
	rmap_free(map);
}

/* --- the bound itself ---------------------------------------------------------- */

static bool count_mapping(const struct rmap *m, uint64_t gfn,
			const struct rmap_vma *vma, uint64_t addr, void *arg)
{
	++*(unsigned int *)arg;
	return true;
}

static void at_the_bound(enum rmap_scheme scheme, const char *name)
{
	unsigned int n = 0;
	struct rmap_walk_control rwc = { .arg = &n, .rmap_one = count_mapping };
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
	   "%s: %u mappings are found", name, n);
	mm = process(5000);
	must_map(region(mm, BASE, 16, 0, 0), 5, 5);
	n = 0;
	more = rmap_walk(map, 5, &rwc);
	r = asked(5);
	ok(more == 1 && n == RMAP_WALK_MAX && r.partial,
	   "one more: reported as partial");
	n = 0;
	rwc.max_candidates = 2 * RMAP_WALK_MAX;
	wide = rmap_walk(map, 5, &rwc);
	ok(!wide && n == RMAP_WALK_MAX + 1, "a walk may ask for more");
	n = 0;
	rwc.max_candidates = 1;
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

/* A VMA's size costs nothing, only what is in it. */
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
