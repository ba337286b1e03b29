/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page faults of guest memory, served by us through userfaultfd(2).  A thread
 * that touches a watched page that is missing, or writes to one that is
 * protected (a vCPU, the kernel on its behalf, a device of ours), waits until
 * the owner has served the fault.
 *
 * A single queue of faults does not scale to many vCPUs, so memory is divided
 * into shards, to which 64 MiB blocks are assigned round-robin; each shard has
 * its own userfaultfd and its own thread, in which the owner's functions are
 * called.
 *
 * Locking: watch, copy and the rest from any thread.  The owner's functions run
 * in the shard's thread and must not touch watched guest memory: nobody would
 * serve their faults.
 */
#ifndef VMM_MEM_FAULTS_H
#define VMM_MEM_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/mem/guest-mem.h"

struct guest_faults;

struct guest_faults_ops {
	/*
	 * A fault on a missing page at gfn: ends in _copy(), _zero(), _poison()
	 * or _wake().
	 */
	void (*missing)(void *arg, unsigned int shard, gfn_t gfn);
	/* A write to a protected page: ends in _protect(false) or _wake(). */
	void (*write_protected)(void *arg, unsigned int shard, gfn_t gfn);
	/*
	 * Called once after the time requested by one of these three functions
	 * through guest_faults_retry_after(), with a delay of at most some 20
	 * ms plus the fault being served then, however many others are queued.
	 * Those wait meanwhile, so do little work in one call.
	 */
	void (*retry)(void *arg, unsigned int shard);
};

/*
 * Needs our own memory (guest_mem_pid() is us), and the right to serve kernel
 * faults.  Memory in a memfd is registered at once, so that the kernel does no
 * fault-around; nothing is watched yet.  -errno with why.
 */
int guest_faults_new(struct guest_faults **faultsp, struct guest_mem *mem,
		     unsigned int nr_shards, const struct guest_faults_ops *ops,
		     void *arg, char *why, size_t len);
/*
 * Waits for at most one call of the owner's functions in each shard.  No fault
 * is served after this: pages that the owner has evicted then read as zeros.
 * The vCPUs must have ended before.
 */
void guest_faults_free(struct guest_faults *faults);

unsigned int guest_faults_shard(const struct guest_faults *faults, gfn_t gfn);
/* The first frame after gfn that belongs to another shard. */
gfn_t guest_faults_shard_end(gfn_t gfn);

/*
 * The functions below take ranges within one shard.  -EAGAIN, from those that
 * protect, copy or zero: the address space is being changed, and some retries
 * failed too; no waiter was woken, and the caller may retry later.
 */

/*
 * Faults in the range are served from now on, as in all of the 2 MiB around it,
 * or more in a large guest.  -ENOMEM: too many mappings (vm.max_map_count).
 */
int guest_faults_watch(struct guest_faults *faults, struct gfn_range range);
/*
 * Sets the protection (writes wait from now on) or removes it (waiting writes
 * continue).
 */
int guest_faults_protect(struct guest_faults *faults, struct gfn_range range,
			 bool on);
/*
 * Copies a whole page into a hole, atomically, and wakes waiters.  -EEXIST: a
 * page is present.
 */
int guest_faults_copy(struct guest_faults *faults, gfn_t gfn, const void *page);
int guest_faults_zero(struct guest_faults *faults, gfn_t gfn);
/* Waiting threads retry their access. */
void guest_faults_wake(struct guest_faults *faults, struct gfn_range range);
/*
 * The page's contents are lost, without a replacement.  From now on an access
 * raises SIGBUS (BUS_ADRERR) in a thread of ours, and fails with EFAULT in a
 * system call and in KVM_RUN; this includes accesses already waiting.  It works
 * for every backing and kernel.  -ENOMEM: too many mappings (vm.max_map_count).
 */
int guest_faults_poison(struct guest_faults *faults, gfn_t gfn);
/* Makes such a page usable again: zeros, and watched. */
int guest_faults_unpoison(struct guest_faults *faults, gfn_t gfn);

/*
 * Requests a call of ops->retry() after delay_ns; of several requests, the
 * earliest counts.  Call it from the owner's functions, in that shard's thread.
 */
void guest_faults_retry_after(struct guest_faults *faults, unsigned int shard,
			      uint64_t delay_ns);

struct guest_faults_stats {
	uint64_t nr_missing, nr_write_protected;
};

void guest_faults_get_stats(const struct guest_faults *faults,
			    struct guest_faults_stats *stats);

#endif
