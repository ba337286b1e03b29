// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/kvm/layout.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/kvm/vm-internal.h"
#include "vmm/kvm/vm.h"
#include "vmm/mem/numa.h"
#include "vmm/util/error-text.h"
#include "vmm/util/thread.h"

struct vm {
	char *name;			/* owned */
	int kvm_fd, fd;			/* owned */
	struct guest_mem *mem;		/* owned */
	struct guest_numa numa;		/* numa.nr 0: no nodes */
	struct bus *pio, *mmio;		/* owned */
	struct event_base *base;	/* owned */
	pthread_t io_thread;
	bool io_started;
	struct vcpu *vcpus[VM_MAX_CPUS];	/* owned */
	unsigned int nr_cpus;
	unsigned int nr_gsis;		/* allocated from free_gsis */
	unsigned int window_gsi[VM_MAX_WINDOWS];
	unsigned int nr_windows;

	int ended_fd;			/* owned; readable when it has ended */
	pthread_mutex_t lock;		/* guards stopping and end */
	pthread_cond_t ended;		/* stopping became true */
	bool stopping;			/* also read without the lock */
	enum vm_end end;
};

/* I/O APIC lines not used by legacy devices. */
static const unsigned int free_gsis[] = { 16, 17, 18, 19, 20, 21, 22, 23,
					  5, 6, 7, 10, 11, 12 };

#define NR_FREE_GSIS (sizeof(free_gsis) / sizeof(free_gsis[0]))

static int open_kvm(struct vm *vm, char *why, size_t len)
{
	int rc, version;

	vm->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm_fd < 0) {
		rc = -errno;
		if (rc == -ENOENT)
			snprintf(why, len, "/dev/kvm does not exist: load the "
				 "module kvm_intel or kvm_amd, or enable "
				 "virtualization in the firmware; `vmm doctor` "
				 "shows which");
		else if (rc == -EACCES || rc == -EPERM)
			snprintf(why, len, "no permission for /dev/kvm: join "
				 "the group kvm, or run as root; `vmm doctor` "
				 "shows what else is missing");
		else
			snprintf(why, len, "/dev/kvm: %s", error_text(-rc));
		return rc;
	}
	version = ioctl(vm->kvm_fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION) {
		snprintf(why, len, "/dev/kvm has API version %d, not %d: load "
			 "the kernel's own KVM module",
			 version, KVM_API_VERSION);
		return -EPROTO;
	}
	vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
	if (vm->fd < 0) {
		rc = -errno;
		snprintf(why, len, "KVM cannot create a VM: %s",
			 error_text(-rc));
		return rc;
	}
	return 0;
}

static int check_cpus(struct vm *vm, unsigned int nr, char *why, size_t len)
{
	int max = ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);

	if (max <= 0 || max > VM_MAX_CPUS)
		max = VM_MAX_CPUS;
	if (nr && nr <= (unsigned int)max)
		return 0;
	snprintf(why, len, "%u CPUs: a guest can have 1 to %d CPUs", nr, max);
	return -EINVAL;
}

/* Called before any vCPU is created.  Only KVM on Intel uses the addresses. */
static int make_irqchip(struct vm *vm, char *why, size_t len)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	uint64_t identity = LAYOUT_IDENTITY_MAP;
	int rc;

	if (ioctl(vm->fd, KVM_SET_TSS_ADDR, (unsigned long)LAYOUT_TSS) ||
	    ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) ||
	    ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) ||
	    ioctl(vm->fd, KVM_CREATE_PIT2, &pit)) {
		rc = -errno;
		snprintf(why, len, "KVM cannot create an interrupt controller "
			 "for the guest: %s", error_text(-rc));
		return rc;
	}
	return 0;
}

static int make_memory(struct vm *vm, uint64_t nr_bytes,
		       enum guest_mem_backing backing, char *why, size_t len)
{
	const struct guest_memslot *slots;
	unsigned int nr;
	int rc = guest_mem_new(&vm->mem, nr_bytes, backing);

