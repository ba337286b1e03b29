// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rival schemes where they differ (rules 7 and 8 of docs/internals-rmap.md),
 * and the limits of all.
 */
#include "config.h"

#include "tests/unit/rmap-scene.h"

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

/* 2^14 places of one frame in each of 2^10 processes: one too many. */
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
	struct places p;

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
	is_int(nr_lookups, 2, "a broken-off page is looked for in each mm");
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
	{ "overflow", overflow },
};

int main(void)
{
	return RUN_ROWS(rows);
}
