// SPDX-License-Identifier: GPL-2.0-or-later
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lab/kmod-guest.h"

#define PML4_AT	 0x1000
#define PDPT_AT	 0x2000
#define PD_AT	 0x3000		/* four: 4 GiB of 2 MiB pages */
#define VARS_AT	 0x8000
#define CODE_AT	 0x9000
#define LIST_AT	 0x100000

struct vars {			/* offsets are known to the code below */
	volatile uint64_t nr, write, rounds;
};

extern const char guest_code[], guest_code_end[];
__asm__(".pushsection .rodata\n"
	"guest_code:\n"
	"	mov	$0x8000, %edi\n"
	"1:	mov	$0x100000, %esi\n"
	"	mov	(%rdi), %rcx\n"
	"	test	%rcx, %rcx\n"
	"	jz	4f\n"
	"2:	mov	(%rsi), %rbx\n"
	"	cmpq	$0, 8(%rdi)\n"
	"	jnz	3f\n"
	"	mov	(%rbx), %al\n"
	"	add	$8, %rsi\n"
	"	dec	%rcx\n"
	"	jnz	2b\n"
	"	jmp	4f\n"
	"3:	incq	(%rbx)\n"
	"	add	$8, %rsi\n"
	"	dec	%rcx\n"
	"	jnz	2b\n"
	"4:	incq	16(%rdi)\n"
	"	jmp	1b\n"
	"guest_code_end:\n"
	".popsection\n");

static struct vars *vars(const struct guest *g)
{
	return (struct vars *)(g->control + VARS_AT);
}

static void *map_aligned(uint64_t len)
{
	uint8_t *at = mmap(NULL, len + GUEST_HUGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t start;

	if (at == MAP_FAILED)
		err(1, "mmap");
	start = ((uintptr_t)at + GUEST_HUGE - 1) & ~(GUEST_HUGE - 1);
	if (start > (uintptr_t)at)
		munmap(at, start - (uintptr_t)at);
	if ((uintptr_t)at + GUEST_HUGE > start)
		munmap((void *)(start + len),
		       (uintptr_t)at + GUEST_HUGE - start);
	return (void *)start;
}

static void set_slot(struct guest *g, uint32_t slot, uint64_t gpa,
		     uint64_t len, void *hva)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot, .guest_phys_addr = gpa, .memory_size = len,
		.userspace_addr = (uintptr_t)hva,
	};

	if (ioctl(g->vm_fd, KVM_SET_USER_MEMORY_REGION, &region))
		err(1, "KVM_SET_USER_MEMORY_REGION");
}

static void set_registers(struct guest *g)
{
	struct kvm_segment code = {
		.limit = 0xffffffff, .selector = 8, .present = 1, .type = 11,
		.s = 1, .l = 1, .g = 1,
	};
	struct kvm_segment data = code;
	/*
	 * Interrupts on: none comes, but Bochs 2.7 keeps the host's, its timer's
	 * too, from a guest that it enters with interrupts off.
	 */
	struct kvm_regs regs = {
		.rip = CODE_AT, .rflags = 0x202, .rsp = 0x7000,
	};
	struct kvm_sregs sregs;

	if (ioctl(g->vcpu_fd, KVM_GET_SREGS, &sregs))
		err(1, "KVM_GET_SREGS");
	data.type = 3;
	data.selector = 16;
	data.l = 0;
	data.db = 1;
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.cr3 = PML4_AT;
	sregs.cr4 = 0x20;
	sregs.cr0 = 0x80050033;
	sregs.efer = 0x500;
	if (ioctl(g->vcpu_fd, KVM_SET_SREGS, &sregs) ||
	    ioctl(g->vcpu_fd, KVM_SET_REGS, &regs))
		err(1, "KVM_SET_SREGS");
}

static void set_cpuid(struct guest *g)
{
	static _Alignas(struct kvm_cpuid2) char
		buf[sizeof(struct kvm_cpuid2) +
		    256 * sizeof(struct kvm_cpuid_entry2)];
	struct kvm_cpuid2 *cpuid = (struct kvm_cpuid2 *)buf;

	cpuid->nent = 256;
	if (ioctl(g->kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid) ||
	    ioctl(g->vcpu_fd, KVM_SET_CPUID2, cpuid))
		err(1, "KVM_SET_CPUID2");
}

