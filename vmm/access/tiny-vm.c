// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guest physical memory (= guest virtual, one to one), in frames:
 *
 *   0      1      2      3..6  7..   code   data  lists[]       first
 *   | none | PML4 | PDPT | PDs | PTs | code | data | A | B | ... | the pages |
 *
 * `first` is a multiple of 2 MiB.
 */
#include "config.h"

#include "vmm/access/tiny-vm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vmm/access/tiny-vm-code.h"
#include "vmm/util/clock.h"
#include "vmm/util/thread.h"

#define HUGE_PAGES 512u
#define MAX_PAGES  (UINT64_C(2) << (30 - VMM_PAGE_SHIFT))
#define POLL_US	    100
#define MAX_POLLS   200000
#define LINE_BYTES  64u
#define ADDR(frame) ((uint64_t)(frame) << VMM_PAGE_SHIFT)

#define PTE_TABLE 0x7	/* present, writable, user */
#define PTE_HUGE  0x80

enum { PML4 = 1, PDPT = 2, PD = 3, PT = 7 };

struct tiny_vm {
	struct guest_mem *mem;		/* owned */
	uint8_t *ram;			/* first byte of mem */
	uint64_t nr_frames, first, nr_pages;
	uint64_t code, data, lists[2];	/* frames */
	int next_list;
	bool huge;
	int kvm_fd, vm_fd, vcpu_fd;	/* owned */
	struct kvm_run *run;		/* owned mapping */
	size_t run_len;
	pthread_t thread;
	pid_t tid;			/* of the vCPU; 0 until it runs */
	bool started;
};

static struct tiny_vm_shared *shared_page(const struct tiny_vm *vm)
{
	return (struct tiny_vm_shared *)(vm->ram + ADDR(vm->data));
}

static uint64_t *table(const struct tiny_vm *vm, uint64_t frame)
{
	return (uint64_t *)(vm->ram + ADDR(frame));
}

/* --- the guest --------------------------------------------------------- */

static uint64_t round_up_to_huge(uint64_t frames)
{
	return (frames + HUGE_PAGES - 1) / HUGE_PAGES * HUGE_PAGES;
}

/*
 * There is room for the page tables of 4 GiB, 8 MiB, whatever the memory; those
 * not needed are not written.
 */
static void lay_out(struct tiny_vm *vm)
{
	uint64_t list_frames = (vm->nr_pages * 8 + 16) / VMM_PAGE_SIZE + 1;

	vm->code = PT + (UINT64_C(4) << 30) / (HUGE_PAGES * VMM_PAGE_SIZE);
	vm->data = vm->code + 1;
	vm->lists[0] = vm->data + 1;
	vm->lists[1] = vm->lists[0] + list_frames;
	vm->first = round_up_to_huge(vm->lists[1] + list_frames);
	vm->nr_frames = round_up_to_huge(vm->first + vm->nr_pages);
}

static void write_guest(const struct tiny_vm *vm)
{
	table(vm, PML4)[0] = ADDR(PDPT) | PTE_TABLE;
	for (uint64_t i = 0; i < 4; i++)
		table(vm, PDPT)[i] = ADDR(PD + i) | PTE_TABLE;
	for (uint64_t i = 0; i < vm->nr_frames; i += HUGE_PAGES) {
		uint64_t huge = i / HUGE_PAGES, pt = PT + huge;

		if (vm->huge && i >= vm->first) {
			table(vm, PD)[huge] = ADDR(i) | PTE_HUGE | PTE_TABLE;
			continue;
		}
		table(vm, PD)[huge] = ADDR(pt) | PTE_TABLE;
		for (uint64_t k = 0; k < HUGE_PAGES; k++)
			table(vm, pt)[k] = ADDR(i + k) | PTE_TABLE;
	}
	memcpy(vm->ram + ADDR(vm->code), tiny_vm_code,
	       tiny_vm_code_end - tiny_vm_code);
	shared_page(vm)->list = ADDR(vm->lists[0]);
}

static int set_cpuid(const struct tiny_vm *vm)
{
	enum { NR = 256 };
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) +
					  NR * sizeof(cpuid->entries[0]));
	int err = 0;

	if (!cpuid)
		return -ENOMEM;
	cpuid->nent = NR;
	if (ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid) ||
	    ioctl(vm->vcpu_fd, KVM_SET_CPUID2, cpuid))
		err = -errno;
	free(cpuid);
	return err;
}

