// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The entries of a run below one root: those of 2 MiB and above first, then
 * the tables of 4 KiB entries that were used.
 *
 *   1 GiB    [ leaf ] [ .......... ]     one bit for all pages of a leaf
 *                          |
 *   2 MiB    [ leaf ] [ A=0 ] [ A=1 ]    A=0: not used, so skipped
 *                                |
 *   4 KiB                    [1][0][0][1]...
 *
 * Skipping a table by the accessed bit of the entry above it.  The processor
 * sets that bit when it reads the entry; a walk that starts from a cached copy
 * of the entry does not.  So clearing it and the leaves in one pass would be
 * wrong: below a clear entry that is still cached, leaves would become young
 * unnoticed.  Therefore a batch has these steps (table-walk.c):
 *
 *   1. clear the bits above the tables, remember which were set
 *   2. flush the TLBs, and with them the paging-structure caches
 *   3. walk, and clear, the leaves of the remembered tables
 *   4. flush, for the leaves
 *
 * A leaf that becomes young after step 2 does so by a walk that read the entry
 * above it after step 1, and set its bit; one that became young before step 2
 * is found in step 3.  So, outside of a batch, a table whose entry is clear has
 * no young leaf.  Batches of one VM exclude each other.  This applies only to
 * tables that lie completely in the run, and only if the caller requests
 * flushes.
 *
 * KVM itself creates entries above tables with the bit set, and creates leaves
 * with the bit set for an access that the processor then repeats.  Processors
 * document all of this, and still it is verified: tables that could be skipped
 * are scanned, all at first and then a sample.
 */
#include <linux/moduleparam.h>

#include "kvm-young.h"

#if KY_WALK_KNOWN

static bool ky_skip = true;
module_param_named(skip_tables, ky_skip, bool, 0644);
MODULE_PARM_DESC(skip_tables, "skip tables whose accessed bit is clear");

/*
 * Tables that could be skipped, but are scanned to verify this: the first so
 * many, then one in so many.
 */
#define KY_VERIFY_FIRST	256
#define KY_VERIFY_EACH	64
/*
 * With young leaves in so many of them (and in a sixteenth), nothing is skipped
 * any more: accesses in progress do not explain that many.
 */
#define KY_MAX_FALSE 8
static atomic_long_t ky_nr_verified = ATOMIC_LONG_INIT(0);
static atomic_long_t ky_nr_false = ATOMIC_LONG_INIT(0);

bool ky_may_skip(void)
{
	return READ_ONCE(ky_skip);
}

void ky_never_skip(const char *why)
{
	if (READ_ONCE(ky_skip))
		pr_notice("kvm_young: unused page tables are no longer "
			  "skipped: %s\n",
			  why);
	WRITE_ONCE(ky_skip, false);
}

static void ky_count_verified(bool found_young)
{
	long verified = atomic_long_inc_return(&ky_nr_verified);
	long nr_false;

	if (!found_young)
		return;
	nr_false = atomic_long_inc_return(&ky_nr_false);
	if (nr_false >= KY_MAX_FALSE && nr_false > verified / 16)
		ky_never_skip("young pages were found below entries without "
			      "the accessed bit");
}

/* A leaf of 2 MiB or 1 GiB.  Returns the end of its part of [gfn, end). */
static gfn_t ky_walk_huge(struct ky_scan *scan, const struct ky_run *run,
			  gfn_t gfn, gfn_t end, u64 *entry, u64 value,
			  int level)
{
	u64 pages = KY_LEVEL_PAGES(level);
	gfn_t base = gfn & ~(pages - 1);
	gfn_t stop = min_t(gfn_t, end, base + pages);
	unsigned long bit = run->bit + (gfn - run->gfn);
	u64 hva = run->slot->userspace_addr +
		  ((base - run->slot->base_gfn) << PAGE_SHIFT);
	bool whole = base >= run->slot->base_gfn && hva >= scan->start &&
		     hva + (pages << PAGE_SHIFT) <= scan->end;
	bool young = value & ky_accessed;

	bitmap_set(scan->huge, bit, stop - gfn);
	if (whole && gfn == base) {
		scan->nr_leaves[level - 1]++;
		if (young && (scan->flags & KVM_YOUNG_CLEAR))
			scan->cleared |= ky_clear(entry, value);
		if (base + pages > end) {
			if (scan->straddling.slot != run->slot ||
			    scan->straddling.base != base)
				scan->straddling.young = false;
			scan->straddling.slot = run->slot;
			scan->straddling.base = base;
			scan->straddling.young |= young;
			scan->straddling.hva_end = hva + (pages << PAGE_SHIFT);
		}
	} else if (whole && scan->straddling.slot == run->slot &&
		   scan->straddling.base == base) {
		young |= scan->straddling.young;
	}
	if (young)
		bitmap_set(scan->young, bit, stop - gfn);
	return stop;
}

/*
 * Leaves of 4 KiB: the inner loop, over at most one table.  Bits are collected
 * in a register, one word of the bitmap at a time.
 */
