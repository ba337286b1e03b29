// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The alternative schemes where they differ (rules 7 and 8 of
 * docs/internals-rmap.md), and the limits of all.
 */
#include "config.h"

#include "rmap/internal.h"
#include "tests/unit/rmap-fixture.h"

#define PAGE RMAP_PAGE_SIZE

/* A user of the library that only forks makes one operation for many links. */
static void many_links(void)
{
	struct rmap_config c = { .nr_frames = 1024 };
	struct rmap_mm *mm, *child;
	struct rmap *m;
	int rc = rmap_new(&m, &c);

	if (rc || rmap_mm_add(m, 1, RMAP_NO_PGD, &mm))
		tap_bail("no memory");
	for (uint64_t i = 0; i < c.nr_frames; i++) {
		uint64_t start = (i + 1) * 2 * PAGE;
		struct rmap_vma_desc d = { start, start + PAGE, 0,
					   RMAP_VM_READ, { 0, 0 } };
		struct rmap_vma *vma;

		if (rmap_vma_add(m, mm, &d, &vma) ||
		    rmap_map_page(m, vma, start, i))
			tap_bail("no page");
	}
	for (uint32_t id = 2; id <= 31 && !rc; id++)
		rc = rmap_mm_fork(m, mm, id, RMAP_NO_PGD, &child);
	ok(!rc && m->links.nr >= 30 * c.nr_frames &&
	   m->links.nr >> m->links.bits <= 1,
	   "30 forks: %llu links in %llu chains",
	   (unsigned long long)m->links.nr, 1ull << m->links.bits);
	rmap_free(m);
}

/* Bounds that keep a lying agent from taking the host's memory. */
static void bounds(void)
{
	struct rmap_config c = { .nr_frames = 16, .max_bytes = 100000 };
	struct rmap_vma_desc d = { 0, UINT64_C(1) << 46, 0, RW, { 0, 0 } };
	struct rmap_vma *vma;
	struct rmap_stats s, t;
	struct rmap_mm *mm;
	struct rmap *m = NULL;
	uint64_t n = 0;
	int rc;

	ok(rmap_new(&m, &(struct rmap_config){ 0 }) == -EINVAL &&
	   rmap_new(&m, &(struct rmap_config){ .nr_frames = 1ull << 32 }) ==
		   -EINVAL && !m, "nr_frames out of range");
	if (rmap_new(&m, &c) || rmap_mm_add(m, 1, 0, &mm) ||
	    rmap_vma_add(m, mm, &d, &vma))
		tap_bail("a small map");
	while (!(rc = rmap_map_page(m, vma, n << 30, n % 16)))
		n++;
	rmap_get_stats(m, &s);
	ok(rc == -ENOMEM && s.nr_mappings == n && s.bytes_other <= 100000,
	   "max_bytes holds: -ENOMEM after %llu far pages",
	   (unsigned long long)n);
	rc = rmap_map_page(m, vma, n << 30, 0);
	rmap_get_stats(m, &t);
	ok(rc == -ENOMEM && !memcmp(&s, &t, sizeof(s)), "and changes nothing");
	while (n--)
		rmap_unmap_page(m, vma, n << 30);
	rmap_get_stats(m, &t);
	ok(t.bytes_other < s.bytes_other / 10 && !t.nr_mappings,
	   "unmapping gives it back: %llu of %llu bytes",
	   (unsigned long long)t.bytes_other, (unsigned long long)s.bytes_other);
	rmap_free(m);
	rmap_free(NULL);
}

