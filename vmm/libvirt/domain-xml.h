/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our parts of a libvirt domain's XML: how its memory is reclaimed, and the
 * device through which the guest's agent reaches the host.
 *
 *   <metadata>
 *     <vmm:reclaim xmlns:vmm="urn:vmm:libvirt:1" policy="target=1G"
 *                  abits="auto" added="metadata channel"/>
 *   </metadata>
 *   ...
 *   <channel type='unix'>
 *     <source mode='bind'/>
 *     <target type='virtio' name='org.vmm.agent.0'/>
 *   </channel>
 *
 * policy is what --reclaim of vmm-run(1) takes, abits what --abits takes; both
 * may be missing.  added lists what we added, so that exactly this is removed
 * again, as words: "metadata" (the element itself), "channel", "vsock", and
 * "controller:TYPE:INDEX".
 *
 * Edits are made in the text: the rest of it stays unchanged, byte for byte.
 * No I/O.
 */
#ifndef VMM_LIBVIRT_DOMAIN_XML_H
#define VMM_LIBVIRT_DOMAIN_XML_H

#include <stdbool.h>
#include <stddef.h>

#define DOMAIN_XML_NS	   "urn:vmm:libvirt:1"
#define DOMAIN_XML_PREFIX  "vmm"
#define DOMAIN_XML_CHANNEL "org.vmm.agent.0"

enum domain_agent {
	DOMAIN_AGENT_KEEP,	/* no change; a channel if not yet enabled */
	DOMAIN_AGENT_NONE,
	DOMAIN_AGENT_CHANNEL,	/* a port of virtio-serial */
	DOMAIN_AGENT_VSOCK,
};

/* A domain's settings; malloc'ed strings, NULL where absent. */
struct domain_settings {
	bool is_enabled;		/* there is an element vmm:reclaim */
	char *policy, *abits, *added;
	bool has_channel, has_vsock;
	bool has_virtio_serial;		/* a controller for channels */
	char *channel_path;		/* host socket; while it runs */
};

/* 0, -ENOMEM, or -EINVAL with why: not a domain's XML. */
int domain_xml_read(const char *xml, struct domain_settings *settings,
		    char *why, size_t len);
void domain_settings_free(struct domain_settings *settings);

struct domain_request {
	const char *policy, *abits;	/* NULL: no change */
	enum domain_agent agent;
};

/*
 * The XML with the wanted settings, malloc'ed; unchanged if it has them.
 * Errors as above.
 */
int domain_xml_enable(const char *xml, const struct domain_request *request,
		      char **out, char *why, size_t len);
/* The XML without anything that was added. */
int domain_xml_disable(const char *xml, char **out, char *why, size_t len);

/*
 * libvirt adds the controllers that a device needs.  Records in `now`, which
 * libvirt made of `given`, that those missing in `given` are ours.  *out is
 * NULL if there are none.
 */
int domain_xml_note_controllers(const char *given, const char *now, char **out,
				char *why, size_t len);

/* The element vmm:reclaim for virDomainSetMetadata(); malloc'ed. */
char *domain_xml_metadata(const struct domain_settings *settings);

/* Devices to plug in: DOMAIN_AGENT_CHANNEL or DOMAIN_AGENT_VSOCK. */
const char *domain_xml_device(enum domain_agent agent);
/* The device as it is in xml, for unplugging; malloc'ed.  -ENOENT: none. */
int domain_xml_copy_device(const char *xml, enum domain_agent agent, char **out,
			   char *why, size_t len);

#endif
