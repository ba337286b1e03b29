/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data exchanged with the BPF programs.  Included by both sides. */
#ifndef GUEST_AGENT_PGD_RECORD_H
#define GUEST_AGENT_PGD_RECORD_H

/* A process and its page table root, as an address in the direct map. */
struct pgd_record {
	unsigned long long pgd;
	unsigned int pid;
	unsigned int unused;
};

/*
 * Start of the kernel's half of the address space, by the number of page table
 * levels (Documentation/arch/x86/x86_64/mm.rst).
 */
#define PGD_KERNEL_HALF_4_LEVELS 0xffff800000000000ULL
#define PGD_KERNEL_HALF_5_LEVELS 0xff00000000000000ULL

#define PGD_NR_PROBES	 2
#define PGD_STEP_BASES	 16	/* bases tried in one run of the program */
/* The start of the direct map is a multiple of this, randomized or not. */
#define PGD_BASE_ALIGN	 (1ULL << 30)

/* Pages of the agent with known frames, and the range of bases to try. */
struct pgd_probe {
	unsigned long long address[PGD_NR_PROBES];
	unsigned long long frame[PGD_NR_PROBES];
	unsigned long long first_base;
	unsigned long long end_base;	/* exclusive */
};

/* The base with which walks lead to the frames of all probes. */
struct pgd_base {
	unsigned long long base;	/* 0: none */
	struct pgd_record own;		/* of the requesting process */
};

#endif
