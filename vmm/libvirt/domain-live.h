/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is to be done to a running domain so that it has what its definition
 * has.  No I/O.
 */
#ifndef VMM_LIBVIRT_DOMAIN_LIVE_H
#define VMM_LIBVIRT_DOMAIN_LIVE_H

#include "vmm/libvirt/domain-xml.h"

struct domain_plan {
	enum domain_agent plug, unplug;	/* DOMAIN_AGENT_NONE: nothing */
	bool set_metadata;	/* to `metadata`; NULL: takes it away */
	char *metadata;		/* owned */
	const char *later;	/* why it has to be started anew, or NULL */
};

/*
 * wanted is of the definition, not enabled where all is to go; has is of the
 * running domain.  0 or -ENOMEM.
 */
int domain_plan_make(struct domain_plan *plan,
		     const struct domain_settings *wanted,
		     const struct domain_settings *has);
void domain_plan_free(struct domain_plan *plan);
bool domain_plan_is_empty(const struct domain_plan *plan);

#endif