	if (rc) {
		guest_mem_explain(rc, nr_bytes, backing, why, len);
		return rc;
	}
	rc = guest_numa_bind(&vm->numa, vm->mem, why, len);
	if (rc)
		return rc;
	slots = guest_mem_slots(vm->mem, &nr);
	for (unsigned int i = 0; i < nr; i++) {
		struct kvm_userspace_memory_region region = {
			.slot = i,
			.guest_phys_addr = gfn_to_gpa(slots[i].base).v,
			.memory_size = slots[i].nr_pages << VMM_PAGE_SHIFT,
			.userspace_addr = slots[i].hva,
		};

		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region)) {
			rc = -errno;
			snprintf(why, len, "KVM does not accept the guest's "
				 "memory: %s", error_text(-rc));
			return rc;
		}
	}
	return 0;
}

static int make_buses(struct vm *vm)
{
	vm->pio = bus_new();
	vm->mmio = bus_new();
	if (!vm->pio || !vm->mmio || evthread_use_pthreads())
		return -ENOMEM;
	vm->base = event_base_new();
	return vm->base ? 0 : -ENOMEM;
}

int vm_new(struct vm **vmp, const struct vm_config *config, char *why,
	   size_t len)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	int rc = -ENOMEM;

	snprintf(why, len, "not enough memory for a VM");
	if (!vm)
		return rc;
	vm->kvm_fd = vm->fd = vm->ended_fd = -1;
	pthread_mutex_init(&vm->lock, NULL);
	pthread_cond_init(&vm->ended, NULL);
	vm->name = strdup(config->name);
	if (config->numa)
		vm->numa = *config->numa;
	if (!vm->name || make_buses(vm))
		goto err;
	vm->ended_fd = eventfd(0, EFD_CLOEXEC);
	if (vm->ended_fd < 0) {
		rc = -errno;
		snprintf(why, len, "cannot create an eventfd: %s",
			 error_text(-rc));
		goto err;
	}
	rc = open_kvm(vm, why, len);
	if (!rc)
		rc = check_cpus(vm, config->nr_cpus, why, len);
	if (!rc)
		rc = make_irqchip(vm, why, len);
	if (!rc)
		rc = make_memory(vm, config->mem_bytes, config->backing, why,
				 len);
	if (rc)
		goto err;
	vm->nr_cpus = config->nr_cpus;
	for (unsigned int i = 0; i < vm->nr_cpus; i++) {
		rc = vcpu_new(&vm->vcpus[i], vm, i, why, len);
		if (rc)
			goto err;
	}
	*vmp = vm;
	return 0;
err:
	vm_free(vm);
	return rc;
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	for (unsigned int i = 0; i < VM_MAX_CPUS; i++)
		vcpu_free(vm->vcpus[i]);
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->kvm_fd >= 0)
		close(vm->kvm_fd);
	if (vm->ended_fd >= 0)
		close(vm->ended_fd);
	/* Free it after the VM: KVM must not access freed memory. */
	guest_mem_free(vm->mem);
	if (vm->base)
		event_base_free(vm->base);
	bus_free(vm->pio);
	bus_free(vm->mmio);
	pthread_cond_destroy(&vm->ended);
	pthread_mutex_destroy(&vm->lock);
	free(vm->name);
	free(vm);
}

struct guest_mem *vm_mem(struct vm *vm)
{
	return vm->mem;
}

struct bus *vm_pio(struct vm *vm)
{
	return vm->pio;
}

struct bus *vm_mmio(struct vm *vm)
{
	return vm->mmio;
}

struct event_base *vm_event_base(struct vm *vm)
{
	return vm->base;
}

int vm_fd(const struct vm *vm)
{
	return vm->fd;
}

int vm_kvm_fd(const struct vm *vm)
{
	return vm->kvm_fd;
}

const char *vm_name(const struct vm *vm)
{
	return vm->name;
}

unsigned int vm_nr_cpus(const struct vm *vm)
{
	return vm->nr_cpus;
}

const struct guest_numa *vm_numa(const struct vm *vm)
{
	return vm->numa.nr ? &vm->numa : NULL;
}

struct vcpu *vm_vcpu(struct vm *vm, unsigned int index)
{
	return vm->vcpus[index];
}

int vm_alloc_gsi(struct vm *vm)
{
	if (vm->nr_gsis == NR_FREE_GSIS)
		return -ENOSPC;
	return free_gsis[vm->nr_gsis++];
}

