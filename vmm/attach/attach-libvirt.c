// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A domain of libvirt: its process, its metadata, its jobs.  Nothing is changed
 * there; the connection may break, since the guest does not depend on it.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/attach/attach.h"
#include "vmm/libvirt/domain-memory.h"
#include "vmm/libvirt/domain-xml.h"
#include "vmm/libvirt/libvirt-conn.h"
#include "vmm/qemu/qemu-guest.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/log.h"

#ifdef HAVE_LIBVIRT

#define STARTING_MS 5000
#define POLL_MS     100

struct attach_domain {
	virConnectPtr conn;	/* owned; NULL: disconnected */
	virDomainPtr dom;	/* owned; NULL if conn is */
	char uuid[VIR_UUID_STRING_BUFLEN];
	const char *uri;	/* not owned */
	char *xml;		/* owned: as last read */
	char *policy;		/* owned: as in its metadata, or NULL */
	struct engine_policy base;	/* from the command line */
	bool by_command;	/* the command line alone sets the policy */
	enum qemu_migration migration;
	bool was_seen;		/* its migration state was read before */
};

static void disconnect(struct attach_domain *d)
{
	if (d->dom)
		virDomainFree(d->dom);
	if (d->conn)
		virConnectClose(d->conn);
	d->dom = NULL;
	d->conn = NULL;
}

static int connect_to(struct attach_domain *d, const char *domain, char *why,
		      size_t len)
{
	int rc;

	if (d->conn && virConnectIsAlive(d->conn) == 1)
		return 0;
	disconnect(d);
	rc = libvirt_conn_open(&d->conn, d->uri, true, why, len);
	if (!rc)
		rc = libvirt_conn_find(d->conn, domain, &d->dom, why, len);
	if (rc)
		disconnect(d);
	return rc;
}

static int read_domain_xml(struct attach_domain *d, char *why, size_t len)
{
	char *xml = virDomainGetXMLDesc(d->dom, 0);

	if (!xml)
		return libvirt_conn_error("cannot read the domain's XML",
					  why, len);
	free(d->xml);
	d->xml = xml;
	return 0;
}

/* The command line overrides the metadata. */
static int take_settings(struct attach_domain *d, struct attach_options *o,
			 char *why, size_t len)
{
	struct domain_settings s;
	int rc = read_domain_xml(d, why, len);

	if (!rc)
		rc = domain_xml_read(d->xml, &s, why, len);
	if (rc)
		return rc;
	d->by_command = o->service.reclaim_text;
	d->base = o->service.policy;
	if (s.policy && !d->by_command) {
		char reason[256];

		rc = engine_policy_parse(s.policy, &o->service.policy, reason,
					 sizeof(reason));
		if (rc)
			snprintf(why, len, "invalid policy '%s' in the "
				 "domain's metadata: %s", s.policy, reason);
		d->policy = strdup(s.policy);
	}
	if (s.abits && !o->service.abits)
		o->service.abits = strdup(s.abits);
	if (s.channel_path && !o->agent && !o->service.no_agent)
		o->agent = strdup(s.channel_path);
	domain_settings_free(&s);
	return rc;
}

/* libvirt reports a domain as running before its process exists. */
static bool wait_for_process(struct attach_domain *d, pid_t *pid)
{
	const char *driver = virConnectGetType(d->conn);
	bool may_come = driver && !strcmp(driver, "QEMU");

	for (int ms = 0;; ms += POLL_MS) {
		*pid = qemu_guest_find(d->uuid);
		if (*pid > 0)
			return true;
		if (!may_come || ms >= STARTING_MS ||
		    virDomainIsActive(d->dom) != 1)
			return false;
		usleep(POLL_MS * 1000);
	}
}

static int find_pid(struct attach_domain *d, struct attach_options *o,
		    pid_t *pid, char *why, size_t len)
{
	if (virDomainGetUUIDString(d->dom, d->uuid))
		return libvirt_conn_error("cannot read the domain's UUID",
					  why, len);
	if (virDomainIsActive(d->dom) != 1) {
		snprintf(why, len, "domain %s is not running: virsh start %s",
			 o->domain, o->domain);
		return -ESRCH;
	}
	if (!o->service.name)
		o->service.name = strdup(virDomainGetName(d->dom));
	if (wait_for_process(d, pid))
		return 0;
	snprintf(why, len, "domain %s has no QEMU process on this host: only "
		 "domains of this host's QEMU driver can be attached to",
		 o->domain);
	return -ESRCH;
}

