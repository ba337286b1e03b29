// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/experiment/host-facts.h"
#include "vmm/experiment/report.h"
#include "vmm/util/size.h"
#include "vmm/util/small-file.h"

#define MIB 1048576.0

static double ops(const struct result_run *r) { return r->ops_per_s; }
static double memory(const struct result_run *r)
{
	return r->memory_bytes / MIB;
}
static double swapped(const struct result_run *r)
{
	return r->swap_bytes / MIB;
}
static double back(const struct result_run *r)
{
	return r->brought_back_per_s;
}
static double p50(const struct result_run *r)
{
	return r->latency_ns[RESULT_P50] / 1000;
}
static double p99(const struct result_run *r)
{
	return r->latency_ns[RESULT_P99] / 1000;
}
static double p999(const struct result_run *r)
{
	return r->latency_ns[RESULT_P999] / 1000;
}
static double p9999(const struct result_run *r)
{
	return r->latency_ns[RESULT_P9999] / 1000;
}
static double cpus(const struct result_run *r) { return r->cpus; }
static double per_cpu(const struct result_run *r) { return r->ops_per_cpu_s; }
static double load(const struct result_run *r) { return r->load; }

struct source {
	FILE *f;
	const struct plan *plan;
	const struct result_run *runs;
	size_t nr;
};

/* "median (least to most)", or "-" without a good run. */
static void put_spread(FILE *f, struct result_spread s, int digits)
{
	char one[32], two[32], three[32];

	if (!s.nr) {
		fputs(" - |", f);
		return;
	}
	snprintf(one, sizeof(one), "%.*f", digits, s.median);
	snprintf(two, sizeof(two), "%.*f", digits, s.least);
	snprintf(three, sizeof(three), "%.*f", digits, s.most);
	if (s.nr == 1)
		fprintf(f, " %s |", one);
	else
		fprintf(f, " %s (%s to %s) |", one, two, three);
}

static void count(const struct source *s, unsigned int policy,
		  unsigned int limit, unsigned int *good, unsigned int *all)
{
	*good = *all = 0;
	for (size_t i = 0; i < s->nr; i++) {
		if (s->runs[i].policy != policy || s->runs[i].limit != limit)
			continue;
		++*all;
		*good += s->runs[i].ok;
	}
}

static void put_row(const struct source *s, unsigned int p, unsigned int l)
{
	static const struct {
		double (*value)(const struct result_run *);
		int digits;
	} columns[] = {
		{ memory, 0 }, { swapped, 0 }, { back, 0 },
		{ p50, 2 }, { p99, 2 }, { p999, 1 }, { p9999, 1 },
		{ cpus, 2 }, { load, 1 },
	};
	unsigned int good, all;

	count(s, p, l, &good, &all);
	fprintf(s->f, "| %s | %u of %u |", s->plan->policies[p].name, good,
		all);
	put_spread(s->f, result_of(s->runs, s->nr, p, l, ops), 0);
	put_spread(s->f, result_ratio(s->runs, s->nr, p, l, ops), 3);
	put_spread(s->f, result_ratio(s->runs, s->nr, p, l, per_cpu), 3);
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		put_spread(s->f, result_of(s->runs, s->nr, p, l,
					   columns[i].value),
			   columns[i].digits);
	fputc('\n', s->f);
}

static void put_limit(const struct source *s, unsigned int l)
{
	char bytes[32];

	fprintf(s->f, "\n## Limit %s (%s)\n\n", s->plan->limits[l].text,
		size_format(s->plan->limits[l].bytes, bytes, sizeof(bytes)));
	fprintf(s->f, "| policy | good runs | operations/s | to %s | per CPU "
		"s, to %s | memory, MiB | swap, MiB | read back, pages/s | 50 "
		"%%, us | 99 %%, us | 99.9 %%, us | 99.99 %%, us | CPUs | load "
		"|\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
		s->plan->policies[0].name, s->plan->policies[0].name);
	for (unsigned int p = 0; p < s->plan->nr_policies; p++)
		put_row(s, p, l);
}

static void put_failures(const struct source *s)
{
	unsigned int nr = 0;

	for (size_t i = 0; i < s->nr; i++) {
		const struct result_run *r = &s->runs[i];

		if (r->ok)
			continue;
		if (!nr++)
			fputs("\n## Failed runs\n\nThese are not in the "
			      "figures above.\n\n", s->f);
		fprintf(s->f, "- %s, %s, repetition %u: %s (logs/run-%03zu-*)\n",
			s->plan->policies[r->policy].name,
			s->plan->limits[r->limit].text, r->repetition + 1,
			r->why, i + 1);
	}
}

