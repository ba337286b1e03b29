// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rules of reverse mapping about frames, VMAs and objects, one by one,
 * by their numbers in docs/internals-rmap.md.
 */
#include "config.h"

#include "tests/unit/rmap-fixture.h"

static void row_1(void)
{
	struct rmap_stats s;
	struct rmap_page_info i;

	rmap_get_stats(map, &s);
	ok(s.bytes_frames / NR_FRAMES <= 15, "a frame's record: %llu bytes",
	   (unsigned long long)(s.bytes_frames / NR_FRAMES));
	ok(!rmap_page_set_flags(map, 5, RMAP_PG_SLAB | RMAP_PG_DIRTY) &&
	   rmap_page_flags(map, 5) == (RMAP_PG_SLAB | RMAP_PG_DIRTY),
	   "flags are kept");
	ok(rmap_page_info(map, NR_FRAMES, &i) == -ERANGE &&
	   rmap_page_set_flags(map, NR_FRAMES, 0) == -ERANGE &&
	   rmap_page_flags(map, NR_FRAMES) == 0,
	   "a frame beyond the map: -ERANGE");
	ok(rmap_page_set_flags(map, 5, 0x10000) == -EINVAL &&
	   rmap_page_flags(map, 5) == (RMAP_PG_SLAB | RMAP_PG_DIRTY),
	   "unknown flags: -EINVAL, the old ones stay");
}

/* Flags reported before the frame was mapped, or unmapped, are stale. */
static void row_1_flags(void)
{
	struct rmap_vma *v = new_vma(new_mm(1), 0, 8, 0, RW, 0);

	rmap_page_set_flags(map, 5, RMAP_PG_FREE);
	rmap_page_set_flags(map, 6, RMAP_PG_LOCKED);
	rmap_map_page(map, v, A(0), 5);
	rmap_map_page(map, v, A(1), 6);
	ok(!rmap_page_flags(map, 5) && !info(5).flags &&
	   !rmap_page_flags(map, 6), "mapped since: unknown");
	rmap_page_set_flags(map, 5, RMAP_PG_FREE);
	rmap_page_set_flags(map, 6, RMAP_PG_ANON);
	ok(!rmap_page_flags(map, 5) && rmap_page_flags(map, 6) == RMAP_PG_ANON,
	   "reported again: as reported, but free");
	rmap_map_page(map, v, A(2), 6);
	rmap_unmap_page(map, v, A(1));
	ok(rmap_page_flags(map, 6) == RMAP_PG_ANON,
	   "one mapping more or less: the same page");
	rmap_unmap_page(map, v, A(0));
	rmap_unmap_page(map, v, A(2));
	ok(!rmap_page_flags(map, 5) && !rmap_page_flags(map, 6),
	   "unmapped: unknown");
	rmap_page_set_flags(map, 5, RMAP_PG_FREE);
	ok(rmap_page_flags(map, 5) == RMAP_PG_FREE, "reported as free: free");
	rmap_map_page(map, v, A(0), 7);
	rmap_map_page(map, v, A(0), 5);
	ok(!rmap_page_flags(map, 5), "instead of another frame: mapped");
}

static void row_2(void)
{
	struct rmap_vma *anon = new_vma(new_mm(1), 0, 8, 0, RW, 0);
	struct rmap_vma *file = new_vma(new_mm(2), 0, 8, 0, RW, 7);

	is_int(info(9).mapcount, -1, "free: -1");
	ok(!rmap_map_page(map, anon, A(0), 9) && info(9).mapcount == 0,
	   "mapped once: 0");
	ok(!rmap_map_page(map, anon, A(0), 9) && info(9).mapcount == 0,
	   "reported again: still 0");
	ok(!rmap_map_page(map, anon, A(3), 9) && info(9).mapcount == 1,
	   "at a second address of the VMA: 1");
	ok(!rmap_map_page(map, file, A(5), 9) && info(9).mapcount == 2,
	   "in a file VMA too: 2, whatever its kind");
	ok(walk(9).nr == 3, "the walk finds all three");
	ok(!rmap_unmap_page(map, anon, A(0)) && info(9).mapcount == 1,
	   "unmapped once: 1");
	rmap_mm_remove(map, rmap_mm_find(map, 1));
	ok(info(9).mapcount == 0, "one process gone: 0");
	rmap_vma_remove(map, file);
	ok(info(9).mapcount == -1, "VMA gone: -1");
}

