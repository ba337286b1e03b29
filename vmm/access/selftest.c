// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A tiny VM that touches one page and leaves another.
 *
 * Its program runs in ring 3, so that it also runs where KVM emulates ring 0
 * (hosts without hardware virtualization).  It touches both pages once, so
 * that both are mapped in the second level, then in a loop only the hot one,
 * until the host sets `stop`; then it leaves by port I/O:
 *
 *	mov (cold), %al
 *   1:	mov (hot), %al;  incq count;  cmpb $0, stop;  je 1b
 *	out %al, $EXIT_PORT
 *
 * A source without TLB flushes may miss the hot page in one window, so a few
 * windows are tried; the cold page must be cold in that same window.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "vmm/access/source.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"

#define NR_PAGES      1024
#define EXIT_PORT     0xf4
#define NR_WINDOWS    10
#define WINDOW_MS     20
#define START_MS      3000

/* Guest frames; the program and its data each have a page of their own. */
enum { PML4 = 1, PDPT, PD, PT0, PT1, CODE, DATA, HOT = 600, COLD = 700 };

#define ADDR(frame) ((uint64_t)(frame) << VMM_PAGE_SHIFT)

struct shared {
	uint64_t count;
	uint64_t stop;
};

struct tiny_vm {
	struct guest_mem *mem;		/* owned */
	int kvm_fd, vm_fd, vcpu_fd;	/* owned */
	struct kvm_run *run;		/* owned mapping */
	size_t run_len;
	pthread_t thread;
	bool started;
	int exit_reason;		/* by the thread, before it ends */
};

static struct shared *shared_page(const struct tiny_vm *vm)
{
	return guest_mem_ptr(vm->mem, GPA(ADDR(DATA)), sizeof(struct shared));
}

/* --- the guest --------------------------------------------------------- */

static size_t emit(uint8_t *at, const void *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return len;
}

/* opcode, then a 64-bit immediate */
static size_t emit_mov_imm(uint8_t *at, uint8_t opcode, uint64_t value)
{
	size_t n = emit(at, (uint8_t[]){ 0x48, opcode }, 2);

	return n + emit(at + n, &value, sizeof(value));
}

static void write_program(const struct tiny_vm *vm)
{
	uint8_t *code = guest_mem_ptr(vm->mem, GPA(ADDR(CODE)), VMM_PAGE_SIZE);
	size_t n = 0, loop;

	n += emit_mov_imm(code + n, 0xbb, ADDR(HOT));		/* rbx */
	n += emit_mov_imm(code + n, 0xbe, ADDR(COLD));		/* rsi */
	n += emit_mov_imm(code + n, 0xbf, ADDR(DATA));		/* rdi */
	n += emit(code + n, "\x8a\x06", 2);			/* mov (rsi),al */
	loop = n;
	n += emit(code + n, "\x8a\x03", 2);			/* mov (rbx),al */
	n += emit(code + n, "\x48\xff\x07", 3);			/* incq (rdi) */
	n += emit(code + n, "\x80\x7f\x08\x00", 4);		/* cmpb 8(rdi),0 */
	n += emit(code + n, (uint8_t[]){ 0x74, loop - n - 2 }, 2); /* je */
	n += emit(code + n, (uint8_t[]){ 0xe6, EXIT_PORT }, 2);
}

static void write_page_tables(const struct tiny_vm *vm)
{
	const uint64_t flags = 7;	/* present, writable, user */
	uint64_t *t = guest_mem_ptr(vm->mem, GPA(0),
				    NR_PAGES << VMM_PAGE_SHIFT);

	t[PML4 * 512] = ADDR(PDPT) | flags;
	t[PDPT * 512] = ADDR(PD) | flags;
	t[PD * 512] = ADDR(PT0) | flags;
	t[PD * 512 + 1] = ADDR(PT1) | flags;
	for (uint64_t i = 0; i < NR_PAGES; i++)
		t[PT0 * 512 + i] = ADDR(i) | flags;
}

