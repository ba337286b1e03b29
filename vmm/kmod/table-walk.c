// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Walking the page tables of KVM's TDP MMU: the memory slots of a batch, a
 * bounded number of entries under one hold of mmu_lock.
 *
 *   kvm->srcu            keeps the memory slots
 *     mmu_lock (read)    roots are not freed: a vCPU drops its root under
 *                        mmu_lock, and a root found in a vCPU now was not
 *                        invalidated, which takes mmu_lock for write
 *       rcu              page table pages are not freed: zapping for read
 *                        (which runs along with us) and dropping a root that
 *                        was invalid already free them by call_rcu
 */
#include <linux/interval_tree.h>
#include <linux/mm.h>

#include "kvm-young.h"

#if KY_WALK_KNOWN

/* Pages scanned under one hold of mmu_lock. */
#define KY_HOLD_PAGES	4096UL

typedef int ky_root_fn(struct ky_scan *scan, const struct ky_run *run,
		       hpa_t root, int root_level, gfn_t gfn, gfn_t end);

/* Walks a part under one hold of mmu_lock. */
static int ky_hold(struct ky_scan *scan, const struct ky_run *run, gfn_t gfn,
		   gfn_t end, ky_root_fn *fn)
{
	struct kvm *kvm = scan->kvm;
	struct ky_roots roots;
	unsigned int i;
	int err;

	read_lock(&kvm->mmu_lock);
	rcu_read_lock();
	err = ky_find_roots(kvm, &roots);
	for (i = 0; i < roots.nr && !err; i++)
		err = fn(scan, run, roots.hpa[i], roots.level, gfn, end);
	rcu_read_unlock();
	read_unlock(&kvm->mmu_lock);
	return err;
}

static int ky_each_hold(struct ky_scan *scan, const struct ky_run *run,
			ky_root_fn *fn)
{
	gfn_t gfn = run->gfn;

	while (gfn < run->end) {
		gfn_t stop = min_t(gfn_t, run->end,
				   (gfn | (KY_HOLD_PAGES - 1)) + 1);
		int err = ky_hold(scan, run, gfn, stop, fn);

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

/* kvm->srcu held. */
static int ky_each_run(struct ky_scan *scan, ky_root_fn *fn)
{
	struct kvm *kvm = scan->kvm;
	int as_id, err = 0;

	for (as_id = 0; as_id < ky_nr_address_spaces(kvm); as_id++) {
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
			err = ky_each_hold(scan, &run, fn);
		}
	}
	return err;
}

int ky_walk_batch(struct ky_scan *scan)
{
	const u32 taking = KVM_YOUNG_CLEAR | KVM_YOUNG_FLUSH;
	bool tables_taken = false;
	int idx, err = 0;

	bitmap_zero(scan->used_tables, KY_BATCH_TABLES);
	idx = srcu_read_lock(&scan->kvm->srcu);
	if ((scan->flags & (taking | KVM_YOUNG_ALL_LEAVES)) == taking &&
	    ky_may_skip()) {
		tables_taken = true;
		err = ky_each_run(scan, ky_take_tables);
		ky_flush(scan);
	}
	if (!err)
		err = ky_each_run(scan, ky_walk_root);
	srcu_read_unlock(&scan->kvm->srcu, idx);
	if (err && tables_taken)
		ky_never_skip("found an entry of unknown format");
	return err;
}

#endif
