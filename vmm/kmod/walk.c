// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Walking the page tables of KVM's TDP MMU (EPT, NPT).
 *
 *   kvm->srcu            the memory slots stay
 *     mmu_lock (read)    roots are not freed: a vCPU drops its root under
 *                        mmu_lock for write, so one found in a vCPU now is
 *                        alive until we unlock
 *       rcu              page table pages are not freed: zapping for read
 *                        (which runs along with us) frees them by call_rcu
 *
 * Under mmu_lock for read, page faults and zaps change entries at the same
 * time, each by compare-and-exchange from the value it saw, and so do we: a
 * plain clear_bit() could hit an entry that just became REMOVED_SPTE, which
 * has the accessed bits' positions set, and make it something else.
 *
 * Only leaves count.  The processor also sets accessed bits in the entries
 * above, and skipping a subtree by a clear one looks tempting; but it sets
 * them only when it reads these entries, and a walk that starts in a paging-
 * structure cache does not.  With that bit cleared and the cache still warm a
 * leaf becomes young below an entry that is not: the hotter a page, the less
 * it would be seen.  Subtrees that are not present are skipped.
 *
 * The format of the entries is private to KVM.  What we rely on is written
 * down here for the kernels it was checked with, and compared at run time
 * with what KVM says (ky_walk_verify) before anything is believed.
 */
#include <linux/interval_tree.h>
#include <linux/mm.h>
#include <linux/version.h>

#include "kvm_young.h"

#define KY_PRESENT	BIT_ULL(11)	/* SPTE_MMU_PRESENT_MASK */
#define KY_LARGE	BIT_ULL(7)	/* PT_PAGE_SIZE_MASK */
#define KY_AD_DISABLED	BIT_ULL(52)	/* SPTE_TDP_AD_DISABLED_MASK */
#define KY_ACCESSED_NPT	BIT_ULL(5)
#define KY_ACCESSED_EPT	BIT_ULL(8)

#define KY_MAX_ROOTS	8
/* Entries looked at under one hold of mmu_lock. */
#define KY_HOLD_PAGES	4096UL

/* The versions whose arch/x86/kvm/mmu/ was read for this file. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 1, 0) && \
	LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0) && defined(CONFIG_X86_64)
#define KY_WALK_KNOWN 1
#else
#define KY_WALK_KNOWN 0
#endif

#if KY_WALK_KNOWN

static u64 ky_accessed __read_mostly;

static_assert(sizeof(union kvm_mmu_page_role) == 4);
static_assert(sizeof(((struct kvm_mmu *)0)->root.hpa) == 8);
static_assert(PT64_ROOT_MAX_LEVEL == 5);
static_assert(KVM_ADDRESS_SPACE_NUM <= 2);
#ifndef KVM_HAVE_MMU_RWLOCK
#error mmu_lock is expected to be a reader-writer lock
#endif

bool ky_walk_init(void)
{
	switch (boot_cpu_data.x86_vendor) {
	case X86_VENDOR_AMD:
	case X86_VENDOR_HYGON:
		ky_accessed = KY_ACCESSED_NPT;
		return boot_cpu_has(X86_FEATURE_SVM);
	case X86_VENDOR_INTEL:
	case X86_VENDOR_ZHAOXIN:
	case X86_VENDOR_CENTAUR:
		ky_accessed = KY_ACCESSED_EPT;
		return boot_cpu_has(X86_FEATURE_VMX);
	}
	return false;
}

bool ky_walk_serves(struct kvm *kvm)
{
	/* Pairs with the release in mmu_first_shadow_root_alloc(). */
	return kvm->arch.tdp_mmu_enabled &&
	       !smp_load_acquire(&kvm->arch.shadow_root_allocated);
}

struct ky_roots {
	unsigned int nr;
	int level;
	hpa_t hpa[KY_MAX_ROOTS];
};

static bool ky_add_root(struct ky_roots *roots, hpa_t hpa)
{
	unsigned int i;

	if (!VALID_PAGE(hpa))
		return true;
	for (i = 0; i < roots->nr; i++)
		if (roots->hpa[i] == hpa)
			return true;
	if (roots->nr == KY_MAX_ROOTS)
		return false;
	roots->hpa[roots->nr++] = hpa;
	return true;
}

/*
 * The roots in use: vCPUs in the same mode share one; system management mode
 * and nested guests without paging of their own have others.  mmu_lock held.
 */
