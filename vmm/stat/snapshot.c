// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/stat/snapshot.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/cleanup.h"

enum kind { U64, U32, BOOL, DOUBLE };
enum metric { GAUGE, COUNTER };

/* The table's columns; scale turns the value into the metric's base unit. */
struct field {
	const char *section, *name;
	enum kind kind;
	size_t offset;
	enum metric metric;
	const char *metric_name;	/* NULL: JSON only */
	double scale;
	const char *help;
};

#define F(section, name, kind, member, metric, mname, scale, help)             \
	{ section, name, kind, offsetof(struct stat_snapshot, member), metric, \
	  mname, scale, help }
#define PAGE 4096.0
#define NS   1e-9

static const struct field fields[] = {
	F("memory", "bytes", U64, mem_bytes, GAUGE,
	  "vmm_memory_bytes", 1, "Guest memory"),
	F("memory", "resident_bytes", U64, resident_bytes, GAUGE,
	  "vmm_memory_resident_bytes", 1, "Guest memory in host RAM"),
	F("memory", "swapped_bytes", U64, swapped_bytes, GAUGE,
	  "vmm_memory_swapped_bytes", 1, "Guest memory in host swap"),
	F("memory", "discarded_bytes", U64, discarded_bytes, COUNTER,
	  "vmm_memory_discarded_bytes", 1,
	  "Guest memory given back by balloon and free page reporting"),

	F("engine", "nr_scans", U64, engine.nr_scans, COUNTER,
	  "vmm_scans", 1, "Scans of the accessed bits"),
	F("engine", "nr_scan_errors", U64, engine.nr_scan_errors, COUNTER,
	  "vmm_scan_errors", 1, "Scans that failed"),
	F("engine", "last_scan_ns", U64, engine.last_scan_ns, GAUGE,
	  "vmm_last_scan_seconds", NS, "Duration of the last scan"),
	F("engine", "scan_cpu_ns", U64, engine.scan_cpu_ns_total, COUNTER,
	  "vmm_scan_cpu_seconds", NS, "CPU time used by scans"),
	F("engine", "nr_young", U64, engine.nr_young, GAUGE,
	  "vmm_young_bytes", PAGE, "Memory accessed in the last window"),
	F("engine", "nr_active", U64, engine.nr_active, GAUGE,
	  "vmm_active_bytes", PAGE, "Memory on the active list"),
	F("engine", "nr_inactive", U64, engine.nr_inactive, GAUGE,
	  "vmm_inactive_bytes", PAGE, "Memory on the inactive list"),
	F("engine", "nr_unevictable", U64, engine.nr_unevictable, GAUGE,
	  "vmm_unevictable_bytes", PAGE, "Memory that may not be evicted"),
	F("engine", "nr_evicted", U64, engine.nr_evicted, COUNTER,
	  "vmm_evicted_pages", 1, "Pages evicted"),
	F("engine", "nr_refaults", U64, engine.nr_refaults, COUNTER,
	  "vmm_refaults", 1, "Evicted pages that the guest touched again"),
	F("engine", "nr_saved_by_last_look", U64,
	  engine.nr_saved_by_last_look, COUNTER, "vmm_saved_by_last_look", 1,
	  "Pages found accessed just before their eviction"),
	F("engine", "nr_rejected_referenced", U64,
	  engine.nr_rejected_referenced, COUNTER, "vmm_rejected_referenced", 1,
	  "Eviction candidates kept because a mapping had used them"),
	F("engine", "nr_kept", U64, engine.nr_kept, COUNTER,
	  "vmm_kept_pages", 1, "Pages the sink could not take"),

	F("engine", "nr_huge_evicted", U64, engine.nr_huge_evicted, COUNTER,
	  "vmm_huge_evicted_pages", 1, "Huge pages evicted whole"),
	F("engine", "nr_huge_split", U64, engine.nr_huge_split, COUNTER,
	  "vmm_huge_split_pages", 1,
	  "Huge pages split to evict half of them or more"),
	F("engine", "nr_huge_kept", U64, engine.nr_huge_kept, COUNTER,
	  "vmm_huge_kept", 1,
	  "Times that a huge page stayed whole as less than half was idle"),
	F("engine", "nr_over_target", U64, engine.nr_over_target, GAUGE,
	  "vmm_over_target_bytes", PAGE,
	  "Memory over the target that is not idle for long enough"),
	F("engine", "period_ns", U64, engine.period_ns, GAUGE,
	  "vmm_period_seconds", NS, "Time between scans, as the quota allows"),

	F("engine", "nr_prefetched", U64, engine.nr_prefetched, COUNTER,
	  "vmm_prefetched_pages", 1,
	  "Pages asked back before the guest used them"),
	F("engine", "nr_prefetch_hits", U64, engine.nr_prefetch_hits, COUNTER,
	  "vmm_prefetch_hit_pages", 1, "Of these, pages that it then used"),
	F("engine", "nr_promoted", U64, engine.nr_promoted, COUNTER,
	  "vmm_promoted_pages", 1,
	  "Pages used on the slow node and moved back from there"),

	F("wss", "pages", U64, wss.pages, GAUGE,
	  "vmm_wss_bytes", PAGE,
	  "Working set: memory used in the 60 s before the last scan"),
	F("wss", "low_pages", U64, wss.low, GAUGE,
	  "vmm_wss_low_bytes", PAGE, "Working set, at least"),
	F("wss", "high_pages", U64, wss.high, GAUGE,
	  "vmm_wss_high_bytes", PAGE, "Working set, at most"),

	F("policy", "enabled", BOOL, policy.enabled, GAUGE,
	  "vmm_policy_enabled", 1, "Whether pages are evicted"),
	F("policy", "target_bytes", U64, policy.target_bytes, GAUGE,
	  "vmm_policy_target_bytes", 1, "Resident memory to reach, 0: none"),
	F("policy", "scan_period_ms", U32, policy.scan_period_ms, GAUGE,
	  "vmm_policy_scan_period_seconds", 1e-3, "Time between scans"),
	F("policy", "min_idle_scans", U32, policy.min_idle_scans, GAUGE,
	  "vmm_policy_min_idle_scans", 1, "Idle scans before eviction"),
	F("policy", "cpu_percent", U32, policy.cpu_percent, GAUGE,
	  "vmm_policy_cpu_ratio", 0.01, "CPU quota of the engine"),

	F("policy", "prefetch_pages", U32, policy.prefetch_pages, GAUGE,
	  "vmm_policy_prefetch_bytes", PAGE,
	  "Memory to be asked back ahead of use in a scan, at most"),

	F("agent", "connected", BOOL, agent.agent_connected, GAUGE,
	  "vmm_agent_connected", 1, "Whether the guest agent is connected"),
	F("agent", "epoch", U64, agent.epoch, COUNTER,
	  "vmm_agent_epochs", 1, "Complete pictures the agent sent"),
	F("agent", "nr_messages", U64, agent.nr_messages, COUNTER,
	  "vmm_agent_messages", 1, "Messages of the agent"),
	F("agent", "nr_bytes", U64, agent.nr_bytes, COUNTER,
	  "vmm_agent_bytes", 1, "Bytes from the agent"),
	F("agent", "nr_rejected", U64, agent.nr_rejected, COUNTER,
	  "vmm_agent_rejected", 1, "Messages the decoder refused"),
	F("agent", "nr_connections", U64, agent.nr_connections, COUNTER,
	  "vmm_agent_connections", 1, "Connections of the agent"),

	F("guest", "mem_total", U64, agent.guest.mem_total, GAUGE,
	  "vmm_guest_memory_total_bytes", 1, "MemTotal in the guest"),
	F("guest", "mem_free", U64, agent.guest.mem_free, GAUGE,
	  "vmm_guest_memory_free_bytes", 1, "MemFree in the guest"),
	F("guest", "mem_available", U64, agent.guest.mem_available, GAUGE,
	  "vmm_guest_memory_available_bytes", 1, "MemAvailable in the guest"),
	F("guest", "cached", U64, agent.guest.cached, GAUGE,
	  "vmm_guest_memory_cached_bytes", 1, "Cached in the guest"),
	F("guest", "dirty", U64, agent.guest.dirty, GAUGE,
	  "vmm_guest_memory_dirty_bytes", 1, "Dirty in the guest"),
	F("guest", "psi_some_avg10", DOUBLE, agent.guest.psi_some_avg10, GAUGE,
	  "vmm_guest_psi_memory_some_ratio", 0.01,
	  "Memory pressure in the guest: some task stalled, 10 s average"),
	F("guest", "psi_full_avg10", DOUBLE, agent.guest.psi_full_avg10, GAUGE,
	  "vmm_guest_psi_memory_full_ratio", 0.01,
	  "Memory pressure in the guest: all tasks stalled, 10 s average"),

	F("rmap", "nr_mms", U64, rmap.nr_mms, GAUGE,
	  "vmm_rmap_mms", 1, "Address spaces in the reverse map"),
	F("rmap", "nr_vmas", U64, rmap.nr_vmas, GAUGE,
	  "vmm_rmap_vmas", 1, "Regions in the reverse map"),
	F("rmap", "nr_mappings", U64, rmap.nr_mappings, GAUGE,
	  "vmm_rmap_mappings", 1, "Page mappings in the reverse map"),
	F("rmap", "nr_anon_vmas", U64, rmap.nr_anon_vmas, GAUGE,
	  "vmm_rmap_anon_vmas", 1, "Anonymous memory objects"),
	F("rmap", "nr_files", U64, rmap.nr_files, GAUGE,
	  "vmm_rmap_files", 1, "Mapped files"),
	F("rmap", "bytes_frames", U64, rmap.bytes_frames, GAUGE,
	  "vmm_rmap_frame_bytes", 1, "Memory of the per-frame records"),
	F("rmap", "bytes_other", U64, rmap.bytes_other, GAUGE,
	  "vmm_rmap_object_bytes", 1, "Memory of regions and objects"),

	F("store", "nr_pages", U64, sink.store.nr_pages, GAUGE,
	  "vmm_store_original_bytes", PAGE, "Guest memory in the store"),
	F("store", "nr_same", U64, sink.store.nr_same, GAUGE,
	  "vmm_store_same_filled_bytes", PAGE,
	  "Of this, pages of one repeated word, which need no room"),
	F("store", "nr_mem", U64, sink.store.nr_mem, GAUGE, NULL, 1,
	  "Pages compressed in memory"),
	F("store", "mem_used_bytes", U64, sink.store.mem_used_bytes, GAUGE,
	  NULL, 1, "Slots of these"),
	F("store", "mem_bytes", U64, sink.store.mem_block_bytes, GAUGE,
	  "vmm_store_memory_bytes", 1, "Memory that the store takes"),
	F("store", "nr_far", U64, sink.store.nr_far, GAUGE, NULL, 1,
	  "Pages on the device"),
	F("store", "far_live_bytes", U64, sink.store.far_live_bytes, GAUGE,
	  NULL, 1, "Bytes of these"),
	F("store", "far_used_bytes", U64, sink.store.far_used_bytes, GAUGE,
	  "vmm_store_device_bytes", 1, "Room that the store takes on its device"),
	F("store", "nr_puts", U64, sink.store.nr_puts, COUNTER,
	  "vmm_store_puts", 1, "Pages put in the store"),
	F("store", "nr_demoted", U64, sink.store.nr_demoted, COUNTER,
	  "vmm_store_demoted_pages", 1, "Pages moved from memory to the device"),
	F("store", "nr_cleaned", U64, sink.store.nr_cleaned, COUNTER,
	  "vmm_store_cleaned_pages", 1,
	  "Pages moved on the device to make room"),
	F("store", "nr_full", U64, sink.store.nr_full, COUNTER,
	  "vmm_store_full", 1, "Pages refused because all tiers were full"),
	F("store", "nr_write_errors", U64, sink.store.nr_write_errors, COUNTER,
	  "vmm_store_write_errors", 1, "Writes that the device failed"),
	F("store", "nr_read_errors", U64, sink.store.nr_read_errors, COUNTER,
	  "vmm_store_read_errors", 1, "Reads that the device failed"),
	F("store", "nr_damaged", U64, sink.store.nr_damaged, COUNTER,
	  "vmm_store_damaged", 1, "Reads whose checksum was wrong"),
	F("store", "nr_faults", U64, sink.nr_faults, COUNTER,
	  "vmm_store_faults", 1, "Pages brought back on a touch"),
	F("store", "fault_ns", U64, sink.fault_ns_total, COUNTER,
	  "vmm_store_fault_seconds", NS, "Time spent bringing them back"),
	F("store", "fault_read_ns", U64, sink.fault_read_ns_total, COUNTER,
	  "vmm_store_fault_read_seconds", NS,
	  "Of this, reading and decompressing"),
	F("store", "fault_copy_ns", U64, sink.fault_copy_ns_total, COUNTER,
	  "vmm_store_fault_copy_seconds", NS,
	  "Of this, putting them in place and waking who waits"),
	F("store", "fault_p50_ns", U64, fault_p50_ns, GAUGE,
	  "vmm_store_fault_p50_seconds", NS,
	  "Half of the pages were brought back within this time"),
	F("store", "fault_p99_ns", U64, fault_p99_ns, GAUGE,
	  "vmm_store_fault_p99_seconds", NS,
	  "99 of 100 pages were brought back within this time"),
	F("store", "nr_zero_faults", U64, sink.nr_zero_faults, COUNTER,
	  "vmm_store_zero_faults", 1,
	  "First touches of pages next to evicted ones"),
	F("store", "nr_cancelled", U64, sink.nr_cancelled, COUNTER,
	  "vmm_store_cancelled", 1,
	  "Evictions given up because the guest wrote meanwhile"),
	F("store", "nr_waiting", U64, sink.nr_waiting, GAUGE,
	  "vmm_store_waiting_pages", 1,
	  "Pages somebody waits for that can't be read now"),
	F("store", "nr_poisoned", U64, sink.nr_poisoned, COUNTER,
	  "vmm_store_poisoned_pages", 1,
	  "Damaged pages told to the guest as memory errors"),

	F("vm", "nr_exits", U64, vm.nr_exits, COUNTER,
	  "vmm_exits", 1, "Exits of vCPUs to user space"),
	F("vm", "nr_io_exits", U64, vm.nr_io_exits, COUNTER,
	  "vmm_io_exits", 1, "Port I/O exits"),
	F("vm", "nr_mmio_exits", U64, vm.nr_mmio_exits, COUNTER,
	  "vmm_mmio_exits", 1, "MMIO exits"),

	F("balloon", "target_bytes", U64, balloon.target_bytes, GAUGE,
	  "vmm_balloon_target_bytes", 1, "Memory asked from the balloon"),
	F("balloon", "actual_bytes", U64, balloon.actual_bytes, GAUGE,
	  "vmm_balloon_actual_bytes", 1, "Memory the balloon holds"),
	F("balloon", "nr_reported", U64, balloon.nr_reported, COUNTER,
	  "vmm_balloon_reported_pages", 1, "Pages reported free by the guest"),
};

