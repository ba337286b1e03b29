/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two directions of the reverse map as JSON: from a frame to the regions
 * that map it, and from a process to its regions' frames with their ages.
 * Each takes the view's lock itself, and the engine's only through the engine's
 * functions.
 */
#ifndef VMM_CONTROL_INSPECT_H
#define VMM_CONTROL_INSPECT_H

#include <jansson.h>

#include "vmm/control/server.h"
#include "vmm/util/control-answers.h"

/*
 * How many mappings of one page are listed, and how many at most are counted: a
 * page of a library can have one in every process.
 */
#define STAT_PAGE_MAPPINGS	 256
#define STAT_PAGE_MAPPINGS_COUNT 16384

/* NULL with *status 404 and why: no such frame. */
json_t *stat_inspect_page(const struct stat_server_config *config, gfn_t gfn,
			  unsigned int *status, char *why, size_t len);

/*
 * Tests and clears the accessed bit of every mapping, in the guest's page
 * tables, and returns which had it set.  NULL as above.
 */
json_t *stat_page_referenced(const struct stat_server_config *config, gfn_t gfn,
			     unsigned int *status, char *why, size_t len);

/*
 * Visits every mapping there is, which takes seconds for tens of GiB, up to
 * config->job_limit.  NULL: status 500, or 503 at that limit.
 */
json_t *stat_inspect_processes(const struct stat_server_config *config,
			       unsigned int *status, char *why, size_t len);
/* NULL with *status 404 and why (not reported by the agent), or as above. */
json_t *stat_inspect_process(const struct stat_server_config *config,
			     uint32_t pid, unsigned int *status, char *why,
			     size_t len);

/*
 * The state of each page at the addresses [start, end) of a process, as much as
 * fits one answer: "next" is the start for the next request.  A run of pages
 * with the same state is [pages, bits] or, where the age is known, [pages,
 * bits, scans]; the bits are of enum stat_map_bit.
 */
#define STAT_MAP_MAX_STEPS 65536	/* entries visited for one answer */
#define STAT_MAP_MAX_RUNS  16384

/* NULL with status 400 (a bad range) or 404 (no such process). */
json_t *stat_inspect_map(const struct stat_server_config *config, uint32_t pid,
			 uint64_t start, uint64_t end, unsigned int *status,
			 char *why, size_t len);

/*
 * The working set within a window that ends with the last scan: of the guest
 * and of each process; with pid, of that process and its regions.  NULL with
 * status 409 (no ages are known), 404 (no such process), 500 or 503 as above.
 */
json_t *stat_inspect_wss(const struct stat_server_config *config,
			 uint64_t window_ns, const uint32_t *pid,
			 unsigned int *status, char *why, size_t len);

/* Shared by the files that implement these functions. */
json_t *stat_vma_flags_json(uint32_t flags);
bool stat_find_frame(const struct stat_server_config *config, gfn_t gfn,
		     uint64_t *hva, unsigned int *status, char *why,
		     size_t len);
json_t *stat_vma_json(const struct rmap_vma_desc *desc);
/* The first process with a pid above `after`; false at the end. */
bool stat_next_process(const struct stat_server_config *config, uint32_t after,
		       struct view_process *p);
bool stat_find_process(const struct stat_server_config *config, uint32_t pid,
		       struct view_process *p, unsigned int *status, char *why,
		       size_t len);
json_t *stat_inspect_failed(int rc, unsigned int *status, char *why,
			    size_t len);	/* sets *status, why; NULL */

#endif