/* 2^14 mappings of one frame in each of 2^10 processes: one too many. */
static void overflow(void)
{
	struct rmap_mm *parent = new_mm(1), *mm = NULL;
	struct rmap_vma *v = new_vma(parent, 0, 1 << 14, 0,
				     RW | RMAP_VM_NONLINEAR, 0);
	struct rmap_vma *w = new_vma(parent, 1 << 20, 1, 0, RW, 0);
	struct rmap_stats s, t;
	int rc = 0;

	for (unsigned int i = 0; i < 1 << 14; i++)
		rmap_map_page(map, v, A(i), i == 5 ? 6 : 7);
	rmap_map_page(map, w, A(1 << 20), 7);
	for (unsigned int i = 2; i < 1024; i++)
		fork_mm(parent, i);
	rmap_get_stats(map, &s);
	rc = rmap_mm_fork(map, parent, 5000, 0, &mm);
	rmap_get_stats(map, &t);
	ok(rc == -EOVERFLOW && !mm && !rmap_mm_find(map, 5000),
	   "a fork for which a _mapcount has no room: -EOVERFLOW");
	ok(!memcmp(&s, &t, sizeof(s)) && info(6).mapcount == 1022 &&
	   info(7).mapcount == (1 << 14) * 1023 - 1, "and changes nothing");
	for (unsigned int i = 0; info(7).mapcount < (1 << 24) - 2; i++)
		if (rmap_map_page(map, new_vma(parent, (1 << 21) + i, 1, 0,
					       RW | RMAP_VM_NONLINEAR, 0),
				  A((1 << 21) + i), 7))
			tap_bail("rmap_map_page");
	ok(rmap_map_page(map, v, A(5), 7) == -EOVERFLOW &&
	   info(6).mapcount == 1022, "nor is there for one more mapping");
}

static int add(struct rmap_mm *mm, uint64_t start, uint64_t end, uint64_t pgoff,
	       uint64_t ino, struct rmap_vma **vmap)
{
	struct rmap_vma_desc d = { start, end, pgoff, RW,
				   { ino ? 8 : 0, ino } };

	return rmap_vma_add(map, mm, &d, vmap);
}

#define HALF UINT64_C(0x8000000000000000)
#define TOP  (UINT64_MAX - 4095)	/* the highest end there is */

/* Addresses on both sides of 2^63, and up to the last page but one. */
static void address_edges(void)
{
	const uint64_t start = HALF - 2 * RMAP_PAGE_SIZE;
	struct rmap_mm *mm = new_mm(1);
	struct rmap_vma *v, *up, *top;
	uint64_t addr = 0, gfn;

	ok(!add(mm, start, HALF - RMAP_PAGE_SIZE, 0, 7, &v) &&
	   !rmap_vma_resize(map, v, HALF + (UINT64_C(1) << 40)) &&
	   !rmap_map_page(map, v, HALF + RMAP_PAGE_SIZE, 1) &&
	   !rmap_map_page(map, v, start, 2) && walk(1).nr == 1 &&
	   walk(1).at[0].addr == HALF + RMAP_PAGE_SIZE &&
	   rmap_vma_find(mm, HALF + (UINT64_C(1) << 40) - 1) == v,
	   "a VMA grows across 2^63");
	ok(!rmap_vma_split(map, v, HALF, &up) && rmap_vma_find(mm, start) == v &&
	   rmap_vma_find(mm, HALF) == up && walk(1).nr == 1 &&
	   !rmap_vma_merge(map, v, up) && rmap_vma_find(mm, HALF) == v,
	   "is split there, and merged");
	ok(!rmap_vma_resize(map, v, HALF) && !walk(1).nr && walk(2).nr == 1 &&
	   !rmap_vma_find(mm, HALF), "and shrinks back");
	ok(!rmap_vma_move(map, v, HALF, &v) && walk(2).at[0].addr == HALF,
	   "or moves across");
	ok(!add(mm, TOP - RMAP_PAGE_SIZE, TOP, 0, 0, &top) &&
	   !rmap_map_page(map, top, TOP - RMAP_PAGE_SIZE, 3) &&
	   walk(3).at[0].addr == TOP - RMAP_PAGE_SIZE &&
	   rmap_vma_next_page(map, top, &addr, &gfn) && gfn == 3,
	   "the highest VMA");
	addr += RMAP_PAGE_SIZE;
	ok(!rmap_vma_next_page(map, top, &addr, &gfn) &&
	   rmap_map_page(map, top, TOP, 4) == -EINVAL, "ends there");
	ok(rmap_vma_move(map, v, TOP, &v) == -EINVAL &&
	   rmap_vma_move(map, v, HALF + 1, &v) == -EINVAL &&
	   rmap_vma_move(map, v, TOP - 2 * RMAP_PAGE_SIZE, &v) == -EEXIST &&
	   rmap_vma_find(mm, HALF) == v,
	   "a move beyond 2^64, or onto another VMA, is refused");
	ok(fork_mm(mm, 2) && walk(3).nr == 2, "a fork has all of them");
}

