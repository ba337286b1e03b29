/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the BPF programs read and write.  Included by both sides. */
#ifndef GUEST_AGENT_PGD_RECORD_H
#define GUEST_AGENT_PGD_RECORD_H

/* Of a process: its page table root, where the kernel maps RAM. */
struct pgd_record {
	unsigned long long pgd;
	unsigned int pid;
	unsigned int unused;
};

/* Below this, addresses of the kernel's half are of tables with 5 levels
 * (Documentation/arch/x86/x86_64/mm.rst). */
#define PGD_KERNEL_HALF_4_LEVELS 0xffff800000000000ULL
#define PGD_KERNEL_HALF_5_LEVELS 0xff00000000000000ULL

#define PGD_NR_PROBES	 2
#define PGD_STEP_BASES	 16	/* tried in a run of the program */
/* The kernel maps RAM from a multiple of this on, also where it is random. */
#define PGD_BASE_ALIGN	 (1ULL << 30)

/* Pages of ours whose frames are known, and the bases to try on them. */
struct pgd_probe {
	unsigned long long address[PGD_NR_PROBES];
	unsigned long long frame[PGD_NR_PROBES];
	unsigned long long first_base;
	unsigned long long end_base;	/* after the last one */
};

/* The answer: by which of them the walk led to all of the frames. */
struct pgd_base {
	unsigned long long base;	/* 0: by none */
	struct pgd_record own;		/* of the process that asked */
};

#endif
