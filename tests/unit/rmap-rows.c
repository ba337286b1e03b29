// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rules of reverse mapping one by one, in the order in which
 * docs/internals-rmap.md lists them.  PTEs come from a small table: what the
 * "guest" has, which is not always what the map was told.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "rmap/rmap.h"
#include "tests/tap.h"

#define A(page)	   (UINT64_C(0x10000000) + ((uint64_t)(page) << RMAP_PAGE_SHIFT))
#define RW	   (RMAP_VM_READ | RMAP_VM_WRITE)
#define NR_FRAMES  4096
#define MAX_PTES   64
#define MAX_PLACES 64

static struct rmap *map;

/* --- the guest's page tables ---------------------------------------------- */

struct fake_pte {
	uint32_t mm;
	uint64_t addr;
	struct rmap_pte pte;
};

static struct fake_pte ptes[MAX_PTES];
static unsigned int nr_ptes, nr_lookups;

static struct fake_pte *fake_find(uint32_t mm, uint64_t addr)
{
	for (unsigned int i = 0; i < nr_ptes; i++) {
		if (ptes[i].mm == mm && ptes[i].addr == addr)
			return &ptes[i];
	}
	return NULL;
}

static void fake_set(uint32_t mm, uint64_t addr, uint64_t gfn, bool accessed)
{
	struct fake_pte *p = fake_find(mm, addr);

	if (!p)
		p = &ptes[nr_ptes++];
	*p = (struct fake_pte){ mm, addr, { .present = true, .level = 1,
					    .accessed = accessed, .gfn = gfn } };
}

static int fake_lookup(void *ctx, const struct rmap_mm *mm, uint64_t addr,
		       struct rmap_pte *pte)
{
	struct fake_pte *p = fake_find(rmap_mm_id(mm), addr);

	nr_lookups++;
	if (rmap_mm_pgd(mm) == RMAP_NO_PGD)
		return -ENOENT;
	if (p)
		*pte = p->pte;
	else
		*pte = (struct rmap_pte){ .present = false };
	return 0;
}

static int fake_clear(void *ctx, const struct rmap_mm *mm, uint64_t addr,
		      uint64_t gfn)
{
	struct fake_pte *p = fake_find(rmap_mm_id(mm), addr);
	bool was = p && p->pte.present && p->pte.gfn == gfn && p->pte.accessed;

	if (was)
		p->pte.accessed = false;
	return was;
}

static const struct rmap_pte_ops fake_ops = { fake_lookup, fake_clear };

/* --- helpers --------------------------------------------------------------- */

static struct rmap_mm *new_mm(uint32_t id)
{
	struct rmap_mm *mm;

	if (rmap_mm_add(map, id, 0x1000 * id, &mm))
		tap_bail("rmap_mm_add");
	return mm;
}

static struct rmap_mm *fork_mm(struct rmap_mm *parent, uint32_t id)
{
	struct rmap_mm *mm;

	if (rmap_mm_fork(map, parent, id, 0x1000 * id, &mm))
		tap_bail("rmap_mm_fork");
	return mm;
}

static struct rmap_vma *new_vma(struct rmap_mm *mm, unsigned int page,
				unsigned int nr, uint64_t pgoff,
				uint32_t flags, uint64_t ino)
{
	struct rmap_vma_desc d = { A(page), A(page + nr), pgoff, flags,
				   { ino ? 8 : 0, ino } };
	struct rmap_vma *vma;

	if (rmap_vma_add(map, mm, &d, &vma))
		tap_bail("rmap_vma_add");
	return vma;
}

static struct rmap_page_info info(uint64_t gfn)
{
	struct rmap_page_info i = { .mapcount = -99 };

	rmap_page_info(map, gfn, &i);
	return i;
}

struct places {
	unsigned int nr;
	struct { uint32_t mm; uint64_t addr; } at[MAX_PLACES];
};

static bool note_place(const struct rmap *m, uint64_t gfn,
		       const struct rmap_vma *vma, uint64_t addr, void *arg)
{
	struct places *p = arg;

	p->at[p->nr].mm = rmap_mm_id(rmap_vma_mm(vma));
	p->at[p->nr++].addr = addr;
	return p->nr < MAX_PLACES;
}

static struct places walk(uint64_t gfn)
{
	struct places p = { 0 };
	struct rmap_walk_control rwc = { .arg = &p, .rmap_one = note_place };

	rmap_walk(map, gfn, &rwc);
	return p;
}

static bool at(const struct places *p, uint32_t mm, uint64_t addr)
{
	for (unsigned int i = 0; i < p->nr; i++) {
		if (p->at[i].mm == mm && p->at[i].addr == addr)
			return true;
	}
	return false;
}

