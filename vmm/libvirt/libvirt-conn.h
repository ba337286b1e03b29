/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections to libvirt, and its error messages.
 *
 * libvirt's own handles are used directly.  These functions exist only in a vmm
 * built with libvirt (HAVE_LIBVIRT in config.h, to be included first); without
 * it the commands print LIBVIRT_CONN_MISSING.
 */
#ifndef VMM_LIBVIRT_LIBVIRT_CONN_H
#define VMM_LIBVIRT_LIBVIRT_CONN_H

#define LIBVIRT_CONN_MISSING                                             \
	"this vmm was built without libvirt: install the Debian package " \
	"libvirt-dev, configure and build it again"

#ifdef HAVE_LIBVIRT

#include <stdbool.h>
#include <stddef.h>

#include <libvirt/libvirt.h>

/*
 * Opens uri; NULL is libvirt's default, which LIBVIRT_DEFAULT_URI sets.  The
 * caller closes it with virConnectClose().  From now on libvirt's messages are
 * returned in why and not printed to stderr.  read_only is for users who may
 * not change anything.  0 or -errno with why, which names the URI.
 */
int libvirt_conn_open(virConnectPtr *connp, const char *uri, bool read_only,
		      char *why, size_t len);

/*
 * A domain by id (if it runs), UUID or name; release it with virDomainFree().
 * -ENOENT with why: there is none, and how to list them.
 */
int libvirt_conn_find(virConnectPtr conn, const char *domain,
		      virDomainPtr *domp, char *why, size_t len);

/*
 * libvirt's last error in this thread: writes "what: message" to why and
 * returns the nearest -errno, or -EIO if none fits.
 */
int libvirt_conn_error(const char *what, char *why, size_t len);

#endif
#endif
