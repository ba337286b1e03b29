// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/experiment/result.h"
#include "vmm/util/cleanup.h"

const char *const result_latency_keys[RESULT_NR_LATENCIES] = {
	"p50_ns", "p90_ns", "p99_ns", "p999_ns", "p9999_ns", "max_ns",
};
const char *const result_latency_names[RESULT_NR_LATENCIES] = {
	"50 %", "90 %", "99 %", "99.9 %", "99.99 %", "most",
};

static void *grow(void *array, size_t nr, size_t *max, size_t size)
{
	size_t bigger = *max ? 2 * *max : 256;
	void *p;

	if (nr < *max)
		return array;
	p = reallocarray(array, bigger, size);
	if (p)
		*max = bigger;
	return p;
}

bool result_add_sample(struct result_run *run, const struct result_sample *s)
{
	struct result_sample *p = grow(run->samples, run->nr_samples,
				       &run->max_samples, sizeof(*p));

	if (!p)
		return false;
	run->samples = p;
	p[run->nr_samples++] = *s;
	return true;
}

bool result_add_interval(struct result_run *run,
			 const struct result_interval *interval)
{
	struct result_interval *p = grow(run->intervals, run->nr_intervals,
					 &run->max_intervals, sizeof(*p));

	if (!p)
		return false;
	run->intervals = p;
	p[run->nr_intervals++] = *interval;
	return true;
}

static void sum_samples(struct result_run *run, double from, double to)
{
	const struct result_sample *first = NULL, *last = NULL;
	unsigned int nr = 0;

	run->memory_bytes = run->swap_bytes = 0;
	for (size_t i = 0; i < run->nr_samples; i++) {
		const struct result_sample *s = &run->samples[i];

		if (s->memory_bytes > run->memory_max_bytes)
			run->memory_max_bytes = s->memory_bytes;
		if (s->t_s < from || s->t_s > to)
			continue;
		if (!first)
			first = s;
		last = s;
		run->memory_bytes += s->memory_bytes;
		run->swap_bytes += s->swap_bytes;
		nr++;
	}
	if (!nr)
		return;
	run->memory_bytes /= nr;
	run->swap_bytes /= nr;
	run->evicted = last->evicted;
	run->refaults = last->refaults;
	run->scan_cpu_s = last->scan_cpu_s;
	if (last->t_s > first->t_s)
		run->brought_back_per_s =
			(last->brought_back - first->brought_back) /
			(last->t_s - first->t_s);
	if (last->t_s > first->t_s)
		run->cpus = (last->cpu_s - first->cpu_s) /
			    (last->t_s - first->t_s);
}

void result_complete(struct result_run *run, const struct plan *plan)
{
	sum_samples(run, (double)plan->warmup_s,
		    (double)(plan->warmup_s + plan->seconds));
	for (unsigned int g = 0; g < plan->nr_guests; g++) {
		const struct result_guest *guest = &run->guests[g];

		run->ops_per_s += guest->ops_per_s;
		run->errors += guest->errors;
		run->pages_checked += guest->pages_checked;
		run->cpu_s += guest->cpu_s;
		for (int i = 0; i < RESULT_NR_LATENCIES; i++)
			if (guest->latency_ns[i] > run->latency_ns[i])
				run->latency_ns[i] = guest->latency_ns[i];
	}
	if (run->cpus > 0)
		run->ops_per_cpu_s = run->ops_per_s / run->cpus;
}

void result_free(struct result_run *run)
{
	free(run->samples);
	free(run->intervals);
	memset(run, 0, sizeof(*run));
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct result_spread result_spread(double *values, unsigned int nr)
{
	struct result_spread s = { .nr = nr };

	if (!nr)
		return s;
	qsort(values, nr, sizeof(values[0]), compare);
	s.least = values[0];
	s.most = values[nr - 1];
	s.median = nr % 2 ? values[nr / 2] :
		   (values[nr / 2 - 1] + values[nr / 2]) / 2;
	return s;
}

struct result_spread result_of(const struct result_run *runs, size_t nr,
			       unsigned int policy, unsigned int limit,
			       double (*value)(const struct result_run *run))
{
	__cleanup_free double *values = calloc(nr + 1, sizeof(*values));
	unsigned int n = 0;

	for (size_t i = 0; values && i < nr; i++)
		if (runs[i].ok && runs[i].policy == policy &&
		    runs[i].limit == limit)
			values[n++] = value(&runs[i]);
	return result_spread(values, n);
}

static const struct result_run *find_first(const struct result_run *runs,
					   size_t nr,
					   const struct result_run *like)
{
	for (size_t i = 0; i < nr; i++)
		if (runs[i].ok && !runs[i].policy &&
		    runs[i].limit == like->limit &&
		    runs[i].repetition == like->repetition)
			return &runs[i];
	return NULL;
}

struct result_spread result_ratio(const struct result_run *runs, size_t nr,
				  unsigned int policy, unsigned int limit,
				  double (*value)(const struct result_run *run))
{
	__cleanup_free double *values = calloc(nr + 1, sizeof(*values));
	unsigned int n = 0;

	for (size_t i = 0; values && i < nr; i++) {
		const struct result_run *first;

		if (!runs[i].ok || runs[i].policy != policy ||
		    runs[i].limit != limit)
			continue;
		first = find_first(runs, nr, &runs[i]);
		if (first && value(first) > 0)
			values[n++] = value(&runs[i]) / value(first);
	}
	return result_spread(values, n);
}
