/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Evicts pages of a guest in a process that runs no vCPU.
 *
 * Each page that MADV_PAGEOUT takes out of an address space interrupts the CPUs
 * that run threads in it: a TLB shootdown, for which both sides wait.  So the
 * sink unmaps the pages from our address space first, many at a time, and a
 * second process, the evictor, evicts them through its own mapping of the same
 * memfd.  Its one thread is the only one in that address space:
 *
 *      vmm run                              evictor
 *        unmap many pages, one flush
 *        page numbers  ---- socket ---->    map, MADV_PAGEOUT, unmap the rest
 *                      <-- CPU time used --
 *
 * A page that the guest touches meanwhile is mapped twice, and the kernel pages
 * out only what is mapped once: such a page stays resident.  The kernel keeps
 * the data of evicted pages, whichever of the two processes dies.
 *
 * The evictor is this program, executed again.  It gives up all capabilities,
 * has no open files but the socket, /dev/null and a pidfd of itself, may make
 * few system calls (where seccomp is available), and ends with us, however we
 * end.  If it ends earlier, all further evictions fail with -EPIPE, and the
 * caller evicts by itself.
 *
 * Locking: one thread at a time calls these functions, except
 * evictor_get_stats(), which any thread may call before evictor_free().
 */
#ifndef VMM_SINK_EVICTOR_H
#define VMM_SINK_EVICTOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/mem/guest-mem.h"

struct evictor;

struct evictor_stats {
	bool is_running;
	pid_t pid;		/* 0: an eviction found that it has ended */
	uint64_t nr_pages;	/* in requests that it has answered; total */
	uint64_t cpu_ns;	/* CPU time used, by its last answer; total */
	/*
	 * Why it ended, without a full stop, and when that was noticed, by
	 * clock_now_ns(); "" and 0: it is not known to have ended.
	 */
	uint64_t last_error_ns;
	char last_error[128];
};

/*
 * To be called first in main().  In a process that evictor_new() has started it
 * does the evictor's work and does not return.  A program without this call
 * cannot be executed as an evictor, so its evictor_new() fails.
 */
void evictor_init(int argc, char **argv);

/*
 * Starts an evictor of mem, which must outlive it.  The process ends with the
 * calling thread at the latest.  0; -EOPNOTSUPP, with why unchanged: the memory
 * is not a memfd of ours, or evictor_init() was not called; or -errno with why.
 */
int evictor_new(struct evictor **evictorp, const struct guest_mem *mem,
		char *why, size_t len);
void evictor_free(struct evictor *evictor);

/*
 * Evicts resident pages that we do not map; each run is in one slot.  The caller
 * learns from guest_mem_residency() which were evicted.  0; -EFAULT: a run does
 * not begin in RAM; -ECANCELED: *stopping was set (stopping may be NULL);
 * -EPIPE: the evictor has ended, which was logged.
 */
int evictor_evict(struct evictor *evictor, const struct gfn_range *runs,
		  size_t nr, const atomic_bool *stopping);

/* False once an eviction has found that the evictor has ended. */
bool evictor_can_evict(const struct evictor *evictor);
/* CPU time used, ns; total. */
uint64_t evictor_cpu_ns(const struct evictor *evictor);

void evictor_get_stats(const struct evictor *evictor,
		       struct evictor_stats *stats);

#endif
