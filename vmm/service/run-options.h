/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of `vmm run`, parsed and checked. */
#ifndef VMM_SERVICE_RUN_OPTIONS_H
#define VMM_SERVICE_RUN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/engine/engine.h"
#include "vmm/mem/guest-mem.h"
#include "vmm/mem/numa.h"

#define RUN_MAX_DISKS 8

struct run_disk {
	char *path;		/* owned */
	bool read_only;
};

/* Strings are owned, or NULL where the option was not given. */
struct run_options {
	char *kernel, *initrd, *cmdline, *name, *socket, *vsock, *abits;
	char *tap, *agent_record, *sink;
	char *mem_text, *backing_text, *reclaim_text, *net_text, *cpus_text;
	char *cid_text;
	uint64_t mem_bytes;
	/* Meaningful when backing_text is set: else what the source needs. */
	enum guest_mem_backing backing;
	int nr_cpus, cid;
	int no_agent, verbose;
	struct run_disk disks[RUN_MAX_DISKS];
	unsigned int nr_disks;
	struct guest_numa numa;
	struct engine_policy policy;
};

/* VMM_EXIT_OK, or the status to end with, having told the user. */
int run_options_parse(struct run_options *o, int argc, char **argv);
void run_options_free(struct run_options *o);
/* --sink and --reclaim, as run and attach have them; the same. */
int run_options_check_reclaim(struct run_options *o);

#endif
