/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One guest of a run: the process `vmm run`, and the lines that its workload
 * prints on the console, JSON objects with a member "event":
 *
 *   run        the workload begins
 *   interval   t_ms, ops_per_s, and latencies (p50_ns ... max_ns) if it times
 *   check      the workload has ended; what follows is not measured
 *   summary    measured_ops_per_s and latencies after the warm-up, errors,
 *              pages_checked
 *   error, fault   the workload can't continue
 *
 * Everything else is for people and only logged.  The guest is not trusted:
 * lines, their number and the log are bounded, and values must be numbers.
 */
#ifndef VMM_EXPERIMENT_GUEST_H
#define VMM_EXPERIMENT_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/experiment/plan.h"
#include "vmm/experiment/result.h"

#define GUEST_MAX_ARGS 96

struct cgroup;

struct guest {
	unsigned int index;
	pid_t pid;		/* 0: not started, or reaped */
	int out;		/* its standard output; -1: closed */
	int log;
	size_t log_bytes;
	char socket[108];
	char line[4096];
	size_t len;
	unsigned int nr_intervals, max_intervals;
	bool runs, has_summary;	/* "run", "summary" were received */
	int status;		/* of wait4(), once it was reaped */
	char why[160];		/* its first error; "": none */
	struct result_guest *result;	/* not owned */
	struct result_run *run;		/* not owned */
};

/* The arguments of `vmm run` for one guest. */
struct guest_args {
	const char *argv[GUEST_MAX_ARGS + 1];
	unsigned int nr;
	char cmdline[2048];
	char mem[32], cpus[16], reclaim[256], name[64];
};

struct guest_launch {
	const struct plan *plan;
	const struct plan_policy *policy;
	uint64_t limit_bytes;		/* of all guests */
	unsigned int repetition;
	const char *program;		/* to execute */
	const char *payload;		/* kernel of payload guests */
	const struct cgroup *cgroup;	/* or NULL */
	const char *log_path;
};

/* Needs guest->index and socket.  -ENOSPC: too many arguments. */
int guest_make_args(const struct guest *guest, const struct guest_launch *l,
		    struct guest_args *args);
/* The guest's share of the limit. */
uint64_t guest_share(const struct guest_launch *l, unsigned int index);
/* Needs also guest->result and run.  -errno. */
int guest_start(struct guest *guest, const struct guest_launch *l);
/* Reads its output; at end of file, reaps it. */
void guest_read(struct guest *guest);
/* Takes console output, for guest_read() and for tests. */
void guest_take(struct guest *guest, const char *data, size_t len);
/* Ends it, if necessary by SIGKILL. */
void guest_stop(struct guest *guest);

#endif
