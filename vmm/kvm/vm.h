/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtual machine: its KVM file descriptors, memory, buses, interrupts,
 * vCPUs and I/O thread.  No globals: several can live in one process.
 *
 * Life cycle:
 *
 *   vm_new -> devices added -> boot_load -> vm_start -> vm_wait -> vm_free
 *                                              vm_stop (any thread) --^
 *
 * Threads: one per vCPU, and one I/O thread that runs vm_event_base(), to which
 * devices add their eventfds, taps and sockets.
 */
#ifndef VMM_KVM_VM_H
#define VMM_KVM_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/kvm/bus.h"
#include "vmm/mem/guest-mem.h"

struct event_base;
struct guest_numa;
struct vm;

#define VM_MAX_CPUS 64

struct vm_config {
	const char *name;	/* for messages; copied */
	uint64_t mem_bytes;
	unsigned int nr_cpus;	/* 1 to VM_MAX_CPUS; KVM may support fewer */
	enum guest_mem_backing backing;
	const struct guest_numa *numa;	/* checked; copied; NULL: no nodes */
};

/*
 * Opens /dev/kvm, creates the VM, its memory, in-kernel irqchip and vCPUs.  On
 * failure: -errno, and why names the problem and the remedy.
 */
int vm_new(struct vm **vmp, const struct vm_config *config, char *why,
	   size_t len);
/* After vm_wait(), or if the VM was not started. */
void vm_free(struct vm *vm);

struct guest_mem *vm_mem(struct vm *vm);
struct bus *vm_pio(struct vm *vm);
struct bus *vm_mmio(struct vm *vm);
struct event_base *vm_event_base(struct vm *vm);
int vm_fd(const struct vm *vm);
const char *vm_name(const struct vm *vm);
unsigned int vm_nr_cpus(const struct vm *vm);
/* NULL: the guest has no NUMA nodes. */
const struct guest_numa *vm_numa(const struct vm *vm);

/* A free interrupt line (GSI) for a device, or -ENOSPC. */
int vm_alloc_gsi(struct vm *vm);
/* Each write to eventfd `fd` raises an edge on gsi. 0 or -errno. */
int vm_irqfd(struct vm *vm, unsigned int gsi, int fd);
/*
 * A guest write of 4 bytes with value `datamatch` to gpa signals eventfd `fd`
 * instead of exiting.  0 or -errno.
 */
int vm_ioeventfd(struct vm *vm, gpa_t gpa, uint32_t datamatch, int fd);

/*
 * A free MMIO window of VM_VIRTIO_WINDOW_BYTES for a virtio device, or 0 if
 * there is none; window and gsi are described to the guest in the DSDT.
 */
gpa_t vm_alloc_virtio_window(struct vm *vm, unsigned int gsi);
#define VM_VIRTIO_WINDOW_BYTES 0x1000

/* How a VM ended. */
enum vm_end {
	VM_END_POWEROFF,
	VM_END_RESET,
	VM_END_PANIC,
	VM_END_CRASH,
	VM_END_STOPPED,		/* by vm_stop() */
};

/* Starts the I/O thread and the vCPUs' threads.  0 or -errno. */
int vm_start(struct vm *vm);
/*
 * Ends the VM, without waiting for that; any thread, even one that handles
 * signals.  `end` of the first call is the result of vm_wait().
 */
void vm_stop(struct vm *vm, enum vm_end end);
/* True from the first vm_stop() on: work that takes long is to be cut short. */
bool vm_stopping(const struct vm *vm);
/*
 * For poll(): readable as soon as vm_wait_end() would not block.  Owned by the
 * VM.
 */
int vm_ended_fd(const struct vm *vm);
/*
 * Blocks until the VM has ended: its vCPUs have stopped, or are about to.  Any
 * thread.
 */
enum vm_end vm_wait_end(struct vm *vm);
/*
 * Likewise, and joins the VM's threads; one thread only.  If one of them waits
 * for an evicted page that the store's device never returns, this blocks for
 * ever.
 */
enum vm_end vm_wait(struct vm *vm);

/* Exits of all vCPUs so far; of these: port I/O and MMIO. */
struct vm_stats {
	uint64_t nr_exits, nr_io_exits, nr_mmio_exits;
};

void vm_get_stats(const struct vm *vm, struct vm_stats *stats);

#endif
