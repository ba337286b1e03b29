/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The metrics of several VMs as one OpenMetrics text. */
#ifndef VMM_CLIENT_METRICS_ALL_H
#define VMM_CLIENT_METRICS_ALL_H

#include <stddef.h>

struct metrics_vm {
	const char *name, *socket;	/* not owned */
};

/*
 * Queries all VMs at once, and waits for timeout_ms at most.  Each family
 * occurs once, with the samples of all VMs; vmm_up{vm="NAME"} is 0 for a VM
 * that did not answer.  The caller frees the text; NULL: no memory.
 */
char *metrics_all(const struct metrics_vm *vms, size_t nr, long timeout_ms);

/*
 * The same from given answers, for tests; texts[i] NULL: no answer.
 */
char *metrics_merge(const struct metrics_vm *vms, const char *const *texts,
		    size_t nr);

#endif
