// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Charts over time show the first good run of each policy, under the tightest
 * limit: an average of several would smooth out the details.  A policy that
 * exceeds its limit is marked in every legend.
 */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "vmm/experiment/chart.h"
#include "vmm/experiment/report.h"

#define MIB 1048576.0

struct charts {
	FILE *f;
	const char *dir;
	const struct plan *plan;
	const struct result_run *runs;
	size_t nr;
	unsigned int tightest;
	char when[64];		/* ", limit 50%" */
	char names[PLAN_MAX_POLICIES][96];
};

/* Writes and frees it.  Without data it is left out: no run was good. */
static int finish(const struct charts *c, struct chart *chart, const char *name)
{
	char path[4096];
	int rc;

	snprintf(path, sizeof(path), "%s/%s.svg", c->dir, name);
	rc = chart_write(chart, path);
	if (!rc)
		fprintf(c->f, "![%s](%s.svg)\n\n", chart->title, name);
	chart_free(chart);
	return rc == -ENODATA ? 0 : rc;
}

static const struct result_run *first_good(const struct charts *c,
					   unsigned int policy)
{
	for (size_t i = 0; i < c->nr; i++)
		if (c->runs[i].ok && c->runs[i].policy == policy &&
		    c->runs[i].limit == c->tightest)
			return &c->runs[i];
	return NULL;
}

static double ops(const struct result_run *r) { return r->ops_per_s; }

/* The smallest limit above `bytes`; -1: none. */
static int next_limit(const struct plan *plan, uint64_t bytes)
{
	int next = -1;

	for (unsigned int l = 0; l < plan->nr_limits; l++)
		if (plan->limits[l].bytes > bytes &&
		    (next < 0 ||
		     plan->limits[l].bytes < plan->limits[next].bytes))
			next = (int)l;
	return next;
}

/* As a function of the limit if there are several, else of the policy. */
static int throughput(const struct charts *c)
{
	const struct plan *plan = c->plan;
	struct chart chart = {
		.title = "Throughput", .y_label = "operations/s",
		.x_label = plan->nr_limits > 1 ? "limit, % of memory" : "policy",
		.markers = true,
	};

	for (unsigned int p = 0; p < plan->nr_policies; p++) {
		struct chart_series *s =
			chart_add_series(&chart, c->names[p]);

		if (plan->nr_limits == 1)
			chart.x_names[chart.nr_x_names++] =
				plan->policies[p].name;
		/* In order of limits, whatever their order in the file. */
		for (int l = next_limit(plan, 0); s && l >= 0;
		     l = next_limit(plan, plan->limits[l].bytes)) {
			struct result_spread v =
				result_of(c->runs, c->nr, p, (unsigned int)l,
					  ops);
			double x = (double)plan->limits[l].bytes * 100 /
				   (double)plan->mem_bytes;

			if (v.nr)
				chart_add(s, plan->nr_limits > 1 ? x : p,
					  v.median, v.least, v.most);
		}
	}
	return finish(c, &chart, "throughput");
}

static int latency(const struct charts *c)
{
	struct chart chart = {
		.y_label = "us", .x_label = "share of the operations",
		.y_log = true, .markers = true,
		.nr_x_names = RESULT_NR_LATENCIES,
	};
	char title[128];

	snprintf(title, sizeof(title), "Latency of an operation%s", c->when);
	chart.title = title;
	for (int i = 0; i < RESULT_NR_LATENCIES; i++)
		chart.x_names[i] = result_latency_names[i];
	for (unsigned int p = 0; p < c->plan->nr_policies; p++) {
		struct chart_series *s =
			chart_add_series(&chart, c->names[p]);

		for (int i = 0; s && i < RESULT_NR_LATENCIES; i++) {
			double values[1024];
			unsigned int nr = 0;
			struct result_spread v;

			for (size_t k = 0; k < c->nr && nr < 1024; k++)
				if (c->runs[k].ok && c->runs[k].policy == p &&
				    c->runs[k].limit == c->tightest)
					values[nr++] =
						c->runs[k].latency_ns[i] / 1000;
			v = result_spread(values, nr);
			if (v.nr)
				chart_add(s, i, v.median, v.least, v.most);
		}
	}
	return finish(c, &chart, "latency");
}

