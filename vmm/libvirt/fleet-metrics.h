/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several fleets: opened together, and their domains as metrics. */
#ifndef VMM_LIBVIRT_FLEET_METRICS_H
#define VMM_LIBVIRT_FLEET_METRICS_H

#include <stdio.h>

#include "vmm/libvirt/libvirt-fleet.h"

/*
 * A NULL-terminated list of owned fleets for a NULL-terminated list of URIs,
 * which may be NULL: then the list is empty.  NULL with why on failure.
 */
struct libvirt_fleet **fleet_open(char *const *uris, unsigned int period_ms,
				  char *why, size_t len);
void fleet_close(struct libvirt_fleet **fleets);

/* Its name in JSON and in metrics, where "_bytes" follows. */
const char *fleet_value_name(enum fleet_value value);

/*
 * OpenMetrics families of all of them, without "# EOF"; a host that did not
 * answer has vmm_host_up 0.
 */
void fleet_print_metrics(struct libvirt_fleet *const *fleets,
			 unsigned int wait_ms, FILE *out);

#endif
