/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Evicts pages of a guest from where no vCPU runs.
 *
 * Each page that MADV_PAGEOUT takes out of an address space interrupts the CPUs
 * that run threads of it: a TLB shootdown, for which both sides wait.  So the
 * sink unmaps the pages from our address space first, many at a time, and a
 * process of its own, the evictor, evicts them through its mapping of the same
 * memfd, where it runs alone:
 *
 *      vmm run                              evictor
 *        unmap many pages, one flush
 *        page numbers  ---- socket ---->    map, MADV_PAGEOUT, unmap the rest
 *                      <-- CPU time used --
 *
 * A page that the guest touches meanwhile is mapped twice, and the kernel pages
 * out only what is mapped once: it stays, and nothing is lost.  The kernel
 * keeps what was evicted, whoever dies.
 *
 * The evictor is this program, executed again.  It gives up all privileges, has
 * no open files but the socket, may make few system calls only, and ends with
 * us, however we end.  If it ends before, all further evictions fail with
 * -EPIPE and the caller evicts by itself.
 *
 * Locking: one thread evicts; evictor_get_stats() from any.
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
	pid_t pid;		/* 0: an eviction has found that it has ended */
	uint64_t nr_pages;	/* sent to it; total */
	uint64_t cpu_ns;	/* CPU time used; total */
	/* Why it has ended, without a full stop; "" and 0: it has not. */
	uint64_t last_error_ns;
	char last_error[128];
};

/*
 * To be called first in main(): in a process that evictor_new() has started,
 * does its work and does not return.  Without this call a program has no
 * evictors: it could not be executed as one.
 */
void evictor_init(int argc, char **argv);

/*
 * Starts one, which ends with the calling thread at the latest.  0;
 * -EOPNOTSUPP, without a message: the memory is not a memfd of ours, or
 * evictor_init() was not called; or -errno with why.
 */
int evictor_new(struct evictor **evictorp, const struct guest_mem *mem,
		char *why, size_t len);
void evictor_free(struct evictor *evictor);

/*
 * Evicts resident pages that we do not map; each run is in one slot.  The caller
 * reads from the memory's residency how many were evicted.  0; -ECANCELED:
 * *stopping was set (it may be NULL); -EPIPE: the evictor has ended, which was
 * logged.
 */
int evictor_evict(struct evictor *evictor, const struct gfn_range *runs,
		  size_t nr, const atomic_bool *stopping);

/* For the evicting thread: false once an eviction has found that it ended. */
bool evictor_can_evict(const struct evictor *evictor);
/* CPU time used, ns; total. */
uint64_t evictor_cpu_ns(const struct evictor *evictor);

void evictor_get_stats(const struct evictor *evictor,
		       struct evictor_stats *stats);

#endif
