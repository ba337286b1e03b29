/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one answer of GET /stats means to `vmm top`. */
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
	bool by_libvirt;	/* and all that we know is what it says */
	bool has_engine;	/* there is an access source, so also a policy */
	bool enabled;
	uint64_t target;	/* bytes; 0: none */
	bool has_agent;
	double psi_some, psi_full;	/* of the guest, per cent */
	char trouble[128];		/* the engine's last error */
};

/* -EINVAL: not what a VM would say. */
int top_sample_parse(const json_t *stats, struct top_sample *sample);

/* Of resident memory, the share that was idle for two scans or more. */
double top_idle_share(const uint64_t idle[STAT_AGE_CLASSES]);

/*
 * Copies text that a terminal will show: a guest names its processes, and what
 * is not printable ASCII becomes '?', so that none of it commands the terminal.
 */
void top_copy_text(char *to, size_t len, const char *from);

#endif