static int ky_find_roots(struct kvm *kvm, struct ky_roots *roots)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;
	int j;

	roots->nr = 0;
	roots->level = 0;
	if (!atomic_read(&kvm->online_vcpus))
		return 0;
	kvm_for_each_vcpu(i, vcpu, kvm) {
		struct kvm_mmu *mmu = &vcpu->arch.root_mmu;
		union kvm_mmu_page_role role;
		unsigned int before = roots->nr;

		role.word = READ_ONCE(mmu->root_role.word);
		if (!ky_add_root(roots, READ_ONCE(mmu->root.hpa)))
			return -EOPNOTSUPP;
		for (j = 0; j < KVM_MMU_NUM_PREV_ROOTS; j++)
			if (!ky_add_root(roots,
					 READ_ONCE(mmu->prev_roots[j].hpa)))
				return -EOPNOTSUPP;
		if (roots->nr == before)
			continue;
		if (!role.direct || role.ad_disabled ||
		    (role.level != 4 && role.level != 5) ||
		    (roots->level && roots->level != role.level))
			return -EOPNOTSUPP;
		roots->level = role.level;
	}
	return 0;
}

static u64 *ky_table(u64 entry)
{
	return __va(entry & __PHYSICAL_MASK & PAGE_MASK);
}

/*
 * The entry that maps gfn, or the one not present that would lead to it; its
 * level in *level.  mmu_lock and rcu held.
 */
static u64 *ky_descend(hpa_t root, int root_level, gfn_t gfn, int *level,
		       u64 *value)
{
	u64 *table = ky_table(root);
	u64 *entry;
	int l;

	for (l = root_level;; l--) {
		entry = &table[(gfn >> ((l - 1) * 9)) & 511];
		*value = READ_ONCE(*entry);
		*level = l;
		if (l == 1 || !(*value & KY_PRESENT) || (*value & KY_LARGE))
			return entry;
		table = ky_table(*value);
	}
}

/*
 * Clears the accessed bit, if the entry is still a leaf with the same page.
 * If it is not, it was taken away meanwhile, and its bit with it.
 */
static bool ky_clear(u64 *entry, u64 value)
{
	u64 old = value;

	while (!try_cmpxchg64(entry, &old, old & ~ky_accessed)) {
		if ((old ^ value) & (KY_PRESENT | KY_LARGE |
				     (__PHYSICAL_MASK & PAGE_MASK)))
			return false;
		if (!(old & ky_accessed))
			return false;
	}
	return true;
}

/* A run of a slot's frames and the bit of the first. */
struct ky_run {
	struct kvm_memory_slot *slot;
	gfn_t gfn, end;
	unsigned long bit;
};

/* A leaf of 2 MiB or 1 GiB.  Returns the end of what was handled. */
static gfn_t ky_walk_huge(struct ky_scan *scan, const struct ky_run *run,
			  gfn_t gfn, gfn_t end, u64 *entry, u64 value,
			  int level)
{
	u64 pages = 1ULL << ((level - 1) * 9);
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
 * Leaves of 4 KiB: the inner loop, over at most one table.  Bits are gathered
 * in a register, a word of the bitmap at a time.
 */
static int ky_walk_table(struct ky_scan *scan, u64 *entry, unsigned long nr,
			 unsigned long bit)
{
	const u64 accessed = ky_accessed;
	const u64 mask = KY_PRESENT | KY_AD_DISABLED | accessed;
	const bool clear = scan->flags & KVM_YOUNG_CLEAR;
	const unsigned long end = bit + nr;
	unsigned long present = 0;
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
	}
	scan->nr_leaves[0] += present;
	scan->cleared |= cleared;
	return err;
}

/* [gfn, end) of the run below one root.  mmu_lock and rcu held. */
static int ky_walk_root(struct ky_scan *scan, const struct ky_run *run,
			hpa_t root, int root_level, gfn_t gfn, gfn_t end)
{
	while (gfn < end) {
		int level, err;
		u64 value, pages;
		u64 *entry = ky_descend(root, root_level, gfn, &level, &value);

		pages = 1ULL << ((level - 1) * 9);
		if (level == 1) {
			gfn_t stop = min_t(gfn_t, end, (gfn | 511) + 1);

			err = ky_walk_table(scan, entry, stop - gfn,
					    run->bit + (gfn - run->gfn));
			if (err)
				return err;
			gfn = stop;
		} else if (!(value & KY_PRESENT)) {
			gfn = (gfn | (pages - 1)) + 1;
		} else if (level > 3 || (value & KY_AD_DISABLED)) {
			return -EOPNOTSUPP;
		} else {
			gfn = ky_walk_huge(scan, run, gfn, end, entry, value,
					   level);
		}
	}
	return 0;
}

