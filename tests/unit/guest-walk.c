// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Walks of page tables in guest memory: each shape of entry, at each level, and
 * the clearing of accessed bits.  Tables are in frames 1 (the top) to 5.
 */
#include "config.h"

#include <errno.h>

#include "tests/tap.h"
#include "vmm/guest/guest-walk.h"
#include "vmm/mem/guest-mem.h"

#define P	1u
#define A	0x20u
#define D	0x40u
#define LARGE	0x80u
#define PAT	0x1000u		/* of a large leaf */
#define NX	(UINT64_C(1) << 63)
#define OUTSIDE (UINT64_C(1) << 50)

/* Indices 1 (five levels only), 2, 3, 4, 5 and an offset. */
#define ADDR ((UINT64_C(1) << 48) | (UINT64_C(2) << 39) | \
	      (UINT64_C(3) << 30) | (UINT64_C(4) << 21) | (5u << 12))

static struct guest_mem *mem;
static struct rmap *map;
static struct guest_walk walk;

static uint64_t *entry(unsigned int level)
{
	uint64_t *t = guest_mem_ptr(mem, GPA((6 - level) * 4096), 4096);

	return t + (ADDR >> (12 + 9 * (level - 1)) & 511);
}

/* Tables from the top to the level above, and `value` there. */
static void lay_tables(unsigned int level, uint64_t value)
{
	for (unsigned int l = 5; l >= 1; l--)
		*entry(l) = l > level ? (6 - l + 1) * 4096 | P | A : 0;
	*entry(level) = value;
}

static uint64_t top(void)
{
	return walk.levels == 5 ? 4096 : 2 * 4096;
}

struct shape {
	const char *what;
	unsigned int level;
	uint64_t value;
	int rc;
	bool present;
	uint64_t gfn;
};

static const struct shape shapes[] = {
	{ "4K", 1, 0x777000 | P | A, 0, true, 0x777 },
	{ "4K, no access, dirty", 1, 0x777000 | P | D, 0, true, 0x777 },
	{ "4K, bit 7 is PAT", 1, 0x777000 | P | LARGE, 0, true, 0x777 },
	{ "4K, not executable", 1, 0x777000 | P | NX, 0, true, 0x777 },
	{ "4K beyond memory", 1, OUTSIDE | P, 0, true, OUTSIDE >> 12 },
	{ "4K, not present", 1, 0x777000 | A, 0, false, 0 },
	{ "2M", 2, 0xa00000 | P | A | LARGE, 0, true, 0xa05 },
	{ "2M with PAT", 2, 0xa00000 | P | LARGE | PAT, 0, true, 0xa05 },
	{ "2M, not aligned", 2, 0xa02000 | P | LARGE, 0, false, 0 },
	{ "2M, not present", 2, 0xa00000 | LARGE, 0, false, 0 },
	{ "1G", 3, 0x40000000 | P | A | LARGE, 0, true, 0x40805 },
	{ "1G with PAT", 3, 0x40000000 | P | LARGE | PAT, 0, true, 0x40805 },
	{ "1G, not aligned", 3, 0x40200000 | P | LARGE, 0, false, 0 },
	{ "1G, not present", 3, 0x40000000 | LARGE, 0, false, 0 },
	{ "a leaf of level 4 is reserved", 4, P | LARGE, 0, false, 0 },
	{ "level 4 not present", 4, 0, 0, false, 0 },
	{ "a table of level 1 outside RAM", 2, OUTSIDE | P, -ENOENT, false, 0 },
	{ "a table of level 2 outside RAM", 3, OUTSIDE | P, -ENOENT, false, 0 },
	{ "a table of level 3 outside RAM", 4, OUTSIDE | P, -ENOENT, false, 0 },
	{ "a leaf of level 5 is reserved", 5, P | LARGE, 0, false, 0 },
	{ "level 5 not present", 5, 0, 0, false, 0 },
	{ "a table of level 4 outside RAM", 5, OUTSIDE | P, -ENOENT, false, 0 },
};

static void test_shape(const struct shape *s, const struct rmap_mm *mm)
{
	struct rmap_pte pte = { .gfn = 1 };
	int rc;

	lay_tables(s->level, s->value);
	rc = rmap_pte_lookup(map, mm, ADDR, &pte);
	ok(rc == s->rc && (rc || pte.present == s->present) &&
	   (rc || !s->present ||
	    (pte.gfn == s->gfn && pte.level == s->level &&
	     pte.accessed == !!(s->value & A) &&
	     pte.dirty == !!(s->value & D))),
	   "%u levels: %s", walk.levels, s->what);
	rc = guest_walk_ops.clear_accessed(&walk, mm, ADDR, s->gfn);
	ok(rc == (s->present && (s->value & A)) &&
	   *entry(s->level) == (rc ? s->value & ~(uint64_t)A : s->value),
	   "%u levels: %s: accessed bit", walk.levels, s->what);
}

