// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a process to its pages: how much of it, and of each of its regions, is
 * in the host's RAM, for how long that has been idle, and how much is in swap.
 * A frame that is mapped twice counts twice, as in the resident size (RSS) of a
 * process.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "vmm/control/host-pages.h"
#include "vmm/control/inspect.h"
#include "vmm/control/process-pages.h"
#include "vmm/util/error-text.h"

struct page_count {
	uint64_t nr_mapped, nr_resident, nr_swapped;
	uint64_t by_class[STAT_AGE_CLASSES];
};

static void count_page(struct page_count *n, const struct host_page *p)
{
	n->nr_mapped++;
	n->nr_resident += p->resident;
	n->nr_swapped += p->swapped;
	if (p->age >= 0)
		n->by_class[stat_age_class(p->age)]++;
}

static void add_count(struct page_count *to, const struct page_count *n)
{
	to->nr_mapped += n->nr_mapped;
	to->nr_resident += n->nr_resident;
	to->nr_swapped += n->nr_swapped;
	for (unsigned int i = 0; i < STAT_AGE_CLASSES; i++)
		to->by_class[i] += n->by_class[i];
}

static void put_count(json_t *o, const struct page_count *n, bool ages)
{
	json_t *classes;

	json_object_set_new(o, "nr_mapped", json_integer(n->nr_mapped));
	json_object_set_new(o, "nr_resident", json_integer(n->nr_resident));
	json_object_set_new(o, "nr_swapped", json_integer(n->nr_swapped));
	if (!ages)
		return;
	classes = json_array();
	for (unsigned int i = 0; i < STAT_AGE_CLASSES; i++)
		json_array_append_new(classes, json_integer(n->by_class[i]));
	json_object_set_new(o, "resident_by_idle_scans", classes);
}

/* What one request uses, and the counts of the current region. */
struct counter {
	struct host_pages *host;
	struct page_count region, total;
	json_t *regions;	/* output, or NULL */
	uint64_t nr_left_out;	/* regions, see STAT_MAX_REGIONS */
};

static void count_pages(void *arg, const gfn_t *gfns,
			const struct host_page *pages, size_t nr)
{
	struct counter *k = arg;

	for (size_t i = 0; i < nr; i++)
		count_page(&k->region, &pages[i]);
}

static void end_region(void *arg, const struct rmap_vma_desc *desc)
{
	struct counter *k = arg;
	json_t *o;

	add_count(&k->total, &k->region);
	if (k->regions && json_array_size(k->regions) >= STAT_MAX_REGIONS) {
		k->nr_left_out++;
	} else if (k->regions) {
		o = stat_vma_json(desc);
		put_count(o, &k->region, !host_pages_no_ages(k->host));
		json_array_append_new(k->regions, o);
	}
	k->region = (struct page_count){ 0 };
}

static const struct process_pages_ops count_ops = {
	.pages = count_pages,
	.end_region = end_region,
};

static json_t *process_json(const struct view_process *p)
{
	return json_pack("{s:I, s:s, s:I, s:b}",
			 "pid", (json_int_t)p->pid, "comm", p->comm,
			 "nr_vmas", (json_int_t)p->nr_vmas,
			 "has_pgd", p->has_pgd);
}

/* The upper limits of the classes of idle scans, or why there are none. */
static void put_classes(json_t *o, const char *no_ages)
{
	json_t *classes;

	if (no_ages) {
		json_object_set_new(o, "no_ages", json_string(no_ages));
		return;
	}
	classes = json_array();
	for (unsigned int i = 0; i < STAT_AGE_CLASSES; i++)
		json_array_append_new(classes,
				      json_integer(stat_age_class_max(i)));
	json_object_set_new(o, "idle_scans_up_to", classes);
}

json_t *stat_inspect_failed(int rc, unsigned int *status, char *why, size_t len)
{
	*status = rc == -ECANCELED || rc == -ETIME ? 503 : 500;
	if (rc == -ECANCELED)
		snprintf(why, len, "this VM is shutting down");
	else if (rc == -ETIME)
		snprintf(why, len, "too many pages to examine for one answer; "
			 "request one process, or part of one with /map");
	else
		snprintf(why, len, "cannot read which pages are resident on "
			 "the host: %s",
			 error_text(-rc));
	return NULL;
}

json_t *stat_inspect_processes(const struct stat_server_config *c,
			       unsigned int *status, char *why, size_t len)
{
	struct counter k = { .host = host_pages_new(c) };
	struct view_process p = { .pid = 0 };
	json_t *o, *a = json_array();
	int rc = k.host ? 0 : -ENOMEM;

	while (!rc && stat_next_process(c, p.pid, &p)) {
		k.total = (struct page_count){ 0 };
		rc = process_pages_visit(c, k.host, p.pid, &count_ops, &k);
		o = process_json(&p);
		put_count(o, &k.total, !host_pages_no_ages(k.host));
		json_array_append_new(a, o);
	}
	host_pages_free(k.host);
	if (!rc)
		return a;
	json_decref(a);
	return stat_inspect_failed(rc, status, why, len);
}

json_t *stat_inspect_process(const struct stat_server_config *c, uint32_t pid,
			     unsigned int *status, char *why, size_t len)
{
	struct counter k = { .regions = NULL };
	struct view_process p;
	json_t *o;
	int rc;

	if (!stat_find_process(c, pid, &p, status, why, len))
		return NULL;
	k.host = host_pages_new(c);
	k.regions = json_array();
	rc = k.host ? process_pages_visit(c, k.host, pid, &count_ops, &k) :
		      -ENOMEM;
	if (rc) {
		host_pages_free(k.host);
		json_decref(k.regions);
		return stat_inspect_failed(rc, status, why, len);
	}
	o = process_json(&p);
	put_classes(o, host_pages_no_ages(k.host));
	put_count(o, &k.total, !host_pages_no_ages(k.host));
	json_object_set_new(o, "vmas", k.regions);
	if (k.nr_left_out)
		json_object_set_new(o, "nr_vmas_left_out",
				    json_integer(k.nr_left_out));
	host_pages_free(k.host);
	return o;
}

bool stat_next_process(const struct stat_server_config *c, uint32_t after,
		       struct view_process *p)
{
	bool found;

	view_rdlock(c->view);
	found = view_next_process(c->view, after, p);
	view_unlock(c->view);
	return found;
}

bool stat_find_process(const struct stat_server_config *c, uint32_t pid,
		       struct view_process *p, unsigned int *status, char *why,
		       size_t len)
{
	bool found;

	view_rdlock(c->view);
	found = view_find_process(c->view, pid, p);
	view_unlock(c->view);
	if (found)
		return true;
	*status = 404;
	snprintf(why, len, "the guest agent has reported no process %u; `vmm "
		 "inspect pids` lists the reported ones", pid);
	return false;
}
