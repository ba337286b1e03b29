/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page faults of guest memory, served by us: userfaultfd(2).  Whoever touches a
 * watched page that is missing, or writes to one that is protected (a vCPU, the
 * kernel on its behalf, a device of ours), waits until the owner has served it.
 *
 * One queue of faults collapses with many vCPUs, so memory is parted into
 * shards of 64 MiB blocks in turn; each has its own userfaultfd and its own
 * thread, in which the owner is called.
 *
 * Locking: watch, copy and the rest from any thread.  The owner's functions
 * run in the shard's thread and must not touch guest memory that is watched:
 * nobody would serve them.
 */
#ifndef VMM_MEM_FAULTS_H
#define VMM_MEM_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/mem/guest-mem.h"

struct guest_faults;

struct guest_faults_ops {
	/* Nothing is at gfn: ends in _copy(), _zero(), _lose() or _wake(). */
	void (*missing)(void *arg, unsigned int shard, gfn_t gfn);
	/* A write to a protected page: ends in _protect(false) or _wake(). */
	void (*write_protected)(void *arg, unsigned int shard, gfn_t gfn);
	/*
	 * Once, when the time has come that one of these three asked for by
	 * guest_faults_again(), and some 20 ms and the fault that is being
	 * served then are over, however many others there are.  Those wait
	 * meanwhile: a little work at a time.
	 */
	void (*again)(void *arg, unsigned int shard);
};

/*
 * Needs our own memory (guest_mem_pid() is us), and the right to serve faults
 * of the kernel.  Memory in a memfd is registered at once, so that the kernel
 * maps no neighbours of a fault; nothing is watched yet.  -errno with why.
 */
int guest_faults_new(struct guest_faults **faultsp, struct guest_mem *mem,
		     unsigned int nr_shards, const struct guest_faults_ops *ops,
		     void *arg, char *why, size_t len);
/*
 * Waits for at most one call of the owner's functions in each shard.  Nobody is
 * served after this: pages that the owner has are zeros to whoever
 * touches them.  The vCPUs have ended before.
 */
void guest_faults_free(struct guest_faults *faults);

unsigned int guest_faults_nr_shards(const struct guest_faults *faults);
unsigned int guest_faults_shard(const struct guest_faults *faults, gfn_t gfn);
/* The first frame behind gfn that is of another shard. */
gfn_t guest_faults_shard_end(gfn_t gfn);

/*
 * The functions below take ranges within one shard.  -EAGAIN, of those that protect,
 * copy or zero: the address space is being changed, and was at some tries more;
 * nobody was woken, and it may be asked again later.
 */

/*
 * From now on; all of the 2 MiB around it, or more in a large guest.  -ENOMEM: too
 * many mappings (vm.max_map_count).
 */
int guest_faults_watch(struct guest_faults *faults, struct gfn_range range);
/* Writes wait from now on; or those that wait go on. */
int guest_faults_protect(struct guest_faults *faults, struct gfn_range range,
			 bool on);
/* A whole page into a hole, atomically; wakes.  -EEXIST: it is there. */
int guest_faults_copy(struct guest_faults *faults, gfn_t gfn, const void *page);
int guest_faults_zero(struct guest_faults *faults, gfn_t gfn);
/* Those that wait try again. */
void guest_faults_wake(struct guest_faults *faults, struct gfn_range range);
/*
 * The page's contents are lost, and nothing is in its place.  From now on a
 * touch is SIGBUS (BUS_ADRERR) for a thread of ours, EFAULT for a system call
 * and for KVM_RUN; those that wait are told so, too.  Whatever the backing and
 * the kernel.  -ENOMEM: too many mappings (vm.max_map_count).
 */
int guest_faults_lose(struct guest_faults *faults, gfn_t gfn);
/* Such a page once more: of zeros, and watched. */
int guest_faults_renew(struct guest_faults *faults, gfn_t gfn);

/* From within the owner's functions, in that shard's thread; the earliest wins. */
void guest_faults_again(struct guest_faults *faults, unsigned int shard,
			uint64_t delay_ns);

struct guest_faults_stats {
	uint64_t nr_missing, nr_write_protected;
};

void guest_faults_get_stats(const struct guest_faults *faults,
			    struct guest_faults_stats *stats);

#endif
