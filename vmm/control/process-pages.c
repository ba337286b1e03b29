// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm/control/job-limit.h"
#include "vmm/control/process-pages.h"
#include "vmm/util/cleanup.h"

#define BATCH 4096	/* pages looked up under one lock */

/* One call of process_pages_visit(). */
struct visit {
	struct view *view;
	struct host_pages *host;
	const struct stat_job_limit *job_limit;
	uint32_t pid;
	const struct process_pages_ops *ops;
	void *arg;
	gfn_t gfns[BATCH];
	struct host_page pages[BATCH];
};

/*
 * Finds the first region that ends above addr, and up to BATCH of its frames
 * from *at on, which advances.  Returns how many; -ENOENT: the process has no
 * such region, or has ended.
 */
static ssize_t collect(struct visit *v, uint64_t addr, uint64_t *at,
		       struct rmap_vma_desc *desc)
{
	const struct rmap_vma *vma = NULL;
	const struct rmap_mm *mm;
	ssize_t nr = 0;

	view_rdlock(v->view);
	mm = rmap_mm_find(view_map(v->view), v->pid);
	if (mm)
		vma = rmap_vma_next(mm, addr);
	if (vma) {
		rmap_vma_describe(vma, desc);
		if (*at < desc->start)
			*at = desc->start;
		while (nr < BATCH && rmap_vma_next_page(view_map(v->view), vma,
							at,
							&v->gfns[nr].v)) {
			*at += RMAP_PAGE_SIZE;
			nr++;
		}
	}
	view_unlock(v->view);
	return vma ? nr : -ENOENT;
}

/*
 * Visits all pages of the first region that ends above addr, and describes it
 * in *desc.  0, -ENOENT as above, or another -errno.
 */
static int visit_region(struct visit *v, uint64_t addr,
			struct rmap_vma_desc *desc)
{
	struct rmap_vma_desc now;
	uint64_t at = addr;
	ssize_t nr;
	int rc = stat_job_limit_check(v->job_limit);

	if (rc)
		return rc;
	nr = collect(v, addr, &at, desc);
	if (nr < 0)
		return nr;
	for (;;) {
		rc = host_pages_lookup(v->host, v->gfns, nr, v->pages);
		if (rc)
			return rc;
		if (nr)
			v->ops->pages(v->arg, v->gfns, v->pages, nr);
		if (nr < BATCH)
			return 0;
		rc = stat_job_limit_check(v->job_limit);
		if (rc)
			return rc;
		nr = collect(v, addr, &at, &now);
		if (nr < 0 || now.start != desc->start)
			return 0;
	}
}

int process_pages_visit(const struct stat_server_config *config,
			struct host_pages *host, uint32_t pid,
			const struct process_pages_ops *ops, void *arg)
{
	__cleanup_free struct visit *v = calloc(1, sizeof(*v));
	struct rmap_vma_desc desc;
	uint64_t addr = 0;
	int rc;

	if (!v)
		return -ENOMEM;
	v->view = config->view;
	v->host = host;
	v->job_limit = config->job_limit;
	v->pid = pid;
	v->ops = ops;
	v->arg = arg;
	for (;; addr = desc.end) {
		rc = visit_region(v, addr, &desc);
		if (rc)
			return rc == -ENOENT ? 0 : rc;
		ops->end_region(arg, &desc);
	}
}
