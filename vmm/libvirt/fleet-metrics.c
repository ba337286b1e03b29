// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "vmm/libvirt/fleet-metrics.h"
#include "vmm/util/log.h"
#include "vmm/util/printable.h"

static const struct {
	const char *name, *help;
} values[FLEET_NR_VALUES] = {
	[FLEET_MAX] = { "max", "Largest memory of the domain." },
	[FLEET_ACTUAL] = { "actual", "Current memory, without the balloon." },
	[FLEET_RSS] = { "rss", "Resident memory of its process." },
	[FLEET_USABLE] = { "usable",
			   "Memory that the guest can use without swapping." },
	[FLEET_UNUSED] = { "unused", "Free memory of the guest." },
	[FLEET_AVAILABLE] = { "available", "Total memory in the guest." },
	[FLEET_CACHE] = { "disk_caches", "Page cache of the guest." },
	[FLEET_SWAP_IN] = { "swap_in",
			    "Swapped in by the guest from its own swap." },
	[FLEET_SWAP_OUT] = { "swap_out",
			     "Swapped out by the guest to its own swap." },
};

const char *fleet_value_name(enum fleet_value value)
{
	return values[value].name;
}

struct libvirt_fleet **fleet_open(char *const *uris, unsigned int period_ms,
				  char *why, size_t len)
{
	struct libvirt_fleet **fleets;
	size_t nr = 0;

	while (uris && uris[nr])
		nr++;
	fleets = calloc(nr + 1, sizeof(*fleets));
	if (!fleets)
		snprintf(why, len, "out of memory");
	for (size_t i = 0; fleets && i < nr; i++)
		if (libvirt_fleet_new(&fleets[i], uris[i], period_ms, why,
				      len)) {
			fleet_close(fleets);
			fleets = NULL;
		}
	return fleets;
}

void fleet_close(struct libvirt_fleet **fleets)
{
	for (size_t i = 0; fleets && fleets[i]; i++)
		libvirt_fleet_free(fleets[i]);
	free(fleets);
}

struct seen {
	struct fleet_domain *domains;	/* owned */
	int nr;				/* or -errno */
};

static void print_family(const struct seen *seen, size_t nr,
			 enum fleet_value v, FILE *out)
{
	fprintf(out, "# TYPE vmm_domain_%s_bytes gauge\n"
		     "# UNIT vmm_domain_%s_bytes bytes\n"
		     "# HELP vmm_domain_%s_bytes %s\n", values[v].name,
		values[v].name, values[v].name, values[v].help);
	for (size_t i = 0; i < nr; i++)
		for (int k = 0; k < seen[i].nr; k++) {
			const struct fleet_domain *d = &seen[i].domains[k];

			if (d->values[v] == FLEET_UNKNOWN)
				continue;
			fprintf(out, "vmm_domain_%s_bytes{host=\"",
				values[v].name);
			printable_put_label(out, d->host);
			fputs("\",vm=\"", out);
			printable_put_label(out, d->name);
			fprintf(out, "\"} %" PRIu64 "\n", d->values[v]);
		}
}

void fleet_print_metrics(struct libvirt_fleet *const *fleets,
			 unsigned int wait_ms, FILE *out)
{
	struct seen *seen;
	size_t nr = 0;
	char why[512];

	while (fleets[nr])
		nr++;
	seen = calloc(nr + 1, sizeof(*seen));
	if (!nr || !seen) {
		free(seen);
		return;
	}
	fputs("# TYPE vmm_host_up gauge\n# HELP vmm_host_up Whether libvirt on "
	      "the host answered.\n", out);
	for (size_t i = 0; i < nr; i++) {
		seen[i].nr = libvirt_fleet_get(fleets[i], wait_ms,
					       &seen[i].domains, why,
					       sizeof(why));
		if (seen[i].nr < 0)
			log_warn("%s", why);
		fputs("vmm_host_up{connect=\"", out);
		printable_put_label(out, libvirt_fleet_uri(fleets[i]));
		fprintf(out, "\"} %d\n", seen[i].nr >= 0);
	}
	for (int v = 0; v < FLEET_NR_VALUES; v++)
		print_family(seen, nr, v, out);
	for (size_t i = 0; i < nr; i++)
		free(seen[i].domains);
	free(seen);
}