static struct rmap_referenced referenced(uint64_t gfn)
{
	struct rmap_referenced r = { .nr_mappings = 999 };

	rmap_page_referenced(map, gfn, &r);
	return r;
}

/* --- the rows ---------------------------------------------------------------- */

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

static void row_2(void)
{
	struct rmap_vma *anon = new_vma(new_mm(1), 0, 8, 0, RW, 0);
	struct rmap_vma *file = new_vma(new_mm(2), 0, 8, 0, RW, 7);

	is_int(info(9).mapcount, -1, "free: -1");
	ok(!rmap_map_page(map, anon, A(0), 9) && info(9).mapcount == 0,
	   "mapped once: 0");
	ok(!rmap_map_page(map, anon, A(0), 9) && info(9).mapcount == 0,
	   "told again: still 0");
	ok(!rmap_map_page(map, anon, A(3), 9) && info(9).mapcount == 1,
	   "at a second address of the region: 1");
	ok(!rmap_map_page(map, file, A(5), 9) && info(9).mapcount == 2,
	   "in a file region too: 2, whatever its kind");
	ok(walk(9).nr == 3, "the walk finds all three");
	ok(!rmap_unmap_page(map, anon, A(0)) && info(9).mapcount == 1,
	   "unmapped once: 1");
	rmap_mm_remove(map, rmap_mm_find(map, 1));
	ok(info(9).mapcount == 0, "one process gone: 0");
	rmap_vma_remove(map, file);
	ok(info(9).mapcount == -1, "region gone: -1");
}

static void row_3(void)
{
	struct rmap_mm *mm = new_mm(1);
	struct rmap_vma *anon = new_vma(mm, 0, 8, 0, RW, 0);
	struct rmap_vma *priv = new_vma(mm, 10, 8, 0, RW, 7);
	struct rmap_vma *shared = new_vma(mm, 20, 8, 0, RW | RMAP_VM_SHARED, 7);

	ok(!info(1).mapped_object, "not mapped: NULL");
	rmap_map_page(map, anon, A(0), 1);
	ok(info(1).mapped_object && info(1).anon, "anonymous: an anon_vma");
	rmap_map_page(map, priv, A(10), 2);
	ok(info(2).mapped_object && !info(2).anon && info(2).file.dev == 8 &&
	   info(2).file.ino == 7, "of a file: its address_space");
	rmap_map_page(map, shared, A(20), 2);
	ok(!info(2).anon && walk(2).nr == 2, "shared and private: one object");
	rmap_map_page(map, priv, A(10), 3);
	ok(info(3).anon && !info(2).anon && walk(2).nr == 1,
	   "replaced in a private file region: broken off, anonymous");
	rmap_map_page(map, shared, A(20), 4);
	ok(!info(4).anon && !info(2).mapped_object,
	   "replaced in a shared file region: of the file");
	rmap_page_set_flags(map, 5, RMAP_PG_ANON);
	rmap_map_page(map, priv, A(11), 5);
	ok(info(5).anon, "flags say anonymous, first seen in a file region");
	rmap_unmap_page(map, anon, A(0));
	ok(!info(1).mapped_object && !info(1).anon, "unmapped: NULL again");
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
		   "index in a region at page %llu of its object",
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
	   info(1).mapcount == -1, "pages outside the region are refused");
	ok(rmap_mm_id(mm) == 1 && rmap_mm_pgd(mm) == 0x1000 &&
	   rmap_mm_add(map, 1, 0, &mm) == -EEXIST && !rmap_mm_find(map, 2),
	   "processes by id");
}

/* Sharing after a fork told by rmap_mm_fork(). */
static void row_6_fork(void)
{
	struct rmap_mm *parent = new_mm(1), *child;
	struct rmap_vma *pv = new_vma(parent, 0, 4, 0x10000, RW, 0), *cv;
	struct rmap_stats s;
	struct places p;

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
	   "broken by the child: one place each");
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
	struct places p;

	for (unsigned int i = 0; i < 4; i++) {
		rmap_map_page(map, a, A(i), 10 + i);
		rmap_map_page(map, b, A(44 + i), 20 + i);
	}
	ok(walk(10).nr == 1 && walk(20).nr == 1, "two unrelated regions");
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

