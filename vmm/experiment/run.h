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
	const char *dir;	/* of the results */
	const char *work;	/* of sockets */
	const char *program;	/* this executable */
	const char *payload;
	unsigned int nr, nr_runs;	/* which of how many; for messages */
	bool terminal;		/* a live line on stderr */
	volatile sig_atomic_t *stop;	/* a signal that asks to end; 0: none */
};

/*
 * result->policy, limit and repetition say what to do.  What goes wrong makes
 * the result not ok, with why; -EINTR: *stop was set.  Nothing is left behind.
 */
int run_once(const struct run_context *ctx, struct result_run *result);

#endif
