// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <stddef.h>

#include "vmm/dev/device.h"
#include "vmm/kvm/vm.h"
#include "vmm/service/providers.h"

static unsigned int nr_cpus(const void *vm)
{
	return vm_nr_cpus(vm);
}

static void get_vm_counters(const void *vm, struct stat_vm_counters *counters)
{
	struct vm_stats stats;

	vm_get_stats(vm, &stats);
	*counters = (struct stat_vm_counters){
		.nr_exits = stats.nr_exits, .nr_io_exits = stats.nr_io_exits,
		.nr_mmio_exits = stats.nr_mmio_exits,
	};
}

static const struct stat_vm_ops vm_ops = {
	.nr_cpus = nr_cpus,
	.get_counters = get_vm_counters,
};

static void set_target(void *balloon, uint64_t nr_bytes)
{
	virtio_balloon_set_target(balloon, nr_bytes);
}

static void get_balloon_counters(const void *balloon,
				 struct stat_balloon_counters *counters)
{
	struct virtio_balloon_stats stats;

	virtio_balloon_get_stats(balloon, &stats);
	*counters = (struct stat_balloon_counters){
		.target_bytes = stats.target_bytes,
		.actual_bytes = stats.actual_bytes,
		.nr_reported = stats.nr_reported,
	};
}

static const struct stat_balloon_ops balloon_ops = {
	.set_target = set_target,
	.get_counters = get_balloon_counters,
};

struct stat_vm_provider service_vm_provider(const struct vm *vm)
{
	return (struct stat_vm_provider){ vm ? &vm_ops : NULL, vm };
}

struct stat_balloon_provider
service_balloon_provider(struct virtio_balloon *balloon)
{
	return (struct stat_balloon_provider){ balloon ? &balloon_ops : NULL,
					       balloon };
}
