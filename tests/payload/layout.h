/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Constants shared by the assembler and the C part of the payload. */
#ifndef TESTS_PAYLOAD_LAYOUT_H
#define TESTS_PAYLOAD_LAYOUT_H

#define PAYLOAD_MAX_CPUS	16
#define PAYLOAD_STACK_BYTES	16384

#define SEL_RING0_CODE		0x08
#define SEL_USER_CODE		0x1b
#define SEL_USER_DATA		0x23
#define RFLAGS_RING3		0x3002	/* IOPL 3, interrupts off */

#define CPUID_HYPERVISOR	0x40000000
#define CPUID_TIMING		0x40000010	/* EAX: TSC kHz */

/* 104 bytes, a bit for each of 65536 ports, and a byte of ones. */
#define TSS_IO_BITMAP		104
#define TSS_BYTES		(104 + 8192 + 1)
#define TSS_STRIDE		12288

/* Exceptions for which the CPU pushes an error code: 8, 10-14, 17, 21. */
#define VECTORS_WITH_ERROR	0x00227d00

/* An address that no page table maps; see entry.S. */
#define PAYLOAD_TRAP_ADDR	0x7f0000000000

/* Members of a ring-0 page; the ring-0 stack grows down from its end. */
#define R0_NEXT_CR3		0
#define R0_FAULT_ADDR		8

#endif
