/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that runs in ring 0.  A KVM without hardware virtualization emulates
 * ring 0 instruction by instruction but runs ring 3 natively, so this is
 * short: set descriptor tables, drop to ring 3 with all ports allowed (by an I/O
 * bitmap of zeros; that KVM forgets IOPL) and come back only to load CR3 or to
 * report a fault.
 *
 * Entry (the loader's contract, ELF note "vmm" type 1): 64-bit mode, RDI the
 * vCPU index, RSI the boot_params address, identity-mapped user pages.
 *
 * Ring 3 asks for a CR3 load by the two-byte store `movb %al, (%rbx)` to
 * PAYLOAD_TRAP_ADDR, which nothing maps: the page fault handler loads the CR3
 * found in this vCPU's ring-0 page and skips the store.
 */
#include "tests/payload/layout.h"

	.section .note.vmm, "a"
	.balign	4
	.long	4, 0, 1		/* name size, no content, type 1 */
	.asciz	"vmm"

	.text
	.globl	payload_entry
payload_entry:
	cli
	cld
	cmp	$PAYLOAD_MAX_CPUS, %rdi
	jae	park
	lea	gdtr(%rip), %rax
	lgdt	(%rax)
	lea	idtr(%rip), %rax
	lidt	(%rax)

	/* Stacks and the task state segment of this vCPU. */
	mov	%rdi, %rcx
	shl	$12, %rcx
	lea	ring0_pages(%rip), %r8
	add	%rcx, %r8			/* r8: ring-0 page */
	lea	4096(%r8), %rsp
	imul	$TSS_STRIDE, %rdi, %rcx
	lea	tss(%rip), %r9
	add	%rcx, %r9			/* r9: TSS */
	mov	%rsp, 4(%r9)			/* rsp0 */
	movw	$TSS_IO_BITMAP, 102(%r9)
	movb	$0xff, TSS_BYTES - 1(%r9)	/* ends the bitmap */

	/* Its descriptor, two GDT slots a vCPU. */
	mov	%rdi, %rcx
	shl	$4, %rcx
	lea	gdt_tss(%rip), %r10
	add	%rcx, %r10
	mov	%r9, %rax			/* the image is below 4 GiB */
	mov	%rax, %rdx
	and	$0xffffff, %eax
	shl	$16, %rax
	and	$0xff000000, %edx
	shl	$32, %rdx
	or	%rdx, %rax
	movabs	$(0x0000890000000000 + TSS_BYTES - 1), %rdx
	or	%rdx, %rax
	mov	%rax, (%r10)
	movq	$0, 8(%r10)
	add	$(gdt_tss - gdt), %ecx
	ltr	%cx

	/* CPUID of ring 3 may be the host's: ask for the TSC's kHz here. */
	mov	$CPUID_HYPERVISOR, %eax
	cpuid
	cmp	$CPUID_TIMING, %eax
	jb	1f
	mov	$CPUID_TIMING, %eax
	cpuid
	mov	%eax, payload_hypervisor_khz(%rip)
1:
	/* To ring 3: main(vcpu, boot_params) on this vCPU's user stack. */
	mov	%rdi, %rcx
	inc	%rcx
	imul	$PAYLOAD_STACK_BYTES, %rcx, %rcx
	lea	user_stacks(%rip), %rax
	add	%rcx, %rax
	sub	$8, %rax
	mov	$SEL_USER_DATA, %ecx
	mov	%ecx, %ds
	mov	%ecx, %es
	pushq	%rcx
	pushq	%rax
	pushq	$RFLAGS_RING3
	pushq	$SEL_USER_CODE
	lea	payload_main(%rip), %rax
	pushq	%rax
	iretq
park:	hlt
	jmp	park

/* Uniform frames: vector, error code, rip, cs, rflags, rsp, ss. */
	.balign	16
vectors:
	.set	nr, 0
	.rept	32
	.balign	16
	.ifeq	(1 << nr) & VECTORS_WITH_ERROR
	pushq	$0
	.endif
	pushq	$nr
	jmp	fault
	.set	nr, nr + 1
	.endr

fault:
	push	%rax
	push	%rcx
	mov	%rsp, %rcx
	and	$-4096, %rcx			/* this vCPU's ring-0 page */
	mov	%cr2, %rax
	cmpl	$14, 16(%rsp)
	jne	fatal
	mov	%rax, R0_FAULT_ADDR(%rcx)
	movabs	$PAYLOAD_TRAP_ADDR, %rax
	cmp	%rax, R0_FAULT_ADDR(%rcx)
	jne	fatal
	mov	R0_NEXT_CR3(%rcx), %rax
	mov	%rax, %cr3
	addq	$2, 32(%rsp)			/* the store's length */
	pop	%rcx
	pop	%rax
	add	$16, %rsp
	iretq

/* Tell what happened, in ring 3. */
fatal:
	mov	16(%rsp), %rdi
	mov	24(%rsp), %rsi
	mov	32(%rsp), %rdx
	mov	%cr2, %rcx
	lea	payload_fault(%rip), %rax
	mov	%rax, 32(%rsp)
	movq	$SEL_USER_CODE, 40(%rsp)
	movq	$RFLAGS_RING3, 48(%rsp)
	movq	$SEL_USER_DATA, 64(%rsp)
	add	$32, %rsp
	iretq

	.data
	.balign	16
gdt:	.quad	0
	.quad	0x00af9a000000ffff		/* 0x08 ring 0 code */
	.quad	0x00cf92000000ffff		/* 0x10 ring 0 data */
	.quad	0x00affa000000ffff		/* 0x18 ring 3 code */
	.quad	0x00cff2000000ffff		/* 0x20 ring 3 data */
	.quad	0
gdt_tss:
	.fill	PAYLOAD_MAX_CPUS * 2, 8, 0
gdt_end:
	.balign	8
	.skip	6
gdtr:	.word	gdt_end - gdt - 1
	.quad	gdt

/*
 * Gates are data, so that ring 0 need not compute them: vectors are 16 bytes
 * apart and, with the image below 4 GiB, an address has 16 + 16 bits.  The
 * linker can't split an address, so payload_build_idt (ring 3, vCPU 0) fills
 * the table; until then no exception may happen.
 */
	.balign	8
	.skip	6
idtr:	.word	32 * 16 - 1
	.quad	payload_idt

	.globl	payload_vectors
	.set	payload_vectors, vectors

	.bss
	.balign	4096
	.globl	ring0_pages
ring0_pages:
	.skip	PAYLOAD_MAX_CPUS * 4096
user_stacks:
	.skip	PAYLOAD_MAX_CPUS * PAYLOAD_STACK_BYTES
	.globl	payload_idt
payload_idt:
	.skip	32 * 16
	.balign	4096
tss:	.skip	PAYLOAD_MAX_CPUS * TSS_STRIDE

	.section .note.GNU-stack, "", @progbits
