// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include "vmm/access/tiny-vm-code.h"

/*
 * %rdi: struct tiny_vm_shared; %rbx: struct tiny_vm_list.  Exits by port I/O,
 * which ring 3 may do (IOPL 3).
 */
__asm__(".pushsection .rodata\n"
	".globl tiny_vm_code, tiny_vm_code_end\n"
	"tiny_vm_code:\n"
	"1:	mov (%rdi), %rbx\n"
	"	mov (%rbx), %rcx\n"
	"	lea 16(%rbx), %rsi\n"
	"	test %rcx, %rcx\n"
	"	jz 3f\n"
	"2:	mov (%rsi), %rax\n"
	"	movb (%rax), %dl\n"
	"	add $8, %rsi\n"
	"	dec %rcx\n"
	"	jnz 2b\n"
	"	mov 8(%rbx), %rax\n"
	"	and %rax, (%rbx)\n"
	"3:	mov %rbx, 8(%rdi)\n"
	"	incq 16(%rdi)\n"
	"	pause\n"
	"	cmpb $0, 24(%rdi)\n"
	"	je 1b\n"
	"	out %al, $0xf4\n"
	"tiny_vm_code_end:\n"
	".popsection\n");
