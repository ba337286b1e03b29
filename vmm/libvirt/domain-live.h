/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What has to be changed in a running domain so that it matches its definition.
 * No I/O.
 */
#ifndef VMM_LIBVIRT_DOMAIN_LIVE_H
#define VMM_LIBVIRT_DOMAIN_LIVE_H

#include "vmm/libvirt/domain-xml.h"

struct domain_plan {
	enum domain_agent plug, unplug;	/* DOMAIN_AGENT_NONE: nothing */
	bool set_metadata;	/* to `metadata`; NULL: removes it */
	char *metadata;		/* owned */
	const char *later;	/* constant; why a restart is needed, or NULL */
};

/*
 * wanted: the settings of the definition, not enabled if all is to be removed;
 * running: those of the running domain.  0 or -ENOMEM.
 */
int domain_plan_make(struct domain_plan *plan,
		     const struct domain_settings *wanted,
		     const struct domain_settings *running);
void domain_plan_free(struct domain_plan *plan);
bool domain_plan_is_empty(const struct domain_plan *plan);

#endif