static void row_3(void)
{
	struct rmap_mm *mm = new_mm(1);
	struct rmap_vma *anon = new_vma(mm, 0, 8, 0, RW, 0);
	struct rmap_vma *priv = new_vma(mm, 10, 8, 0, RW, 7);
	struct rmap_vma *shared = new_vma(mm, 20, 8, 0, RW | RMAP_VM_SHARED, 7);

	ok(!info(1).has_object, "not mapped: NULL");
	rmap_map_page(map, anon, A(0), 1);
	ok(info(1).has_object && info(1).anon, "anonymous: an anon_vma");
	rmap_map_page(map, priv, A(10), 2);
	ok(info(2).has_object && !info(2).anon && info(2).file.dev == 8 &&
	   info(2).file.ino == 7, "of a file: its address_space");
	rmap_map_page(map, shared, A(20), 2);
	ok(!info(2).anon && walk(2).nr == 2, "shared and private: one object");
	rmap_map_page(map, priv, A(10), 3);
	ok(info(3).anon && !info(2).anon && walk(2).nr == 1,
	   "replaced in a private file VMA: broken off, anonymous");
	rmap_map_page(map, shared, A(20), 4);
	ok(!info(4).anon && !info(2).has_object,
	   "replaced in a shared file VMA: of the file");
	rmap_page_set_flags(map, 5, RMAP_PG_ANON);
	rmap_map_page(map, priv, A(11), 5);
	ok(info(5).anon, "flags say anonymous, first seen in a file VMA");
	rmap_unmap_page(map, anon, A(0));
	ok(!info(1).has_object && !info(1).anon, "unmapped: NULL again");
}

static void row_4(void)
{
	static const uint64_t pgoffs[] = { 0, 1, 12345, UINT64_C(1) << 32,
					   (UINT64_C(1) << 44) - 8 };
	struct rmap_mm *mm = new_mm(1);

	for (unsigned int i = 0; i < 5; i++) {
		unsigned int p = i * 20;
		struct rmap_vma *f = new_vma(mm, p, 8, pgoffs[i], RW, 7 + i);
		struct rmap_vma *a = new_vma(mm, p + 8, 8, pgoffs[i], RW, 0);

		rmap_map_page(map, f, A(p + 7), 100 + i);
		rmap_map_page(map, a, A(p + 10), 200 + i);
		ok(info(100 + i).index == pgoffs[i] + 7 &&
		   info(200 + i).index == pgoffs[i] + 2,
		   "index in a VMA at page %llu of its object",
		   (unsigned long long)pgoffs[i]);
	}
}

