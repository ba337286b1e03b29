// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/libvirt/domain-live.h"
#include "vmm/libvirt/domain-parts.h"

static const struct {
	enum domain_agent agent;
	const char *word;
} devices[] = {
	{ DOMAIN_AGENT_CHANNEL, "channel" },
	{ DOMAIN_AGENT_VSOCK, "vsock" },
};

static bool has_device(const struct domain_settings *s, enum domain_agent agent)
{
	return agent == DOMAIN_AGENT_CHANNEL ? s->has_channel : s->has_vsock;
}

/*
 * Plans what to plug and unplug.  Sets `added` to the words for the attribute
 * of that name in the running domain: for devices plugged into it, not for
 * those that only its definition has.
 */
static void plan_devices(struct domain_plan *p,
			 const struct domain_settings *wanted,
			 const struct domain_settings *running, char *added,
			 size_t len)
{
	*added = 0;
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		enum domain_agent agent = devices[i].agent;
		bool is_ours = running->added &&
			       domain_has_word(running->added, devices[i].word);
		bool is_wanted = wanted->is_enabled &&
				 has_device(wanted, agent);

		if (is_wanted && !has_device(running, agent)) {
			if (agent == DOMAIN_AGENT_CHANNEL &&
			    !running->has_virtio_serial) {
				p->later = "the running domain has no "
					"virtio-serial controller, and libvirt "
					"cannot hot-plug one";
				continue;
			}
			p->plug = agent;
			is_ours = true;
		} else if (!is_wanted && is_ours &&
			   has_device(running, agent)) {
			p->unplug = agent;
			is_ours = false;
		}
		if (is_ours)
			snprintf(added + strlen(added), len - strlen(added),
				 "%s%s", *added ? " " : "", devices[i].word);
	}
}

int domain_plan_make(struct domain_plan *plan,
		     const struct domain_settings *wanted,
		     const struct domain_settings *running)
{
	struct domain_plan p = { .plug = DOMAIN_AGENT_NONE,
				 .unplug = DOMAIN_AGENT_NONE };
	struct domain_settings live = { .policy = wanted->policy,
					.abits = wanted->abits };
	char added[64];

	plan_devices(&p, wanted, running, added, sizeof(added));
	if (!wanted->is_enabled) {
		p.set_metadata = running->is_enabled;
		*plan = p;
		return 0;
	}
	live.added = *added ? added : NULL;
	/*
	 * With nothing to plug or unplug, `added` stays: if the domain was
	 * started with the devices, it is that of the definition.
	 */
	if (p.plug == DOMAIN_AGENT_NONE && p.unplug == DOMAIN_AGENT_NONE)
		live.added = running->added;
	p.set_metadata = !running->is_enabled ||
			 !domain_same_text(live.policy, running->policy) ||
			 !domain_same_text(live.abits, running->abits) ||
			 !domain_same_text(live.added, running->added);
	if (p.set_metadata) {
		p.metadata = domain_xml_metadata(&live);
		if (!p.metadata)
			return -ENOMEM;
	}
	*plan = p;
	return 0;
}

void domain_plan_free(struct domain_plan *plan)
{
	free(plan->metadata);
	plan->metadata = NULL;
}

bool domain_plan_is_empty(const struct domain_plan *plan)
{
	return plan->plug == DOMAIN_AGENT_NONE &&
	       plan->unplug == DOMAIN_AGENT_NONE && !plan->set_metadata;
}
