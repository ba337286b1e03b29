/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's interfaces to a VM of this process and to its balloon, so that
 * the server depends neither on KVM nor on devices.  vmm/service/providers.c
 * implements them.  For memory, engine, view and sink the server uses their own
 * headers.
 *
 * All functions are called from any thread, until the server is freed.
 */
#ifndef VMM_CONTROL_PROVIDERS_H
#define VMM_CONTROL_PROVIDERS_H

#include <stdint.h>

struct stat_vm_counters {
	uint64_t nr_exits, nr_io_exits, nr_mmio_exits;
};

struct stat_vm_ops {
	unsigned int (*nr_cpus)(const void *vm);
	void (*get_counters)(const void *vm, struct stat_vm_counters *counters);
};

struct stat_vm_provider {
	const struct stat_vm_ops *ops;	/* NULL: another process runs the VM */
	const void *vm;			/* not owned */
};

struct stat_balloon_counters {
	uint64_t target_bytes, actual_bytes;
	uint64_t nr_reported;	/* pages discarded by free page reporting */
};

struct stat_balloon_ops {
	/* Requests that the guest gives up nr_bytes, and returns at once. */
	void (*set_target)(void *balloon, uint64_t nr_bytes);
	void (*get_counters)(const void *balloon,
			     struct stat_balloon_counters *counters);
};

struct stat_balloon_provider {
	const struct stat_balloon_ops *ops;	/* NULL: there is no balloon */
	void *balloon;				/* not owned */
};

#endif