static void row_10(void)
{
	struct rmap_mm *mm = new_mm(1);
	unsigned int n = 10000;
	struct rmap_vma *v = NULL;
	struct rmap_stats s;

	/* VMA i maps pages i .. i + 3: every page is in at most four. */
	for (unsigned int i = 0; i < n; i++)
		v = new_vma(mm, i * 4, 4, i, RW | RMAP_VM_SHARED, 7);
	rmap_map_page(map, v, A((n - 1) * 4 + 1), 50);
	rmap_map_page(map, rmap_vma_find(mm, A((n - 2) * 4)),
		      A((n - 2) * 4 + 2), 50);
	rmap_get_stats(map, &s);
	ok(s.nr_files == 1 && s.nr_vmas == n, "10,000 VMAs on one file");
	ok(!info(50).anon && info(50).index == n && info(50).mapcount == 1,
	   "a page of the file in two of them");
	rmap_set_pte_provider(map, &fake_ops, NULL);
	nr_lookups = 0;
	walk(50);
	ok(nr_lookups == 3, "only windows with its index are visited: %u",
	   nr_lookups);
	rmap_set_pte_provider(map, NULL, NULL);
	is_int(walk(50).nr, 2, "and both places are found");
	rmap_mm_remove(map, mm);
	rmap_get_stats(map, &s);
	ok(s.nr_files == 0 && s.nr_vmas == 0, "all gone with the process");
}

static void row_11(void)
{
	struct rmap_mm *a = new_mm(1), *b = new_mm(2), *c = new_mm(3);
	struct rmap_vma *va = new_vma(a, 10, 10, 100, RW, 7);
	struct rmap_vma *vb = new_vma(b, 200, 10, 95, RW, 7);
	struct places p;

	new_vma(c, 300, 10, 110, RW, 7);	/* its window begins above */
	rmap_map_page(map, va, A(14), 60);	/* index 104 */
	rmap_map_page(map, vb, A(209), 60);	/* index 104 */
	p = walk(60);
	ok(info(60).index == 104 && p.nr == 2 && at(&p, 1, A(14)) &&
	   at(&p, 2, A(209)), "one frame, two linear addresses");
	rmap_set_pte_provider(map, &fake_ops, NULL);
	nr_lookups = 0;
	walk(60);
	is_int(nr_lookups, 2, "none outside [vm_start, vm_end)");
}

static void row_12(void)
{
	struct rmap_mm *a = new_mm(1), *b = new_mm(2);
	struct rmap_vma *va = new_vma(a, 0, 64, 0, RW | RMAP_VM_NONLINEAR, 7);
	struct rmap_vma *vb = new_vma(b, 0, 64, 0, RW | RMAP_VM_SHARED, 7);
	struct rmap_vma *vc = new_vma(a, 100, 16, 0, RW | RMAP_VM_NONLINEAR, 0);
	struct rmap_vma *vd = new_vma(b, 100, 16, 0, RW, 0);
	struct places p;

	rmap_map_page(map, va, A(40), 70);
	rmap_map_page(map, va, A(50), 70);
	rmap_map_page(map, vb, A(3), 70);	/* who knows the offset */
	p = walk(70);
	ok(p.nr == 3 && at(&p, 1, A(40)) && at(&p, 1, A(50)) && at(&p, 2, A(3)),
	   "a nonlinear file region is searched");
	ok(!info(70).anon && info(70).index == 3,
	   "the index is the one a linear region knows");
	rmap_map_page(map, vd, A(105), 71);
	rmap_map_page(map, vc, A(112), 71);
	p = walk(71);
	ok(p.nr == 2 && at(&p, 2, A(105)) && at(&p, 1, A(112)),
	   "so is an anonymous one");
	rmap_unmap_page(map, vc, A(112));
	is_int(walk(71).nr, 1, "and left when the page is");
	rmap_set_pte_provider(map, &fake_ops, NULL);
	fake_set(1, A(9), 70, true);	/* moved inside, nobody told */
	p = walk(70);
	ok(p.nr == 1 && at(&p, 1, A(9)), "a provider is asked for every PTE");
}

static void row_13(void)
{
	struct rmap_mm *a = new_mm(1), *b = new_mm(2);
	struct rmap_pte pte = { .gfn = 999 };

	rmap_map_page(map, new_vma(a, 0, 8, 0, RW, 0), A(1), 80);
	rmap_map_page(map, new_vma(b, 0, 8, 0, RW, 0), A(1), 81);
	ok(!rmap_pte_lookup(map, a, A(1), &pte) && pte.present &&
	   pte.gfn == 80 && !pte.accessed, "without a provider: what was told");
	ok(rmap_pte_lookup(map, a, A(2), &pte) == -ENOENT &&
	   rmap_pte_lookup(map, a, A(100), &pte) == -ENOENT && pte.gfn == 80,
	   "nothing known: -ENOENT, nothing stored");
	rmap_set_pte_provider(map, &fake_ops, NULL);
	fake_set(1, A(1), 82, true);
	ok(!rmap_pte_lookup(map, a, A(1), &pte) && pte.gfn == 82 &&
	   pte.accessed, "with one: what the page tables have");
	rmap_mm_set_pgd(b, RMAP_NO_PGD);
	ok(!rmap_pte_lookup(map, b, A(1), &pte) && pte.gfn == 81,
	   "a process whose PGD is not known: what was told");
}

