/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A domain of libvirt that is to be changed: its definition, and as it runs. */
#ifndef VMM_LIBVIRT_LIBVIRT_DOMAIN_H
#define VMM_LIBVIRT_LIBVIRT_DOMAIN_H

#include "vmm/libvirt/domain-live.h"
#include "vmm/libvirt/libvirt-conn.h"

#ifdef HAVE_LIBVIRT

struct libvirt_domain {
	virConnectPtr conn;	/* this and below: owned */
	virDomainPtr dom;
	char *name;
	char *config;	/* XML with secrets; NULL: it has no definition */
	char *shown;	/* XML for people's eyes, of what config is */
	char *live;	/* XML; NULL: it does not run */
};

/*
 * read_only: nothing can be changed, and config has no secrets.  0 or -errno
 * with why.
 */
int libvirt_domain_open(struct libvirt_domain *d, const char *uri,
			const char *domain, bool read_only, char *why,
			size_t len);
void libvirt_domain_close(struct libvirt_domain *d);

/*
 * Makes xml, which was made of d->config, the definition, and notes there what
 * controllers libvirt adds to it.  -EBUSY: somebody else has changed it.
 */
int libvirt_domain_define(struct libvirt_domain *d, const char *xml, char *why,
			  size_t len);

/* Does what the plan says to the running domain. */
int libvirt_domain_carry_out(struct libvirt_domain *d,
			     const struct domain_plan *plan, char *why,
			     size_t len);

#endif
#endif