int vm_irqfd(struct vm *vm, unsigned int gsi, int fd)
{
	struct kvm_irqfd irqfd = { .fd = fd, .gsi = gsi };

	return ioctl(vm->fd, KVM_IRQFD, &irqfd) ? -errno : 0;
}

int vm_ioeventfd(struct vm *vm, gpa_t gpa, uint32_t datamatch, int fd)
{
	struct kvm_ioeventfd io = {
		.addr = gpa.v, .len = 4, .fd = fd, .datamatch = datamatch,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
	};

	return ioctl(vm->fd, KVM_IOEVENTFD, &io) ? -errno : 0;
}

gpa_t vm_alloc_virtio_window(struct vm *vm, unsigned int gsi)
{
	if (vm->nr_windows == VM_MAX_WINDOWS)
		return GPA(0);
	vm->window_gsi[vm->nr_windows] = gsi;
	return GPA(vm_window_gpa(vm, vm->nr_windows++));
}

unsigned int vm_nr_windows(const struct vm *vm)
{
	return vm->nr_windows;
}

uint64_t vm_window_gpa(const struct vm *vm, unsigned int i)
{
	return LAYOUT_VIRTIO + (uint64_t)i * VM_VIRTIO_WINDOW_BYTES;
}

unsigned int vm_window_gsi(const struct vm *vm, unsigned int i)
{
	return vm->window_gsi[i];
}

bool vm_stopping(const struct vm *vm)
{
	return __atomic_load_n(&vm->stopping, __ATOMIC_ACQUIRE);
}

void vm_stop(struct vm *vm, enum vm_end end)
{
	pthread_mutex_lock(&vm->lock);
	if (!vm->stopping) {
		vm->end = end;
		/* Pairs with vm_stopping() in the vCPU threads. */
		__atomic_store_n(&vm->stopping, true, __ATOMIC_RELEASE);
		pthread_cond_broadcast(&vm->ended);
		eventfd_write(vm->ended_fd, 1);
	}
	pthread_mutex_unlock(&vm->lock);
	for (unsigned int i = 0; i < vm->nr_cpus; i++)
		vcpu_kick(vm->vcpus[i]);
}

static void *io_thread(void *arg)
{
	struct vm *vm = arg;

	pthread_setname_np(pthread_self(), "vmm-io");
	event_base_loop(vm->base, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

static int start_io(struct vm *vm)
{
	int rc = thread_start(&vm->io_thread, io_thread, vm);

	vm->io_started = !rc;
	return rc;
}

int vm_start(struct vm *vm)
{
	int rc = start_io(vm);

	for (unsigned int i = 0; !rc && i < vm->nr_cpus; i++)
		rc = vcpu_start(vm->vcpus[i]);
	if (rc) {
		vm_stop(vm, VM_END_CRASH);
		vm_wait(vm);
	}
	return rc;
}

int vm_ended_fd(const struct vm *vm)
{
	return vm->ended_fd;
}

enum vm_end vm_wait_end(struct vm *vm)
{
	enum vm_end end;

	pthread_mutex_lock(&vm->lock);
	while (!vm->stopping)
		pthread_cond_wait(&vm->ended, &vm->lock);
	end = vm->end;
	pthread_mutex_unlock(&vm->lock);
	return end;
}

enum vm_end vm_wait(struct vm *vm)
{
	enum vm_end end = vm_wait_end(vm);

	for (unsigned int i = 0; i < vm->nr_cpus; i++)
		vcpu_join(vm->vcpus[i]);
	if (vm->io_started) {
		/*
		 * Unlike event_base_loopbreak() it also ends a loop that has
		 * not started yet.
		 */
		event_base_loopexit(vm->base, NULL);
		pthread_join(vm->io_thread, NULL);
		vm->io_started = false;
	}
	return end;
}

void vm_get_stats(const struct vm *vm, struct vm_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	for (unsigned int i = 0; i < vm->nr_cpus; i++)
		vcpu_count(vm->vcpus[i], &stats->nr_exits,
			   &stats->nr_io_exits, &stats->nr_mmio_exits);
}