static int set_registers(const struct tiny_vm *vm)
{
	struct kvm_segment code = {
		.limit = 0xffffffff, .selector = 0x33, .present = 1, .type = 11,
		.dpl = 3, .s = 1, .l = 1, .g = 1,
	};
	struct kvm_segment data = code;
	struct kvm_regs regs = {
		.rip = ADDR(vm->code),
		.rdi = ADDR(vm->data),
		/*
		 * I/O privilege for ring 3.  Interrupts are enabled: the guest
		 * gets none, but Bochs 2.7 blocks those of the host, even its
		 * timer's, while it runs a guest with interrupts disabled.
		 */
		.rflags = 0x3202,
	};
	struct kvm_sregs sregs;

	data.type = 3;
	data.selector = 0x2b;
	data.l = 0;
	data.db = 1;
	if (ioctl(vm->vcpu_fd, KVM_GET_SREGS, &sregs))
		return -errno;
	sregs.cr3 = ADDR(PML4);
	sregs.cr4 = 0x20;		/* PAE */
	sregs.cr0 = 0x80050033;		/* paging, protected mode */
	sregs.efer = 0x500;		/* long mode */
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	if (ioctl(vm->vcpu_fd, KVM_SET_SREGS, &sregs) ||
	    ioctl(vm->vcpu_fd, KVM_SET_REGS, &regs))
		return -errno;
	return 0;
}

/* --- the VM ------------------------------------------------------------ */

/*
 * KVM_RUN unblocks SIGUSR1, which is blocked elsewhere: the signal ends KVM_RUN
 * with EINTR and runs no handler.
 */
static int set_signal_mask(const struct tiny_vm *vm)
{
	enum { SET_LEN = 8 };
	union {
		struct kvm_signal_mask mask;
		uint8_t bytes[sizeof(struct kvm_signal_mask) + SET_LEN];
	} arg;

	memset(&arg, 0xff, sizeof(arg));
	arg.mask.len = SET_LEN;
	arg.mask.sigset[(SIGUSR1 - 1) / 8] &= ~(1u << (SIGUSR1 - 1) % 8);
	return ioctl(vm->vcpu_fd, KVM_SET_SIGNAL_MASK, &arg) ? -errno : 0;
}

static void *run_thread(void *arg)
{
	struct tiny_vm *vm = arg;

	__atomic_store_n(&vm->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELAXED);
	while (ioctl(vm->vcpu_fd, KVM_RUN, 0) < 0 && errno == EINTR &&
	       !__atomic_load_n(&vm->run->immediate_exit, __ATOMIC_RELAXED))
		;
	return NULL;
}

static int create_kvm(struct tiny_vm *vm)
{
	const struct guest_memslot *slot;
	struct kvm_userspace_memory_region region = { 0 };
	unsigned int nr;
	int run_len;
	void *run;

	vm->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm_fd < 0)
		return -errno;
	vm->vm_fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
	if (vm->vm_fd < 0)
		return -errno;
	slot = guest_mem_slots(vm->mem, &nr);
	region.guest_phys_addr = gfn_to_gpa(slot->base).v;
	region.memory_size = slot->nr_pages << VMM_PAGE_SHIFT;
	region.userspace_addr = slot->hva;
	/* KVM on Intel needs an address for its TSS, outside guest memory. */
	if (ioctl(vm->vm_fd, KVM_SET_TSS_ADDR, 0xfffbd000UL) ||
	    ioctl(vm->vm_fd, KVM_SET_USER_MEMORY_REGION, &region))
		return -errno;
	vm->vcpu_fd = ioctl(vm->vm_fd, KVM_CREATE_VCPU, 0);
	if (vm->vcpu_fd < 0)
		return -errno;
	run_len = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (run_len < 0)
		return -errno;
	run = mmap(NULL, run_len, PROT_READ | PROT_WRITE, MAP_SHARED,
		   vm->vcpu_fd, 0);
	if (run == MAP_FAILED)
		return -errno;
	vm->run = run;
	vm->run_len = run_len;
	return 0;
}

static int start(struct tiny_vm *vm)
{
	int err = create_kvm(vm);

	if (!err)
		err = set_cpuid(vm);
	if (!err)
		err = set_registers(vm);
	if (!err)
		err = set_signal_mask(vm);
	if (err)
		return err;
	err = thread_start(&vm->thread, run_thread, vm);
	vm->started = !err;
	return err;
}

int tiny_vm_new(struct tiny_vm **vmp, uint64_t nr_pages,
		enum guest_mem_backing backing)
{
	struct tiny_vm *vm;
	int err;

