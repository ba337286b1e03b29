/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the BPF program writes, a record a process.  Included by both sides. */
#ifndef GUEST_AGENT_PGD_RECORD_H
#define GUEST_AGENT_PGD_RECORD_H

struct pgd_record {
	unsigned long long direct_map;	/* where the kernel maps RAM */
	unsigned long long pgd;		/* there */
	unsigned int pid;
	unsigned int unused;
};

#endif
