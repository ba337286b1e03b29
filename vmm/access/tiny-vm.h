/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tiny VM whose guest touches exactly the pages it is told to: the ground
 * truth for access sources (self-test, tests, benchmarks).
 *
 * Its program runs in ring 3, at full speed also where KVM emulates ring 0
 * (hosts without hardware virtualization).  It goes round a list of pages,
 * reads one byte of each, counts the round, and begins anew.
 *
 * Locking: one thread, besides the vCPU's own.
 */
#ifndef VMM_ACCESS_TINY_VM_H
#define VMM_ACCESS_TINY_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/mem/guest-mem.h"

struct tiny_vm;

/*
 * nr_pages pages to be touched, all of them resident.  With GUEST_MEM_THP
 * the guest maps huge pages too.
 * The guest runs on return, and touches nothing.  0 or -errno (-EINVAL: more
 * than 2 GiB).
 */
int tiny_vm_new(struct tiny_vm **vmp, uint64_t nr_pages,
		enum guest_mem_backing backing);
/* Stops the guest, bounded in time. */
void tiny_vm_free(struct tiny_vm *vm);

struct guest_mem *tiny_vm_mem(struct tiny_vm *vm);
int tiny_vm_fd(const struct tiny_vm *vm);
/* The pages that can be touched; the program itself lies elsewhere. */
struct gfn_range tiny_vm_range(const struct tiny_vm *vm);

/*
 * From now on the guest touches these (nr may be 0).  Returns when it does
 * nothing else any more.  0, -EINVAL (a gfn outside of the range), -ETIMEDOUT.
 */
int tiny_vm_touch(struct tiny_vm *vm, const uint64_t *gfns, uint64_t nr);

/*
 * The same; of page i the cache line i * line_step modulo 64.  once: each page
 * one time, and nothing more; all are touched on return.
 */
struct tiny_vm_how {
	bool once;
	unsigned int line_step;
};

int tiny_vm_touch_how(struct tiny_vm *vm, const uint64_t *gfns, uint64_t nr,
		      struct tiny_vm_how how);

/* Waits until the guest went round its list `rounds` times. -ETIMEDOUT. */
int tiny_vm_wait(const struct tiny_vm *vm, uint64_t rounds);
/* Rounds it went until now, and CPU time of its vCPU, KVM's work included. */
uint64_t tiny_vm_rounds(const struct tiny_vm *vm);
uint64_t tiny_vm_cpu_ns(const struct tiny_vm *vm);
/* The vCPU's thread. */
pid_t tiny_vm_tid(const struct tiny_vm *vm);

#endif
