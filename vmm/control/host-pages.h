/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's present state of frames: in RAM, in swap, idle for how long. */
#ifndef VMM_CONTROL_HOST_PAGES_H
#define VMM_CONTROL_HOST_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/control/server.h"
#include "vmm/util/control-answers.h"

struct host_page {
	bool ram;		/* else nothing more is known of it */
	bool resident, swapped;
	int age;		/* scans, or -1: not known */
};

/* For lookups; config outlives it.  NULL: no memory. */
struct host_pages;
struct host_pages *host_pages_new(const struct stat_server_config *config);
void host_pages_free(struct host_pages *hp);

/*
 * Why ages are not known, and how to change that, for users; NULL where they
 * are: an access source is in use and has scanned.
 */
const char *host_pages_no_ages(const struct host_pages *hp);

/*
 * Looks up any frames, even if not RAM, in any order: pages[i] is of gfns[i].
 * Fast for frames that are close together.  0 or -errno.
 */
int host_pages_lookup(struct host_pages *hp, const gfn_t *gfns, size_t nr,
		      struct host_page *pages);

#endif
