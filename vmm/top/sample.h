/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One answer to GET /stats, as `vmm top` needs it. */
#ifndef VMM_TOP_SAMPLE_H
#define VMM_TOP_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "vmm/util/control-answers.h"

struct top_sample {
	char name[64];
	long long pid;
	uint64_t memory, resident, swapped, stored, wss;	/* bytes */
	/* Resident bytes by idle scans, in the classes of control-answers.h. */
	uint64_t idle[STAT_AGE_CLASSES];
	uint64_t nr_scans, nr_evicted, nr_refaults, scan_cpu_ns, last_scan_ns;
	bool by_libvirt;	/* libvirt is the only source of values */
	bool has_engine;	/* it has an access source, so also a policy */
	bool enabled;
	uint64_t target;	/* bytes; 0: none */
	bool has_agent;
	double psi_some, psi_full;	/* the guest's, percent */
	char last_error[128];		/* the engine's last error */
};

/* -EINVAL: not a valid answer of a VM. */
int top_sample_parse(const json_t *stats, struct top_sample *sample);

/* The share of resident memory that was idle for two scans or more. */
double top_idle_share(const uint64_t idle[STAT_AGE_CLASSES]);

/*
 * Copies text to be shown on a terminal: process names come from the guest, so
 * everything but printable ASCII becomes '?', and can't control the terminal.
 */
void top_copy_text(char *to, size_t len, const char *from);

#endif