static void row_14(void)
{
	struct rmap_mm *a = new_mm(1), *b = new_mm(2), *c = new_mm(3);
	struct rmap_referenced r;

	rmap_map_page(map, new_vma(a, 0, 8, 0, RMAP_VM_READ, 7), A(1), 90);
	rmap_map_page(map, new_vma(b, 20, 8, 0, RMAP_VM_EXEC, 7), A(21), 90);
	rmap_map_page(map, new_vma(c, 40, 8, 0, RMAP_VM_LOCKED, 7), A(41), 90);
	r = referenced(90);
	ok(r.nr_mappings == 3 && !r.nr_referenced && !r.has_accessed_bits,
	   "no provider: three mappings, no accessed bits to look at");
	ok(r.vm_flags == (RMAP_VM_READ | RMAP_VM_EXEC | RMAP_VM_LOCKED),
	   "the union of the flags");
	rmap_set_pte_provider(map, &fake_ops, NULL);
	rmap_mm_set_pgd(c, RMAP_NO_PGD);
	fake_set(1, A(1), 90, false);
	fake_set(2, A(21), 90, true);
	r = referenced(90);
	ok(r.nr_mappings == 3 && r.nr_referenced == 1 && r.has_accessed_bits,
	   "one touched it: 1");
	is_int(referenced(90).nr_referenced, 0, "the bit was cleared");
	fake_set(1, A(1), 90, true);
	fake_set(2, A(21), 90, true);
	is_int(referenced(90).nr_referenced, 2, "both did: 2");
	r.nr_mappings = 77;
	ok(rmap_page_referenced(map, NR_FRAMES, &r) == -ERANGE &&
	   r.nr_mappings == 77, "no such frame: -ERANGE, nothing stored");
	ok(!referenced(91).nr_mappings, "a frame nobody maps: none");
}

static void row_15(void)
{
	struct rmap_mm *a = new_mm(1), *b;

	rmap_map_page(map, new_vma(a, 0, 8, 0, RW, 0), A(0), 95);
	b = fork_mm(a, 2);
	rmap_set_pte_provider(map, &fake_ops, NULL);
	fake_set(rmap_mm_id(a), A(0), 95, false);
	fake_set(rmap_mm_id(b), A(0), 95, false);
	ok(info(95).mapcount == 1 && referenced(95).nr_referenced == 0,
	   "mapped twice, used by none");
	fake_set(rmap_mm_id(b), A(0), 95, true);
	ok(referenced(95).nr_referenced == 1 && info(95).mapcount == 1,
	   "used by one, mapcount as before");
}

static void row_16(void)
{
	struct rmap_mm *a = new_mm(1);
	struct rmap_vma *v = new_vma(a, 0, 8, 0, RW, 0);
	struct places p;

	for (unsigned int i = 0; i < 8; i++)
		rmap_map_page(map, v, A(i), 100 + i);
	fork_mm(a, 2);
	rmap_set_pte_provider(map, &fake_ops, NULL);
	for (unsigned int i = 0; i < 8; i++) {
		fake_set(1, A(20 + i), 100 + i, true);	/* moved, not told */
		fake_set(1, A(i), 200 + i, true);	/* others are there */
		fake_set(2, A(i), 100 + i, true);
	}
	p = walk(103);
	ok(p.nr == 1 && at(&p, 2, A(3)), "moved under us: one hit less");
	is_int(referenced(103).nr_referenced, 1, "and one bit less");
	ok(fake_find(1, A(3))->pte.accessed, "the other frame's bit is kept");
	/* Then the agent tells: another region, with another offset. */
	rmap_vma_remove(map, v);
	v = new_vma(a, 20, 8, 0x9999, RW, 0);
	for (unsigned int i = 0; i < 8; i++)
		rmap_map_page(map, v, A(20 + i), 100 + i);
	p = walk(103);
	ok(p.nr == 2 && at(&p, 1, A(23)) && at(&p, 2, A(3)),
	   "told again: found at both places after fork and mremap");
}

