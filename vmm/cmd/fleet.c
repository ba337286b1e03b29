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
#include "vmm/cmd/fleet.h"
#include "vmm/util/log.h"
#include "vmm/util/size.h"

#define PERIOD_MS 60000		/* who asks once needs no second look */
#define WAIT_MS	  30000		/* for ssh too */

static const struct {
	const char *name, *title, *help;
} values[FLEET_NR_VALUES] = {
	[FLEET_MAX] = { "max", "MEMORY", "Memory of the domain." },
	[FLEET_ACTUAL] = { "actual", "ACTUAL",
			   "The same without what the balloon took." },
	[FLEET_RSS] = { "rss", "RSS", "Resident memory of its process." },
	[FLEET_USABLE] = { "usable", "USABLE",
			   "What the guest could use without swapping." },
	[FLEET_UNUSED] = { "unused", "UNUSED", "Free memory of the guest." },
	[FLEET_AVAILABLE] = { "available", NULL,
			      "Memory that the guest sees." },
	[FLEET_CACHE] = { "disk_caches", NULL, "Page cache of the guest." },
	[FLEET_SWAP_IN] = { "swap_in", "SWAP IN",
			    "Read by the guest from swap of its own." },
	[FLEET_SWAP_OUT] = { "swap_out", "SWAP OUT",
			     "Written by the guest to swap of its own." },
};

struct libvirt_fleet **fleet_open(char *const *uris, unsigned int period_ms,
				  char *why, size_t len)
{
	struct libvirt_fleet **fleets;
	size_t nr = 0;

	while (uris && uris[nr])
		nr++;
	fleets = calloc(nr + 1, sizeof(*fleets));
	if (!fleets)
		snprintf(why, len, "no memory");
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

/* --- once ------------------------------------------------------------------- */

static json_t *json_of(const struct fleet_domain *d)
{
	json_t *memory = json_object();

	for (int v = 0; v < FLEET_NR_VALUES; v++) {
		char name[32];

		snprintf(name, sizeof(name), "%s_bytes", values[v].name);
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
		if (values[v].title)
			printf(" %8s", values[v].title);
	printf(" %8s\n", "TOLD");
	for (int i = 0; i < nr; i++) {
		const struct fleet_domain *d = &domains[i];

		printf("%-16s %-20s", d->host, d->name);
		for (int v = 0; v < FLEET_NR_VALUES; v++)
			if (values[v].title)
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
		  "the domains of this libvirt; may be repeated", "URI" },
		{ "json", 'j', POPT_ARG_NONE, &json, 0, "as JSON", NULL },
		POPT_AUTOHELP
		POPT_TABLEEND
	};
	poptContext popt = poptGetContext("vmm stat", argc,
					  (const char **)argv, options, 0);

	rc = poptGetNextOpt(popt);
	if (rc < -1) {
		log_error("%s: %s; with --connect there is --json alone",
			  poptBadOption(popt, POPT_BADOPTION_NOALIAS),
			  poptStrerror(rc));
		rc = VMM_EXIT_USAGE;
	} else if (poptPeekArg(popt)) {
		log_error("what is '%s' for? See vmm stat --help",
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

/* --- metrics ---------------------------------------------------------------- */

/* A label: names of domains may hold quotes. */
static void put_escaped(FILE *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', out);
		if (*s == '\n')
			fputs("\\n", out);
		else
			fputc(*s, out);
	}
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
			put_escaped(out, d->host);
			fputs("\",vm=\"", out);
			put_escaped(out, d->name);
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
	fputs("# TYPE vmm_host_up gauge\n"
	      "# HELP vmm_host_up Whether libvirt there answered.\n", out);
	for (size_t i = 0; i < nr; i++) {
		seen[i].nr = libvirt_fleet_get(fleets[i], wait_ms,
					       &seen[i].domains, why,
					       sizeof(why));
		if (seen[i].nr < 0)
			log_warn("%s", why);
		fputs("vmm_host_up{connect=\"", out);
		put_escaped(out, libvirt_fleet_uri(fleets[i]));
		fprintf(out, "\"} %d\n", seen[i].nr >= 0);
	}
	for (int v = 0; v < FLEET_NR_VALUES; v++)
		print_family(seen, nr, v, out);
	for (size_t i = 0; i < nr; i++)
		free(seen[i].domains);
	free(seen);
}