static double sample_memory(const struct result_sample *s,
			    const struct result_sample *before)
{
	return s->memory_bytes / MIB;
}

static double sample_back(const struct result_sample *s,
			  const struct result_sample *before)
{
	return before && s->t_s > before->t_s ?
	       (s->brought_back - before->brought_back) /
	       (s->t_s - before->t_s) : NAN;
}

static int over_time(const struct charts *c, const char *name,
		     struct chart *chart,
		     double (*value)(const struct result_sample *s,
				     const struct result_sample *before))
{
	chart->x_label = "s since the workload started";
	for (unsigned int p = 0; p < c->plan->nr_policies; p++) {
		const struct result_run *r = first_good(c, p);
		struct chart_series *s =
			chart_add_series(chart, c->names[p]);

		for (size_t i = 0; s && r && i < r->nr_samples; i++) {
			double y = value(&r->samples[i],
					 i ? &r->samples[i - 1] : NULL);

			/* What follows is the check of all pages. */
			if (r->samples[i].t_s <= (double)(c->plan->warmup_s +
							  c->plan->seconds))
				chart_add(s, r->samples[i].t_s, y, y, y);
		}
	}
	return finish(c, chart, name);
}

/* Of the first guest: its intervals are timed by its own clock. */
static int throughput_over_time(const struct charts *c, const char *title)
{
	struct chart chart = {
		.title = title, .y_label = "operations/s",
		.x_label = "s since the workload started",
	};

	for (unsigned int p = 0; p < c->plan->nr_policies; p++) {
		const struct result_run *r = first_good(c, p);
		struct chart_series *s =
			chart_add_series(&chart, c->names[p]);

		for (size_t i = 0; s && r && i < r->nr_intervals; i++) {
			const struct result_interval *v = &r->intervals[i];

			if (!v->guest)
				chart_add(s, v->t_s, v->ops_per_s,
					  v->ops_per_s, v->ops_per_s);
		}
	}
	return finish(c, &chart, "throughput-time");
}

static double memory_of(const struct result_run *r) { return r->memory_bytes; }

static void name_policies(struct charts *c)
{
	const struct plan *plan = c->plan;

	for (unsigned int p = 0; p < plan->nr_policies; p++) {
		bool over = false;

		for (unsigned int l = 0; l < plan->nr_limits; l++)
			over |= result_of(c->runs, c->nr, p, l,
					  memory_of).median >
				REPORT_TOLERANCE *
				(double)plan->limits[l].bytes;
		over &= plan->policies[p].kind != PLAN_NONE;
		snprintf(c->names[p], sizeof(c->names[p]), "%.64s%s",
			 plan->policies[p].name, over ? " (over the limit)" :
			 "");
	}
}

int report_charts(FILE *f, const char *dir, const struct plan *plan,
		  const struct result_run *runs, size_t nr)
{
	struct charts c = { .f = f, .dir = dir, .plan = plan, .runs = runs,
			    .nr = nr };
	struct chart memory = { .y_label = "MiB", .y_line_name = "limit" };
	struct chart back = { .y_label = "pages/s" };
	char title[128];
	int rc;

	for (unsigned int l = 1; l < plan->nr_limits; l++)
		if (plan->limits[l].bytes < plan->limits[c.tightest].bytes)
			c.tightest = l;
	snprintf(c.when, sizeof(c.when), ", limit %.20s",
		 plan->limits[c.tightest].text);
	name_policies(&c);
	rc = throughput(&c);
	if (!rc)
		rc = latency(&c);
	snprintf(title, sizeof(title), "Memory of the guests%s", c.when);
	memory.title = title;
	memory.y_line = (double)plan->limits[c.tightest].bytes / MIB;
	if (!rc)
		rc = over_time(&c, "memory", &memory, sample_memory);
	snprintf(title, sizeof(title), "Throughput of guest 0%s", c.when);
	if (!rc)
		rc = throughput_over_time(&c, title);
	snprintf(title, sizeof(title), "Pages read back%s", c.when);
	back.title = title;
	if (!rc)
		rc = over_time(&c, "refaults", &back, sample_back);
	return rc;
}