static void fill_control(struct guest *g)
{
	uint64_t *pml4 = (uint64_t *)(g->control + PML4_AT);
	uint64_t *pdpt = (uint64_t *)(g->control + PDPT_AT);
	uint64_t *pd = (uint64_t *)(g->control + PD_AT);

	pml4[0] = PDPT_AT | 3;
	for (uint64_t i = 0; i < 4; i++)
		pdpt[i] = (PD_AT + i * GUEST_PAGE) | 3;
	for (uint64_t i = 0; i < 2048; i++)
		pd[i] = i << 21 | 0x83;
	memcpy(g->control + CODE_AT, guest_code, guest_code_end - guest_code);
}

void guest_make_in(struct guest *g, void *control, void *data,
		   uint64_t data_bytes)
{
	memset(g, 0, sizeof(*g));
	g->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (g->kvm_fd < 0)
		err(1, "/dev/kvm");
	g->vm_fd = ioctl(g->kvm_fd, KVM_CREATE_VM, 0);
	if (g->vm_fd < 0)
		err(1, "KVM_CREATE_VM");
	g->control = control;
	g->data = data;
	g->data_bytes = data_bytes;
	for (uint64_t at = 0; at < data_bytes; at += GUEST_PAGE)
		*(uint64_t *)(g->data + at + 8) = at ^ 0x5bd1e995;
	fill_control(g);
	set_slot(g, 0, 0, GUEST_CONTROL_BYTES, g->control);
	set_slot(g, 1, GUEST_DATA_GPA, data_bytes, g->data);
	g->vcpu_fd = ioctl(g->vm_fd, KVM_CREATE_VCPU, 0);
	if (g->vcpu_fd < 0)
		err(1, "KVM_CREATE_VCPU");
	g->run_len = ioctl(g->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	g->run = mmap(NULL, g->run_len, PROT_READ | PROT_WRITE, MAP_SHARED,
		      g->vcpu_fd, 0);
	if (g->run == MAP_FAILED)
		err(1, "mmap vcpu");
	set_cpuid(g);
	set_registers(g);
}

void guest_make(struct guest *g, uint64_t data_bytes, bool huge)
{
	void *control = map_aligned(GUEST_CONTROL_BYTES);
	void *data = map_aligned(data_bytes);

	madvise(data, data_bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	guest_make_in(g, control, data, data_bytes);
	g->own_memory = true;
}

void guest_set_list(struct guest *g, const uint32_t *pages, uint32_t nr,
		    bool write)
{
	uint64_t *list = (uint64_t *)(g->control + LIST_AT);

	if (nr > (GUEST_CONTROL_BYTES - LIST_AT) / 8)
		errx(1, "a list of %u pages is too long", nr);
	/* An empty list first: the vCPU must not see a half-written one. */
	vars(g)->nr = 0;
	if (g->running)
		guest_wait_rounds(g, 2);
	for (uint32_t i = 0; i < nr; i++)
		list[i] = GUEST_DATA_GPA + pages[i] * GUEST_PAGE;
	vars(g)->write = write;
	__atomic_store_n(&vars(g)->nr, nr, __ATOMIC_RELEASE);
}

static void nothing(int signal_nr)
{
}

static void *vcpu_thread(void *arg)
{
	struct guest *g = arg;
	struct kvm_run *run = g->run;

	while (!g->stop) {
		if (!ioctl(g->vcpu_fd, KVM_RUN, 0))
			errx(1, "guest stopped, exit reason %u",
			     run->exit_reason);
		if (errno != EINTR && errno != EAGAIN)
			err(1, "KVM_RUN");
	}
	return NULL;
}

void guest_start(struct guest *g)
{
	struct sigaction action = { .sa_handler = nothing };

	sigaction(SIGUSR1, &action, NULL);
	g->stop = false;
	((struct kvm_run *)g->run)->immediate_exit = 0;
	if (pthread_create(&g->thread, NULL, vcpu_thread, g))
		errx(1, "pthread_create");
	g->running = true;
}

uint64_t guest_rounds(const struct guest *g)
{
	return vars(g)->rounds;
}

void guest_wait_rounds(struct guest *g, unsigned int nr)
{
	uint64_t want = guest_rounds(g) + nr;

	while (guest_rounds(g) < want)
		usleep(1000);
}

void guest_stop(struct guest *g)
{
	if (!g->running)
		return;
	g->stop = true;
	((struct kvm_run *)g->run)->immediate_exit = 1;
	pthread_kill(g->thread, SIGUSR1);
	pthread_join(g->thread, NULL);
	g->running = false;
}

void guest_free(struct guest *g)
{
	guest_stop(g);
	munmap(g->run, g->run_len);
	close(g->vcpu_fd);
	close(g->vm_fd);
	close(g->kvm_fd);
	if (!g->own_memory)
		return;
	munmap(g->control, GUEST_CONTROL_BYTES);
	munmap(g->data, g->data_bytes);
}
