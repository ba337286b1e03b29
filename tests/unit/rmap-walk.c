// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rules about finding mappings and what they say about a page's use, one by
 * one, by their numbers in docs/internals-rmap.md.
 */
#include "config.h"

#include "tests/unit/rmap-fixture.h"

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
	is_int(walk(50).nr, 2, "and both mappings are found");
	rmap_mm_remove(map, mm);
	rmap_get_stats(map, &s);
	ok(s.nr_files == 0 && s.nr_vmas == 0, "all gone with the process");
}

static void row_11(void)
{
	struct rmap_mm *a = new_mm(1), *b = new_mm(2), *c = new_mm(3);
	struct rmap_vma *va = new_vma(a, 10, 10, 100, RW, 7);
	struct rmap_vma *vb = new_vma(b, 200, 10, 95, RW, 7);
	struct mappings p;

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
	struct mappings p;

	rmap_map_page(map, va, A(40), 70);
	rmap_map_page(map, va, A(50), 70);
	rmap_map_page(map, vb, A(3), 70);	/* who knows the offset */
	p = walk(70);
	ok(p.nr == 3 && at(&p, 1, A(40)) && at(&p, 1, A(50)) && at(&p, 2, A(3)),
	   "a nonlinear file VMA is searched");
	ok(!info(70).anon && info(70).index == 3,
	   "the index is the one a linear VMA knows");
	rmap_map_page(map, vd, A(105), 71);
	rmap_map_page(map, vc, A(112), 71);
	p = walk(71);
	ok(p.nr == 2 && at(&p, 2, A(105)) && at(&p, 1, A(112)),
	   "so is an anonymous one");
	rmap_unmap_page(map, vc, A(112));
	is_int(walk(71).nr, 1, "and left when the page is");
	rmap_set_pte_provider(map, &fake_ops, NULL);
	fake_set(1, A(9), 70, true);	/* moved inside, not reported */
	p = walk(70);
	ok(p.nr == 1 && at(&p, 1, A(9)), "a provider is asked for every PTE");
	new_vma(b, 1000, 1 << 15, 0, RW | RMAP_VM_NONLINEAR, 7);
	new_vma(b, 100000, 1 << 15, 0, RW | RMAP_VM_NONLINEAR, 7);
	nr_lookups = 0;
	walk(70);
	/* VMAs come in no order; a mapping that a snapshot has is one more. */
	ok(nr_lookups > 1 << 15 && nr_lookups <= (1 << 16) + 3,
	   "but for 2^16 at most, whatever is called nonlinear: %u",
	   nr_lookups);
}

static void row_13(void)
{
	struct rmap_mm *a = new_mm(1), *b = new_mm(2);
	struct rmap_pte pte = { .gfn = 999 };

	rmap_map_page(map, new_vma(a, 0, 8, 0, RW, 0), A(1), 80);
	rmap_map_page(map, new_vma(b, 0, 8, 0, RW, 0), A(1), 81);
	ok(!rmap_pte_lookup(map, a, A(1), &pte) && pte.present &&
	   pte.gfn == 80 && !pte.accessed,
	   "without a provider: what was reported");
	ok(rmap_pte_lookup(map, a, A(2), &pte) == -ENOENT &&
	   rmap_pte_lookup(map, a, A(100), &pte) == -ENOENT && pte.gfn == 80,
	   "nothing known: -ENOENT, nothing stored");
	rmap_set_pte_provider(map, &fake_ops, NULL);
	fake_set(1, A(1), 82, true);
	ok(!rmap_pte_lookup(map, a, A(1), &pte) && pte.gfn == 82 &&
	   pte.accessed, "with one: what the page tables have");
	rmap_mm_set_pgd(b, RMAP_NO_PGD);
	ok(!rmap_pte_lookup(map, b, A(1), &pte) && pte.gfn == 81,
	   "a process whose PGD is not known: what was reported");
}

static void note_toucher(const struct rmap_vma *vma, uint64_t addr,
			 bool accessed, void *arg)
{
	struct mappings *p = arg;

	if (accessed)
		note_mapping(map, 0, vma, addr, p);
}