static void row_5(void)
{
	struct rmap_mm *mm = new_mm(1);
	static const struct {
		uint64_t start, end;
		int rc;
		const char *name;
	} t[] = {
		{ A(10), A(20), 0, "[10, 20)" },
		{ A(30), A(40), 0, "[30, 40)" },
		{ A(10), A(20), -EEXIST, "[10, 20) again" },
		{ A(12), A(13), -EEXIST, "inside" },
		{ A(0), A(50), -EEXIST, "around" },
		{ A(19), A(25), -EEXIST, "over the end" },
		{ A(5), A(11), -EEXIST, "over the start" },
		{ A(20), A(30), 0, "between, touching both" },
		{ A(50), A(50), -EINVAL, "empty" },
		{ A(60), A(55), -EINVAL, "backwards" },
		{ A(60) + 1, A(61), -EINVAL, "start not aligned" },
		{ A(60), A(61) + 8, -EINVAL, "end not aligned" },
		{ UINT64_C(0xffffffffff600000), UINT64_C(0xffffffffff601000), 0,
		  "vsyscall, in the upper half" },
	};
	struct rmap_vma_desc d, got;
	struct rmap_vma *v = NULL, *bad = (void *)&d;
	unsigned int n = 0;

	for (unsigned int i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		d = (struct rmap_vma_desc){ t[i].start, t[i].end, 0, RW,
					    { 0, 0 } };
		is_int(rmap_vma_add(map, mm, &d, t[i].rc ? &bad : &v), t[i].rc,
		       t[i].name);
	}
	ok(bad == (void *)&d, "a refused VMA is not stored");
	ok(!rmap_vma_find(mm, A(9)) && rmap_vma_find(mm, A(10)) &&
	   rmap_vma_find(mm, A(19) + 4095) &&
	   rmap_vma_find(mm, A(19)) != rmap_vma_find(mm, A(20)) &&
	   !rmap_vma_find(mm, A(40)), "found by address");
	for (v = rmap_vma_next(mm, 0); v; v = rmap_vma_next(mm, got.end), n++)
		rmap_vma_describe(v, &got);
	ok(n == 4 && got.start == UINT64_C(0xffffffffff600000),
	   "iterated in order");
	v = rmap_vma_find(mm, A(10));
	ok(rmap_map_page(map, v, A(9), 1) == -EINVAL &&
	   rmap_map_page(map, v, A(20), 1) == -EINVAL &&
	   rmap_map_page(map, v, A(10) + 1, 1) == -EINVAL &&
	   rmap_map_page(map, v, A(10), NR_FRAMES) == -ERANGE &&
	   rmap_unmap_page(map, v, A(10)) == -ENOENT &&
	   info(1).mapcount == -1, "pages outside the VMA are refused");
	ok(rmap_mm_id(mm) == 1 && rmap_mm_pgd(mm) == 0x1000 &&
	   rmap_mm_add(map, 1, 0, &mm) == -EEXIST && !rmap_mm_find(map, 2),
	   "processes by id");
}

/* Sharing after a fork reported by rmap_mm_fork(). */
static void row_6_fork(void)
{
	struct rmap_mm *parent = new_mm(1), *child;
	struct rmap_vma *pv = new_vma(parent, 0, 4, 0x10000, RW, 0), *cv;
	struct rmap_stats s;
	struct mappings p;

	rmap_map_page(map, pv, A(0), 10);
	rmap_map_page(map, pv, A(1), 11);
	child = fork_mm(parent, 2);
	cv = rmap_vma_find(child, A(0));
	rmap_get_stats(map, &s);
	ok(s.nr_anon_vmas == 1 && s.nr_mappings == 4,
	   "forked: one anon_vma for both");
	p = walk(10);
	ok(p.nr == 2 && at(&p, 1, A(0)) && at(&p, 2, A(0)),
	   "a page shared by fork is found in both");
	rmap_map_page(map, cv, A(0), 20);
	p = walk(20);
	ok(p.nr == 1 && at(&p, 2, A(0)) && walk(10).nr == 1,
	   "broken by the child: one mapping each");
	rmap_map_page(map, pv, A(2), 12);
	p = walk(12);
	ok(p.nr == 1 && at(&p, 1, A(2)) && info(12).mapcount == 0,
	   "faulted by the parent after the fork: its own");
	rmap_mm_remove(map, parent);
	p = walk(11);
	ok(p.nr == 1 && at(&p, 2, A(1)) && info(10).mapcount == -1,
	   "the parent exits: the child keeps what it shares");
	rmap_mm_remove(map, child);
	rmap_get_stats(map, &s);
	ok(!s.nr_anon_vmas && !s.nr_mappings && !s.nr_vmas,
	   "both gone: nothing left");
}

