// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/experiment/host-facts.h"
#include "vmm/experiment/result.h"
#include "vmm/util/json-text.h"
#include "vmm/util/small-file.h"

static const char head[] =
	"policy,limit,repetition,guest,t_s,memory_bytes,swap_bytes,"
	"brought_back_pages,evicted_pages,refaults,scan_cpu_s,balloon_bytes,cpu_s,"
	"ops_per_s,p50_ns,p90_ns,p99_ns,p999_ns,p9999_ns,max_ns\n";

/*
 * Rows of samples, on the host, have no guest, and end before ops_per_s; rows
 * of guests' intervals have only the columns from there on.
 */
int result_write_csv(const char *dir, const struct plan *plan,
		     const struct result_run *run, bool first)
{
	char path[4096], what[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/samples.csv", dir);
	f = fopen(path, first ? "we" : "ae");
	if (!f)
		return -errno;
	if (first)
		fputs(head, f);
	snprintf(what, sizeof(what), "%s,%s,%u",
		 plan->policies[run->policy].name,
		 plan->limits[run->limit].text, run->repetition);
	for (size_t i = 0; i < run->nr_samples; i++) {
		const struct result_sample *s = &run->samples[i];

		fprintf(f, "%s,,%.3f,%.0f,%.0f,%.0f,%.0f,%.0f,%.3f,%.0f,%.3f,,,,,,,\n",
			what, s->t_s, s->memory_bytes, s->swap_bytes,
			s->brought_back, s->evicted, s->refaults,
			s->scan_cpu_s, s->balloon_bytes, s->cpu_s);
	}
	for (size_t i = 0; i < run->nr_intervals; i++) {
		const struct result_interval *v = &run->intervals[i];

		fprintf(f, "%s,%u,%.3f,,,,,,,,,%.0f", what, v->guest, v->t_s,
			v->ops_per_s);
		for (int k = 0; k < RESULT_NR_LATENCIES; k++)
			fprintf(f, ",%.0f", v->latency_ns[k]);
		fputc('\n', f);
	}
	return file_close(f);
}

static json_t *latencies_json(const double *ns)
{
	json_t *j = json_object();

	for (int i = 0; i < RESULT_NR_LATENCIES; i++)
		json_object_set_new(j, result_latency_keys[i],
				    json_real(ns[i]));
	return j;
}

static json_t *guest_json(const struct result_guest *g)
{
	return json_pack("{s:f, s:o, s:I, s:I, s:f}", "ops_per_s", g->ops_per_s,
			 "latency", latencies_json(g->latency_ns),
			 "errors", (json_int_t)g->errors,
			 "pages_checked", (json_int_t)g->pages_checked,
			 "cpu_s", g->cpu_s);
}

static json_t *run_json(const struct plan *plan, const struct result_run *run)
{
	json_t *guests = json_array();

	for (unsigned int g = 0; g < plan->nr_guests; g++)
		json_array_append_new(guests, guest_json(&run->guests[g]));
	return json_pack(
		"{s:s, s:s, s:I, s:i, s:b, s:s, s:f, s:o, s:f, s:f, s:f, s:f, "
		"s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:o}",
		"policy", plan->policies[run->policy].name,
		"limit", plan->limits[run->limit].text,
		"limit_bytes", (json_int_t)plan->limits[run->limit].bytes,
		"repetition", (int)run->repetition,
		"ok", (int)run->ok, "why", run->why,
		"ops_per_s", run->ops_per_s,
		"latency", latencies_json(run->latency_ns),
		"memory_bytes", run->memory_bytes,
		"memory_max_bytes", run->memory_max_bytes,
		"swap_bytes", run->swap_bytes,
		"brought_back_per_s", run->brought_back_per_s,
		"evicted", run->evicted, "refaults", run->refaults,
		"scan_cpu_s", run->scan_cpu_s, "cpu_s", run->cpu_s,
		"cpus", run->cpus, "ops_per_cpu_s", run->ops_per_cpu_s,
		"load", run->load, "errors", (json_int_t)run->errors,
		"pages_checked", (json_int_t)run->pages_checked,
		"guests", guests);
}

int result_write_json(const char *dir, const struct plan *plan,
		      const struct result_run *runs, size_t nr,
		      const char *cgroup)
{
	json_t *array = json_array(), *root;
	char path[4096];
	int rc;

	for (size_t i = 0; i < nr; i++)
		json_array_append_new(array, run_json(plan, &runs[i]));
	root = json_pack("{s:O, s:b, s:I, s:I, s:I, s:o, s:o, s:o}",
			 "experiment", plan->root, "quick", (int)plan->quick,
			 "seconds", (json_int_t)plan->seconds,
			 "warmup_s", (json_int_t)plan->warmup_s,
			 "mem_bytes", (json_int_t)plan->mem_bytes,
			 "cgroup", json_text_new(cgroup), "host", host_facts(),
			 "runs", array);
	snprintf(path, sizeof(path), "%s/runs.json", dir);
	rc = !root || json_dump_file(root, path, JSON_INDENT(1) |
				     JSON_REAL_PRECISION(9)) ? -EIO : 0;
	json_decref(root);
	return rc;
}
