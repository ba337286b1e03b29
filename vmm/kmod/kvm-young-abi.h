/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * /dev/kvm-young: the accessed bits of a VM's second-level page tables.
 *
 * One ioctl scans a range of host virtual addresses of the process that owns
 * a VM: it sets a bit in `young` for every page whose stage-2 leaf entry has
 * its accessed bit set and, with KVM_YOUNG_CLEAR, clears that bit.  Pages that
 * are not mapped in stage 2, or are not guest memory, are not young.
 *
 * Granule.  A leaf entry is 4 KiB, 2 MiB or 1 GiB, and has one bit: if it is
 * set, all its pages are young.  The walk clears a leaf only if all of it lies
 * in the range; a leaf that extends beyond it is reported but not cleared, so
 * it can look hot for too long but never cold too early.
 *
 * Skipping.  A page table is not scanned if the accessed bit of the entry above
 * it is clear: the table was not used since the last scan.  The bits above page
 * tables are cleared only with KVM_YOUNG_FLUSH: without it little is skipped.
 *
 * TLB.  A processor that has the translation cached does not set the bit
 * again.  KVM_YOUNG_FLUSH ends every batch (128 MiB) in which a bit was
 * cleared with a flush of the VM's TLBs (two, if page tables were in use);
 * without it a page in use may look cold for as long as its translation stays
 * cached.  An access between the clearing and the flush, by a cached
 * translation, is missed in either case.
 *
 * These bits are shared with other users (the host's own reclaim, DAMON): a set
 * bit is seen only by the one that clears it.
 *
 * The header is used by the kernel module and by user space.
 */
#ifndef VMM_KVM_YOUNG_ABI_H
#define VMM_KVM_YOUNG_ABI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define KVM_YOUNG_ABI_VERSION 2
#define KVM_YOUNG_PATH "/dev/kvm-young"

/*
 * After this many milliseconds a call ends at the end of a batch (128 MiB by
 * walk, one part of 2 MiB by notifier) and returns 0 with nr_scanned below
 * nr_pages: scan the rest in the next call.
 */
#define KVM_YOUNG_CALL_MS 100

/* Ways to read the bits. */
#define KVM_YOUNG_BY_WALK	1u	/* page table entries, some ns a page */
#define KVM_YOUNG_BY_NOTIFIER	2u	/* KVM's own functions, ~1 us a page */

struct kvm_young_info {
	__u32 abi_version;	/* KVM_YOUNG_ABI_VERSION */
	__u32 flags;		/* supported flags of a scan */
	/*
	 * Best method that this kernel and processor allow.  A VM with legacy
	 * shadow page tables (nested guests, no TDP MMU) is always served by
	 * the notifier; each scan reports the method used.
	 */
	__u32 method;
	__u32 reserved;
};

#define KVM_YOUNG_CLEAR		(1u << 0)
#define KVM_YOUNG_FLUSH		(1u << 1)	/* needs KVM_YOUNG_CLEAR */
#define KVM_YOUNG_NOTIFIER	(1u << 2)	/* don't walk; for tests */
#define KVM_YOUNG_ALL_LEAVES	(1u << 3)	/* skip no table; for tests */

struct kvm_young_scan {
	__u32 size;		/* sizeof(struct kvm_young_scan) */
	__u32 flags;
	__s32 vm_fd;		/* KVM VM */
	__u32 reserved;		/* 0 */
	__u64 hva;		/* first page, 4 KiB aligned */
	__u64 nr_pages;		/* of 4 KiB; at least 1 */
	/*
	 * Bitmaps of (nr_pages + 63) / 64 64-bit words, bit 0 of word 0 is the
	 * first page; 0: not wanted.  Every bit of the words of the scanned
	 * pages is written.
	 */
	__u64 young;
	__u64 huge;		/* pages mapped by a leaf of more than 4 KiB;
				 * all clear if by notifier */
	/* Results, valid also if the ioctl fails with EINTR or ESRCH. */
	__u64 nr_scanned;	/* pages whose bits were written; see
				 * KVM_YOUNG_CALL_MS */
	__u64 nr_young;
	__u64 nr_leaves[3];	/* present leaves: 4 KiB, 2 MiB, 1 GiB */
	__u64 nr_skipped;	/* pages below entries not used */
	__u32 method;		/* KVM_YOUNG_BY_*, the slowest one used */
	__u32 nr_flushes;
};

#define KVM_YOUNG_IOC 0xb7
#define KVM_YOUNG_GET_INFO	_IOR(KVM_YOUNG_IOC, 0x00, struct kvm_young_info)
/*
 * 0, or
 *   EINVAL   unknown flag or size, not aligned, no pages, vm_fd not a VM
 *   EBADF    vm_fd is not open
 *   EFAULT   a pointer cannot be written
 *   ESRCH    the VM's process has exited
 *   EINTR    killed
 *   ENOMEM
 */
#define KVM_YOUNG_SCAN		_IOWR(KVM_YOUNG_IOC, 0x01, struct kvm_young_scan)

/*
 * Finds the host virtual address, in the VM's process, of the frame that its
 * guest has at gfn (not in system management mode), and how many frames follow
 * it in the same slot.  Slots may change right after the call.
 */
struct kvm_young_find {
	__u32 size;		/* sizeof(struct kvm_young_find) */
	__s32 vm_fd;		/* KVM VM */
	__u64 gfn;
	/* Results. */
	__u64 hva;
	__u64 nr_pages;
};

/* 0, ENOENT (no memory there), EINVAL, EBADF, EFAULT; ENOTTY: an older module. */
#define KVM_YOUNG_FIND		_IOWR(KVM_YOUNG_IOC, 0x02, struct kvm_young_find)

#endif
