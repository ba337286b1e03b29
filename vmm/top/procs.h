/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processes of one guest, as GET /processes tells of them. */
#ifndef VMM_TOP_PROCS_H
#define VMM_TOP_PROCS_H

#include "vmm/top/sample.h"

struct top_proc {
	long long pid;			/* the first, of several */
	char comm[32];
	unsigned int nr;		/* how many of that name */
	uint64_t mapped, resident, swapped;	/* bytes */
	bool has_ages;
	uint64_t idle[STAT_AGE_CLASSES];	/* resident bytes */
};

struct top_procs {
	struct top_proc *procs;		/* owned */
	size_t nr;
};

/* -EINVAL: not what a VM would say; -ENOMEM. */
int top_procs_parse(const json_t *answer, struct top_procs *procs);
void top_procs_free(struct top_procs *procs);

/* One for each command instead of one for each process. */
void top_procs_by_command(struct top_procs *procs);

enum top_procs_order {
	TOP_PROCS_RESIDENT, TOP_PROCS_EVICTED, TOP_PROCS_IDLE, TOP_PROCS_MAPPED,
	TOP_PROCS_COMMAND, TOP_PROCS_PID,
	TOP_PROCS_NR_ORDERS
};

/* The most first; names and numbers from the first on. */
void top_procs_sort(struct top_procs *procs, enum top_procs_order order);

#endif