static int ky_walk_table(struct ky_scan *scan, u64 *entry, unsigned long nr,
			 unsigned long bit, bool *found)
{
	const u64 accessed = ky_accessed;
	const u64 mask = KY_PRESENT | KY_AD_DISABLED | accessed;
	const bool clear = scan->flags & KVM_YOUNG_CLEAR;
	const unsigned long end = bit + nr;
	unsigned long present = 0, any = 0;
	bool cleared = false;
	int err = 0;

	while (bit < end && !err) {
		unsigned long *word = &scan->young[BIT_WORD(bit)];
		unsigned long stop = min(end, round_down(bit, BITS_PER_LONG) +
						      BITS_PER_LONG);
		unsigned long bits = 0;

		for (; bit < stop; bit++, entry++) {
			u64 value = READ_ONCE(*entry);

			if (!(value & KY_PRESENT))
				continue;
			present++;
			if ((value & mask) == KY_PRESENT)
				continue;
			if (unlikely(value & KY_AD_DISABLED)) {
				err = -EOPNOTSUPP;
				break;
			}
			bits |= BIT_MASK(bit);
			if (clear)
				cleared |= ky_clear(entry, value);
		}
		*word |= bits;
		any |= bits;
	}
	scan->nr_leaves[0] += present;
	scan->cleared |= cleared;
	*found = any;
	return err;
}

/*
 * The bits of used_tables for a table that begins at this page of the batch:
 * two if the batch is not aligned to tables.
 */
static void ky_table_bits(unsigned long bit, unsigned long *first,
			  unsigned long *last)
{
	*first = bit / KY_TABLE_PAGES;
	*last = min((bit + KY_TABLE_PAGES - 1) / KY_TABLE_PAGES,
		    KY_BATCH_TABLES - 1);
}

static bool ky_was_used(const struct ky_scan *scan, unsigned long bit,
			u64 value)
{
	unsigned long first, last;

	ky_table_bits(bit, &first, &last);
	return (value & ky_accessed) || test_bit(first, scan->used_tables) ||
	       test_bit(last, scan->used_tables);
}

/* A table, or the part of it in [gfn, stop). */
static int ky_walk_below(struct ky_scan *scan, const struct ky_run *run,
			 gfn_t gfn, gfn_t stop, u64 value)
{
	unsigned long bit = run->bit + (gfn - run->gfn);
	bool skip = ky_may_skip() && !(scan->flags & KVM_YOUNG_ALL_LEAVES) &&
		    !ky_was_used(scan, bit, value);
	bool found;
	int err;

	if (skip && atomic_long_read(&ky_nr_verified) >= KY_VERIFY_FIRST &&
	    (gfn / KY_TABLE_PAGES + jiffies) % KY_VERIFY_EACH) {
		scan->nr_skipped += stop - gfn;
		return 0;
	}
	err = ky_walk_table(scan, ky_table(value) + (gfn & 511), stop - gfn,
			    bit, &found);
	if (skip)
		ky_count_verified(found);
	return err;
}

int ky_walk_root(struct ky_scan *scan, const struct ky_run *run, hpa_t root,
		 int root_level, gfn_t gfn, gfn_t end)
{
	while (gfn < end) {
		int level, err;
		u64 value, pages;
		u64 *entry = ky_descend(root, root_level, gfn, 2, &level,
					&value);

		pages = KY_LEVEL_PAGES(level);
		if (!(value & KY_PRESENT)) {
			gfn = (gfn | (pages - 1)) + 1;
		} else if (value & KY_LARGE) {
			if (level > 3 || (value & KY_AD_DISABLED))
				return -EOPNOTSUPP;
			gfn = ky_walk_huge(scan, run, gfn, end, entry, value,
					   level);
		} else {
			gfn_t stop = min_t(gfn_t, end, (gfn | 511) + 1);

			err = ky_walk_below(scan, run, gfn, stop, value);
			if (err)
				return err;
			gfn = stop;
		}
	}
	return 0;
}

int ky_take_tables(struct ky_scan *scan, const struct ky_run *run, hpa_t root,
		   int root_level, gfn_t gfn, gfn_t end)
{
	while (gfn < end) {
		int level;
		u64 value, pages;
		u64 *entry = ky_descend(root, root_level, gfn, 2, &level,
					&value);
		unsigned long first, last;

		pages = KY_LEVEL_PAGES(level);
		/*
		 * If only part of the table is scanned, its entry stays set,
		 * and so counts as used the next time.
		 */
		if (level == 2 && (value & KY_PRESENT) &&
		    !(value & KY_LARGE) && (value & ky_accessed) &&
		    !(gfn & (pages - 1)) && gfn + pages <= end) {
			ky_table_bits(run->bit + (gfn - run->gfn), &first,
				      &last);
			__set_bit(first, scan->used_tables);
			__set_bit(last, scan->used_tables);
			scan->cleared |= ky_clear(entry, value);
		}
		gfn = (gfn | (pages - 1)) + 1;
	}
	return 0;
}

#endif