/* One hold of mmu_lock. */
static int ky_walk_hold(struct ky_scan *scan, const struct ky_run *run,
			gfn_t gfn, gfn_t end)
{
	struct kvm *kvm = scan->kvm;
	struct ky_roots roots;
	unsigned int i;
	int err;

	read_lock(&kvm->mmu_lock);
	rcu_read_lock();
	err = ky_find_roots(kvm, &roots);
	for (i = 0; i < roots.nr && !err; i++)
		err = ky_walk_root(scan, run, roots.hpa[i], roots.level, gfn,
				   end);
	rcu_read_unlock();
	read_unlock(&kvm->mmu_lock);
	return err;
}

static int ky_walk_run(struct ky_scan *scan, const struct ky_run *run)
{
	gfn_t gfn = run->gfn;

	while (gfn < run->end) {
		gfn_t stop = min_t(gfn_t, run->end,
				   (gfn | (KY_HOLD_PAGES - 1)) + 1);
		int err = ky_walk_hold(scan, run, gfn, stop);

		if (err)
			return err;
		gfn = stop;
		cond_resched();
	}
	return 0;
}

/* A slot's part of the batch; false: none. */
static bool ky_run_of(const struct ky_scan *scan, struct kvm_memory_slot *slot,
		      struct ky_run *run)
{
	u64 slot_end = slot->userspace_addr + (slot->npages << PAGE_SHIFT);
	u64 start = max_t(u64, scan->batch_start, slot->userspace_addr);
	u64 end = min_t(u64, scan->batch_end, slot_end);

	if (start >= end)
		return false;
	run->slot = slot;
	run->gfn = slot->base_gfn +
		   ((start - slot->userspace_addr) >> PAGE_SHIFT);
	run->end = run->gfn + ((end - start) >> PAGE_SHIFT);
	run->bit = (start - scan->batch_start) >> PAGE_SHIFT;
	return true;
}

/*
 * The slots for system management mode repeat most others; every root is
 * walked for every frame, so a repeated one need not be walked again.  (In the
 * few frames where the two differ, an access in one mode counts for both.)
 */
static bool ky_repeated(struct kvm *kvm, const struct ky_run *run)
{
	struct kvm_memory_slot *slot;

	slot = search_memslots(__kvm_memslots(kvm, 0), run->gfn, false);
	return slot && run->end <= slot->base_gfn + slot->npages &&
	       slot->userspace_addr +
		       ((run->gfn - slot->base_gfn) << PAGE_SHIFT) ==
	       run->slot->userspace_addr +
		       ((run->gfn - run->slot->base_gfn) << PAGE_SHIFT);
}

int ky_walk_batch(struct ky_scan *scan)
{
	struct kvm *kvm = scan->kvm;
	int as_id, idx, err = 0;

	idx = srcu_read_lock(&kvm->srcu);
	for (as_id = 0; as_id < KVM_ADDRESS_SPACE_NUM; as_id++) {
		struct kvm_memslots *slots = __kvm_memslots(kvm, as_id);
		struct interval_tree_node *node;
		struct ky_run run;

		for (node = interval_tree_iter_first(&slots->hva_tree,
						     scan->batch_start,
						     scan->batch_end - 1);
		     node && !err;
		     node = interval_tree_iter_next(node, scan->batch_start,
						    scan->batch_end - 1)) {
			struct kvm_memory_slot *slot =
				container_of(node, struct kvm_memory_slot,
					     hva_node[slots->node_idx]);

			if (!ky_run_of(scan, slot, &run) ||
			    (as_id && ky_repeated(kvm, &run)))
				continue;
			err = ky_walk_run(scan, &run);
		}
	}
	srcu_read_unlock(&kvm->srcu, idx);
	return err;
}

/*
 * The entry for hva, present or not; false: there is not exactly one, so
 * nothing to compare.
 */
