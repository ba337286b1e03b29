// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Page table entries of processes whose top table is known: the tables are
 * walked in guest memory as the processor would.  For the others there is
 * nothing to look at, and the map's own word counts.
 *
 * The guest changes its tables while we read: every entry is read once, as a
 * whole, and the accessed bit is cleared by compare-and-exchange of the entry
 * that was checked.  A table outside guest memory ends the walk.
 */
#include "config.h"

#include <errno.h>

#include "vmm/view/view-internal.h"

#define PTE_PRESENT  UINT64_C(0x01)
#define PTE_ACCESSED UINT64_C(0x20)
#define PTE_DIRTY    UINT64_C(0x40)
#define PTE_LEAF     UINT64_C(0x80)	/* levels 2 and 3 */
#define PTE_ADDR     UINT64_C(0x000ffffffffff000)
#define TRIES	     4

/* The leaf that maps addr: its place and value; -ENOENT: tables unknown. */
static int find_leaf(const struct view *view, uint64_t pgd, uint64_t addr,
		     uint64_t **slot, uint64_t *value, unsigned int *level)
{
	uint64_t table = pgd & PTE_ADDR;

	for (unsigned int l = view->levels; l; l--) {
		uint64_t index = addr >> (12 + 9 * (l - 1)) & 511;
		uint64_t *p = guest_mem_ptr(view->mem, GPA(table + index * 8),
					    sizeof(*p));
		uint64_t v;

		if (!p)
			return -ENOENT;
		v = __atomic_load_n(p, __ATOMIC_RELAXED);
		if (!(v & PTE_PRESENT) || l == 1 ||
		    (l <= 3 && (v & PTE_LEAF))) {
			*slot = p;
			*value = v;
			*level = l;
			return 0;
		}
		table = v & PTE_ADDR;
	}
	return -ENOENT;
}

/* The frame of addr itself inside a leaf of the level. */
static uint64_t leaf_gfn(uint64_t value, unsigned int level, uint64_t addr)
{
	uint64_t in = (UINT64_C(1) << (9 * (level - 1))) - 1;

	return (((value & PTE_ADDR) >> 12) & ~in) | ((addr >> 12) & in);
}

static int pte_lookup(void *ctx, const struct rmap_mm *mm, uint64_t addr,
		      struct rmap_pte *pte)
{
	const struct view *view = ctx;
	uint64_t pgd = rmap_mm_pgd(mm), value, *slot;
	unsigned int level;
	int rc;

	if (pgd == RMAP_NO_PGD)
		return -ENOENT;
	rc = find_leaf(view, pgd, addr, &slot, &value, &level);
	if (rc)
		return rc;
	*pte = (struct rmap_pte){
		.present = value & PTE_PRESENT,
		.accessed = value & PTE_ACCESSED,
		.dirty = value & PTE_DIRTY,
		.level = level,
		.gfn = leaf_gfn(value, level, addr),
	};
	return 0;
}

static int pte_clear_accessed(void *ctx, const struct rmap_mm *mm,
			      uint64_t addr, uint64_t gfn)
{
	const struct view *view = ctx;
	uint64_t pgd = rmap_mm_pgd(mm), value, *slot;
	unsigned int level;

	if (pgd == RMAP_NO_PGD)
		return 0;
	for (int i = 0; i < TRIES; i++) {
		if (find_leaf(view, pgd, addr, &slot, &value, &level) ||
		    !(value & PTE_PRESENT) || !(value & PTE_ACCESSED) ||
		    leaf_gfn(value, level, addr) != gfn)
			return 0;
		if (__atomic_compare_exchange_n(slot, &value,
						value & ~PTE_ACCESSED, false,
						__ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			return 1;
	}
	/* It keeps changing under us, so it is in use. */
	return 1;
}

const struct rmap_pte_ops view_pte_ops = {
	.lookup = pte_lookup,
	.clear_accessed = pte_clear_accessed,
};