static void row_17(void)
{
	struct rmap_referenced r;

	rmap_map_page(map, new_vma(new_mm(1), 0, 8, 0, RW, 0), A(0), 110);
	rmap_set_pte_provider(map, &fake_ops, NULL);
	fake_set(1, A(0), 110, true);
	r = referenced(110);
	ok(r.nr_referenced == 1 && info(110).mapcount == 0 && walk(110).nr == 1,
	   "an accessed page is reported and stays mapped");
}

static void row_18(void)
{
	struct rmap_mm *a = new_mm(1);
	struct rmap_vma *plain = new_vma(a, 0, 8, 0, RW, 0);
	struct rmap_vma *locked = new_vma(a, 20, 8, 0, RW | RMAP_VM_LOCKED, 0);

	rmap_map_page(map, plain, A(0), 120);
	ok(!rmap_page_unevictable(map, 120), "an ordinary page is evictable");
	rmap_map_page(map, locked, A(20), 120);
	ok(rmap_page_unevictable(map, 120), "one VM_LOCKED region is enough");
	rmap_unmap_page(map, locked, A(20));
	ok(!rmap_page_unevictable(map, 120), "until it lets go");
	rmap_page_set_flags(map, 120, RMAP_PG_RESERVED);
	rmap_page_set_flags(map, 121, RMAP_PG_LOCKED);
	rmap_page_set_flags(map, 122, RMAP_PG_PGTABLE);
	ok(rmap_page_unevictable(map, 120) && rmap_page_unevictable(map, 121) &&
	   rmap_page_unevictable(map, 122) &&
	   rmap_page_unevictable(map, NR_FRAMES),
	   "so are reserved, locked, page table and unknown frames");
}

static bool two_are_enough(uint64_t gfn, void *arg)
{
	return ((struct places *)arg)->nr == 2;
}

static bool odd_mm(const struct rmap_vma *vma, void *arg)
{
	return rmap_mm_id(rmap_vma_mm(vma)) % 2;
}

static bool never(const struct rmap *m, uint64_t gfn,
		  const struct rmap_vma *vma, uint64_t addr, void *arg)
{
	(*(unsigned int *)arg)++;
	return false;
}

static void row_19(void)
{
	struct places p = { 0 };
	struct rmap_walk_control rwc = { .arg = &p, .rmap_one = note_place };
	unsigned int calls = 0;

	for (unsigned int i = 1; i <= 6; i++)
		rmap_map_page(map, new_vma(new_mm(i), 0, 4, 0, RW, 7), A(0), 5);
	ok(!rmap_walk(map, 5, &rwc) && p.nr == 6, "all six");
	rwc.done = two_are_enough;
	p.nr = 0;
	ok(!rmap_walk(map, 5, &rwc) && p.nr == 2, "done ends it after two");
	rwc.done = NULL;
	rwc.invalid_vma = odd_mm;
	p.nr = 0;
	ok(!rmap_walk(map, 5, &rwc) && p.nr == 3 && !at(&p, 1, A(0)) &&
	   at(&p, 2, A(0)), "invalid_vma skips half");
	rwc = (struct rmap_walk_control){ .arg = &calls, .rmap_one = never };
	ok(!rmap_walk(map, 5, &rwc) && calls == 1, "false from one ends it");
	ok(rmap_walk(map, NR_FRAMES, &rwc) == -ERANGE, "-ERANGE");
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

/* --- the rival schemes --------------------------------------------------- */

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

static const struct {
	const char *name;
	void (*fn)(void);
} rows[] = {
	{ "1 struct page", row_1 },
	{ "2 _mapcount", row_2 },
	{ "3 mapping", row_3 },
	{ "4 index", row_4 },
	{ "5 VMA", row_5 },
	{ "6 anon_vma: fork", row_6_fork },
	{ "6 anon_vma: joined later", row_6_join },
	{ "6 anon_vma: flat", row_6_flat },
	{ "7 anon_mm", row_7 },
	{ "8 pte_chain", row_8 },
	{ "10 address_space", row_10 },
	{ "11 linear address", row_11 },
	{ "12 nonlinear", row_12 },
	{ "13 PTE lookup", row_13 },
	{ "14 page_referenced", row_14 },
	{ "15 activity is not mapcount", row_15 },
	{ "16 mremap", row_16 },
	{ "17 accessed PTE", row_17 },
	{ "18 locked, reserved", row_18 },
	{ "19 rmap walk", row_19 },
	{ "bounds", bounds },
	{ "overflow", overflow },
};

int main(void)
{
	struct rmap_config config = { .nr_frames = NR_FRAMES };

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		printf("# row %s\n", rows[i].name);
		if (rmap_new(&map, &config))
			tap_bail("no memory");
		nr_ptes = 0;
		rows[i].fn();
		rmap_free(map);
	}
	return tap_done();
}
