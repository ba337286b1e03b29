/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A libvirt domain to be changed: its definition, and its running instance. */
#ifndef VMM_LIBVIRT_LIBVIRT_DOMAIN_H
#define VMM_LIBVIRT_LIBVIRT_DOMAIN_H

#include "vmm/libvirt/domain-live.h"
#include "vmm/libvirt/libvirt-conn.h"

#ifdef HAVE_LIBVIRT

struct libvirt_domain {
	virConnectPtr conn;	/* this and all below: owned */
	virDomainPtr dom;
	char *name;
	char *config;	/* XML with secrets; NULL: not defined */
	char *shown;	/* config as XML to be shown, without secrets */
	char *live;	/* XML; NULL: not running */
};

/*
 * read_only: nothing can be changed, and config is without secrets.  0 or
 * -errno with why.
 */
int libvirt_domain_open(struct libvirt_domain *d, const char *uri,
			const char *domain, bool read_only, char *why,
			size_t len);
void libvirt_domain_close(struct libvirt_domain *d);

/*
 * Makes xml, derived from d->config, the domain's definition, and records in
 * that which controllers libvirt adds.  -EBUSY: another program has changed it.
 */
int libvirt_domain_define(struct libvirt_domain *d, const char *xml, char *why,
			  size_t len);

/* Applies the plan to the running domain. */
int libvirt_domain_carry_out(struct libvirt_domain *d,
			     const struct domain_plan *plan, char *why,
			     size_t len);

#endif
#endif