	if (!nr_pages || nr_pages > MAX_PAGES)
		return -EINVAL;
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		return -ENOMEM;
	vm->kvm_fd = vm->vm_fd = vm->vcpu_fd = -1;
	vm->nr_pages = nr_pages;
	vm->huge = backing == GUEST_MEM_THP || backing == GUEST_MEM_HUGETLB;
	lay_out(vm);
	err = guest_mem_new(&vm->mem, ADDR(vm->nr_frames), backing);
	if (!err) {
		vm->ram = guest_mem_ptr(vm->mem, GPA(0), ADDR(vm->nr_frames));
		/*
		 * Make pages resident and different: no page merging, no zero
		 * page.
		 */
		for (uint64_t i = vm->first; i < vm->nr_frames; i++)
			*(uint64_t *)(vm->ram + ADDR(i)) = i + 1;
		write_guest(vm);
		err = start(vm);
	}
	if (!err)
		err = tiny_vm_wait(vm, 1);
	if (err) {
		tiny_vm_free(vm);
		return err;
	}
	*vmp = vm;
	return 0;
}

void tiny_vm_free(struct tiny_vm *vm)
{
	if (!vm)
		return;
	if (vm->started) {
		__atomic_store_n(&shared_page(vm)->stop, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&vm->run->immediate_exit, 1, __ATOMIC_RELAXED);
		pthread_kill(vm->thread, SIGUSR1);
		pthread_join(vm->thread, NULL);
	}
	if (vm->run)
		munmap(vm->run, vm->run_len);
	if (vm->vcpu_fd >= 0)
		close(vm->vcpu_fd);
	if (vm->vm_fd >= 0)
		close(vm->vm_fd);
	if (vm->kvm_fd >= 0)
		close(vm->kvm_fd);
	guest_mem_free(vm->mem);
	free(vm);
}

struct guest_mem *tiny_vm_mem(struct tiny_vm *vm)
{
	return vm->mem;
}

int tiny_vm_fd(const struct tiny_vm *vm)
{
	return vm->vm_fd;
}

struct gfn_range tiny_vm_range(const struct tiny_vm *vm)
{
	return (struct gfn_range){ GFN(vm->first), vm->nr_pages };
}

uint64_t tiny_vm_rounds(const struct tiny_vm *vm)
{
	return __atomic_load_n(&shared_page(vm)->nr_rounds, __ATOMIC_ACQUIRE);
}

pid_t tiny_vm_tid(const struct tiny_vm *vm)
{
	return __atomic_load_n(&vm->tid, __ATOMIC_RELAXED);
}

uint64_t tiny_vm_cpu_ns(const struct tiny_vm *vm)
{
	clockid_t clock;

	return pthread_getcpuclockid(vm->thread, &clock) ? 0 :
							   clock_read_ns(clock);
}

/* Waits until *p is in [from, to]. */
static int poll_shared(const uint64_t *p, uint64_t from, uint64_t to)
{
	for (int i = 0; i < MAX_POLLS; i++) {
		uint64_t now = __atomic_load_n(p, __ATOMIC_ACQUIRE);

		if (now >= from && now <= to)
			return 0;
		nanosleep(&(struct timespec){ .tv_nsec = POLL_US * 1000 },
			  NULL);
	}
	return -ETIMEDOUT;
}

int tiny_vm_wait(const struct tiny_vm *vm, uint64_t rounds)
{
	return poll_shared(&shared_page(vm)->nr_rounds,
			   tiny_vm_rounds(vm) + rounds, UINT64_MAX);
}

int tiny_vm_touch_with(struct tiny_vm *vm, const uint64_t *gfns, uint64_t nr,
		       struct touch_options how)
{
	uint64_t addr;
	struct tiny_vm_list *list;

	if (nr > vm->nr_pages)
		return -EINVAL;
	for (uint64_t i = 0; i < nr; i++)
		if (gfns[i] < vm->first || gfns[i] - vm->first >= vm->nr_pages)
			return -EINVAL;
	/* The guest now visits the other list, if any. */
	vm->next_list ^= 1;
	addr = ADDR(vm->lists[vm->next_list]);
	list = (struct tiny_vm_list *)(vm->ram + addr);
	for (uint64_t i = 0; i < nr; i++)
		list->addr[i] = ADDR(gfns[i]) + i * how.line_step * LINE_BYTES %
						VMM_PAGE_SIZE;
	list->nr = nr;
	list->keep = how.once ? 0 : UINT64_MAX;
	__atomic_store_n(&shared_page(vm)->list, addr, __ATOMIC_RELEASE);
	return poll_shared(&shared_page(vm)->list_seen, addr, addr);
}

int tiny_vm_touch(struct tiny_vm *vm, const uint64_t *gfns, uint64_t nr)
{
	return tiny_vm_touch_with(vm, gfns, nr, (struct touch_options){ 0 });
}