static bool ky_peek(struct kvm *kvm, u64 hva, u64 *value, int *level,
		    gfn_t *gfn)
{
	struct kvm_memslots *slots;
	struct interval_tree_node *node;
	struct ky_roots roots;
	bool found = false;
	int idx;

	idx = srcu_read_lock(&kvm->srcu);
	slots = __kvm_memslots(kvm, 0);
	node = interval_tree_iter_first(&slots->hva_tree, hva, hva);
	/* An address with two slots has two leaves: nothing to compare. */
	if (node && !interval_tree_iter_next(node, hva, hva)) {
		struct kvm_memory_slot *slot =
			container_of(node, struct kvm_memory_slot,
				     hva_node[slots->node_idx]);

		*gfn = slot->base_gfn +
		       ((hva - slot->userspace_addr) >> PAGE_SHIFT);
		read_lock(&kvm->mmu_lock);
		rcu_read_lock();
		if (!ky_find_roots(kvm, &roots) && roots.nr == 1) {
			ky_descend(roots.hpa[0], roots.level, *gfn, level,
				   value);
			found = true;
		}
		rcu_read_unlock();
		read_unlock(&kvm->mmu_lock);
	}
	srcu_read_unlock(&kvm->srcu, idx);
	return found;
}

/* The frame behind hva by the process' own page tables, or 0. */
static unsigned long ky_host_pfn(struct mm_struct *mm, u64 hva)
{
	unsigned long pfn = 0;
	struct page *page;

	if (!mmap_read_trylock(mm))
		return 0;
	if (get_user_pages_remote(mm, hva, 1, 0, &page, NULL, NULL) == 1) {
		pfn = page_to_pfn(page);
		put_page(page);
	}
	mmap_read_unlock(mm);
	return pfn;
}

enum ky_verdict { KY_AGREES, KY_DIFFERS, KY_CANNOT_TELL };

/* One page, judged only if its entry was the same before and after. */
static enum ky_verdict ky_verify_page(struct kvm *kvm, u64 hva)
{
	struct mmu_notifier *mn = &kvm->mmu_notifier;
	int tries;

	for (tries = 0; tries < 3; tries++) {
		u64 before, after, pfn;
		int level, level_after;
		unsigned long host_pfn;
		gfn_t gfn, gfn_after;
		bool young;

		if (!ky_peek(kvm, hva, &before, &level, &gfn))
			return KY_CANNOT_TELL;
		host_pfn = ky_host_pfn(kvm->mm, hva);
		young = mn->ops->test_young(mn, kvm->mm, hva);
		if (!host_pfn ||
		    !ky_peek(kvm, hva, &after, &level_after, &gfn_after))
			return KY_CANNOT_TELL;
		if (before != after || level != level_after)
			continue;
		if (!(before & KY_PRESENT))
			return young ? KY_DIFFERS : KY_CANNOT_TELL;
		pfn = (before & __PHYSICAL_MASK) >> PAGE_SHIFT;
		if (level > 1)
			pfn = (pfn & ~((1ULL << ((level - 1) * 9)) - 1)) |
			      (gfn & ((1ULL << ((level - 1) * 9)) - 1));
		if (pfn != host_pfn || young != !!(before & ky_accessed))
			return KY_DIFFERS;
		return KY_AGREES;
	}
	return KY_CANNOT_TELL;
}

/* Agreements, over all VMs, after which the format counts as proven. */
#define KY_PROVEN 64
static atomic_t ky_nr_agreed = ATOMIC_INIT(0);

bool ky_walk_verify(struct ky_scan *scan)
{
	u64 step = max_t(u64, PAGE_SIZE,
			 ((scan->batch_end - scan->batch_start) / 16) &
			 PAGE_MASK);
	u64 hva;

	if (atomic_read(&ky_nr_agreed) >= KY_PROVEN)
		return true;
	for (hva = scan->batch_start; hva < scan->batch_end; hva += step) {
		switch (ky_verify_page(scan->kvm, hva)) {
		case KY_AGREES:
			atomic_inc(&ky_nr_agreed);
			break;
		case KY_DIFFERS:
			return false;
		case KY_CANNOT_TELL:
			break;
		}
	}
	return true;
}

#else /* !KY_WALK_KNOWN */

bool ky_walk_init(void)
{
	return false;
}

bool ky_walk_serves(struct kvm *kvm)
{
	return false;
}

int ky_walk_batch(struct ky_scan *scan)
{
	return -EOPNOTSUPP;
}

bool ky_walk_verify(struct ky_scan *scan)
{
	return false;
}

#endif
