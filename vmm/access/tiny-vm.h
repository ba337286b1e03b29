/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tiny VM whose guest touches exactly the given pages: the ground truth for
 * access sources (self-test, tests, benchmarks).
 *
 * The guest's program runs in ring 3, at full speed even where KVM emulates
 * ring 0 (hosts without hardware virtualization).  In a loop it reads one byte
 * of each page of a list; each pass over the list is counted as a round.
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
 * nr_pages pages that can be touched, all of them resident.  With GUEST_MEM_THP
 * or GUEST_MEM_HUGETLB the guest's own page tables map huge pages too.  On
 * return the guest runs, and touches none of these pages.  0 or -errno
 * (-EINVAL: no pages, or more than 2 GiB).
 */
int tiny_vm_new(struct tiny_vm **vmp, uint64_t nr_pages,
		enum guest_mem_backing backing);
/* Stops the guest, in bounded time. */
void tiny_vm_free(struct tiny_vm *vm);

struct guest_mem *tiny_vm_mem(struct tiny_vm *vm);
int tiny_vm_fd(const struct tiny_vm *vm);
/* The pages that can be touched; the program itself lies elsewhere. */
struct gfn_range tiny_vm_range(const struct tiny_vm *vm);

/*
 * From now on the guest touches these frames (nr may be 0).  Returns when it
 * touches no others.  0, -EINVAL (a gfn outside of the range), -ETIMEDOUT.
 */
int tiny_vm_touch(struct tiny_vm *vm, const uint64_t *gfns, uint64_t nr);

/*
 * The same, but in the page gfns[i] it touches cache line i * line_step modulo
 * 64.  once: each page one time only; all have been touched on return.
 */
struct touch_options {
	bool once;
	unsigned int line_step;
};

int tiny_vm_touch_with(struct tiny_vm *vm, const uint64_t *gfns, uint64_t nr,
		       struct touch_options how);

/*
 * Waits until the guest has completed `rounds` rounds of its list.  -ETIMEDOUT.
 */
int tiny_vm_wait(const struct tiny_vm *vm, uint64_t rounds);
/* Rounds completed so far; CPU time of the vCPU's thread, KVM's work too. */
uint64_t tiny_vm_rounds(const struct tiny_vm *vm);
uint64_t tiny_vm_cpu_ns(const struct tiny_vm *vm);
/* The vCPU's thread. */
pid_t tiny_vm_tid(const struct tiny_vm *vm);

#endif