int attach_domain_open(struct attach_domain **dp, struct attach_options *o,
		       pid_t *pid, char *why, size_t len)
{
	struct attach_domain *d = calloc(1, sizeof(*d));
	int rc;

	if (!d)
		return -ENOMEM;
	d->uri = o->uri;
	rc = connect_to(d, o->domain, why, len);
	if (!rc)
		rc = find_pid(d, o, pid, why, len);
	if (!rc)
		rc = take_settings(d, o, why, len);
	if (rc) {
		attach_domain_close(d);
		return rc;
	}
	*dp = d;
	return 0;
}

void attach_domain_close(struct attach_domain *d)
{
	if (!d)
		return;
	disconnect(d);
	free(d->xml);
	free(d->policy);
	free(d);
}

void attach_domain_poll(struct attach_domain *d)
{
	char why[256];

	/*
	 * While the domain is being saved, a request for its XML may block
	 * until the save has ended.
	 */
	if (d->migration == QEMU_MIGRATION_NONE &&
	    !connect_to(d, d->uuid, why, sizeof(why)) &&
	    read_domain_xml(d, why, sizeof(why)))
		log_debug("%s", why);
}

int attach_domain_memory(struct attach_domain *d, struct qemu_part *parts,
			 uint64_t *unknown_bytes, char *why, size_t len)
{
	return domain_memory_read(d->xml, parts, unknown_bytes, why, len);
}

/* Paused by a migration, save or start, also while there is no job. */
static bool is_paused_to_move(struct attach_domain *d)
{
	int state, reason;

	if (virDomainGetState(d->dom, &state, &reason, 0) ||
	    state != VIR_DOMAIN_PAUSED)
		return false;
	return reason == VIR_DOMAIN_PAUSED_MIGRATION ||
	       reason == VIR_DOMAIN_PAUSED_SAVE ||
	       reason == VIR_DOMAIN_PAUSED_STARTING_UP;
}

enum qemu_migration attach_domain_migration(struct attach_domain *d)
{
	enum qemu_migration was = d->migration;
	virDomainJobInfo job;
	char why[256];

	if (connect_to(d, d->uuid, why, sizeof(why)) ||
	    virDomainGetJobInfo(d->dom, &job))
		return was;
	d->migration = QEMU_MIGRATION_NONE;
	if (is_paused_to_move(d))
		/* Paused when first seen: it has not run here yet. */
		d->migration = was == QEMU_MIGRATION_INCOMING || !d->was_seen ?
				       QEMU_MIGRATION_INCOMING :
				       QEMU_MIGRATION_OUTGOING;
	else if (job.type == VIR_DOMAIN_JOB_BOUNDED ||
		 job.type == VIR_DOMAIN_JOB_UNBOUNDED)
		d->migration = QEMU_MIGRATION_OUTGOING;
	d->was_seen = true;
	return d->migration;
}

bool attach_domain_migrated_in(struct attach_domain *d)
{
	int state, reason;

	return d->dom && !virDomainGetState(d->dom, &state, &reason, 0) &&
	       state == VIR_DOMAIN_RUNNING &&
	       (reason == VIR_DOMAIN_RUNNING_MIGRATED ||
		reason == VIR_DOMAIN_RUNNING_RESTORED ||
		reason == VIR_DOMAIN_RUNNING_FROM_SNAPSHOT);
}

static bool differs(const char *a, const char *b)
{
	return !a != !b || (a && strcmp(a, b));
}

bool attach_domain_new_policy(struct attach_domain *d, struct engine_policy *p)
{
	struct domain_settings s;
	char why[256];
	bool is_new;

	if (d->by_command || domain_xml_read(d->xml, &s, why, sizeof(why)))
		return false;
	is_new = differs(s.policy, d->policy);
	if (is_new) {
		free(d->policy);
		d->policy = s.policy ? strdup(s.policy) : NULL;
		*p = d->base;
		if (s.policy && engine_policy_parse(s.policy, p, why,
						    sizeof(why))) {
			log_warn("invalid policy '%s' in the domain's "
				 "metadata: %s",
				 s.policy, why);
			is_new = false;
		}
	}
	domain_settings_free(&s);
	return is_new;
}

#else

int attach_domain_open(struct attach_domain **dp, struct attach_options *o,
		       pid_t *pid, char *why, size_t len)
{
	snprintf(why, len, "%s", LIBVIRT_CONN_MISSING);
	return -ENOSYS;
}

void attach_domain_close(struct attach_domain *d)
{
}

void attach_domain_poll(struct attach_domain *d)
{
}

int attach_domain_memory(struct attach_domain *d, struct qemu_part *parts,
			 uint64_t *unknown_bytes, char *why, size_t len)
{
	return 0;
}

enum qemu_migration attach_domain_migration(struct attach_domain *d)
{
	return QEMU_MIGRATION_NONE;
}

bool attach_domain_migrated_in(struct attach_domain *d)
{
	return false;
}

bool attach_domain_new_policy(struct attach_domain *d, struct engine_policy *p)
{
	return false;
}

#endif
