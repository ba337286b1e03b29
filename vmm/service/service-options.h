/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options that `vmm run` and `vmm attach` share. */
#ifndef VMM_SERVICE_SERVICE_OPTIONS_H
#define VMM_SERVICE_SERVICE_OPTIONS_H

#include <stdbool.h>

#include "vmm/mem/guest-mem.h"
#include "vmm/policy/policy.h"

/*
 * Strings are owned, or NULL where the option was not given; abits and sink
 * must have been set to their defaults before the service uses them.
 */
struct service_options {
	char *name, *socket, *abits, *sink, *agent_record;
	char *reclaim_text, *backing_text;	/* --reclaim, --mem-backing */
	/*
	 * Valid if backing_text is set and small_pages is not; else the source
	 * determines it, and small_pages that it is in pages of 4 KiB.
	 */
	enum guest_mem_backing backing;
	bool small_pages;
	int no_agent;
	struct engine_policy policy;
};

/*
 * Checks --sink, --abits and --reclaim, which it parses into o->policy.
 * VMM_EXIT_OK, or VMM_EXIT_USAGE after logging the error.
 */
int service_options_check(struct service_options *o);
void service_options_free(struct service_options *o);

#endif
