// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A vCPU's thread, a loop: KVM_RUN, exit reason, bus.
 *
 * Kicking: `immediate_exit` in the shared page is set, then the thread gets
 * SIGRTMIN.  Either the signal interrupts KVM_RUN or KVM_RUN sees the flag; the
 * flag is never cleared, since a kick is permanent.
 */
#include "config.h"

#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/kvm/cpuid.h"
#include "vmm/kvm/layout.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/kvm/vm.h"
#include "vmm/kvm/vm-internal.h"
#include "vmm/util/error-text.h"
#include "vmm/util/log.h"

struct vcpu {
	struct vm *vm;
	unsigned int index;
	int fd;				/* owned */
	struct kvm_run *run;		/* mapped, run_bytes */
	size_t run_bytes;
	pthread_mutex_t lock;		/* guards thread and started */
	pthread_t thread;
	bool started;			/* the thread may be signalled */
	struct log_limit limit;
	/* Written by the vCPU's thread, read by any; relaxed. */
	uint64_t nr_exits, nr_io, nr_mmio;
};

int vcpu_new(struct vcpu **vp, struct vm *vm, unsigned int index, char *why,
	     size_t len)
{
	struct vcpu *v = calloc(1, sizeof(*v));
	int rc;

	if (!v) {
		snprintf(why, len, "not enough memory for vCPU %u", index);
		return -ENOMEM;
	}
	pthread_mutex_init(&v->lock, NULL);
	v->vm = vm;
	v->index = index;
	v->fd = ioctl(vm_fd(vm), KVM_CREATE_VCPU, index);
	if (v->fd < 0)
		goto err;
	rc = ioctl(vm_kvm_fd(vm), KVM_GET_VCPU_MMAP_SIZE, 0);
	if (rc < (int)sizeof(*v->run)) {
		errno = rc < 0 ? errno : EPROTO;
		goto err_close;
	}
	v->run_bytes = rc;
	v->run = mmap(NULL, v->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		      v->fd, 0);
	if (v->run == MAP_FAILED)
		goto err_close;
	rc = cpuid_set(vm_kvm_fd(vm), v->fd, index, vm_nr_cpus(vm));
	if (rc) {
		errno = -rc;
		goto err_unmap;
	}
	*vp = v;
	return 0;

err_unmap:
	munmap(v->run, v->run_bytes);
err_close:
	rc = errno;
	close(v->fd);
	errno = rc;
err:
	rc = -errno;
	snprintf(why, len, "KVM cannot create vCPU %u: %s",
		 index, error_text(-rc));
	pthread_mutex_destroy(&v->lock);
	free(v);
	return rc;
}

