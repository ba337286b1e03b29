// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kvm-young: reads and clears the accessed bits of a VM's second-level page
 * tables.  kvm_young_abi.h is the manual; walk.c reads the entries; here are
 * the device, the batches and the way by KVM's own mmu-notifier operations,
 * which serves every VM that cannot be walked.
 *
 * What keeps things alive: the VM by its file, held for the ioctl; its memory
 * map by mmget() for a batch, so that a dying process waits for one batch at
 * most.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kvm_young.h"

#define KY_FLAGS (KVM_YOUNG_CLEAR | KVM_YOUNG_FLUSH | KVM_YOUNG_NOTIFIER)

static_assert(sizeof(struct kvm_young_info) == 16);
static_assert(sizeof(struct kvm_young_scan) == 96);

static bool ky_may_walk __read_mostly;

/*
 * By KVM's operations.  First asks for every page, then clears those that
 * were young: clearing by page as one goes would take the bit of a huge page
 * with its first 4 KiB, and clearing a range would lose accesses that come
 * between.
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

static int ky_notifier_batch(struct ky_scan *scan)
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
	}
	return 0;
}

/* Fills the bitmaps of the batch.  KVM_YOUNG_BY_* or -errno. */
static int ky_batch(struct ky_scan *scan)
{
	int err;

	if (READ_ONCE(ky_may_walk) && !(scan->flags & KVM_YOUNG_NOTIFIER) &&
	    ky_walk_serves(scan->kvm)) {
		if (!ky_walk_verify(scan)) {
			WRITE_ONCE(ky_may_walk, false);
			pr_warn("page table entries of this kernel are not as expected: using KVM's functions, which are slower\n");
		} else {
			err = ky_walk_batch(scan);
			if (!err)
				return KVM_YOUNG_BY_WALK;
			/*
			 * What was cleared before the entry that it did not
			 * understand is in `young` and stays there.
			 */
		}
	}
	err = ky_notifier_batch(scan);
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

static int ky_scan_range(struct ky_scan *scan, struct kvm_young_scan *req)
{
	struct mm_struct *mm = scan->kvm->mm;
	u64 page;

	for (page = 0; page < req->nr_pages; page += KY_BATCH_PAGES) {
		u64 nr = min_t(u64, KY_BATCH_PAGES, req->nr_pages - page);
		int rc;

		if (fatal_signal_pending(current))
			return -EINTR;
		if (!mmget_not_zero(mm))
			return -ESRCH;
		scan->batch_start = scan->start + (page << PAGE_SHIFT);
		scan->batch_end = scan->batch_start + (nr << PAGE_SHIFT);
		scan->cleared = false;
		bitmap_zero(scan->young, KY_BATCH_PAGES);
		bitmap_zero(scan->huge, KY_BATCH_PAGES);
		rc = ky_batch(scan);
		if (scan->cleared && (scan->flags & KVM_YOUNG_FLUSH)) {
			kvm_flush_remote_tlbs(scan->kvm);
			req->nr_flushes++;
		}
		mmput(mm);
		if (rc < 0)
			return rc;
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

static int ky_check(const struct kvm_young_scan *req)
{
	if (req->size != sizeof(*req) || (req->flags & ~KY_FLAGS) ||
	    req->reserved)
		return -EINVAL;
	if ((req->flags & KVM_YOUNG_FLUSH) && !(req->flags & KVM_YOUNG_CLEAR))
		return -EINVAL;
	if ((req->hva & ~PAGE_MASK) || !req->nr_pages ||
	    req->hva >= TASK_SIZE_MAX ||
	    req->nr_pages > (TASK_SIZE_MAX - req->hva) >> PAGE_SHIFT)
		return -EINVAL;
	if ((req->young | req->huge) & 7)
		return -EINVAL;
	return 0;
}

static long ky_ioctl_scan(struct kvm_young_scan __user *arg)
{
	struct kvm_young_scan req;
	struct ky_scan scan = {};
	struct file *vm_file;
	long err;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	err = ky_check(&req);
	if (err)
		return err;
	vm_file = fget(req.vm_fd);
	if (!vm_file)
		return -EBADF;
	if (!file_is_kvm(vm_file)) {
		err = -EINVAL;
		goto out_file;
	}
	scan.young = bitmap_zalloc(KY_BATCH_PAGES, GFP_KERNEL_ACCOUNT);
	scan.huge = bitmap_zalloc(KY_BATCH_PAGES, GFP_KERNEL_ACCOUNT);
	if (!scan.young || !scan.huge) {
		err = -ENOMEM;
		goto out_bitmaps;
	}
	scan.kvm = vm_file->private_data;
	scan.flags = req.flags;
	scan.start = req.hva;
	scan.end = req.hva + (req.nr_pages << PAGE_SHIFT);
	req.nr_scanned = 0;
	req.nr_young = 0;
	req.method = 0;
	req.nr_flushes = 0;
	err = ky_scan_range(&scan, &req);
	memcpy(req.nr_leaves, scan.nr_leaves, sizeof(req.nr_leaves));
	if (copy_to_user(arg, &req, sizeof(req)))
		err = -EFAULT;
out_bitmaps:
	bitmap_free(scan.young);
	bitmap_free(scan.huge);
out_file:
	fput(vm_file);
	return err;
}

static long ky_ioctl_info(struct kvm_young_info __user *arg)
{
	struct kvm_young_info info = {
		.abi_version = KVM_YOUNG_ABI_VERSION,
		.flags = KY_FLAGS,
		.method = READ_ONCE(ky_may_walk) ? KVM_YOUNG_BY_WALK :
						   KVM_YOUNG_BY_NOTIFIER,
	};

	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long ky_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case KVM_YOUNG_GET_INFO:
		return ky_ioctl_info((void __user *)arg);
	case KVM_YOUNG_SCAN:
		return ky_ioctl_scan((void __user *)arg);
	}
	return -ENOTTY;
}

static const struct file_operations ky_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = ky_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice ky_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "kvm-young",
	.fops = &ky_fops,
	.mode = 0600,
};

static int __init ky_init(void)
{
	int err;

	ky_may_walk = ky_walk_init();
	err = misc_register(&ky_device);
	if (err)
		return err;
	pr_info("accessed bits by %s\n",
		ky_may_walk ? "page table walk" : "KVM's mmu-notifier operations");
	return 0;
}

static void __exit ky_exit(void)
{
	misc_deregister(&ky_device);
}

module_init(ky_init);
module_exit(ky_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Accessed bits of the second-level page tables of KVM guests");
MODULE_VERSION("1");
