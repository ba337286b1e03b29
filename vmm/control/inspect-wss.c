// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The working set of the guest, as the engine counts it, and of processes and
 * their regions, by the ages of the frames that they map: a frame that several
 * processes map counts for each of them, whichever of them used it.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm/control/inspect.h"
#include "vmm/control/process-pages.h"
#include "vmm/util/clock.h"

struct used {
	uint64_t nr, low, high;	/* pages: the estimate and its bounds */
};

static json_int_t bytes(uint64_t nr_pages)
{
	return nr_pages * VMM_PAGE_SIZE;
}

static void put_used(json_t *o, const struct used *u)
{
	json_object_set_new(o, "wss_bytes", json_integer(bytes(u->nr)));
	json_object_set_new(o, "low_bytes", json_integer(bytes(u->low)));
	json_object_set_new(o, "high_bytes", json_integer(bytes(u->high)));
}

/* What one request uses, and the counts of the current region. */
struct counter {
	const struct stat_server_config *config;
	const struct wss_window *window;
	struct host_pages *host;
	struct used region, total;
	struct engine_use *uses;	/* owned; for the last batch */
	size_t max_uses;
	bool no_memory;
	json_t *regions;	/* output, or NULL */
	uint64_t nr_left_out;	/* regions, see STAT_MAX_REGIONS */
};

static void count_use(struct counter *k, const struct host_page *p,
		      const struct engine_use *use)
{
	const struct wss_window *w = k->window;

	if (!p->resident && !p->swapped)
		return;
	/* Resident only since the last scan, which ended the window. */
	if (p->resident && !use->resident) {
		k->region.high++;
		return;
	}
	k->region.nr += use->age < w->likely;
	k->region.high += use->age < w->possible;
	/*
	 * Of frames that the source does not tell apart at least one was
	 * used, but not necessarily this one.
	 */
	k->region.low += use->own_age && use->observed_age < w->certain;
}

static void count_pages(void *arg, const gfn_t *gfns,
			const struct host_page *pages, size_t nr)
{
	struct counter *k = arg;
	struct engine_use *bigger;

	if (nr > k->max_uses) {
		bigger = reallocarray(k->uses, nr, sizeof(*bigger));
		if (!bigger) {
			k->no_memory = true;
			return;
		}
		k->uses = bigger;
		k->max_uses = nr;
	}
	engine_get_uses(k->config->engine, gfns, nr, k->uses);
	for (size_t i = 0; i < nr; i++)
		count_use(k, &pages[i], &k->uses[i]);
}

static void end_region(void *arg, const struct rmap_vma_desc *desc)
{
	struct counter *k = arg;
	json_t *o;

	k->total.nr += k->region.nr;
	k->total.low += k->region.low;
	k->total.high += k->region.high;
	if (k->regions && json_array_size(k->regions) >= STAT_MAX_REGIONS) {
		k->nr_left_out++;
	} else if (k->regions) {
		o = stat_vma_json(desc);
		put_used(o, &k->region);
		json_array_append_new(k->regions, o);
	}
	k->region = (struct used){ 0 };
}

static const struct process_pages_ops count_ops = {
	.pages = count_pages,
	.end_region = end_region,
};

/* Appends the process to a.  0 or -errno. */
static int add_process(struct counter *k, const struct view_process *p,
		       bool regions, json_t *a)
{
	json_t *o = json_pack("{s:I, s:s}", "pid", (json_int_t)p->pid, "comm",
			      p->comm);
	int rc;

	k->total = (struct used){ 0 };
	k->regions = regions ? json_array() : NULL;
	rc = process_pages_visit(k->config, k->host, p->pid, &count_ops, k);
	put_used(o, &k->total);
	if (regions)
		json_object_set_new(o, "vmas", k->regions);
	if (k->nr_left_out)
		json_object_set_new(o, "nr_vmas_left_out",
				    json_integer(k->nr_left_out));
	json_array_append_new(a, o);
	return !rc && k->no_memory ? -ENOMEM : rc;
}

