/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One run: all guests under one policy, one limit, once. */
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
	const char *dir;	/* for results */
	const char *work;	/* for sockets */
	const char *program;	/* this executable */
	const char *payload;
	unsigned int nr, nr_runs;	/* of runs; for messages */
	bool terminal;		/* show a live line on stderr */
	volatile sig_atomic_t *stop;	/* a signal to end; 0: none */
};

/*
 * result->policy, limit and repetition select the run.  On failure the result
 * is not ok, with why; -EINTR: *stop was set.  Nothing is left behind.
 */
int run_once(const struct run_context *ctx, struct result_run *result);

#endif
