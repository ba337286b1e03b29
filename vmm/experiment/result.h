/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The results of an experiment's runs, and the files they are written to. */
#ifndef VMM_EXPERIMENT_RESULT_H
#define VMM_EXPERIMENT_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/experiment/plan.h"

/* Latencies, as reported by guests. */
enum { RESULT_P50, RESULT_P90, RESULT_P99, RESULT_P999, RESULT_P9999,
       RESULT_MAX, RESULT_NR_LATENCIES };
extern const char *const result_latency_keys[RESULT_NR_LATENCIES];
extern const char *const result_latency_names[RESULT_NR_LATENCIES];

/* One sample on the host, all guests together. */
struct result_sample {
	double t_s;		/* since all workloads run; negative: before */
	double memory_bytes, swap_bytes;
	double brought_back;	/* pages read back, cumulative */
	double evicted, refaults, scan_cpu_s;	/* of the engines, cumulative */
	double balloon_bytes;
	double cpu_s;			/* of guest processes, cumulative */
};

/* One interval reported by one guest. */
struct result_interval {
	unsigned int guest;
	double t_s;		/* since this guest's workload runs */
	double ops_per_s;
	double latency_ns[RESULT_NR_LATENCIES];
};

struct result_guest {
	double ops_per_s;	/* after the warm-up */
	double latency_ns[RESULT_NR_LATENCIES];
	uint64_t errors, pages_checked;
	double cpu_s;		/* of its process */
};

struct result_run {
	unsigned int policy, limit, repetition;
	bool ok;
	char why[256];		/* why it failed */
	struct result_guest guests[PLAN_MAX_GUESTS];
	/* All guests together; means and rates after the warm-up. */
	double ops_per_s;
	double latency_ns[RESULT_NR_LATENCIES];	/* of the worst guest */
	double memory_bytes, memory_max_bytes, swap_bytes;
	double brought_back_per_s;
	double cpus;		/* CPUs used by the guests' processes */
	double ops_per_cpu_s;	/* comparable even on a busy host */
	double evicted, refaults, scan_cpu_s;
	double cpu_s, load;	/* load: the host's at the start */
	uint64_t errors, pages_checked;
	struct result_sample *samples;		/* owned */
	size_t nr_samples, max_samples;
	struct result_interval *intervals;	/* owned */
	size_t nr_intervals, max_intervals;
};

/* False: out of memory. */
bool result_add_sample(struct result_run *run, const struct result_sample *s);
bool result_add_interval(struct result_run *run,
			 const struct result_interval *interval);
/* Means, rates, sums and worst cases, from samples and guests. */
void result_complete(struct result_run *run, const struct plan *plan);
void result_free(struct result_run *run);

/* Median and extremes over a number of runs. */
struct result_spread {
	double median, least, most;
	unsigned int nr;
};

/* Reorders values. */
struct result_spread result_spread(double *values, unsigned int nr);

/* Over the good runs of one policy under one limit. */
struct result_spread result_of(const struct result_run *runs, size_t nr,
			       unsigned int policy, unsigned int limit,
			       double (*value)(const struct result_run *run));

/*
 * As above, for the ratio of a run's value to that of the first policy in the
 * same repetition: this compares runs that took place soon after each other.
 */
struct result_spread result_ratio(const struct result_run *runs, size_t nr,
				  unsigned int policy, unsigned int limit,
				  double (*value)(const struct result_run *run));

/* DIR/samples.csv: the run's rows; first: new file, with a header.  -errno. */
int result_write_csv(const char *dir, const struct plan *plan,
		     const struct result_run *run, bool first);
/* DIR/runs.json, all of it.  -errno. */
int result_write_json(const char *dir, const struct plan *plan,
		      const struct result_run *runs, size_t nr,
		      const char *cgroup);

#endif
