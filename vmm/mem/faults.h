/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page faults of guest memory, served in this process through userfaultfd(2).
 * A thread (a vCPU, the kernel on its behalf, an emulated device) that accesses
 * a missing page of watched memory (that is, of ranges passed to
 * guest_faults_watch()), or writes to a protected one, waits until the owner of
 * the faults (the caller of guest_faults_new(), a sink) has served the fault.
 *
 * A single queue of faults does not scale to many vCPUs, so memory is divided
 * into shards, to which blocks of 64 MiB are assigned round-robin.  Each shard
 * has its own userfaultfd and its own thread, in which the owner's functions
 * are called.
 *
 * Locking: except for new and free, functions may be called from any thread
 * unless they say otherwise.  The owner's functions must not access watched
 * guest memory, as the thread that runs them would have to serve the fault
 * itself.
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
	 * A fault on a missing page at gfn.  The owner must end it by
	 * guest_faults_copy(), _zero(), _poison() or _wake(), now or later.
	 */
	void (*missing)(void *arg, unsigned int shard, gfn_t gfn);
	/*
	 * A write to a protected page.  The owner must end it by
	 * guest_faults_protect(..., false) or _wake(), now or later.
	 */
	void (*write_protected)(void *arg, unsigned int shard, gfn_t gfn);
	/*
	 * Called once at the time requested by guest_faults_retry_after(),
	 * however many faults are queued; at most late by some 20 ms plus the
	 * time of one fault.  Queued faults wait until it returns, so it should
	 * do little work.
	 */
	void (*retry)(void *arg, unsigned int shard);
};

/*
 * mem (not owned) must be memory of this process, which must be allowed to
 * serve faults that the kernel causes.  Memory in a memfd is registered at
 * once, to prevent fault-around; nothing is watched yet.  0 or -errno with why.
 */
int guest_faults_new(struct guest_faults **faultsp, struct guest_mem *mem,
		     unsigned int nr_shards, const struct guest_faults_ops *ops,
		     void *arg, char *why, size_t len);
/*
 * Ends the shards' threads, waiting for at most one call of the owner's
 * functions in each.  No fault is served after this: pages that the owner has
 * evicted then read as zeros.  The vCPUs must have ended before.
 */
void guest_faults_free(struct guest_faults *faults);

/* The number of the shard that serves gfn. */
unsigned int guest_faults_shard(const struct guest_faults *faults, gfn_t gfn);
/* The first frame after gfn that belongs to another shard. */
gfn_t guest_faults_shard_end(gfn_t gfn);

/*
 * The functions below take ranges within one shard.  -EAGAIN, from those that
 * protect, copy or zero: the address space was being changed (by fork() or
 * mremap()) at each of several attempts; no waiter was woken, and the caller
 * may retry later.
 */

/*
 * From now on faults are served in the range, and in the aligned blocks that
 * contain it (of 2 MiB, or more in a large guest).  0; -ENOMEM: too many
 * mappings (vm.max_map_count); or -errno.
 */
int guest_faults_watch(struct guest_faults *faults, struct gfn_range range);
/*
 * Sets the protection (writes wait from now on) or removes it (waiting writes
 * continue).
 */
int guest_faults_protect(struct guest_faults *faults, struct gfn_range range,
			 bool on);
/*
 * Maps a page with these contents where none is, atomically, and wakes waiters.
 * -EEXIST: a page is present.
 */
int guest_faults_copy(struct guest_faults *faults, gfn_t gfn, const void *page);
/* The same with a page of zeros. */
int guest_faults_zero(struct guest_faults *faults, gfn_t gfn);
/* Wakes waiting threads, which retry their access and may fault again. */
void guest_faults_wake(struct guest_faults *faults, struct gfn_range range);
/*
 * For a page whose contents are lost.  From now on an access raises SIGBUS
 * (BUS_ADRERR) in a thread of this process, and fails with EFAULT in a system
 * call and in KVM_RUN; this includes accesses already waiting.  It works with
 * every kernel, for anonymous memory and memfds alike.  0, -ENOMEM: too many
 * mappings (vm.max_map_count), or -errno.
 */
int guest_faults_poison(struct guest_faults *faults, gfn_t gfn);
/* Makes such a page usable again: zeros, and watched. */
int guest_faults_unpoison(struct guest_faults *faults, gfn_t gfn);

/*
 * Requests a call of ops->retry() after a delay; of several requests the
 * earliest counts.  Only from the owner's functions, in that shard's thread.
 */
void guest_faults_retry_after(struct guest_faults *faults, unsigned int shard,
			      uint64_t delay_ns);

struct guest_faults_stats {
	uint64_t nr_missing, nr_write_protected;
};

void guest_faults_get_stats(const struct guest_faults *faults,
			    struct guest_faults_stats *stats);

#endif