/* The processes that the agent reported, or the one with *pid. */
static json_t *processes_json(const struct stat_server_config *c,
			      const struct wss_window *window,
			      const uint32_t *pid, unsigned int *status,
			      char *why, size_t len)
{
	struct counter k = { .config = c, .window = window };
	struct view_process p = { .pid = 0 };
	json_t *a;
	int rc;

	if (pid && !stat_find_process(c, *pid, &p, status, why, len))
		return NULL;
	a = json_array();
	k.host = host_pages_new(c);
	rc = k.host ? 0 : -ENOMEM;
	if (pid && !rc)
		rc = add_process(&k, &p, true, a);
	while (!pid && !rc && stat_next_process(c, p.pid, &p))
		rc = add_process(&k, &p, false, a);
	host_pages_free(k.host);
	free(k.uses);
	if (!rc)
		return a;
	json_decref(a);
	return stat_inspect_failed(rc, status, why, len);
}

/* Why low and high differ from the estimate; docs/access.md derives it. */
static json_t *basis_json(const struct stat_server_config *c,
			  const struct wss_estimate *e)
{
	uint64_t granule = engine_wss_granule(c->engine);
	struct engine_stats s;

	engine_get_stats(c->engine, &s);
	return json_pack(
		"{s:s, s:I, s:I, s:I, s:b, s:I, s:I, s:I, s:I}", "source",
		s.source, "nr_scans", (json_int_t)s.scan.nr_scans,
		"scans_in_window", (json_int_t)e->window.likely,
		"granule_bytes", bytes(granule), "may_miss",
		engine_source_is_lossy(c->engine), "edge_low_bytes",
		bytes(e->edge_low), "edge_high_bytes", bytes(e->edge_high),
		"assumed_bytes", bytes(e->assumed), "unresolved_bytes",
		bytes(e->unresolved));
}

static void put_histogram(json_t *o, const struct stat_server_config *c)
{
	struct engine_policy policy;
	json_t *a = json_array();
	struct engine_stats s;

	engine_get_stats(c->engine, &s);
	engine_get_policy(c->engine, &policy);
	for (unsigned int i = 0; i < ENGINE_AGES; i++)
		json_array_append_new(a, json_integer(s.memory.age_pages[i]));
	json_object_set_new(o, "scan_period_ms",
			    json_integer(policy.scan_period_ms));
	json_object_set_new(o, "nr_resident",
			    json_integer(s.memory.nr_resident));
	json_object_set_new(o, "pages_by_idle_scans", a);
}

json_t *stat_inspect_wss(const struct stat_server_config *c,
			 uint64_t window_ns, const uint32_t *pid,
			 unsigned int *status, char *why, size_t len)
{
	struct wss_estimate est;
	json_t *o, *processes;
	struct used guest;

	if (!c->engine || engine_get_wss(c->engine, window_ns, &est)) {
		*status = 409;
		snprintf(why, len, "%s", !c->engine ? "this VM runs without an "
			 "access source, so its working set is not known; "
			 "start it with --abits other than none" : "no scan "
			 "has been made yet; retry after one scan period");
		return NULL;
	}
	processes = processes_json(c, &est.window, pid, status, why, len);
	if (!processes)
		return NULL;
	guest = (struct used){ est.pages, est.low, est.high };
	o = json_object();
	put_used(o, &guest);
	json_object_set_new(o, "asked_window_s", json_real(window_ns * 1e-9));
	json_object_set_new(o, "window_s",
			    json_real(est.window.covered_ns * 1e-9));
	json_object_set_new(o, "ended_s_ago",
			    json_real((clock_now_ns() - est.window.end_ns) *
				      1e-9));
	json_object_set_new(o, "basis", basis_json(c, &est));
	json_object_set_new(o, "processes", processes);
	put_histogram(o, c);
	return o;
}
