// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The durations of operations: in each interval, and from the end of the
 * warm-up to the end of the run.  Only used by vCPU 0.
 */
#include "tests/payload/payload.h"

static const struct proc *procs;
static const struct args *args;

void measure_init(const struct proc *all_procs, const struct args *all_args)
{
	procs = all_procs;
	args = all_args;
}

static void sum_latencies(struct latency *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned int i = 0; i < args->nr_procs; i++)
		latency_sum(sum, &procs[i].latency);
}

static void report_latencies(const struct latency *latency)
{
	static const struct {
		const char *key;
		unsigned int ppm;
	} rows[] = {
		{ "p50_ns", 500000 }, { "p90_ns", 900000 },
		{ "p99_ns", 990000 }, { "p999_ns", 999000 },
		{ "p9999_ns", 999900 }, { "max_ns", 1000000 },
	};

	if (!args->latency)
		return;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		json_u64(rows[i].key, latency_percentile(latency, rows[i].ppm) *
			 1000000 / clock_tsc_khz());
}

/* Where the time to measure began, and what had been done by then. */
static struct {
	bool begun;
	uint64_t tsc, ops;
	struct latency latency;
} measured;

static uint64_t all_ops(void)
{
	uint64_t ops = 0;

	for (unsigned int i = 0; i < args->nr_procs; i++)
		ops += procs[i].nr_ops;
	return ops;
}

void measure_begin(void)
{
	measured.begun = true;
	measured.tsc = rdtsc();
	measured.ops = all_ops();
	sum_latencies(&measured.latency);
}

void measure_report_interval(void)
{
	static struct latency now, last, since;

	sum_latencies(&now);
	since = now;
	latency_subtract(&since, &last);
	last = now;
	report_latencies(&since);
}

void measure_report(uint64_t end_of_run)
{
	static struct latency since;
	uint64_t us = clock_tsc_to_us(end_of_run - measured.tsc);

	if (!measured.begun)
		return;
	json_u64("measured_ms", us / 1000);
	json_u64("measured_ops_per_s", us >= 1000 ? (all_ops() - measured.ops) *
		 1000 / (us / 1000) : 0);
	sum_latencies(&since);
	latency_subtract(&since, &measured.latency);
	report_latencies(&since);
}