/* Offsets: what an index holds (2^44), and what 64 bits hold. */
static void offset_edges(void)
{
	const uint64_t nr_index = UINT64_C(1) << 44;
	struct rmap_mm *mm = new_mm(1);
	struct rmap_vma *v = NULL, *w, *x;
	struct rmap_stats s, t;

	rmap_get_stats(map, &s);
	ok(add(mm, A(0), A(8), UINT64_MAX - 6, 7, &v) == -EOVERFLOW &&
	   add(mm, A(0), A(8), UINT64_MAX, 0, &v) == -EOVERFLOW && !v,
	   "the last page's offset would wrap: -EOVERFLOW");
	rmap_get_stats(map, &t);
	ok(!memcmp(&s, &t, sizeof(s)), "and nothing changes");
	ok(!add(mm, A(0), A(8), UINT64_MAX - 7, 7, &v) &&
	   !rmap_map_page(map, v, A(7), 1) && walk(1).nr == 1 &&
	   rmap_vma_resize(map, v, A(9)) == -EOVERFLOW && walk(1).nr == 1 &&
	   !rmap_vma_resize(map, v, A(7)) && !rmap_vma_resize(map, v, A(8)),
	   "at 2^64 - 1 it ends, and can't grow");
	ok(!add(mm, A(8), A(9), 0, 7, &w) &&
	   rmap_vma_merge(map, v, w) == -EINVAL &&
	   !add(mm, A(60), A(68), UINT64_MAX - 7, 0, &w) &&
	   !add(mm, A(68), A(69), 0, 0, &x) &&
	   rmap_vma_merge(map, w, x) == -EOVERFLOW,
	   "nor by what would follow after a wrap");
	ok(!add(mm, A(20), A(28), nr_index - 8, 7, &w) &&
	   !rmap_map_page(map, w, A(27), 2) && !info(2).anon &&
	   info(2).index == nr_index - 1 &&
	   rmap_vma_resize(map, w, A(29)) == -EOVERFLOW && walk(2).nr == 1,
	   "a page at the highest index; its VMA can't grow");
	ok(!add(mm, A(40), A(48), nr_index - 7, 7, &x) &&
	   !rmap_map_page(map, x, A(47), 3) && info(3).anon &&
	   walk(3).nr == 1 && !rmap_vma_resize(map, x, A(50)),
	   "beyond it pages are kept one by one, as anonymous ones");
}

/* A part of a VMA is asked for its pages. */
static void pages_below(void)
{
	struct rmap_vma_desc d = { 0, UINT64_C(1) << 50, 0, RW, { 0, 0 } };
	const uint64_t far = (UINT64_C(1) << 50) - PAGE;
	struct rmap_vma *v;
	uint64_t addr, gfn = 99;

	if (rmap_vma_add(map, new_mm(1), &d, &v) ||
	    rmap_map_page(map, v, 5 * PAGE, 1) || rmap_map_page(map, v, far, 2))
		tap_bail("rmap_map_page");
	addr = 0;
	ok(!rmap_vma_next_page_below(map, v, 5 * PAGE, &addr, &gfn) &&
	   !rmap_vma_next_page_below(map, v, 0, &addr, &gfn) && !addr &&
	   gfn == 99, "no page below the first: nothing is stored");
	ok(rmap_vma_next_page_below(map, v, 5 * PAGE + 1, &addr, &gfn) &&
	   addr == 5 * PAGE && gfn == 1, "one that begins below the end");
	addr = 6 * PAGE;
	ok(!rmap_vma_next_page_below(map, v, far, &addr, &gfn) &&
	   addr == 6 * PAGE, "none between it and the next");
	ok(rmap_vma_next_page_below(map, v, UINT64_MAX, &addr, &gfn) &&
	   addr == far && gfn == 2, "an end beyond the VMA's is the VMA's");
	addr = far + 1;
	ok(!rmap_vma_next_page_below(map, v, UINT64_MAX, &addr, &gfn) &&
	   !rmap_vma_next_page(map, v, &addr, &gfn), "nothing is above it");
}