#define NR_FIELDS (sizeof(fields) / sizeof(fields[0]))

/* Without an engine nobody keeps count: ask the host now. */
static void count_resident(const struct guest_mem *mem,
			   struct stat_snapshot *snap)
{
	uint64_t nr = guest_mem_nr_frames(mem);
	__cleanup_free uint64_t *resident = bitmap_new(nr);
	__cleanup_free uint64_t *swapped = bitmap_new(nr);
	struct gfn_range all = { GFN(0), nr };

	if (!resident || !swapped ||
	    guest_mem_residency(mem, all, resident, swapped))
		return;
	snap->resident_bytes = bitmap_count(resident, 0, nr) * VMM_PAGE_SIZE;
	snap->swapped_bytes = bitmap_count(swapped, 0, nr) * VMM_PAGE_SIZE;
}

void stat_snapshot_take(const struct stat_server_config *c,
			struct stat_snapshot *snap)
{
	memset(snap, 0, sizeof(*snap));
	snap->mem_bytes = guest_mem_nr_pages(c->mem) * VMM_PAGE_SIZE;
	snap->discarded_bytes = guest_mem_nr_discarded(c->mem) * VMM_PAGE_SIZE;
	if (c->engine) {
		engine_get_stats(c->engine, &snap->engine);
		engine_get_policy(c->engine, &snap->policy);
		/* All is 0 before the first scan, as in the rest. */
		engine_get_wss(c->engine, WSS_DEFAULT_WINDOW_NS, &snap->wss);
		snap->resident_bytes = snap->engine.nr_resident * VMM_PAGE_SIZE;
		snap->swapped_bytes = snap->engine.nr_swapped * VMM_PAGE_SIZE;
	} else {
		count_resident(c->mem, snap);
	}
	if (c->view) {
		view_get_stats(c->view, &snap->agent);
		view_rdlock(c->view);
		rmap_get_stats(view_map(c->view), &snap->rmap);
		view_unlock(c->view);
	}
	if (c->sink && c->sink->ops->get_stats)
		c->sink->ops->get_stats(c->sink, &snap->sink);
	snap->fault_p50_ns = histogram_quantile(snap->sink.fault_times, 50);
	snap->fault_p99_ns = histogram_quantile(snap->sink.fault_times, 99);
	if (c->vm)
		vm_get_stats(c->vm, &snap->vm);
	if (c->balloon)
		virtio_balloon_get_stats(c->balloon, &snap->balloon);
}

