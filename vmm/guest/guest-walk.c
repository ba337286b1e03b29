// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stddef.h>

#include "vmm/guest/guest-walk.h"
#include "vmm/guest/walk-limit.h"
#include "vmm/mem/guest-mem.h"

#define PTE_PRESENT  (UINT64_C(1) << 0)
#define PTE_ACCESSED (UINT64_C(1) << 5)
#define PTE_DIRTY    (UINT64_C(1) << 6)
#define PTE_LARGE    (UINT64_C(1) << 7)
/* In Linux: mapped without any access rights; else the global bit. */
#define PTE_PROTNONE (UINT64_C(1) << 8)
#define PTE_FRAME    UINT64_C(0x000ffffffffff000)
/* In a large leaf; in a small one this bit is part of the address. */
#define PTE_LARGE_PAT (UINT64_C(1) << 12)

#define MAX_LEAF_LEVEL 3	/* 1 GiB */

struct leaf {
	uint64_t value;
	unsigned int index;	/* of its entry in the table */
	uint64_t table_gfn;
	unsigned int level;	/* also of an entry that maps nothing */
	uint64_t gfn;		/* of the address that was looked up */
};

static unsigned int shift_of(unsigned int level)
{
	return 12 + 9 * (level - 1);
}

/* The frame of an entry, or of a PGD. */
static uint64_t frame_of(uint64_t entry)
{
	return (entry & PTE_FRAME) >> VMM_PAGE_SHIFT;
}

/* Tables are read under the view's lock, so this never waits for a sink. */
static int get_table(const struct guest_walk *w, uint64_t gfn, uint64_t **table)
{
	void *p;
	int rc = guest_mem_pin_page(w->mem, GFN(gfn), &p);

	if (!rc)
		*table = p;
	return rc;
}

static void put_table(const struct guest_walk *w, uint64_t gfn)
{
	guest_mem_unpin_page(w->mem, GFN(gfn));
}

/*
 * 1: found; 0: nothing is mapped there; -ENOENT: a table is evicted or outside
 * RAM.  A table that refers to itself is harmless: the walk ends after the last
 * level.
 */
static int find_leaf(const struct guest_walk *w, uint64_t pgd, uint64_t addr,
		     struct leaf *leaf)
{
	uint64_t table = frame_of(pgd);

	for (unsigned int level = w->levels; level; level--) {
		uint64_t index = addr >> shift_of(level) & 511, v, inside, *t;

		if (get_table(w, table, &t))
			return -ENOENT;
		/* Read once: the guest may change it at any time. */
		v = __atomic_load_n(&t[index], __ATOMIC_RELAXED);
		put_table(w, table);
		leaf->value = v;
		leaf->level = level;
		if (!(v & PTE_PRESENT))
			return 0;
		if (level > 1 && !(v & PTE_LARGE)) {
			table = frame_of(v);
			continue;
		}
		/* Reserved: a leaf above 1 GiB, or a misaligned one. */
		inside = (UINT64_C(1) << 9 * (level - 1)) - 1;
		if (level > MAX_LEAF_LEVEL ||
		    (v & PTE_FRAME & ~PTE_LARGE_PAT) >> VMM_PAGE_SHIFT & inside)
			return 0;
		leaf->index = index;
		leaf->table_gfn = table;
		leaf->gfn = (frame_of(v) & ~inside) +
			    (addr >> VMM_PAGE_SHIFT & inside);
		return 1;
	}
	return 0;
}

static void fill_pte(const struct leaf *leaf, struct rmap_pte *pte)
{
	*pte = (struct rmap_pte){
		.present = true,
		.accessed = leaf->value & PTE_ACCESSED,
		.dirty = leaf->value & PTE_DIRTY,
		.level = leaf->level,
		.gfn = leaf->gfn,
	};
}

static int walk_lookup(void *ctx, const struct rmap_mm *mm, uint64_t addr,
		       struct rmap_pte *pte)
{
	const struct guest_walk *w = ctx;
	struct leaf leaf;
	int rc;

	if (rmap_mm_pgd(mm) == RMAP_NO_PGD || !walk_limit_allows())
		return -ENOENT;
	rc = find_leaf(w, rmap_mm_pgd(mm), addr, &leaf);
	if (rc < 0)
		return rc;
	if (!rc) {
		*pte = (struct rmap_pte){ .present = false };
		return 0;
	}
	fill_pte(&leaf, pte);
	return 0;
}

/*
 * The processor ignores an entry that is not present; the guest's kernel
 * defines its contents.  Linux has zero where nothing is mapped; for a small or
 * 2 MiB page in swap, or being migrated, it stores the location.
 */
static void describe_absent(const struct leaf *leaf, struct guest_walk_entry *e)
{
	if (!leaf->value || (leaf->value & PTE_PRESENT) || leaf->level > 2)
		return;
	if (leaf->value & PTE_PROTNONE)
		e->no_access = true;
	else
		e->swapped = true;
}

int guest_walk_lookup_entry(const struct guest_walk *w,
			    const struct rmap_mm *mm, uint64_t addr,
			    struct guest_walk_entry *e)
{
	struct leaf leaf;
	int rc;