static void row_14(void)
{
	struct mappings p = { 0 };
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
	fake_set(2, A(21), 90, true);
	ok(!rmap_page_referenced_by(map, 90, note_toucher, &p, &r) &&
	   r.nr_referenced == 1 && p.nr == 1 && at(&p, 2, A(21)),
	   "the one that touched it is named");
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
	struct mappings p;

	for (unsigned int i = 0; i < 8; i++)
		rmap_map_page(map, v, A(i), 100 + i);
	fork_mm(a, 2);
	rmap_set_pte_provider(map, &fake_ops, NULL);
	for (unsigned int i = 0; i < 8; i++) {
		fake_set(1, A(20 + i), 100 + i, true);	/* moved, not reported */
		fake_set(1, A(i), 200 + i, true);	/* others are there */
		fake_set(2, A(i), 100 + i, true);
	}
	p = walk(103);
	ok(p.nr == 1 && at(&p, 2, A(3)), "moved under us: one hit less");
	is_int(referenced(103).nr_referenced, 1, "and one bit less");
	ok(fake_find(1, A(3))->pte.accessed, "the other frame's bit is kept");
	/* Then the agent reports: another VMA, with another offset. */
	rmap_vma_remove(map, v);
	v = new_vma(a, 20, 8, 0x9999, RW, 0);
	for (unsigned int i = 0; i < 8; i++)
		rmap_map_page(map, v, A(20 + i), 100 + i);
	p = walk(103);
	ok(p.nr == 2 && at(&p, 1, A(23)) && at(&p, 2, A(3)),
	   "reported again: found with both mappings after fork and mremap");
}

/* A page with one candidate only: what confirms it there. */
static void row_16_sole(void)
{
	struct rmap_mm *a = new_mm(1), *b = new_mm(2);
	struct rmap_vma *anon = new_vma(a, 0, 8, 0, RW, 0);
	struct rmap_vma *file = new_vma(a, 20, 8, 0, RW, 7);
	struct rmap_vma *any = new_vma(b, 0, 64, 0, RW | RMAP_VM_NONLINEAR, 0);
	struct rmap_referenced r;

	rmap_map_page(map, anon, A(3), 100);
	rmap_map_page(map, file, A(25), 101);
	rmap_map_page(map, any, A(40), 102);
	rmap_set_pte_provider(map, &fake_ops, NULL);
	rmap_mm_set_pgd(a, RMAP_NO_PGD);
	rmap_mm_set_pgd(b, RMAP_NO_PGD);
	ok(walk(100).nr == 1 && walk(101).nr == 1 && walk(102).nr == 1 &&
	   !referenced(100).has_accessed_bits,
	   "page tables not known: found once, by what was reported");
	rmap_mm_set_pgd(a, 0x1000);
	fake_set(1, A(3), 200, true);
	fake_set(1, A(25), 101, false);
	ok(!walk(100).nr && !referenced(100).nr_mappings,
	   "the PTE has another frame: not there");
	r = referenced(101);
	ok(r.nr_mappings == 1 && r.has_accessed_bits && !r.nr_referenced,
	   "the PTE has the frame: there, and not used");
	fake_find(1, A(25))->pte.present = false;
	is_int(referenced(101).nr_mappings, 0, "the PTE has nothing: not there");
	rmap_set_pte_provider(map, NULL, NULL);
	rmap_unmap_page(map, anon, A(3));
	is_int(walk(100).nr, 0, "unmapped: nowhere");
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
	ok(rmap_page_unevictable(map, 120), "one VM_LOCKED VMA is enough");
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
	return ((struct mappings *)arg)->nr == 2;
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
	struct mappings p = { 0 };
	struct rmap_walk_control rwc = { .arg = &p, .rmap_one = note_mapping };
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

static const struct row rows[] = {
	{ "10 address_space", row_10 },
	{ "11 linear address", row_11 },
	{ "12 nonlinear", row_12 },
	{ "13 PTE lookup", row_13 },
	{ "14 page_referenced", row_14 },
	{ "15 activity is not mapcount", row_15 },
	{ "16 mremap", row_16 },
	{ "16 one candidate", row_16_sole },
	{ "17 accessed PTE", row_17 },
	{ "18 locked, reserved", row_18 },
	{ "19 rmap walk", row_19 },
};

int main(void)
{
	return RUN_ROWS(rows);
}