static json_t *field_json(const struct field *f, const void *snap)
{
	const char *p = (const char *)snap + f->offset;

	switch (f->kind) {
	case U64:
		return json_integer(*(const uint64_t *)p);
	case U32:
		return json_integer(*(const unsigned int *)p);
	case BOOL:
		return json_boolean(*(const bool *)p);
	case DOUBLE:
		return json_real(*(const double *)p);
	}
	return NULL;
}

static double field_metric(const struct field *f, const void *snap)
{
	const char *p = (const char *)snap + f->offset;

	switch (f->kind) {
	case U64:
		return f->scale * *(const uint64_t *)p;
	case U32:
		return f->scale * *(const unsigned int *)p;
	case BOOL:
		return *(const bool *)p;
	case DOUBLE:
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

/* [i]: faults that took less than 2^(i+1) ns, and no less than half of it. */
static json_t *fault_times_json(const struct reclaim_sink_stats *s)
{
	json_t *a = json_array();

	for (unsigned int i = 0;
	     i < sizeof(s->fault_log2_ns) / sizeof(s->fault_log2_ns[0]); i++)
		json_array_append_new(a, json_integer(s->fault_log2_ns[i]));
	return a;
}

json_t *stat_snapshot_json(const struct stat_server_config *c,
			   const struct stat_snapshot *snap)
{
	json_t *root = json_pack("{s:s, s:i}", "name", c->name, "pid",
				 (int)guest_mem_pid(c->mem));
	json_t *section;

	if (!root)
		return NULL;
	for (size_t i = 0; i < NR_FIELDS; i++) {
		section = json_object_get(root, fields[i].section);
		if (!section) {
			section = json_object();
			json_object_set_new(root, fields[i].section, section);
		}
		json_object_set_new(section, fields[i].name,
				    field_json(&fields[i], snap));
	}
	section = json_object_get(root, "store");
	json_object_set_new(section, "faults_by_log2_ns",
			    fault_times_json(&snap->sink));
	section = json_object_get(root, "engine");
	json_object_set_new(section, "source", json_string(snap->engine.source));
	json_object_set_new(section, "sink", json_string(snap->engine.sink));
	json_object_set_new(section, "source_granule_pages",
			    json_integer(snap->engine.source_granule_pages));
	json_object_set_new(section, "last_error",
			    json_string(snap->engine.last_error));
	json_object_set_new(section, "pages_by_idle_scans",
			    ages_json(snap->engine.age_pages));
	json_object_set_new(section, "blocks_2m_by_idle_scans",
			    ages_json(snap->engine.age_2m));
	return root;
}

/* A label value: the name of a VM can hold quotes and backslashes. */
static void put_escaped(FILE *f, const char *s)
{
	for (; *s; s++) {
		if (*s == '\n') {
			fputs("\\n", f);
			continue;
		}
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		fputc(*s, f);
	}
}

static void put_sample(FILE *f, const char *name, const char *suffix,
		       const char *vm, double value)
{
	fprintf(f, "%s%s{vm=\"", name, suffix);
	put_escaped(f, vm);
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
	for (size_t i = 0; i < NR_FIELDS; i++) {
		const struct field *d = &fields[i];
		bool counter = d->metric == COUNTER;

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
