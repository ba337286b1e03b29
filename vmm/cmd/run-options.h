/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of `vmm run`, parsed and checked. */
#ifndef VMM_CMD_RUN_OPTIONS_H
#define VMM_CMD_RUN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/mem/numa.h"
#include "vmm/service/service-options.h"

#define RUN_MAX_DISKS 8

struct run_disk {
	char *path;		/* owned */
	bool read_only;
};

/* Strings are owned, or NULL where the option was not given. */
struct run_options {
	struct service_options service;
	char *kernel, *initrd, *cmdline, *vsock;
	char *mem_text, *net_text, *cpus_text, *cid_text;
	const char *tap;	/* in net_text; not owned */
	uint64_t mem_bytes;
	int nr_cpus, cid;
	int verbose;
	struct run_disk disks[RUN_MAX_DISKS];
	unsigned int nr_disks;
	struct guest_numa numa;
};

/* VMM_EXIT_OK, or the exit status after reporting an error. */
int run_options_parse(struct run_options *o, int argc, char **argv);
void run_options_free(struct run_options *o);

#endif
