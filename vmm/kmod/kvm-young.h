/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internals shared by the module's files.  The ABI is kvm-young-abi.h. */
#ifndef VMM_KVM_YOUNG_H
#define VMM_KVM_YOUNG_H

#include <linux/cpumask.h>
#include <linux/kvm_host.h>

#include "kvm-layout.h"
#include "kvm-young-abi.h"

/* 128 MiB: one page of bitmap; the amount scanned per TLB flush. */
#define KY_BATCH_PAGES 32768UL
/* Pages below one table of 4 KiB entries. */
#define KY_TABLE_PAGES 512UL
/* Tables of a batch, which need not be aligned to them. */
#define KY_BATCH_TABLES (KY_BATCH_PAGES / KY_TABLE_PAGES + 1)
/* A call ends at the end of the batch in which this time has passed. */
#define KY_CALL_NS (KVM_YOUNG_CALL_MS * (u64)NSEC_PER_MSEC)

/* A scan in progress.  Belongs to the task in the ioctl. */
struct ky_scan {
	struct kvm *kvm;
	u32 flags;
	u64 start, end;		/* the whole range, host virtual */
	u64 deadline;		/* by ktime_get_ns() */
	/* The current batch. */
	u64 batch_start, batch_end;
	unsigned long *young;	/* KY_BATCH_PAGES bits each */
	unsigned long *huge;
	/* Tables that were used, by (page in the batch) / KY_TABLE_PAGES. */
	DECLARE_BITMAP(used_tables, KY_BATCH_TABLES);
	bool cleared;		/* a bit was cleared, no flush since */
	cpumask_var_t kick;	/* owned; for ky_flush_tlbs() */
	u32 nr_flushes;
	/*
	 * The leaf that extends beyond the part walked under one hold of
	 * mmu_lock: its bit is already cleared when the rest is walked.
	 */
	struct {
		struct kvm_memory_slot *slot;	/* only compared */
		gfn_t base;
		u64 hva_end;
		bool young;
	} straddling;
	/* Results. */
	u64 nr_leaves[3];
	u64 nr_skipped;
};

/* A run of a slot's frames, and the index of its first bit in the bitmaps. */
struct ky_run {
	struct kvm_memory_slot *slot;
	gfn_t gfn, end;
	unsigned long bit;
};

/* --- kvm.c: what KVM does --------------------------------------------------- */

/* The VM of a file, or NULL.  It lives as long as the file. */
struct kvm *ky_vm_of(struct file *file);
/*
 * Flushes the TLBs of all vCPUs; returns when none uses an older translation.
 * kick is overwritten.  Does not sleep; no lock is needed.
 */
void ky_flush_tlbs(struct kvm *kvm, struct cpumask *kick);

/* --- scan.c: a range, batch by batch --------------------------------------- */

void ky_scan_init(void);
/* Whether page table entries of this kernel and processor can be walked. */
bool ky_may_walk(void);
/*
 * Scans; fills in the results of req.  0, also at the time limit, with
 * req->nr_scanned below req->nr_pages; or -errno.
 */
int ky_scan_range(struct ky_scan *scan, struct kvm_young_scan *req);
/* Flushes the VM's TLBs if a bit was cleared since the last flush. */
void ky_flush(struct ky_scan *scan);

/* --- table-walk.c: the memory slots of a batch ---------------------------- */

#if KY_WALK_KNOWN
/* Walks the batch.  0, or -EOPNOTSUPP (an entry of unknown format). */
int ky_walk_batch(struct ky_scan *scan);
#else
static inline int ky_walk_batch(struct ky_scan *scan)
{
	return -EOPNOTSUPP;
}
#endif

/* --- entry.c: roots and entries of the TDP MMU ------------------------------ */

#if KY_WALK_KNOWN
#define KY_MAX_ROOTS	8

struct ky_roots {
	unsigned int nr;
	int level;
	hpa_t hpa[KY_MAX_ROOTS];
};

/* The mask of the accessed bit in an entry. */
extern u64 ky_accessed;

/* Whether the processor's stage-2 format is known. */
bool ky_walk_init(void);
/*
 * Whether this VM can be walked now.  False: it has legacy shadow pages, or an
 * unknown kind of root.
 */
bool ky_walk_supports(struct kvm *kvm);
/*
 * Finds the roots in use: vCPUs in the same mode share one; system management
 * mode and nested guests without their own paging have others.  mmu_lock held.
 * 0 or -EOPNOTSUPP.
 */
int ky_find_roots(struct kvm *kvm, struct ky_roots *roots);
/*
 * The entry of level `lowest` or above for gfn: the first that is a leaf or not
 * present, or that of level `lowest`.  mmu_lock and rcu held.
 */
u64 *ky_descend(hpa_t root, int root_level, gfn_t gfn, int lowest, int *level,
		u64 *value);
/* The table that a present non-leaf entry points to. */
u64 *ky_table(u64 entry);
/*
 * Clears the accessed bit if the entry still points to the same page.  False:
 * the entry was removed meanwhile, and its bit with it.
 */
bool ky_clear(u64 *entry, u64 value);
#else
static inline bool ky_walk_init(void)
{
	return false;
}

static inline bool ky_walk_supports(struct kvm *kvm)
{
	return false;
}
#endif

/* --- leaf.c: a run below one root ------------------------------------------- */

#if KY_WALK_KNOWN
/*
 * Fills in the bits of [gfn, end), a part of the run, and clears them in the
 * leaves if requested.  mmu_lock and rcu held.  0 or -EOPNOTSUPP.
 */
int ky_walk_root(struct ky_scan *scan, const struct ky_run *run, hpa_t root,
		 int root_level, gfn_t gfn, gfn_t end);
/*
 * Clears the accessed bits above tables that lie completely in [gfn, end), and
 * marks those tables in used_tables.  mmu_lock and rcu held.  0.
 */
int ky_take_tables(struct ky_scan *scan, const struct ky_run *run, hpa_t root,
		   int root_level, gfn_t gfn, gfn_t end);
/* Whether tables below a clear accessed bit may be skipped. */
bool ky_may_skip(void);
/*
 * Called after an error between taking tables and walking them: disables
 * skipping permanently.
 */
void ky_never_skip(const char *why);
#endif

/* --- verify.c ---------------------------------------------------------------- */

#if KY_WALK_KNOWN
/*
 * Compares some entries of the batch with KVM's results and the process's own
 * page tables, before anything is cleared.  False: the entries are not as the
 * walk expects, and it must not be used.
 */
bool ky_walk_verify(struct ky_scan *scan);
#else
static inline bool ky_walk_verify(struct ky_scan *scan)
{
	return false;
}
#endif

#endif
