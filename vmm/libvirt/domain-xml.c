// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/libvirt/domain-parts.h"
#include "vmm/libvirt/domain-xml.h"
#include "vmm/util/cleanup.h"

static char *dup_or_null(const char *s)
{
	return *s ? strdup(s) : NULL;
}

int domain_xml_read(const char *xml, struct domain_settings *s, char *why,
		    size_t len)
{
	struct domain_doc d;
	struct domain_parts p;
	int rc = domain_parts_open(&d, &p, xml, why, len);

	if (rc)
		return rc;
	*s = (struct domain_settings){
		.is_enabled = p.ours,
		.policy = dup_or_null(domain_doc_attr(p.ours, "policy")),
		.abits = dup_or_null(domain_doc_attr(p.ours, "abits")),
		.added = dup_or_null(domain_doc_attr(p.ours, "added")),
		.has_channel = p.channel,
		.has_vsock = p.vsock,
		.has_virtio_serial = p.controller,
		.channel_path = dup_or_null(domain_doc_attr(
			domain_doc_child(p.channel, "source"), "path")),
	};
	domain_doc_close(&d);
	return 0;
}

void domain_settings_free(struct domain_settings *s)
{
	free(s->policy);
	free(s->abits);
	free(s->added);
	free(s->channel_path);
	*s = (struct domain_settings){ 0 };
}

const char *domain_xml_device(enum domain_agent agent)
{
	if (agent == DOMAIN_AGENT_CHANNEL)
		return "<channel type='unix'>\n"
		       "  <source mode='bind'/>\n"
		       "  <target type='virtio' name='" DOMAIN_XML_CHANNEL "'/>\n"
		       "</channel>";
	return "<vsock model='virtio'>\n"
	       "  <cid auto='yes'/>\n"
	       "</vsock>";
}

int domain_xml_copy_device(const char *xml, enum domain_agent agent, char **out,
			   char *why, size_t len)
{
	struct domain_doc d;
	struct domain_parts p;
	xmlNodePtr node;
	int rc = domain_parts_open(&d, &p, xml, why, len);

	if (rc)
		return rc;
	node = agent == DOMAIN_AGENT_CHANNEL ? p.channel : p.vsock;
	if (!node) {
		snprintf(why, len, "the domain has no such device");
		rc = -ENOENT;
	} else {
		*out = domain_doc_copy(&d, node);
		rc = *out ? 0 : -ENOMEM;
		if (rc)
			snprintf(why, len, "out of memory");
	}
	domain_doc_close(&d);
	return rc;
}

char *domain_xml_metadata(const struct domain_settings *s)
{
	return domain_parts_element(s->policy, s->abits, s->added, true);
}

/* Adds the element, or replaces the existing one. */
static void put_element(struct domain_doc *d, const struct domain_parts *p,
			const char *element)
{
	static const char *const before[] = { "description", "title", "genid",
					      "uuid", "name" };
	__cleanup_free char *text = NULL;
	xmlNodePtr after = NULL;

	if (p->ours) {
		domain_doc_replace(d, p->ours, element);
		return;
	}
	if (p->metadata) {
		domain_doc_add_child(d, p->metadata, element);
		return;
	}
	for (size_t i = 0; !after && i < sizeof(before) / sizeof(before[0]); i++)
		after = domain_doc_child(p->root, before[i]);
	if (asprintf(&text, "<metadata>\n  %s\n</metadata>", element) < 0) {
		text = NULL;
		d->failed = true;
	} else if (after) {
		domain_doc_add_after(d, after, text);
	} else {
		d->failed = true;
	}
}

/* Adds settings, and the device for agent unless it exists. */
static int enable(const char *xml, const char *policy, const char *abits,
		  enum domain_agent agent, char **out, char *why, size_t len)
{
	__cleanup_free char *element = NULL, *devices = NULL, *added = NULL;
	struct domain_doc d;
	struct domain_parts p;
	int rc = domain_parts_open(&d, &p, xml, why, len);

	if (rc)
		return rc;
	if (!domain_doc_child(p.root, "name")) {
		domain_doc_close(&d);
		snprintf(why, len, "the domain has no <name>");
		return -EINVAL;
	}
	added = strdup(domain_doc_attr(p.ours, "added"));
	if (!p.metadata)
		domain_add_word(&added, "metadata");
	if (agent == DOMAIN_AGENT_CHANNEL && !p.channel) {
		domain_add_word(&added, "channel");
		if (!p.controller)
			domain_add_word(&added,
					"controller:virtio-serial:0");
		if (asprintf(&devices, "%s%s", p.controller ? "" :
			     "<controller type='virtio-serial' index='0'/>\n",
			     domain_xml_device(agent)) < 0)
			devices = NULL;
		d.failed |= !devices;
	} else if (agent == DOMAIN_AGENT_VSOCK && !p.vsock) {
		domain_add_word(&added, "vsock");
		devices = strdup(domain_xml_device(agent));
		d.failed |= !devices;
	}
	if (devices)
		domain_doc_add_child(&d, p.devices, devices);
	if (added)
		element = domain_parts_element(policy, abits, added, false);
	if (!element)
		d.failed = true;
	else if (!p.ours ||
		 !domain_same_text(policy, domain_doc_attr(p.ours, "policy")) ||
		 !domain_same_text(abits, domain_doc_attr(p.ours, "abits")) ||
		 !domain_same_text(added, domain_doc_attr(p.ours, "added")))
		put_element(&d, &p, element);
	rc = domain_doc_apply(&d, out);
	if (rc)
		snprintf(why, len, "out of memory");
	domain_doc_close(&d);
	return rc;
}

/* Whether the device that was added is not of the kind now requested. */
static bool changes_agent(const struct domain_settings *s,
			  enum domain_agent agent)
{
	const char *added = s->added ? s->added : "";

	return agent != DOMAIN_AGENT_KEEP &&
	       ((domain_has_word(added, "channel") && agent != DOMAIN_AGENT_CHANNEL) ||
		(domain_has_word(added, "vsock") && agent != DOMAIN_AGENT_VSOCK));
}

int domain_xml_enable(const char *xml, const struct domain_request *request,
		      char **out, char *why, size_t len)
{
	enum domain_agent agent = request->agent;
	__cleanup_free char *without = NULL;
	struct domain_settings s;
	int rc = domain_xml_read(xml, &s, why, len);

	if (rc)
		return rc;
	if (changes_agent(&s, agent))
		rc = domain_xml_disable(xml, &without, why, len);
	if (agent == DOMAIN_AGENT_KEEP)
		agent = s.is_enabled ? DOMAIN_AGENT_NONE : DOMAIN_AGENT_CHANNEL;
	if (agent == DOMAIN_AGENT_NONE && s.added && !without) {
		/*
		 * A device that was added, and was removed by hand, is added
		 * again.
		 */
		if (domain_has_word(s.added, "channel"))
			agent = DOMAIN_AGENT_CHANNEL;
		else if (domain_has_word(s.added, "vsock"))
			agent = DOMAIN_AGENT_VSOCK;
	}
	if (!rc)
		rc = enable(without ? without : xml,
			    request->policy ? request->policy : s.policy,
			    request->abits ? request->abits : s.abits, agent,
			    out, why, len);
	domain_settings_free(&s);
	return rc;
}
