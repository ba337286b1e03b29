/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One run: all guests, once, under one policy and one limit. */
#ifndef VMM_EXPERIMENT_RUN_H
#define VMM_EXPERIMENT_RUN_H

#include <signal.h>
#include <stdbool.h>

#include "vmm/experiment/cgroup.h"
#include "vmm/experiment/plan.h"
#include "vmm/experiment/result.h"

struct run_context {
	const struct plan *plan;
	const struct cgroup_parent *parent;	/* NULL: no cgroups here */
	const char *dir;	/* directory for results */
	const char *work;	/* directory for sockets and the copy */
	const char *program;	/* this executable */
	const char *payload;
	unsigned int nr, nr_runs;	/* this run, of how many; from 1 */
	bool terminal;		/* show a live line on stderr */
	volatile sig_atomic_t *stop;	/* a signal to end; 0: none */
};

/*
 * result->policy, limit and repetition select the run.  If it fails, the result
 * is not ok, with why.  -EINTR: *stop was set; -ENOMEM.  No process, socket or
 * cgroup remains.
 */
int run_once(const struct run_context *ctx, struct result_run *result);

#endif
