// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a process to its pages: how much of it, and of each of its regions, the
 * host has in RAM, for how long that was idle, and how much is in swap.  A
 * frame that is mapped twice counts twice, as in the resident size that a
 * kernel tells of a process.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/stat/host_pages.h"
#include "vmm/stat/inspect.h"

#define BATCH 4096	/* pages looked up under one lock */

struct page_count {
	uint64_t nr_mapped, nr_resident, nr_swapped;
	uint64_t by_class[HOST_AGE_CLASSES];
};

static void count_page(struct page_count *n, const struct host_page *p)
{
	n->nr_mapped++;
	n->nr_resident += p->resident;
	n->nr_swapped += p->swapped;
	if (p->age >= 0)
		n->by_class[host_age_class(p->age)]++;
}

static void add_count(struct page_count *to, const struct page_count *n)
{
	to->nr_mapped += n->nr_mapped;
	to->nr_resident += n->nr_resident;
	to->nr_swapped += n->nr_swapped;
	for (unsigned int i = 0; i < HOST_AGE_CLASSES; i++)
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
	for (unsigned int i = 0; i < HOST_AGE_CLASSES; i++)
		json_array_append_new(classes, json_integer(n->by_class[i]));
	json_object_set_new(o, "resident_by_idle_scans", classes);
}

/* One request's means: what it looks up at once, and where the answers go. */
struct counter {
	const struct stat_server_config *config;
	struct host_pages *host;
	uint64_t gfns[BATCH];
	struct host_page pages[BATCH];
};

static struct counter *counter_new(const struct stat_server_config *config)
{
	struct counter *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->config = config;
	k->host = host_pages_new(config);
	if (k->host)
		return k;
	free(k);
	return NULL;
}

static void counter_free(struct counter *k)
{
	if (k)
		host_pages_free(k->host);
	free(k);
}

/*
 * Finds the region that ends first above addr, and its frames at *at and above;
 * *at moves on.  -ENOENT at the end of the process, or when it is gone.
 */
static ssize_t collect(struct counter *k, uint32_t pid, uint64_t addr,
		       uint64_t *at, struct rmap_vma_desc *desc)
{
	struct view *view = k->config->view;
	const struct rmap_vma *vma = NULL;
	const struct rmap_mm *mm;
	ssize_t nr = 0;

	view_rdlock(view);
	mm = rmap_mm_find(view_map(view), pid);
	if (mm)
		vma = rmap_vma_next(mm, addr);
	if (vma) {
		rmap_vma_describe(vma, desc);
		if (*at < desc->start)
			*at = desc->start;
		while (nr < BATCH && rmap_vma_next_page(view_map(view), vma,
							at, &k->gfns[nr])) {
			*at += RMAP_PAGE_SIZE;
			nr++;
		}
	}
	view_unlock(view);
	return vma ? nr : -ENOENT;
}

/*
 * The lock is held a batch at a time, and the host asked without it: a large
 * process must not keep the agent's news waiting.  A region that changes
 * meanwhile is counted as far as it was still there.
 */
static int count_region(struct counter *k, uint32_t pid, uint64_t addr,
			struct rmap_vma_desc *desc, struct page_count *n)
{
	struct rmap_vma_desc now;
	uint64_t at = addr;
	ssize_t nr = collect(k, pid, addr, &at, desc);
	int rc;

	if (nr < 0)
		return nr;
	for (;;) {
		rc = host_pages_look(k->host, k->gfns, nr, k->pages);
		if (rc)
			return rc;
		for (ssize_t i = 0; i < nr; i++)
			count_page(n, &k->pages[i]);
		if (nr < BATCH)
			return 0;
		nr = collect(k, pid, addr, &at, &now);
		if (nr < 0 || now.start != desc->start)
			return 0;
	}
}

/* With the regions in `regions`, unless that is NULL. */
static int count_process(struct counter *k, uint32_t pid, json_t *regions,
			 struct page_count *total)
{
	bool ages = !host_pages_no_ages(k->host);
	struct rmap_vma_desc desc;
	struct page_count n;
	uint64_t addr = 0;
	json_t *o;
	int rc;

	for (;; addr = desc.end) {
		n = (struct page_count){ 0 };
		rc = count_region(k, pid, addr, &desc, &n);
		if (rc)
			return rc == -ENOENT ? 0 : rc;
		add_count(total, &n);
		if (!regions)
			continue;
		o = stat_vma_json(&desc);
		put_count(o, &n, ages);
		json_array_append_new(regions, o);
	}
}

static json_t *process_json(const struct view_process *p)
{
	return json_pack("{s:I, s:s, s:I, s:b}",
			 "pid", (json_int_t)p->pid, "comm", p->comm,
			 "nr_vmas", (json_int_t)p->nr_vmas,
			 "has_pgd", p->has_pgd);
}

/* What each class of idle scans ends with, or why there are none. */
static void put_classes(json_t *o, const char *no_ages)
{
	json_t *classes;

	if (no_ages) {
		json_object_set_new(o, "no_ages", json_string(no_ages));
		return;
	}
	classes = json_array();
	for (unsigned int i = 0; i < HOST_AGE_CLASSES; i++)
		json_array_append_new(classes,
				      json_integer(host_age_class_max(i)));
	json_object_set_new(o, "idle_scans_up_to", classes);
}

static bool next_process(struct view *view, uint32_t after,
			 struct view_process *p)
{
	bool found;

	view_rdlock(view);
	found = view_next_process(view, after, p);
	view_unlock(view);
	return found;
}

json_t *stat_inspect_failed(int rc, unsigned int *status, char *why, size_t len)
{
	*status = 500;
	snprintf(why, len, "can't tell which pages the host has: %s",
		 strerror(-rc));
	return NULL;
}

json_t *stat_inspect_processes(const struct stat_server_config *c,
			       unsigned int *status, char *why, size_t len)
{
	struct counter *k = counter_new(c);
	struct view_process p = { .pid = 0 };
	json_t *o, *a = json_array();
	int rc = k ? 0 : -ENOMEM;

	while (!rc && next_process(c->view, p.pid, &p)) {
		struct page_count n = { 0 };

		rc = count_process(k, p.pid, NULL, &n);
		o = process_json(&p);
		put_count(o, &n, !host_pages_no_ages(k->host));
		json_array_append_new(a, o);
	}
	counter_free(k);
	if (!rc)
		return a;
	json_decref(a);
	return stat_inspect_failed(rc, status, why, len);
}

json_t *stat_inspect_process(const struct stat_server_config *c, uint32_t pid,
			     unsigned int *status, char *why, size_t len)
{
	struct page_count n = { 0 };
	json_t *o, *regions;
	struct view_process p;
	struct counter *k;
	int rc;

	if (!stat_find_process(c, pid, &p, status, why, len))
		return NULL;
	k = counter_new(c);
	regions = json_array();
	rc = k ? count_process(k, pid, regions, &n) : -ENOMEM;
	if (rc) {
		counter_free(k);
		json_decref(regions);
		return stat_inspect_failed(rc, status, why, len);
	}
	o = process_json(&p);
	put_classes(o, host_pages_no_ages(k->host));
	put_count(o, &n, !host_pages_no_ages(k->host));
	json_object_set_new(o, "vmas", regions);
	counter_free(k);
	return o;
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
	snprintf(why, len, "the agent has told of no process %u; "
		 "`vmm inspect pids` lists those it told of", pid);
	return false;
}
