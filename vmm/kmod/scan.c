// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A scan: batches, the choice between the walk and KVM's own mmu-notifier
 * operations, which serve every VM that cannot be walked, and the limits.
 *
 * mmget() pins the process's address space for a batch.  If the process dies
 * meanwhile, its teardown waits for us; it is then done by a kernel thread, so
 * that it does not delay the caller.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "kvm-young.h"

/*
 * Batches of one VM exclude each other (leaf.c says why), by the lock that the
 * VM's address hashes to; VMs with the same lock wait for each other's batches.
 * Taken before kvm->srcu and mmu_lock.
 */
#define KY_LOCK_BITS 5
static struct mutex ky_locks[1 << KY_LOCK_BITS];

static bool ky_walk_trusted __read_mostly;

void ky_scan_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ky_locks); i++)
		mutex_init(&ky_locks[i]);
	ky_walk_trusted = ky_walk_init();
}

bool ky_may_walk(void)
{
	return READ_ONCE(ky_walk_trusted);
}

void ky_flush(struct ky_scan *scan)
{
	if (!scan->cleared)
		return;
	scan->cleared = false;
	ky_flush_tlbs(scan->kvm, scan->kick);
	scan->nr_flushes++;
}

static bool ky_time_is_up(const struct ky_scan *scan)
{
	return ktime_get_ns() >= scan->deadline;
}

/* Whether the process has exited and only our reference keeps its memory. */
static bool ky_is_dead(const struct ky_scan *scan)
{
	return atomic_read(&scan->kvm->mm->mm_users) == 1;
}

/*
 * By KVM's operations.  First tests every page, then clears those that were
 * young: clearing page by page at once would clear the bit of a huge page with
 * its first 4 KiB, and clearing a range would lose accesses in between.
 */
static void ky_notifier_chunk(struct ky_scan *scan, u64 start, u64 end)
{
	struct mmu_notifier *mn = &scan->kvm->mmu_notifier;
	struct mm_struct *mm = scan->kvm->mm;
	unsigned long first = (start - scan->batch_start) >> PAGE_SHIFT;
	unsigned long last = (end - scan->batch_start) >> PAGE_SHIFT;
	unsigned long i;

	for (i = first; i < last; i++)
		if (mn->ops->test_young(mn, mm, scan->batch_start +
						 (i << PAGE_SHIFT)))
			__set_bit(i, scan->young);
	if (!(scan->flags & KVM_YOUNG_CLEAR))
		return;
	for (i = first; i < last; i++) {
		u64 hva = scan->batch_start + (i << PAGE_SHIFT);

		if (test_bit(i, scan->young))
			scan->cleared |= mn->ops->clear_young(mn, mm, hva,
							      hva + PAGE_SIZE);
	}
}

/*
 * At the time limit, ends the batch early, at a page whose bit begins a word;
 * not if the walk was tried first, as that may have cleared bits in all of the
 * batch.  0 or -errno.
 */
static int ky_notifier_batch(struct ky_scan *scan, bool walked)
{
	u64 hva = scan->batch_start;

	while (hva < scan->batch_end) {
		u64 stop = min_t(u64, scan->batch_end,
				 (hva | (PMD_SIZE - 1)) + 1);

		ky_notifier_chunk(scan, hva, stop);
		hva = stop;
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
		if (ky_is_dead(scan))
			return -ESRCH;
		if (!walked && ky_time_is_up(scan) &&
		    !(((hva - scan->batch_start) >> PAGE_SHIFT) %
		      BITS_PER_LONG))
			scan->batch_end = hva;
	}
	return 0;
}

/* Fills the bitmaps of the batch.  KVM_YOUNG_BY_* or -errno. */
static int ky_batch(struct ky_scan *scan)
{
	bool walked = false;
	int err;

	if (ky_may_walk() && !(scan->flags & KVM_YOUNG_NOTIFIER) &&
	    ky_walk_supports(scan->kvm)) {
		if (!ky_walk_verify(scan)) {
			WRITE_ONCE(ky_walk_trusted, false);
			pr_warn("page table entries of this kernel are not as expected: using KVM's functions, which are slower\n");
		} else {
			walked = true;
			err = ky_walk_batch(scan);
			if (!err)
				return KVM_YOUNG_BY_WALK;
			/*
			 * Bits cleared before the entry of unknown format are
			 * in `young` and are kept.
			 */
		}
	}
	err = ky_notifier_batch(scan, walked);
	return err ? err : KVM_YOUNG_BY_NOTIFIER;
}

static int ky_copy_bitmap(u64 to, u64 page, const unsigned long *bitmap,
			  u64 nr_pages)
{
	if (!to)
		return 0;
	if (copy_to_user(u64_to_user_ptr(to + page / 8), bitmap,
			 DIV_ROUND_UP(nr_pages, 64) * 8))
		return -EFAULT;
	return 0;
}

/*
 * The end of the batch that starts at hva: at a page whose bit begins a word
 * and, if the start of the caller's range allows it, between huge pages.
 */
static u64 ky_batch_end(const struct ky_scan *scan, u64 hva)
{
	u64 end = hva + (KY_BATCH_PAGES << PAGE_SHIFT);

	if (end >= scan->end)
		return scan->end;
	if (!((scan->start >> PAGE_SHIFT) % BITS_PER_LONG))
		end = round_down(end, PMD_SIZE);
	return end;
}

static int ky_locked_batch(struct ky_scan *scan)
{
	struct mutex *lock = &ky_locks[hash_ptr(scan->kvm, KY_LOCK_BITS)];
	int rc;

	if (mutex_lock_killable(lock))
		return -EINTR;
	if (!mmget_not_zero(scan->kvm->mm)) {
		mutex_unlock(lock);
		return -ESRCH;
	}
	rc = ky_is_dead(scan) ? -ESRCH : ky_batch(scan);
	if (scan->flags & KVM_YOUNG_FLUSH)
		ky_flush(scan);
	mutex_unlock(lock);
	mmput_async(scan->kvm->mm);
	return rc;
}

int ky_scan_range(struct ky_scan *scan, struct kvm_young_scan *req)
{
	u64 hva, page, nr;
	int rc = 0;

	for (hva = scan->start; hva < scan->end; hva = scan->batch_end) {
		if (fatal_signal_pending(current))
			return -EINTR;
		/* The bit of a leaf is known to the call that cleared it. */
		if (hva != scan->start && hva >= scan->straddling.hva_end &&
		    ky_time_is_up(scan))
			return 0;
		scan->batch_start = hva;
		scan->batch_end = ky_batch_end(scan, hva);
		scan->cleared = false;
		bitmap_zero(scan->young, KY_BATCH_PAGES);
		bitmap_zero(scan->huge, KY_BATCH_PAGES);
		rc = ky_locked_batch(scan);
		if (rc < 0)
			return rc;
		page = (hva - scan->start) >> PAGE_SHIFT;
		nr = (scan->batch_end - hva) >> PAGE_SHIFT;
		req->method = max_t(u32, req->method, rc);
		if (ky_copy_bitmap(req->young, page, scan->young, nr) ||
		    ky_copy_bitmap(req->huge, page, scan->huge, nr))
			return -EFAULT;
		req->nr_scanned += nr;
		req->nr_young += bitmap_weight(scan->young, nr);
		cond_resched();
	}
	return 0;
}
