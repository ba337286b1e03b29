/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All pages of a process, region by region, with their state on the host.  The
 * view's lock is taken for a batch at a time, and not held while that state is
 * read: a large process must not delay the agent's messages.  A region that
 * changes meanwhile is visited as far as it still exists.
 */
#ifndef VMM_CONTROL_PROCESS_PAGES_H
#define VMM_CONTROL_PROCESS_PAGES_H

#include "vmm/control/host-pages.h"

/* Called without locks; pointers are valid during the call. */
struct process_pages_ops {
	/* Some pages of a region; a frame mapped twice occurs twice. */
	void (*pages)(void *arg, const gfn_t *gfns,
		      const struct host_page *pages, size_t nr);
	/* All pages of this region are done; also if it has none. */
	void (*end_region)(void *arg, const struct rmap_vma_desc *desc);
};

/*
 * 0, also for a process that has ended, or -errno: the host's state cannot be
 * read, or the request's limit is reached (job-limit.h).
 */
int process_pages_visit(const struct stat_server_config *config,
			struct host_pages *host, uint32_t pid,
			const struct process_pages_ops *ops, void *arg);

#endif