/* A table that is its own next one, at every level. */
static void test_self(const struct rmap_mm *mm)
{
	struct rmap_pte pte = { 0 };
	uint64_t *t = guest_mem_ptr(mem, GPA(top()), 4096);

	for (int i = 0; i < 512; i++)
		t[i] = top() | P | A;
	ok(!rmap_pte_lookup(map, mm, ADDR, &pte) && pte.present &&
	   pte.level == 1 && pte.gfn == top() >> 12,
	   "%u levels: a table that names itself ends as a page", walk.levels);
	for (int i = 0; i < 512; i++)
		t[i] = 0;
}

static void test_clear(const struct rmap_mm *mm)
{
	const uint64_t leaf = 0x777000 | P | A;

	lay_tables(1, leaf);
	is_int(guest_walk_ops.clear_accessed(&walk, mm, ADDR, 0x778), 0,
	       "another frame's bit is not ours");
	ok(*entry(1) == leaf, "and stays");
	walk.flags_known = true;
	is_int(guest_walk_ops.clear_accessed(&walk, mm, ADDR, 0x777), 1,
	       "a table that is no page table by its flags: it is accessed");
	ok(*entry(1) == leaf, "but not written to");
	rmap_page_set_flags(map, 5, RMAP_PG_PGTABLE);
	is_int(guest_walk_ops.clear_accessed(&walk, mm, ADDR, 0x777), 1,
	       "flagged as page table: it is accessed");
	ok(*entry(1) == (leaf & ~(uint64_t)A), "and cleared");
	is_int(guest_walk_ops.clear_accessed(&walk, mm, ADDR, 0x777), 0,
	       "once");
	ok(*entry(2) == (5 * 4096 | P | A), "the levels above stay");
	walk.flags_known = false;
}

static unsigned int nr_leaves, nr_in_order;

static void leaf(void *arg, gfn_t gfn, uint64_t nr, bool accessed)
{
	nr_in_order += gfn.v == 0x300 + nr_leaves % 512 && nr == 1;
	nr_leaves++;
}

/*
 * 100 entries at level 2, with holes, name one table of 512 pages: more than a
 * piece, and each leaf is met once, whatever the pieces are.
 */
static void test_pieces(const struct rmap_mm *mm)
{
	const unsigned int want = 100 * 512;
	uint64_t from = 0, budget = 1 << 20, *t, before;
	unsigned int nr_calls = 0, most = 0, last = 0;
	int rc;

	lay_tables(1, 0);
	t = guest_mem_ptr(mem, GPA(4 * 4096), 4096);
	for (unsigned int i = 0; i < 512; i++)
		t[i] = i >= 200 && i < 400 && i % 2 ? 5 * 4096 | P : 0;
	t = guest_mem_ptr(mem, GPA(5 * 4096), 4096);
	for (uint64_t i = 0; i < 512; i++)
		t[i] = (0x300 + i) << 12 | P | A;
	do {
		before = from;
		rc = guest_walk_harvest(&walk, mm, &from, &budget, leaf, NULL);
		if (nr_leaves - last > most)
			most = nr_leaves - last;
		last = nr_leaves;
		nr_calls++;
	} while (rc == 1 && from > before);
	is_int(rc, 0, "a walk in pieces ends");
	ok(nr_leaves == want && nr_in_order == want, "each leaf is met once");
	ok(nr_calls > want / GUEST_WALK_PIECE && most <= GUEST_WALK_PIECE + 512,
	   "in %u pieces, of %u at most", nr_calls, most);
	budget = 1000;
	from = 0;
	is_int(guest_walk_harvest(&walk, mm, &from, &budget, leaf, NULL),
	       -ENOSPC, "the budget is of all pieces");
}

int main(void)
{
	struct rmap_config config = { .nr_frames = 4096 };
	struct rmap_mm *four, *five, *none, *outside;
	struct rmap_pte pte;

	if (guest_mem_new(&mem, 4096 * 4096, GUEST_MEM_ANON) ||
	    rmap_new(&map, &config) || rmap_mm_add(map, 4, 8192, &four) ||
	    rmap_mm_add(map, 5, 4096, &five) ||
	    rmap_mm_add(map, 6, OUTSIDE, &outside) ||
	    rmap_mm_add(map, 7, RMAP_NO_PGD, &none))
		tap_bail("no memory");
	walk = (struct guest_walk){ .mem = mem, .map = map };
	rmap_set_pte_provider(map, &guest_walk_ops, &walk);
	for (walk.levels = 4; walk.levels <= 5; walk.levels++) {
		const struct rmap_mm *mm = walk.levels == 4 ? four : five;

		for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
			if (shapes[i].level <= walk.levels)
				test_shape(&shapes[i], mm);
		test_self(mm);
	}
	walk.levels = 4;
	test_clear(four);
	test_pieces(four);
	is_int(rmap_pte_lookup(map, none, ADDR, &pte), -ENOENT, "no PGD");
	is_int(guest_walk_ops.clear_accessed(&walk, none, ADDR, 0), 0,
	       "no PGD, nothing to clear");
	is_int(rmap_pte_lookup(map, outside, ADDR, &pte), -ENOENT,
	       "a PGD outside RAM");
	rmap_free(map);
	guest_mem_free(mem);
	return tap_done();
}