/* The same found out by an agent which sees frames, not forks. */
static void row_6_join(void)
{
	struct rmap_vma *a = new_vma(new_mm(1), 0, 8, 0, RW, 0);
	struct rmap_vma *b = new_vma(new_mm(2), 40, 8, 777, RW, 0);
	struct mappings p;

	for (unsigned int i = 0; i < 4; i++) {
		rmap_map_page(map, a, A(i), 10 + i);
		rmap_map_page(map, b, A(44 + i), 20 + i);
	}
	ok(walk(10).nr == 1 && walk(20).nr == 1, "two unrelated VMAs");
	rmap_map_page(map, b, A(41), 11);
	rmap_map_page(map, a, A(5), 22);
	p = walk(11);
	ok(p.nr == 2 && at(&p, 1, A(1)) && at(&p, 2, A(41)),
	   "a frame of the first turns up in the second");
	p = walk(22);
	ok(p.nr == 2 && at(&p, 2, A(46)) && at(&p, 1, A(5)),
	   "and one of the second in the first, at another offset");
	ok(walk(10).nr == 1 && walk(23).nr == 1, "the others stay apart");
}

/* 1,000 children share what they have not written: flat for what they have. */
static void row_6_flat(void)
{
	struct rmap_mm *parent = new_mm(1);
	struct rmap_vma *pv = new_vma(parent, 0, 8, 0, RW, 0);
	unsigned int worst = 0;
	bool right = true;

	for (unsigned int i = 0; i < 8; i++)
		rmap_map_page(map, pv, A(i), i);
	for (unsigned int c = 0; c < 1000; c++)
		fork_mm(parent, 2 + c);
	for (unsigned int c = 0; c < 1000; c++) {
		struct rmap_vma *v = rmap_vma_find(rmap_mm_find(map, 2 + c),
						   A(3));

		rmap_map_page(map, v, A(3), 1000 + c);
	}
	rmap_map_page(map, pv, A(2), 8);
	/* Each lookup the walk makes is one VMA visited. */
	rmap_set_pte_provider(map, &fake_ops, NULL);
	for (unsigned int c = 0; c < 1000; c++) {
		fake_set(2 + c, A(3), 1000 + c, false);
		nr_lookups = 0;
		right &= walk(1000 + c).nr == 1;
		worst = nr_lookups > worst ? nr_lookups : worst;
		nr_ptes = 0;
	}
	ok(right && worst == 1, "a page broken off by one of 1,000 children: "
	   "%u VMA visited", worst);
	nr_lookups = 0;
	walk(8);
	ok(nr_lookups == 1, "a page the parent broke off: %u VMA visited",
	   nr_lookups);
	rmap_set_pte_provider(map, NULL, NULL);
	is_int(info(7).mapcount, 1000, "a page all share: mapped 1,001 times");
	is_int(referenced(7).nr_mappings, 1001, "and all are found");
}

/* A set of pages, and a link, for each of 200 forks would be too many. */
static void row_6_bounded(void)
{
	struct rmap_mm *parent = new_mm(1);
	struct rmap_vma *pv = new_vma(parent, 0, 256, 0, RW, 0);
	struct rmap_stats s;
	bool right = true;

	for (unsigned int i = 0; i < 200; i++) {
		rmap_map_page(map, pv, A(i), i);
		fork_mm(parent, 2 + i);
	}
	rmap_get_stats(map, &s);
	ok(s.nr_anon_vmas <= 32, "a parent that forks and writes in turn: "
	   "%llu anon_vmas", (unsigned long long)s.nr_anon_vmas);
	for (unsigned int i = 0; i < 200; i++)
		right &= referenced(i).nr_mappings == 201 - i;
	ok(right, "each page is found in all children forked after it");
}

static const struct row rows[] = {
	{ "1 struct page", row_1 },
	{ "1 flags and their age", row_1_flags },
	{ "2 _mapcount", row_2 },
	{ "3 mapping", row_3 },
	{ "4 index", row_4 },
	{ "5 VMA", row_5 },
	{ "6 anon_vma: fork", row_6_fork },
	{ "6 anon_vma: joined later", row_6_join },
	{ "6 anon_vma: flat", row_6_flat },
	{ "6 anon_vma: bounded", row_6_bounded },
};

int main(void)
{
	return RUN_ROWS(rows);
}
