// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kvm-young: reads and clears the accessed bits of a VM's second-level page
 * tables.  kvm-young-abi.h is the manual; this file is the device, scan.c scans
 * a range, table-walk.c, leaf.c and entry.c read page table entries.
 *
 * The VM's file, of which an ioctl holds a reference, keeps the VM alive.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/stringify.h>
#include <linux/uaccess.h>

#include "kvm-young.h"

#define KY_FLAGS (KVM_YOUNG_CLEAR | KVM_YOUNG_FLUSH | KVM_YOUNG_NOTIFIER | \
		  KVM_YOUNG_ALL_LEAVES)

static_assert(sizeof(struct kvm_young_info) == 16);
static_assert(sizeof(struct kvm_young_scan) == 104);
static_assert(sizeof(struct kvm_young_find) == 32);

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
	scan.kvm = ky_vm_of(vm_file);
	if (!scan.kvm) {
		err = -EINVAL;
		goto out_file;
	}
	scan.young = bitmap_zalloc(KY_BATCH_PAGES, GFP_KERNEL_ACCOUNT);
	scan.huge = bitmap_zalloc(KY_BATCH_PAGES, GFP_KERNEL_ACCOUNT);
	if (!scan.young || !scan.huge ||
	    !zalloc_cpumask_var(&scan.kick, GFP_KERNEL_ACCOUNT)) {
		err = -ENOMEM;
		goto out_bitmaps;
	}
	scan.flags = req.flags;
	scan.start = req.hva;
	scan.end = req.hva + (req.nr_pages << PAGE_SHIFT);
	scan.deadline = ktime_get_ns() + KY_CALL_NS;
	req.nr_scanned = 0;
	req.nr_young = 0;
	req.method = 0;
	err = ky_scan_range(&scan, &req);
	memcpy(req.nr_leaves, scan.nr_leaves, sizeof(req.nr_leaves));
	req.nr_skipped = scan.nr_skipped;
	req.nr_flushes = scan.nr_flushes;
	if (copy_to_user(arg, &req, sizeof(req)))
		err = -EFAULT;
	free_cpumask_var(scan.kick);
out_bitmaps:
	bitmap_free(scan.young);
	bitmap_free(scan.huge);
out_file:
	fput(vm_file);
	return err;
}

static long ky_find(struct kvm *kvm, struct kvm_young_find *req)
{
	struct kvm_memory_slot *slot;
	long err = -ENOENT;
	int idx = srcu_read_lock(&kvm->srcu);

	slot = __gfn_to_memslot(kvm_memslots(kvm), req->gfn);
	/* A slot that is being deleted or moved has no frames. */
	if (slot && !(slot->flags & KVM_MEMSLOT_INVALID)) {
		u64 at = req->gfn - slot->base_gfn;

		req->hva = slot->userspace_addr + (at << PAGE_SHIFT);
		req->nr_pages = slot->npages - at;
		err = 0;
	}
	srcu_read_unlock(&kvm->srcu, idx);
	return err;
}

static long ky_ioctl_find(struct kvm_young_find __user *arg)
{
	struct kvm_young_find req;
	struct file *vm_file;
	struct kvm *kvm;
	long err;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	if (req.size != sizeof(req))
		return -EINVAL;
	vm_file = fget(req.vm_fd);
	if (!vm_file)
		return -EBADF;
	kvm = ky_vm_of(vm_file);
	err = kvm ? ky_find(kvm, &req) : -EINVAL;
	fput(vm_file);
	if (!err && copy_to_user(arg, &req, sizeof(req)))
		err = -EFAULT;
	return err;
}

static long ky_ioctl_info(struct kvm_young_info __user *arg)
{
	struct kvm_young_info info = {
		.abi_version = KVM_YOUNG_ABI_VERSION,
		.flags = KY_FLAGS,
		.method = ky_may_walk() ? KVM_YOUNG_BY_WALK :
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
	case KVM_YOUNG_FIND:
		return ky_ioctl_find((void __user *)arg);
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

	ky_scan_init();
	err = misc_register(&ky_device);
	if (err)
		return err;
	pr_info("accessed bits by %s\n",
		ky_may_walk() ? "page table walk" :
		KY_WALK_KNOWN ? "KVM's mmu-notifier operations: unknown processor" :
			"KVM's mmu-notifier operations: unknown page table layout of this kernel");
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
MODULE_VERSION(__stringify(KVM_YOUNG_ABI_VERSION));
