/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All pages of a process, region by region, with what the host has of them.
 * The view's lock is held for a batch at a time, and the host asked without it:
 * a large process must not keep the agent's news waiting.  A region that
 * changes meanwhile is visited as far as it was still there.
 */
#ifndef VMM_CONTROL_PROCESS_PAGES_H
#define VMM_CONTROL_PROCESS_PAGES_H

#include "vmm/control/host-pages.h"

struct process_pages_ops {
	/* Some pages of a region: a frame mapped twice is told twice. */
	void (*pages)(void *arg, const uint64_t *gfns,
		      const struct host_page *pages, size_t nr);
	/* That were all of this region; also of one without pages. */
	void (*end_region)(void *arg, const struct rmap_vma_desc *desc);
};

/*
 * 0, also for a process that is gone, or -errno: the host can't be asked, or
 * the request's patience is at its end (patience.h).
 */
int process_pages_visit(const struct stat_server_config *config,
			struct host_pages *host, uint32_t pid,
			const struct process_pages_ops *ops, void *arg);

#endif
