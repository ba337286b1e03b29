/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the module: what its files share.  The ABI is kvm-young-abi.h. */
#ifndef VMM_KVM_YOUNG_H
#define VMM_KVM_YOUNG_H

#include <linux/cpumask.h>
#include <linux/kvm_host.h>

#include "kvm-layout.h"
#include "kvm-young-abi.h"

/* 128 MiB: one page of bitmap, and what one TLB flush is good for. */
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
	/* Tables that had been used, by (page in the batch) / KY_TABLE_PAGES */
	DECLARE_BITMAP(used_tables, KY_BATCH_TABLES);
	bool cleared;		/* a bit, and no flush since */
	cpumask_var_t kick;	/* scratch of a flush; owned */
	u32 nr_flushes;
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
	u64 nr_skipped;
};

/* A run of a slot's frames, and the bit of the first. */
struct ky_run {
	struct kvm_memory_slot *slot;
	gfn_t gfn, end;
	unsigned long bit;
};

/* --- kvm.c: what KVM does --------------------------------------------------- */

/* The VM that the file is, or NULL.  It lives as long as the file. */
struct kvm *ky_vm_of(struct file *file);
/*
 * Flushes the TLBs of all vCPUs; returns when none uses a translation from
 * before.  kick is scratch.  Does not sleep; no lock is needed.
 */
void ky_flush_tlbs(struct kvm *kvm, struct cpumask *kick);

/* --- scan.c: a range, batch by batch --------------------------------------- */

void ky_scan_init(void);
bool ky_may_walk(void);
/*
 * Scans; fills in the results of req.  0 also when the time was up, with
 * req->nr_scanned short of req->nr_pages; or -errno.
 */
int ky_scan_range(struct ky_scan *scan, struct kvm_young_scan *req);
/* Flushes the VM's TLBs if a bit was cleared since the last time. */
void ky_flush(struct ky_scan *scan);

/* --- table-walk.c: the memory slots of a batch ---------------------------- */

#if KY_WALK_KNOWN
/* Walks the batch.  0, or -EOPNOTSUPP (an entry it does not understand). */
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

/* The accessed bit's place in an entry. */
extern u64 ky_accessed;

/* The processor's stage-2 format is one we know. */
bool ky_walk_init(void);
/*
 * Can this VM be walked now?  False: legacy shadow pages exist, or an unknown
 * kind of root.
 */
bool ky_walk_serves(struct kvm *kvm);
/*
 * The roots in use: vCPUs in the same mode share one; system management mode
 * and nested guests without paging of their own have others.  mmu_lock held.
 * 0 or -EOPNOTSUPP.
 */
int ky_find_roots(struct kvm *kvm, struct ky_roots *roots);
/*
 * The entry of level `lowest` or above that leads to gfn: the first that is a
 * leaf or not present, or that of level `lowest`.  mmu_lock and rcu held.
 */
u64 *ky_descend(hpa_t root, int root_level, gfn_t gfn, int lowest, int *level,
		u64 *value);
/* The table behind a present entry that is no leaf. */
u64 *ky_table(u64 entry);
/*
 * Clears the accessed bit, if the entry still leads to the same page.  If it
 * does not, it was taken away meanwhile, and its bit with it: false.
 */
bool ky_clear(u64 *entry, u64 value);
#else
static inline bool ky_walk_init(void)
{
	return false;
}

static inline bool ky_walk_serves(struct kvm *kvm)
{
	return false;
}
#endif

/* --- leaf.c: a run below one root ------------------------------------------- */

#if KY_WALK_KNOWN
/* Both: [gfn, end) of the run.  mmu_lock and rcu held.  0 or -EOPNOTSUPP. */
int ky_walk_root(struct ky_scan *scan, const struct ky_run *run, hpa_t root,
		 int root_level, gfn_t gfn, gfn_t end);
/* Takes the bits of tables that lie in the run as a whole. */
int ky_take_tables(struct ky_scan *scan, const struct ky_run *run, hpa_t root,
		   int root_level, gfn_t gfn, gfn_t end);
/* Tables without accessed bit may be skipped, as far as we know. */
bool ky_may_skip(void);
/* After an error between taking tables and walking them: never skip again. */
void ky_never_skip(const char *why);
#endif

/* --- verify.c ---------------------------------------------------------------- */

#if KY_WALK_KNOWN
/*
 * Compares some entries of the batch with what KVM and the process' own page
 * tables say, before anything was cleared.  False: the walk is wrong about
 * this kernel and must not be used.
 */
bool ky_walk_verify(struct ky_scan *scan);
#else
static inline bool ky_walk_verify(struct ky_scan *scan)
{
	return false;
}
#endif

#endif
