// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Checks that the walk matches this kernel.  Before its results are used,
 * entries are compared with KVM's result for the same page (is it young?) and
 * with the process's own page tables (is it the same frame?).
 */
#include <linux/interval_tree.h>
#include <linux/mm.h>

#include "kvm-young.h"

#if KY_WALK_KNOWN

/*
 * Finds the entry for hva, present or not; false: there is not exactly one, so
 * there is nothing to compare.
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
			ky_descend(roots.hpa[0], roots.level, *gfn, 1, level,
				   value);
			found = true;
		}
		rcu_read_unlock();
		read_unlock(&kvm->mmu_lock);
	}
	srcu_read_unlock(&kvm->srcu, idx);
	return found;
}

/* The frame at hva in the process's own page tables, or 0. */
static unsigned long ky_host_pfn(struct mm_struct *mm, u64 hva)
{
	unsigned long pfn = 0;
	struct page *page;

	if (!mmap_read_trylock(mm))
		return 0;
	if (ky_get_user_page(mm, hva, &page) == 1) {
		pfn = page_to_pfn(page);
		put_page(page);
	}
	mmap_read_unlock(mm);
	return pfn;
}

enum ky_verdict { KY_AGREES, KY_DIFFERS, KY_CANNOT_TELL };

/* Verifies one page; the result counts only if its entry did not change. */
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
			pfn = (pfn & ~(KY_LEVEL_PAGES(level) - 1)) |
			      (gfn & (KY_LEVEL_PAGES(level) - 1));
		if (pfn != host_pfn || young != !!(before & ky_accessed))
			return KY_DIFFERS;
		return KY_AGREES;
	}
	return KY_CANNOT_TELL;
}

/*
 * Number of matches, over all VMs, after which the format counts as verified.
 */
#define KY_ENOUGH_AGREED 64
static atomic_t ky_nr_agreed = ATOMIC_INIT(0);

bool ky_walk_verify(struct ky_scan *scan)
{
	u64 step = max_t(u64, PAGE_SIZE,
			 ((scan->batch_end - scan->batch_start) / 16) &
			 PAGE_MASK);
	u64 hva;

	if (atomic_read(&ky_nr_agreed) >= KY_ENOUGH_AGREED)
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

#endif
