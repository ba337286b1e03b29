/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the module: what its files share.  The ABI is kvm_young_abi.h. */
#ifndef VMM_KVM_YOUNG_H
#define VMM_KVM_YOUNG_H

#include <linux/kvm_host.h>

#include "kvm_young_abi.h"

/* 128 MiB: one page of bitmap, and what one TLB flush is good for. */
#define KY_BATCH_PAGES 32768UL

/* A scan in progress.  Belongs to the task in the ioctl. */
struct ky_scan {
	struct kvm *kvm;
	u32 flags;
	u64 start, end;		/* the whole range, host virtual */
	/* The current batch. */
	u64 batch_start, batch_end;
	unsigned long *young;	/* KY_BATCH_PAGES bits each */
	unsigned long *huge;
	bool cleared;
	/*
	 * The leaf that reaches beyond what was walked under one hold of
	 * mmu_lock: its bit is gone when the rest of it comes.
	 */
	struct {
		struct kvm_memory_slot *slot;	/* a name only */
		gfn_t base;
		bool young;
	} straddling;
	/* Results. */
	u64 nr_leaves[3];
};

/* --- walk.c: page table entries of the TDP MMU ----------------------------- */

/* The processor's stage-2 format is one we know. */
bool ky_walk_init(void);
/*
 * Can this VM be walked now?  False: legacy shadow pages exist, or an unknown
 * kind of root.
 */
bool ky_walk_serves(struct kvm *kvm);
/* Walks the batch.  0, or -EOPNOTSUPP (an entry it does not understand). */
int ky_walk_batch(struct ky_scan *scan);
/*
 * Compares some entries of the batch with what KVM and the process' own page
 * tables say, before anything was cleared.  False: the walk is wrong about
 * this kernel and must not be used.
 */
bool ky_walk_verify(struct ky_scan *scan);

#endif
