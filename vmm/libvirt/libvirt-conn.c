// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include "vmm/libvirt/libvirt-conn.h"

#ifdef HAVE_LIBVIRT

#include <errno.h>
#include <libvirt/virterror.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	int code, rc;
} errors[] = {
	{ VIR_ERR_NO_MEMORY, -ENOMEM },
	{ VIR_ERR_NO_SUPPORT, -EOPNOTSUPP },
	{ VIR_ERR_OPERATION_UNSUPPORTED, -EOPNOTSUPP },
	{ VIR_ERR_CONFIG_UNSUPPORTED, -EOPNOTSUPP },
	{ VIR_ERR_ARGUMENT_UNSUPPORTED, -EOPNOTSUPP },
	{ VIR_ERR_NO_DOMAIN, -ENOENT },
	{ VIR_ERR_NO_DOMAIN_METADATA, -ENOENT },
	{ VIR_ERR_DEVICE_MISSING, -ENOENT },
	{ VIR_ERR_NO_CONNECT, -ECONNREFUSED },
	{ VIR_ERR_AUTH_FAILED, -EACCES },
	{ VIR_ERR_AUTH_CANCELLED, -EACCES },
	{ VIR_ERR_AUTH_UNAVAILABLE, -EACCES },
	{ VIR_ERR_ACCESS_DENIED, -EACCES },
	{ VIR_ERR_OPERATION_DENIED, -EACCES },
	{ VIR_ERR_OPERATION_INVALID, -EBUSY },
	{ VIR_ERR_OPERATION_TIMEOUT, -ETIMEDOUT },
	{ VIR_ERR_INVALID_ARG, -EINVAL },
	{ VIR_ERR_XML_ERROR, -EINVAL },
	{ VIR_ERR_XML_DETAIL, -EINVAL },
	{ VIR_ERR_XML_INVALID_SCHEMA, -EINVAL },
};

int libvirt_conn_error(const char *what, char *why, size_t len)
{
	virErrorPtr e = virGetLastError();

	snprintf(why, len, "%s: %s", what,
		 e && e->message ? e->message : "libvirt gives no reason");
	for (size_t i = 0; e && i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].code == e->code)
			return errors[i].rc;
	return -EIO;
}

/* By default libvirt prints errors; a library must not. */
static void keep_silent(void *arg, virErrorPtr error)
{
}

static void start_libvirt(void)
{
	virSetErrorFunc(NULL, keep_silent);
	virInitialize();
}

int libvirt_conn_open(virConnectPtr *connp, const char *uri, bool read_only,
		      char *why, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const char *env = getenv("LIBVIRT_DEFAULT_URI");
	virConnectPtr conn;
	char what[256];

	pthread_once(&once, start_libvirt);
	conn = virConnectOpenAuth(uri, virConnectAuthPtrDefault,
				  read_only ? VIR_CONNECT_RO : 0);
	if (conn) {
		*connp = conn;
		return 0;
	}
	snprintf(what, sizeof(what), "cannot connect to libvirt (%s)",
		 uri ? uri : env && *env ? env : "its default URI");
	return libvirt_conn_error(what, why, len);
}

static bool is_id(const char *text, int *id)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || n > INT_MAX)
		return false;
	*id = n;
	return true;
}

int libvirt_conn_find(virConnectPtr conn, const char *domain,
		      virDomainPtr *domp, char *why, size_t len)
{
	virDomainPtr dom = NULL;
	char *uri, what[256];
	int rc, id;

	/*
	 * In virsh's order; the name last, as its error message is the relevant
	 * one.
	 */
	if (is_id(domain, &id))
		dom = virDomainLookupByID(conn, id);
	if (!dom)
		dom = virDomainLookupByUUIDString(conn, domain);
	if (!dom)
		dom = virDomainLookupByName(conn, domain);
	if (dom) {
		*domp = dom;
		return 0;
	}
	snprintf(what, sizeof(what), "domain %s", domain);
	rc = libvirt_conn_error(what, why, len);
	if (rc != -ENOENT)
		return rc;
	uri = virConnectGetURI(conn);
	snprintf(why, len, "libvirt (%s) has no domain '%s'; "
		 "`virsh -c %s list --all` lists them", uri ? uri : "?", domain,
		 uri ? uri : "URI");
	free(uri);
	return rc;
}

#endif
