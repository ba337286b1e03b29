// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/control/fields.h"
#include "vmm/control/resident-count.h"
#include "vmm/control/stat-snapshot.h"
#include "vmm/util/clock.h"
#include "vmm/util/json-text.h"
#include "vmm/util/printable.h"

/* snap->engine is already filled. */
static void take_memory(const struct stat_server_config *c,
			struct stat_snapshot *snap)
{
	struct resident_figure figure = {
		.nr_resident = snap->engine.memory.nr_resident,
		.nr_swapped = snap->engine.memory.nr_swapped,
	};

	if (!c->engine && c->resident)
		resident_count_get(c->resident, RESIDENT_WAIT_NS, &figure);
	snap->memory = (struct stat_memory_counters){
		.bytes = guest_mem_nr_pages(c->mem) * VMM_PAGE_SIZE,
		.discarded_bytes = guest_mem_nr_discarded(c->mem) *
				   VMM_PAGE_SIZE,
		.resident_bytes = figure.nr_resident * VMM_PAGE_SIZE,
		.swapped_bytes = figure.nr_swapped * VMM_PAGE_SIZE,
	};
}

static void take_engine(struct engine *engine, struct stat_snapshot *snap)
{
	engine_get_stats(engine, &snap->engine);
	engine_get_policy(engine, &snap->policy);
	/* It fails before the first scan: then all stays 0. */
	engine_get_wss(engine, WSS_DEFAULT_WINDOW_NS, &snap->wss);
}

static void take_view(struct view *view, struct stat_snapshot *snap)
{
	view_get_stats(view, &snap->agent);
	view_rdlock(view);
	rmap_get_stats(view_map(view), &snap->rmap);
	view_unlock(view);
}

static void take_sink(struct reclaim_sink *sink, struct stat_snapshot *snap)
{
	if (sink->ops->get_stats)
		sink->ops->get_stats(sink, &snap->sink);
	snap->device_stalled = snap->sink.store.device_state == DEVICE_STALLED;
	snap->device_failed = snap->sink.store.device_state == DEVICE_FAILED;
	snap->fault_p50_ns = histogram_quantile(snap->sink.fault_times, 50);
	snap->fault_p99_ns = histogram_quantile(snap->sink.fault_times, 99);
}

void stat_snapshot_take(const struct stat_server_config *c,
			struct stat_snapshot *snap)
{
	memset(snap, 0, sizeof(*snap));
	if (c->engine)
		take_engine(c->engine, snap);
	take_memory(c, snap);
	if (c->view)
		take_view(c->view, snap);
	if (c->sink)
		take_sink(c->sink, snap);
	if (c->vm.ops)
		c->vm.ops->get_counters(c->vm.vm, &snap->vm);
	if (c->balloon.ops)
		c->balloon.ops->get_counters(c->balloon.balloon,
					     &snap->balloon);
}

static json_t *field_json(const struct field *f, const void *snap)
{
	const char *p = (const char *)snap + f->offset;

	switch (f->kind) {
	case FIELD_U64:
		return json_integer(*(const uint64_t *)p);
	case FIELD_U32:
		return json_integer(*(const unsigned int *)p);
	case FIELD_BOOL:
		return json_boolean(*(const bool *)p);
	case FIELD_DOUBLE:
		return json_real(*(const double *)p);
	}
	return NULL;
}

static double field_metric(const struct field *f, const void *snap)
{
	const char *p = (const char *)snap + f->offset;

	switch (f->kind) {
	case FIELD_U64:
		return f->scale * *(const uint64_t *)p;
	case FIELD_U32:
		return f->scale * *(const unsigned int *)p;
	case FIELD_BOOL:
		return *(const bool *)p;
	case FIELD_DOUBLE:
		return f->scale * *(const double *)p;
	}
	return 0;
}

/* Idle ages beyond the last non-empty one are left out. */
static json_t *ages_json(const uint64_t *ages)
{
	json_t *a = json_array();
	unsigned int n = ENGINE_AGES;

	while (n && !ages[n - 1])
		n--;
	for (unsigned int i = 0; i < n; i++)
		json_array_append_new(a, json_integer(ages[i]));
	return a;
}

/* [i]: the number of faults that took from 2^i to below 2^(i+1) ns. */
static json_t *fault_times_json(const struct reclaim_sink_stats *s)
{
	json_t *a = json_array();

	for (unsigned int i = 0;
	     i < sizeof(s->fault_log2_ns) / sizeof(s->fault_log2_ns[0]); i++)
		json_array_append_new(a, json_integer(s->fault_log2_ns[i]));
	return a;
}

