// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <inttypes.h>
#include <jansson.h>
#include <popt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmm/cmd/cmd-client.h"
#include "vmm/cmd/cmd.h"
#include "vmm/cmd/stat-fleet.h"
#include "vmm/libvirt/fleet-metrics.h"
#include "vmm/util/exit-status.h"
#include "vmm/util/log.h"
#include "vmm/util/size.h"

#define PERIOD_MS 60000		/* one answer is enough */
#define WAIT_MS	  30000		/* for ssh too */

/* Titles of columns; a value without a title is in the JSON only. */
static const char *const titles[FLEET_NR_VALUES] = {
	[FLEET_MAX] = "MEMORY", [FLEET_ACTUAL] = "ACTUAL", [FLEET_RSS] = "RSS",
	[FLEET_USABLE] = "USABLE", [FLEET_UNUSED] = "UNUSED",
	[FLEET_SWAP_IN] = "SWAP IN", [FLEET_SWAP_OUT] = "SWAP OUT",
};

static json_t *json_of(const struct fleet_domain *d)
{
	json_t *memory = json_object();

	for (int v = 0; v < FLEET_NR_VALUES; v++) {
		char name[32];

		snprintf(name, sizeof(name), "%s_bytes", fleet_value_name(v));
		if (d->values[v] != FLEET_UNKNOWN)
			json_object_set_new(memory, name,
					    json_integer(d->values[v]));
	}
	if (d->updated)
		json_object_set_new(memory, "last_update",
				    json_integer(d->updated));
	return json_pack("{s:s, s:s, s:s, s:o}", "host", d->host, "name",
			 d->name, "uuid", d->uuid, "memory", memory);
}

static void print_json(const struct fleet_domain *domains, int nr)
{
	json_t *all = json_array();

	for (int i = 0; i < nr; i++)
		json_array_append_new(all, json_of(&domains[i]));
	client_print_json(all);
	json_decref(all);
}

static void print_table(const struct fleet_domain *domains, int nr)
{
	char buf[16];

	printf("%-16s %-20s", "HOST", "NAME");
	for (int v = 0; v < FLEET_NR_VALUES; v++)
		if (titles[v])
			printf(" %8s", titles[v]);
	printf(" %8s\n", "UPDATED");
	for (int i = 0; i < nr; i++) {
		const struct fleet_domain *d = &domains[i];

		printf("%-16s %-20s", d->host, d->name);
		for (int v = 0; v < FLEET_NR_VALUES; v++)
			if (titles[v])
				printf(" %8s", d->values[v] == FLEET_UNKNOWN ?
				       "-" : size_format(d->values[v], buf,
							 sizeof(buf)));
		if (d->updated)
			printf(" %6" PRId64 " s\n",
			       (int64_t)time(NULL) - (int64_t)d->updated);
		else
			printf(" %8s\n", "-");
	}
}

static int show(char *const *uris, bool json)
{
	struct fleet_domain *all = NULL, *more, *domains;
	struct libvirt_fleet **fleets;
	int total = 0, rc = VMM_EXIT_OK;
	char why[512];

	fleets = fleet_open(uris, PERIOD_MS, why, sizeof(why));
	if (!fleets) {
		log_error("%s", why);
		return VMM_EXIT_FAILURE;
	}
	for (size_t i = 0; fleets[i]; i++) {
		int nr = libvirt_fleet_get(fleets[i], WAIT_MS, &domains, why,
					   sizeof(why));

		if (nr < 0) {
			log_error("%s", why);
			rc = VMM_EXIT_FAILURE;
			continue;
		}
		more = realloc(all, (total + nr + 1) * sizeof(*all));
		if (more) {
			all = more;
			memcpy(all + total, domains, nr * sizeof(*all));
			total += nr;
		}
		free(domains);
	}
	if (json)
		print_json(all, total);
	else if (total || !rc)
		print_table(all, total);
	free(all);
	fleet_close(fleets);
	return rc;
}

int fleet_stat(int argc, char **argv)
{
	char **uris = NULL;
	int json = 0, rc;
	const struct poptOption options[] = {
		{ "connect", 'c', POPT_ARG_ARGV, &uris, 0,
		  "show the domains of this libvirt; may be repeated", "URI" },
		{ "json", 'j', POPT_ARG_NONE, &json, 0, "print JSON", NULL },
		POPT_AUTOHELP
		POPT_TABLEEND
	};
	poptContext popt = poptGetContext("vmm stat", argc,
					  (const char **)argv, options, 0);

	rc = cmd_next_option(popt, options);
	if (rc == CMD_REFUSED) {
		rc = VMM_EXIT_USAGE;
	} else if (rc < -1) {
		log_error("%s: %s; --connect only allows --json",
			  poptBadOption(popt, POPT_BADOPTION_NOALIAS),
			  poptStrerror(rc));
		rc = VMM_EXIT_USAGE;
	} else if (poptPeekArg(popt)) {
		log_error("stat: unexpected argument '%s'; see --help",
			  poptPeekArg(popt));
		rc = VMM_EXIT_USAGE;
	} else {
		rc = show(uris, json);
	}
	for (char **u = uris; u && *u; u++)
		free(*u);
	free(uris);
	poptFreeContext(popt);
	return rc;
}