/* A policy that used more than the limit had an advantage: reports it. */
static void put_excesses(const struct source *s)
{
	unsigned int nr = 0;

	for (unsigned int l = 0; l < s->plan->nr_limits; l++) {
		for (unsigned int p = 0; p < s->plan->nr_policies; p++) {
			double limit = s->plan->limits[l].bytes / MIB;
			struct result_spread m =
				result_of(s->runs, s->nr, p, l, memory);

			if (s->plan->policies[p].kind == PLAN_NONE || !m.nr ||
			    m.median <= limit * REPORT_TOLERANCE)
				continue;
			if (!nr++)
				fputs("\n## Exceeded limits\n\nMore than 5 % "
				      "over the limit, in the median:\n\n",
				      s->f);
			fprintf(s->f, "- %s, %s: %.0f MiB of %.0f\n",
				s->plan->policies[p].name,
				s->plan->limits[l].text, m.median, limit);
		}
	}
}

static void put_host(const struct source *s, const char *cgroup)
{
	json_t *facts = host_facts(), *value;
	const char *name;

	fputs("\n## Host\n\n", s->f);
	json_object_foreach(facts, name, value) {
		if (json_is_string(value))
			fprintf(s->f, "- %s: %s\n", name,
				json_string_value(value));
		else
			fprintf(s->f, "- %s: %lld\n", name,
				(long long)json_integer_value(value));
	}
	fprintf(s->f, "- memory cgroup: %s\n", cgroup);
	json_decref(facts);
}

static void put_intro(const struct source *s)
{
	const struct plan *plan = s->plan;
	char bytes[32];

	fprintf(s->f, "# %s\n\n%s%s", plan->name, plan->about ? plan->about :
		"", plan->about ? "\n\n" : "");
	fprintf(s->f, "%u guest%s with %s in all. %llu repetitions: in each, "
		"all policies run once, and each repetition starts with "
		"another policy. %llu s are measured after %llu s of "
		"warm-up.%s\n",
		plan->nr_guests, plan->nr_guests > 1 ? "s" : "",
		size_format(plan->mem_bytes, bytes, sizeof(bytes)),
		(unsigned long long)plan->repetitions,
		(unsigned long long)plan->seconds,
		(unsigned long long)plan->warmup_s, plan->quick ?
		" This is the quick version, too short for conclusions." : "");
	for (unsigned int g = 0; g < plan->nr_guests; g++)
		if (!g || strcmp(plan->guests[g].words,
				 plan->guests[g - 1].words))
			fprintf(s->f, "\nGuest %u: `%s`, %llu CPUs, %s.\n", g,
				plan->guests[g].words,
				(unsigned long long)plan->guests[g].cpus,
				size_format(plan->guests[g].mem_bytes, bytes,
					    sizeof(bytes)));
	fputs("\nFigures are medians, with the minimum and maximum of the good "
	      "runs; a ratio compares runs of the same repetition. A "
	      "difference smaller than the spread is not significant. Memory "
	      "is all that is charged to the guests' processes. CPUs is the "
	      "CPU time per second of these processes, including reclaim by "
	      "vmm and by the kernel: if a busy host gives one run more CPU "
	      "time than another, operations per CPU second remain comparable. "
	      "Latencies are those of single operations in the guest, of the "
	      "worst guest. Load is the host's load average at the start of a "
	      "run: other load disturbs the measurement.\n", s->f);
}

int report_write(const char *dir, const struct plan *plan,
		 const struct result_run *runs, size_t nr, const char *cgroup)
{
	struct source s = { .plan = plan, .runs = runs, .nr = nr };
	char path[4096];
	int rc, lost;
	FILE *f;

	snprintf(path, sizeof(path), "%s/report.md", dir);
	f = fopen(path, "we");
	if (!f)
		return -errno;
	s.f = f;
	put_intro(&s);
	for (unsigned int l = 0; l < plan->nr_limits; l++)
		put_limit(&s, l);
	put_excesses(&s);
	put_failures(&s);
	fputs("\n## Charts\n\n", f);
	rc = report_charts(f, dir, plan, runs, nr);
	put_host(&s, cgroup);
	lost = file_close(f);
	return rc ? rc : lost;
}