	if (rmap_mm_pgd(mm) == RMAP_NO_PGD || !walk_limit_allows())
		return -ENOENT;
	rc = find_leaf(w, rmap_mm_pgd(mm), addr, &leaf);
	if (rc < 0)
		return rc;
	*e = (struct guest_walk_entry){
		.end = (addr >> shift_of(leaf.level)) + 1,
		.pte.level = leaf.level,
	};
	e->end <<= shift_of(leaf.level);
	if (!rc)
		describe_absent(&leaf, e);
	else
		fill_pte(&leaf, &e->pte);
	return 0;
}

/*
 * Compare and swap: between reading and clearing the guest may have put another
 * frame there, whose accessed bit must stay.  One try: an entry that changes
 * meanwhile is in use.
 */
static void clear_accessed(const struct guest_walk *w, uint64_t *entry,
			   uint64_t value, uint64_t table_gfn)
{
	if (!w->flags_known ||
	    rmap_page_flags(w->map, table_gfn) & RMAP_PG_PGTABLE)
		__atomic_compare_exchange_n(entry, &value,
					    value & ~PTE_ACCESSED, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static int walk_clear(void *ctx, const struct rmap_mm *mm, uint64_t addr,
		      uint64_t gfn)
{
	const struct guest_walk *w = ctx;
	struct leaf leaf;
	uint64_t *t;

	/* The bit was set; if its table cannot be read now, it stays set. */
	if (!walk_limit_allows())
		return 1;
	if (rmap_mm_pgd(mm) == RMAP_NO_PGD ||
	    find_leaf(w, rmap_mm_pgd(mm), addr, &leaf) <= 0 ||
	    leaf.gfn != gfn ||
	    !(leaf.value & PTE_ACCESSED))
		return 0;
	if (get_table(w, leaf.table_gfn, &t))
		return 1;
	clear_accessed(w, &t[leaf.index], leaf.value, leaf.table_gfn);
	put_table(w, leaf.table_gfn);
	return 1;
}

const struct rmap_pte_ops guest_walk_ops = {
	.lookup = walk_lookup,
	.clear_accessed = walk_clear,
};

struct table_walk {
	const struct guest_walk *walk;
	uint64_t *budget;
	int64_t left;		/* entries left in this part */
	uint64_t from;		/* where this part begins, or the next */
	void (*fn)(void *arg, gfn_t gfn, uint64_t nr, bool accessed);
	void *arg;
};

/* False: the budget is not enough. */
static bool spend(struct table_walk *t, uint64_t work)
{
	t->left -= work;
	if (*t->budget < work)
		return false;
	*t->budget -= work;
	return true;
}

static bool walk_leaf(struct table_walk *t, uint64_t *entry, uint64_t v,
		      unsigned int level, uint64_t table_gfn)
{
	uint64_t nr = UINT64_C(1) << 9 * (level - 1), gfn;

	gfn = (v & PTE_FRAME & ~(level > 1 ? PTE_LARGE_PAT : 0)) >>
	      VMM_PAGE_SHIFT;
	/* Reserved, as in find_leaf(). */
	if (level > MAX_LEAF_LEVEL || gfn % nr)
		return true;
	if (!spend(t, nr / 64))
		return false;
	if (v & PTE_ACCESSED)
		clear_accessed(t->walk, entry, v, table_gfn);
	t->fn(t->arg, GFN(gfn), nr, v & PTE_ACCESSED);
	return true;
}

static int walk_table(struct table_walk *t, uint64_t gfn, unsigned int level,
		      uint64_t base);

/* table is in frame gfn and maps addresses from base on. */
static int walk_entries(struct table_walk *t, uint64_t *table, uint64_t gfn,
			unsigned int level, uint64_t base)
{
	unsigned int nr = level == t->walk->levels ? 256 : 512;
	unsigned int shift = shift_of(level), i;

	for (i = t->from > base ? (t->from - base) >> shift : 0; i < nr; i++) {
		uint64_t v = __atomic_load_n(&table[i], __ATOMIC_RELAXED);
		uint64_t addr = base + ((uint64_t)i << shift);
		int rc = 0;

		/* A table of small pages is walked to its end. */
		if (level > 1 && t->left <= 0) {
			t->from = addr;
			return 1;
		}
		if (!spend(t, 1))
			return -ENOSPC;
		if (!(v & PTE_PRESENT))
			continue;
		if (level > 1 && !(v & PTE_LARGE))
			rc = walk_table(t, frame_of(v), level - 1, addr);
		else if (!walk_leaf(t, &table[i], v, level, gfn))
			rc = -ENOSPC;
		if (rc)
			return rc;
	}
	return 0;
}

/* Depth is bounded by the levels, width by the budget. */
static int walk_table(struct table_walk *t, uint64_t gfn, unsigned int level,
		      uint64_t base)
{
	uint64_t *table;
	int rc = get_table(t->walk, gfn, &table);

	/* Evicted, so the processor has not used it since then. */
	if (rc == -EAGAIN)
		return 0;
	if (rc)
		return -ENOENT;
	rc = walk_entries(t, table, gfn, level, base);
	put_table(t->walk, gfn);
	return rc;
}

int guest_walk_harvest(const struct guest_walk *w, const struct rmap_mm *mm,
		       uint64_t *from, uint64_t *budget,
		       void (*fn)(void *arg, gfn_t gfn, uint64_t nr,
				  bool accessed), void *arg)
{
	struct table_walk t = { w, budget, GUEST_WALK_PIECE, *from, fn, arg };
	int rc = walk_table(&t, frame_of(rmap_mm_pgd(mm)), w->levels, 0);

	*from = t.from;
	return rc;
}
