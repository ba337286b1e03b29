/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What we have in the XML of a libvirt domain: how its memory is to be
 * reclaimed, and the device by which the guest's agent reaches the host.
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
 * may be missing.  added tells what is there on our account, so that just this
 * is taken away again, as words: "metadata" (the element itself), "channel",
 * "vsock", and "controller:TYPE:INDEX".
 *
 * Changes are made in the text: what is not ours stays as it is, byte for byte.
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
	DOMAIN_AGENT_KEEP,	/* as it is; of a domain new to us, a channel */
	DOMAIN_AGENT_NONE,
	DOMAIN_AGENT_CHANNEL,	/* a port of virtio-serial */
	DOMAIN_AGENT_VSOCK,
};

/* What a domain has; malloc'ed strings, NULL where there is none. */
struct domain_settings {
	bool is_enabled;		/* the element vmm:reclaim is there */
	char *policy, *abits, *added;
	bool has_channel, has_vsock;
	bool has_virtio_serial;		/* a controller of channels */
	char *channel_path;		/* the host's socket; while it runs */
};

/* 0, -ENOMEM, or -EINVAL with why: not the XML of a domain. */
int domain_xml_read(const char *xml, struct domain_settings *settings,
		    char *why, size_t len);
void domain_settings_free(struct domain_settings *settings);

struct domain_wish {
	const char *policy, *abits;	/* NULL: as it is */
	enum domain_agent agent;
};

/*
 * The XML with what is wished, malloc'ed; the same text where there is nothing
 * to change.  Errors as above.
 */
int domain_xml_enable(const char *xml, const struct domain_wish *wish,
		      char **out, char *why, size_t len);
/* The XML without all that was added. */
int domain_xml_disable(const char *xml, char **out, char *why, size_t len);

/*
 * libvirt adds the controllers that a device needs: notes in `now`, which
 * libvirt made of `given`, that those which given had not are ours.  *out is
 * NULL where there are none.
 */
int domain_xml_note_controllers(const char *given, const char *now, char **out,
				char *why, size_t len);

/* The element vmm:reclaim as virDomainSetMetadata() takes it; malloc'ed. */
char *domain_xml_metadata(const struct domain_settings *settings);

/* Devices to plug: DOMAIN_AGENT_CHANNEL or DOMAIN_AGENT_VSOCK. */
const char *domain_xml_device(enum domain_agent agent);
/* The device as it is in xml, to be unplugged; malloc'ed.  -ENOENT: none. */
int domain_xml_copy_device(const char *xml, enum domain_agent agent, char **out,
			   char *why, size_t len);

#endif
