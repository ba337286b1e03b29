/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What came of the runs of an experiment, and the files that tell it. */
#ifndef VMM_EXPERIMENT_RESULT_H
#define VMM_EXPERIMENT_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/experiment/plan.h"

/* Latencies, as guests tell them. */
enum { RESULT_P50, RESULT_P90, RESULT_P99, RESULT_P999, RESULT_P9999,
       RESULT_MAX, RESULT_NR_LATENCIES };
extern const char *const result_latency_keys[RESULT_NR_LATENCIES];
extern const char *const result_latency_names[RESULT_NR_LATENCIES];

/* One look at the host's side, all guests together. */
struct result_sample {
	double t_s;		/* since all guests ran; negative: before */
	double memory_bytes, swap_bytes;
	double brought_back;	/* pages, so far */
	double evicted, refaults, scan_cpu_s;	/* of the engines, so far */
	double balloon_bytes;
	double cpu_s;			/* of the guests' processes, so far */
};

/* What one guest told of one interval. */
struct result_interval {
	unsigned int guest;
	double t_s;		/* since this guest ran */
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
	char why[256];		/* it is not */
	struct result_guest guests[PLAN_MAX_GUESTS];
	/* All guests; means and rates of the time after the warm-up. */
	double ops_per_s;
	double latency_ns[RESULT_NR_LATENCIES];	/* of the worst guest */
	double memory_bytes, memory_max_bytes, swap_bytes;
	double brought_back_per_s;
	double cpus;		/* busy for the guests' processes */
	double ops_per_cpu_s;	/* what a busy host leaves comparable */
	double evicted, refaults, scan_cpu_s;
	double cpu_s, load;	/* load: of the host, when it began */
	uint64_t errors, pages_checked;
	struct result_sample *samples;		/* owned */
	size_t nr_samples, max_samples;
	struct result_interval *intervals;	/* owned */
	size_t nr_intervals, max_intervals;
};

/* False without memory. */
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

/* Of the good runs of one policy under one limit. */
struct result_spread result_of(const struct result_run *runs, size_t nr,
			       unsigned int policy, unsigned int limit,
			       double (*value)(const struct result_run *run));

/*
 * As above, of value over the value of the first policy in the same repetition:
 * what ran next to each other is compared.
 */
struct result_spread result_ratio(const struct result_run *runs, size_t nr,
				  unsigned int policy, unsigned int limit,
				  double (*value)(const struct result_run *run));

/* DIR/samples.csv: the run's rows; first: a new file, with a head. -errno. */
int result_write_csv(const char *dir, const struct plan *plan,
		     const struct result_run *run, bool first);
/* DIR/runs.json, all of it.  -errno. */
int result_write_json(const char *dir, const struct plan *plan,
		      const struct result_run *runs, size_t nr,
		      const char *cgroup);

#endif
