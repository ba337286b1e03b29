// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include "vmm/libvirt/libvirt-domain.h"

#ifdef HAVE_LIBVIRT

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libvirt/virterror.h>

#include "vmm/util/cleanup.h"

/* libvirt's flags for config; a read-only connection may not read secrets. */
static unsigned int config_flags(bool read_only)
{
	return VIR_DOMAIN_XML_INACTIVE |
	       (read_only ? 0 : VIR_DOMAIN_XML_SECURE);
}

static int take_xml(struct libvirt_domain *d, bool read_only, char *why,
		    size_t len)
{
	int persistent = virDomainIsPersistent(d->dom);
	int active = virDomainIsActive(d->dom);

	if (persistent < 0 || active < 0)
		return libvirt_conn_error(d->name, why, len);
	if (persistent) {
		d->config = virDomainGetXMLDesc(d->dom,
						config_flags(read_only));
		d->shown = virDomainGetXMLDesc(d->dom,
					       VIR_DOMAIN_XML_INACTIVE);
		if (!d->config || !d->shown)
			return libvirt_conn_error(d->name, why, len);
	}
	if (active) {
		d->live = virDomainGetXMLDesc(d->dom, 0);
		if (!d->live)
			return libvirt_conn_error(d->name, why, len);
	}
	return 0;
}

int libvirt_domain_open(struct libvirt_domain *d, const char *uri,
			const char *domain, bool read_only, char *why,
			size_t len)
{
	int rc;

	*d = (struct libvirt_domain){ 0 };
	rc = libvirt_conn_open(&d->conn, uri, read_only, why, len);
	if (rc)
		return rc;
	rc = libvirt_conn_find(d->conn, domain, &d->dom, why, len);
	if (!rc) {
		d->name = strdup(virDomainGetName(d->dom));
		rc = d->name ? take_xml(d, read_only, why, len) : -ENOMEM;
		if (!d->name)
			snprintf(why, len, "out of memory");
	}
	if (rc)
		libvirt_domain_close(d);
	return rc;
}

void libvirt_domain_close(struct libvirt_domain *d)
{
	free(d->name);
	free(d->config);
	free(d->shown);
	free(d->live);
	if (d->dom)
		virDomainFree(d->dom);
	if (d->conn)
		virConnectClose(d->conn);
	*d = (struct libvirt_domain){ 0 };
}

static int define(struct libvirt_domain *d, const char *xml, char *why,
		  size_t len)
{
	virDomainPtr dom = virDomainDefineXML(d->conn, xml);

	if (!dom)
		return libvirt_conn_error("libvirt refuses the changed "
					  "definition", why, len);
	virDomainFree(dom);
	return 0;
}

/* The definition as libvirt completed it, with a record of what it added. */
static int note_controllers(struct libvirt_domain *d, const char *given,
			    char *why, size_t len)
{
	__cleanup_free char *now = virDomainGetXMLDesc(d->dom,
						       config_flags(false));
	__cleanup_free char *noted = NULL;
	int rc;

	if (!now)
		return libvirt_conn_error(d->name, why, len);
	rc = domain_xml_note_controllers(given, now, &noted, why, len);
	return rc || !noted ? rc : define(d, noted, why, len);
}

int libvirt_domain_define(struct libvirt_domain *d, const char *xml, char *why,
			  size_t len)
{
	char *now = virDomainGetXMLDesc(d->dom, config_flags(false));
	bool changed;
	int rc;

	if (!now)
		return libvirt_conn_error(d->name, why, len);
	changed = strcmp(now, d->config);
	free(now);
	if (changed) {
		snprintf(why, len, "domain %s was changed by another program "
			 "meanwhile; check it, then retry", d->name);
		return -EBUSY;
	}
	rc = define(d, xml, why, len);
	return rc ? rc : note_controllers(d, xml, why, len);
}

static int set_metadata(struct libvirt_domain *d, const char *element,
			char *why, size_t len)
{
	if (virDomainSetMetadata(d->dom, VIR_DOMAIN_METADATA_ELEMENT, element,
				 element ? DOMAIN_XML_PREFIX : NULL,
				 DOMAIN_XML_NS, VIR_DOMAIN_AFFECT_LIVE))
		return libvirt_conn_error("cannot set the running domain's "
					  "metadata", why, len);
	return 0;
}

static int unplug(struct libvirt_domain *d, enum domain_agent agent, char *why,
		  size_t len)
{
	__cleanup_free char *device = NULL;
	int rc = domain_xml_copy_device(d->live, agent, &device, why, len);

	if (!rc && virDomainDetachDeviceFlags(d->dom, device,
					      VIR_DOMAIN_AFFECT_LIVE))
		rc = libvirt_conn_error("cannot unplug the device from the "
					"running domain", why, len);
	return rc;
}

int libvirt_domain_carry_out(struct libvirt_domain *d,
			     const struct domain_plan *plan, char *why,
			     size_t len)
{
	int rc = 0;

	if (plan->unplug != DOMAIN_AGENT_NONE)
		rc = unplug(d, plan->unplug, why, len);
	if (!rc && plan->plug != DOMAIN_AGENT_NONE &&
	    virDomainAttachDeviceFlags(d->dom, domain_xml_device(plan->plug),
				       VIR_DOMAIN_AFFECT_LIVE))
		rc = libvirt_conn_error("cannot plug the device into the "
					"running domain", why, len);
	if (!rc && plan->set_metadata)
		rc = set_metadata(d, plan->metadata, why, len);
	return rc;
}

#endif
