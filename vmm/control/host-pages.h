/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of frames on the host now: in RAM, in swap, idle for how long. */
#ifndef VMM_CONTROL_HOST_PAGES_H
#define VMM_CONTROL_HOST_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/control/server.h"
#include "vmm/util/control-answers.h"

struct host_page {
	bool ram;		/* of the guest; false: the rest is unset */
	bool resident, swapped;
	int age;		/* scans, or -1: not known */
};

/* The buffers for lookups; config must outlive them.  NULL: no memory. */
struct host_pages;
struct host_pages *host_pages_new(const struct stat_server_config *config);
void host_pages_free(struct host_pages *hp);

/*
 * Why ages are not known, and the remedy, as a message; NULL if they are known:
 * an access source is in use and has scanned.
 */
const char *host_pages_no_ages(const struct host_pages *hp);

/*
 * Looks up any frames, also those that are not RAM, in any order: pages[i] is
 * of gfns[i].  Fast for frames that are close together.  0 or -errno.
 */
int host_pages_lookup(struct host_pages *hp, const gfn_t *gfns, size_t nr,
		      struct host_page *pages);

#endif
