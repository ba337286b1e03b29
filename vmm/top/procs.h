/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processes of one guest, from GET /processes. */
#ifndef VMM_TOP_PROCS_H
#define VMM_TOP_PROCS_H

#include "vmm/top/sample.h"

struct top_proc {
	long long pid;			/* of several, the first */
	char comm[32];
	unsigned int nr;		/* processes merged in this entry */
	uint64_t mapped, resident, swapped;	/* bytes */
	bool has_ages;
	uint64_t idle[STAT_AGE_CLASSES];	/* resident bytes */
};

struct top_procs {
	struct top_proc *procs;		/* owned */
	size_t nr;
};

/* -EINVAL: not a valid answer of a VM; -ENOMEM. */
int top_procs_parse(const json_t *answer, struct top_procs *procs);
void top_procs_free(struct top_procs *procs);

/* Merges the processes of each command into one entry. */
void top_procs_by_command(struct top_procs *procs);

enum top_procs_order {
	TOP_PROCS_RESIDENT, TOP_PROCS_EVICTED, TOP_PROCS_IDLE, TOP_PROCS_MAPPED,
	TOP_PROCS_COMMAND, TOP_PROCS_PID,
	TOP_PROCS_NR_ORDERS
};

/* Sizes and shares: largest first; commands and pids in ascending order. */
void top_procs_sort(struct top_procs *procs, enum top_procs_order order);

#endif