void vcpu_free(struct vcpu *v)
{
	if (!v)
		return;
	munmap(v->run, v->run_bytes);
	close(v->fd);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

static struct kvm_segment segment(unsigned int selector, unsigned int type,
				  bool code)
{
	return (struct kvm_segment){
		.limit = 0xffffffff, .selector = selector, .type = type,
		.present = 1, .s = 1, .g = 1, .l = code, .db = !code,
	};
}

int vcpu_set_start(struct vcpu *v, uint64_t entry, uint64_t boot_params)
{
	struct kvm_regs regs = {
		.rip = entry, .rsi = boot_params, .rdi = v->index,
		.rflags = 2, .rsp = LAYOUT_BOOT_PARAMS,
	};
	struct kvm_mp_state running = { KVM_MP_STATE_RUNNABLE };
	struct kvm_fpu fpu = { .fcw = 0x37f, .mxcsr = 0x1f80 };
	struct kvm_sregs s;

	if (ioctl(v->fd, KVM_GET_SREGS, &s))
		return -errno;
	s.cs = segment(LAYOUT_SEL_CODE0, 11, true);
	s.ds = s.es = s.fs = s.gs = s.ss = segment(LAYOUT_SEL_DATA0, 3, false);
	s.gdt.base = LAYOUT_GDT;
	s.gdt.limit = 6 * 8 - 1;
	s.cr3 = LAYOUT_PAGE_TABLES;
	s.cr4 = 0x20;			/* PAE */
	s.cr0 = 0x80000033;		/* PG, NE, ET, MP, PE */
	s.efer = 0x500;			/* LMA, LME */
	if (ioctl(v->fd, KVM_SET_SREGS, &s) ||
	    ioctl(v->fd, KVM_SET_FPU, &fpu) ||
	    ioctl(v->fd, KVM_SET_REGS, &regs))
		return -errno;
	/*
	 * With an in-kernel APIC, the other CPUs would otherwise wait for a
	 * start-up IPI.
	 */
	if (v->index && ioctl(v->fd, KVM_SET_MP_STATE, &running))
		return -errno;
	return 0;
}

static void count(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

static void exit_io(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	struct bus *pio = vm_pio(v->vm);

	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			bus_write(pio, run->io.port, data, run->io.size);
		else
			bus_read(pio, run->io.port, data, run->io.size);
	}
}

static void crash(struct vcpu *v, const char *what)
{
	struct kvm_regs regs = { 0 };

	ioctl(v->fd, KVM_GET_REGS, &regs);
	log_error("%s: vCPU %u: %s at RIP 0x%llx", vm_name(v->vm), v->index,
		  what, (unsigned long long)regs.rip);
	vm_stop(v->vm, VM_END_CRASH);
}

static void exit_mmio(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	struct bus *mmio = vm_mmio(v->vm);
	const struct gfn_range page = { gpa_to_gfn(GPA(run->mmio.phys_addr)),
					1 };

	/*
	 * Where KVM emulates an access to memory and can't get the page, it
	 * exits as for a device.
	 */
	if (guest_mem_is_ram(vm_mem(v->vm), page)) {
		crash(v, "the host cannot provide a page of guest memory");
		return;
	}
	if (run->mmio.is_write)
		bus_write(mmio, run->mmio.phys_addr, run->mmio.data,
			  run->mmio.len);
	else
		bus_read(mmio, run->mmio.phys_addr, run->mmio.data,
			 run->mmio.len);
}

static void system_event(struct vcpu *v)
{
	switch (v->run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		vm_stop(v->vm, VM_END_POWEROFF);
		break;
	case KVM_SYSTEM_EVENT_RESET:
		vm_stop(v->vm, VM_END_RESET);
		break;
	case KVM_SYSTEM_EVENT_CRASH:
		vm_stop(v->vm, VM_END_PANIC);
		break;
	}
}

static void handle_exit(struct vcpu *v)
{
	char text[96];

	count(&v->nr_exits);
	switch (v->run->exit_reason) {
	case KVM_EXIT_IO:
		count(&v->nr_io);
		exit_io(v);
		break;
	case KVM_EXIT_MMIO:
		count(&v->nr_mmio);
		exit_mmio(v);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		system_event(v);
		break;
	case KVM_EXIT_SHUTDOWN:
		crash(v, "triple fault");
		break;
	case KVM_EXIT_HLT:
		crash(v, "halted forever: KVM's interrupt controller is not "
			 "in use");
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		snprintf(text, sizeof(text), "KVM internal error %u",
			 v->run->internal.suberror);
		crash(v, text);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		snprintf(text, sizeof(text), "VM entry failed (hardware reason "
			 "0x%llx)", (unsigned long long)v->run
			 ->fail_entry.hardware_entry_failure_reason);
		crash(v, text);
		break;
	default:
		snprintf(text, sizeof(text), "unexpected KVM exit reason %u",
			 v->run->exit_reason);
		crash(v, text);
		break;
	}
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *v = arg;
	char name[16];

	snprintf(name, sizeof(name), "vcpu-%u", v->index);
	pthread_setname_np(pthread_self(), name);
	while (!vm_stopping(v->vm)) {
		if (!ioctl(v->fd, KVM_RUN, 0)) {
			handle_exit(v);
		} else if (errno == EFAULT || errno == ENOMEM) {
			crash(v, "the host cannot provide a page of guest "
			      "memory");
		} else if (errno != EINTR && errno != EAGAIN) {
			crash(v, error_text(errno));
		}
	}
	return NULL;
}

/* Does nothing: without a handler SIGRTMIN would end the process. */
static void on_kick(int sig)
{
}

int vcpu_start(struct vcpu *v)
{
	struct sigaction sa = { .sa_handler = on_kick };
	sigset_t all, old;
	int rc;

	sigaction(SIGRTMIN, &sa, NULL);
	/* Signals for the process are handled by the main thread. */
	sigfillset(&all);
	sigdelset(&all, SIGRTMIN);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_mutex_lock(&v->lock);
	rc = pthread_create(&v->thread, NULL, vcpu_thread, v);
	v->started = !rc;
	pthread_mutex_unlock(&v->lock);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -rc;
}

static void kick_locked(struct vcpu *v)
{
	__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	if (v->started)
		pthread_kill(v->thread, SIGRTMIN);
}

void vcpu_kick(struct vcpu *v)
{
	pthread_mutex_lock(&v->lock);
	kick_locked(v);
	pthread_mutex_unlock(&v->lock);
}

void vcpu_join(struct vcpu *v)
{
	bool started;

	/* Later kicks must not signal a thread that is joined. */
	pthread_mutex_lock(&v->lock);
	kick_locked(v);
	started = v->started;
	v->started = false;
	pthread_mutex_unlock(&v->lock);
	if (started)
		pthread_join(v->thread, NULL);
}

void vcpu_count(const struct vcpu *v, uint64_t *exits, uint64_t *io,
		uint64_t *mmio)
{
	*exits += __atomic_load_n(&v->nr_exits, __ATOMIC_RELAXED);
	*io += __atomic_load_n(&v->nr_io, __ATOMIC_RELAXED);
	*mmio += __atomic_load_n(&v->nr_mmio, __ATOMIC_RELAXED);
}