static int set_cpuid(const struct tiny_vm *vm)
{
	enum { NR = 200 };
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
		.rip = ADDR(CODE),
		.rflags = 0x3002,	/* I/O privilege for ring 3 */
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
 * KVM_RUN lets SIGUSR1 in, which is blocked elsewhere: one that is sent ends
 * KVM_RUN with EINTR and runs no handler.
 */
static int set_signal_mask(const struct tiny_vm *vm)
{
	struct {
		struct kvm_signal_mask head;
		uint64_t set;
	} mask = { .head.len = sizeof(uint64_t) };

	mask.set = ~(UINT64_C(1) << (SIGUSR1 - 1));
	return ioctl(vm->vcpu_fd, KVM_SET_SIGNAL_MASK, &mask) ? -errno : 0;
}

static void *run_thread(void *arg)
{
	struct tiny_vm *vm = arg;

	while (ioctl(vm->vcpu_fd, KVM_RUN, 0) < 0 && errno == EINTR &&
	       !__atomic_load_n(&vm->run->immediate_exit, __ATOMIC_RELAXED))
		;
	vm->exit_reason = vm->run->exit_reason;
	return NULL;
}

static void tiny_vm_free(struct tiny_vm *vm)
{
	struct shared *shared = shared_page(vm);

	if (vm->started) {
		__atomic_store_n(&shared->stop, 1, __ATOMIC_RELAXED);
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
}

static int tiny_vm_create(struct tiny_vm *vm)
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
	/* Intel KVM wants a place for its TSS, outside guest memory. */
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

static int tiny_vm_start(struct tiny_vm *vm)
{
	sigset_t all, old;
	int err;

	/* All pages resident, so that only the access tells them apart. */
	memset(guest_mem_ptr(vm->mem, GPA(0), NR_PAGES << VMM_PAGE_SHIFT), 1,
	       NR_PAGES << VMM_PAGE_SHIFT);
	memset(guest_mem_ptr(vm->mem, GPA(0), ADDR(HOT)), 0, ADDR(HOT));
	write_page_tables(vm);
	write_program(vm);
	err = set_cpuid(vm);
	if (!err)
		err = set_registers(vm);
	if (!err)
		err = set_signal_mask(vm);
	if (err)
		return err;
	/* The process's signals are for other threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&vm->thread, NULL, run_thread, vm);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	vm->started = !err;
	return err;
}

/* Waits until the guest went round its loop.  -ETIMEDOUT: it does not run. */
static int wait_rounds(const struct tiny_vm *vm, uint64_t rounds, int max_ms)
{
	const struct shared *shared = shared_page(vm);
	uint64_t until = __atomic_load_n(&shared->count, __ATOMIC_RELAXED) +
			 rounds;

	for (int ms = 0; ms < max_ms; ms++) {
		if (__atomic_load_n(&shared->count, __ATOMIC_RELAXED) >= until)
			return 0;
		nanosleep(&(struct timespec){ .tv_nsec = NSEC_PER_MSEC }, NULL);
	}
	return -ETIMEDOUT;
}

/* --- the test ---------------------------------------------------------- */

struct seen {
	unsigned int hot, cold, windows;
};

static int look(struct access_source *src, const struct tiny_vm *vm,
		struct seen *seen)
{
	const struct gfn_range range = { GFN(0), NR_PAGES };
	uint64_t young[BITMAP_WORDS(NR_PAGES)];
	int err = src->ops->arm(src, range);

	for (int i = 0; !err && i < NR_WINDOWS; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = WINDOW_MS *
						NSEC_PER_MSEC }, NULL);
		err = wait_rounds(vm, 1000, START_MS);
		if (!err)
			err = src->ops->harvest(src, range, young);
		if (err)
			break;
		seen->windows++;
		seen->hot += bitmap_test(young, HOT);
		seen->cold += bitmap_test(young, COLD);
		if (bitmap_test(young, HOT) && !bitmap_test(young, COLD))
			return 0;
	}
	return err ? err : -ENODATA;
}

int access_selftest(const struct access_source_ops *ops, char *why, size_t len)
{
	struct tiny_vm vm = { .kvm_fd = -1, .vm_fd = -1, .vcpu_fd = -1 };
	struct access_source *src = NULL;
	struct access_target target;
	struct seen seen = { 0 };
	int err = guest_mem_new(&vm.mem, NR_PAGES << VMM_PAGE_SHIFT, false);

	if (err)
		return err;
	*why = '\0';
	err = tiny_vm_create(&vm);
	if (!err)
		err = tiny_vm_start(&vm);
	if (!err)
		err = wait_rounds(&vm, 1, START_MS);
	if (err) {
		snprintf(why, len, "self-test: its small VM does not run: %s",
			 strerror(-err));
		goto out;
	}
	target = (struct access_target){ .mem = vm.mem, .vm_fd = vm.vm_fd };
	err = ops->open(&src, &target, why, len);
	if (err)
		goto out;
	err = look(src, &vm, &seen);
	if (err == -ENODATA)
		snprintf(why, len, "self-test: in %u windows a page in use "
			 "looked young %u times, an unused one %u times",
			 seen.windows, seen.hot, seen.cold);
	else if (err)
		snprintf(why, len, "self-test: %s", strerror(-err));
	src->ops->close(src);
out:
	tiny_vm_free(&vm);
	return err;
}