/* How long ago an error was, in ns; 0: there was none. */
static json_t *age_json(uint64_t when_ns)
{
	return json_integer(when_ns ? clock_now_ns() - when_ns : 0);
}

/* The last errors, of pages and of the device that stores them. */
static void add_errors(json_t *section, const struct reclaim_sink_stats *sink)
{
	const struct store_stats *s = &sink->store;
	static const char *const states[] = {
		[DEVICE_NONE] = "none", [DEVICE_OK] = "ok",
		[DEVICE_STALLED] = "stalled", [DEVICE_FAILED] = "failed",
	};

	json_object_set_new(section, "last_error",
			    json_text_new(sink->last_error));
	json_object_set_new(section, "last_error_age_ns",
			    age_json(sink->last_error_ns));
	json_object_set_new(section, "device",
			    json_string(states[s->device_state]));
	json_object_set_new(section, "device_error",
			    json_text_new(s->last_error));
	json_object_set_new(section, "device_error_age_ns",
			    age_json(s->last_error_ns));
}

static json_t *nodes_json(const struct stat_snapshot *snap)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < snap->engine.memory.nr_nodes; i++)
		json_array_append_new(
			a,
			json_pack(
				"{s:I, s:I, s:I}", "resident_bytes",
				(json_int_t)(snap->engine.memory.nodes[i]
						     .nr_resident
					     << VMM_PAGE_SHIFT),
				"swapped_bytes",
				(json_int_t)(snap->engine.memory.nodes[i]
						     .nr_swapped
					     << VMM_PAGE_SHIFT),
				"target_bytes",
				(json_int_t)snap->policy.node_target_bytes[i]));
	return a;
}

json_t *stat_snapshot_json(const struct stat_server_config *c,
			   const struct stat_snapshot *snap)
{
	json_t *root = json_pack("{s:o, s:i}", "name",
				 json_text_new(c->name), "pid",
				 (int)guest_mem_pid(c->mem));
	json_t *section;

	if (!root)
		return NULL;
	for (size_t i = 0; i < stat_nr_fields; i++) {
		section = json_object_get(root, stat_fields[i].section);
		if (!section) {
			section = json_object();
			json_object_set_new(root, stat_fields[i].section, section);
		}
		json_object_set_new(section, stat_fields[i].name,
				    field_json(&stat_fields[i], snap));
	}
	section = json_object_get(root, "store");
	json_object_set_new(section, "faults_by_log2_ns",
			    fault_times_json(&snap->sink));
	add_errors(section, &snap->sink);
	section = json_object_get(root, "evictor");
	json_object_set_new(section, "pid",
			    json_integer(snap->sink.evictor.pid));
	json_object_set_new(section, "last_error",
			    json_string(snap->sink.evictor.last_error));
	json_object_set_new(section, "last_error_age_ns",
			    age_json(snap->sink.evictor.last_error_ns));
	section = json_object_get(root, "engine");
	json_object_set_new(section, "source", json_string(snap->engine.source));
	json_object_set_new(section, "sink", json_string(snap->engine.sink));
	json_object_set_new(section, "source_granule_pages",
			    json_integer(snap->engine.source_granule_pages));
	json_object_set_new(section, "last_error",
			    json_text_new(snap->engine.scan.last_error));
	json_object_set_new(section, "pages_by_idle_scans",
			    ages_json(snap->engine.memory.age_pages));
	json_object_set_new(section, "blocks_2m_by_idle_scans",
			    ages_json(snap->engine.memory.age_2m));
	if (snap->engine.memory.nr_nodes)
		json_object_set_new(root, "nodes", nodes_json(snap));
	return root;
}

static void put_sample(FILE *f, const char *name, const char *suffix,
		       const char *vm, double value)
{
	fprintf(f, "%s%s{vm=\"", name, suffix);
	printable_put_label(f, vm);
	fprintf(f, "\"} %.17g\n", value);
}

char *stat_snapshot_metrics(const struct stat_server_config *c,
			    const struct stat_snapshot *snap)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	for (size_t i = 0; i < stat_nr_fields; i++) {
		const struct field *d = &stat_fields[i];
		bool counter = d->metric == FIELD_COUNTER;

		if (!d->metric_name)
			continue;
		fprintf(f, "# TYPE %s %s\n# HELP %s %s.\n", d->metric_name,
			counter ? "counter" : "gauge", d->metric_name, d->help);
		put_sample(f, d->metric_name, counter ? "_total" : "", c->name,
			   field_metric(d, snap));
	}
	fputs("# EOF\n", f);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}
