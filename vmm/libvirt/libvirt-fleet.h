/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fleet: the running domains of one libvirt, which may be on another host,
 * and what it reports about their memory.  A thread queries it periodically, so
 * that a host that does not answer blocks no caller.
 */
#ifndef VMM_LIBVIRT_LIBVIRT_FLEET_H
#define VMM_LIBVIRT_LIBVIRT_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes; UINT64_MAX: libvirt does not report it. */
enum fleet_value {
	FLEET_MAX,		/* the domain's <memory> */
	FLEET_ACTUAL, FLEET_RSS,
	/* Reported by the guest's balloon driver. */
	FLEET_USABLE, FLEET_UNUSED, FLEET_AVAILABLE, FLEET_CACHE,
	FLEET_SWAP_IN, FLEET_SWAP_OUT,
	FLEET_NR_VALUES
};
#define FLEET_UNKNOWN UINT64_MAX

struct fleet_domain {
	char host[64], name[64], uuid[40];
	uint64_t values[FLEET_NR_VALUES];
	uint64_t updated;	/* seconds since 1970; 0: never reported */
};

struct libvirt_fleet;

/*
 * uri NULL: libvirt's default.  period_ms: between two queries.  0 or -errno
 * with why, for local failures; libvirt_fleet_get() reports failures of the
 * connection.
 */
int libvirt_fleet_new(struct libvirt_fleet **fp, const char *uri,
		      unsigned int period_ms, char *why, size_t len);
/*
 * Waits at most two seconds for the thread.  If that is blocked in a call to a
 * host that does not answer, it is left running; then libvirt_fleet_left_any()
 * is true, and the process must end without running exit handlers.
 */
void libvirt_fleet_free(struct libvirt_fleet *f);
bool libvirt_fleet_left_any(void);
const char *libvirt_fleet_uri(const struct libvirt_fleet *f);

/*
 * The running domains as of the last query, sorted by name; *domainsp is
 * malloc'ed.  Waits for the first query up to a limit.  The number of domains,
 * or -errno with why: the last query failed, or has taken three periods
 * (-ETIMEDOUT).
 */
int libvirt_fleet_get(struct libvirt_fleet *f, unsigned int wait_ms,
		      struct fleet_domain **domainsp, char *why, size_t len);

#endif