static void use_scheme(enum rmap_scheme scheme)
{
	struct rmap_config c = { .nr_frames = NR_FRAMES, .scheme = scheme };

	rmap_free(map);
	if (rmap_new(&map, &c))
		tap_bail("no memory");
}

static void row_7(void)
{
	struct rmap_vma *v, *u;
	struct rmap_mm *a, *b;
	struct rmap_stats s;
	struct mappings p;

	use_scheme(RMAP_ANON_MM);
	a = new_mm(1);
	v = new_vma(a, 0, 8, 1234, RW, 0);
	rmap_map_page(map, v, A(3), 10);
	ok(info(10).anon && info(10).index == A(3) >> RMAP_PAGE_SHIFT,
	   "anon_mm: index is the virtual page");
	b = fork_mm(a, 2);
	rmap_get_stats(map, &s);
	ok(s.nr_anon_vmas == 1 && walk(10).nr == 2, "one group of two mms");
	u = rmap_vma_find(b, A(0));
	rmap_map_page(map, u, A(3), 11);
	rmap_set_pte_provider(map, &fake_ops, NULL);
	nr_lookups = 0;
	walk(11);
	is_int(nr_lookups, 2, "a broken-off page is searched for in each mm");
	rmap_set_pte_provider(map, NULL, NULL);
	ok(!rmap_vma_move(map, v, A(40), &v), "mremap after fork");
	rmap_map_page(map, u, A(3), 10);
	p = walk(10);
	ok(p.nr == 2 && at(&p, 1, A(43)) && at(&p, 2, A(3)),
	   "a page at two addresses is found all the same");
	rmap_map_page(map, new_vma(new_mm(3), 0, 8, 0, RW, 0), A(1), 12);
	rmap_map_page(map, new_vma(new_mm(4), 0, 8, 0, RW, 0), A(1), 12);
	ok(walk(12).nr == 2, "unrelated mms with one frame become a group");
}

static void row_8(void)
{
	struct rmap_vma *v, *f;
	struct rmap_stats s;
	struct rmap_mm *mm;

	use_scheme(RMAP_PTE_CHAIN);
	mm = new_mm(1);
	v = new_vma(mm, 0, 32, 500, RW, 0);
	f = new_vma(mm, 40, 8, 600, RW | RMAP_VM_SHARED, 7);
	rmap_map_page(map, v, A(3), 10);
	rmap_get_stats(map, &s);
	ok(s.nr_anon_vmas == 0 && info(10).index == 503 && walk(10).nr == 1,
	   "pte_chain: one mapping needs no chain");
	for (unsigned int i = 4; i < 32; i++)
		rmap_map_page(map, v, A(i), 10);
	rmap_get_stats(map, &s);
	ok(s.nr_anon_vmas == 1 && walk(10).nr == 29, "29 are in one chain");
	for (unsigned int i = 4; i < 32; i += 2)
		rmap_unmap_page(map, v, A(i));
	ok(walk(10).nr == 15 && info(10).mapcount == 14, "14 less");
	rmap_map_page(map, f, A(42), 11);
	ok(!info(11).anon && info(11).file.ino == 7 && info(11).index == 602,
	   "file pages are in chains too, and say whose they are");
	fork_mm(mm, 2);
	ok(walk(11).nr == 2 && !info(11).anon && info(11).index == 602 &&
	   walk(10).nr == 30, "a fork lengthens each chain");
}

static const struct row rows[] = {
	{ "7 anon_mm", row_7 },
	{ "8 pte_chain", row_8 },
	{ "bounds", bounds },
	{ "many links at once", many_links },
	{ "overflow", overflow },
	{ "addresses around 2^63", address_edges },
	{ "pages below an end", pages_below },
	{ "offsets around 2^44 and 2^64", offset_edges },
};

int main(void)
{
	return RUN_ROWS(rows);
}
