// SPDX-License-Identifier: GPL-2.0-or-later
/* vmm top: all guests of this user, on a screen that is updated. */
#include "config.h"

#include <locale.h>
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cmd/cmd.h"
#include "vmm/libvirt/fleet-metrics.h"
#include "vmm/top/loop.h"
#include "vmm/top/table.h"
#include "vmm/util/error-text.h"
#include "vmm/util/log.h"
#include "vmm/util/stop-guard.h"

#define MIN_DELAY_S 0.1
#define MAX_DELAY_S 3600.0
#define FIRST_MS    30000

struct top_args {
	int batch, iterations;
	double delay_s;
	char *sort;
	char **sockets, **uris;	/* NULL ends */
};

/* Checks what popt has stored, and sets *o. */
static int check(const struct top_args *args, struct top_options *o)
{
	int column = TOP_RESIDENT;

	if (args->delay_s < MIN_DELAY_S || args->delay_s > MAX_DELAY_S) {
		log_error("--delay must be from %.1f to %.0f seconds",
			  MIN_DELAY_S,
			  MAX_DELAY_S);
		return VMM_EXIT_USAGE;
	}
	if (args->iterations < 0) {
		log_error("--iterations must be a number of 1 or more");
		return VMM_EXIT_USAGE;
	}
	if (args->sort)
		column = top_column_find(args->sort);
	if (column < 0) {
		log_error("--sort %s: no such column; give the title or the "
			  "letter of one, such as RESIDENT or R",
			  args->sort);
		return VMM_EXIT_USAGE;
	}
	*o = (struct top_options){ .sockets = args->sockets,
				   .delay_s = args->delay_s,
				   .iterations = args->iterations,
				   .sort = column };
	return VMM_EXIT_OK;
}

static int parse(poptContext popt, const struct poptOption *table)
{
	int rc = cmd_next_option(popt, table);

	if (rc < -1)
		return cmd_bad_option(popt, rc);
	if (poptPeekArg(popt)) {
		poptPrintUsage(popt, stderr, 0);
		return VMM_EXIT_USAGE;
	}
	return VMM_EXIT_OK;
}

/* With --batch it waits for the first answers: text is not updated. */
static struct libvirt_fleet **open_fleets(const struct top_args *args)
{
	struct fleet_domain *domains;
	char why[512];
	struct libvirt_fleet **fleets =
		fleet_open(args->uris, args->delay_s * 1000, why, sizeof(why));

	if (!fleets)
		log_error("%s", why);
	for (size_t i = 0; fleets && args->batch && fleets[i]; i++)
		if (libvirt_fleet_get(fleets[i], FIRST_MS, &domains, why,
				      sizeof(why)) >= 0)
			free(domains);
	return fleets;
}

int cmd_top(int argc, char **argv)
{
	struct top_args args = { .delay_s = 2 };
	struct libvirt_fleet **fleets = NULL;
	struct top_options options;
	char why[512];
	int rc;
	const struct poptOption table[] = {
		{ "socket", 's', POPT_ARG_ARGV, &args.sockets, 0,
		  "socket of a VM that is not in the default directory; may be "
		  "repeated", "PATH" },
		{ "connect", 'c', POPT_ARG_ARGV, &args.uris, 0,
		  "also show the domains of this libvirt, as libvirt reports "
		  "them; may be repeated", "URI" },
		{ "delay", 'd', POPT_ARG_DOUBLE, &args.delay_s, 0,
		  "time between two updates (2)", "SECONDS" },
		{ "sort", 0, POPT_ARG_STRING, &args.sort, 0,
		  "sort by this column, given by its title or letter "
		  "(RESIDENT)", "COLUMN" },
		{ "batch", 'b', POPT_ARG_NONE, &args.batch, 0,
		  "print plain text instead of a full screen", NULL },
		{ "iterations", 'n', POPT_ARG_INT, &args.iterations, 0,
		  "exit after this number of updates", "N" },
		POPT_AUTOHELP
		POPT_TABLEEND
	};
	poptContext popt = poptGetContext(argv[0], argc, (const char **)argv,
					  table, 0);

	setlocale(LC_CTYPE, "");	/* for the bars, and for ncurses */
	rc = parse(popt, table);
	if (!rc)
		rc = check(&args, &options);
	/* Before other threads start and before ncurses handles signals. */
	if (!rc && !args.batch) {
		options.stop_fd = stop_guard_start();
		if (options.stop_fd < 0) {
			log_error("cannot set up signal handling: %s",
				  error_text(-options.stop_fd));
			rc = VMM_EXIT_FAILURE;
		}
	}
	if (!rc) {
		fleets = open_fleets(&args);
		options.fleets = fleets;
		rc = fleets ? 0 : VMM_EXIT_FAILURE;
	}
	if (!rc && (args.batch ? top_batch_run(&options, why, sizeof(why))
			       : top_screen_run(&options, why, sizeof(why)))) {
		log_error("%s", why);
		rc = VMM_EXIT_FAILURE;
	}
	for (char **s = args.sockets; s && *s; s++)
		free(*s);
	free(args.sockets);
	fleet_close(fleets);
	for (char **u = args.uris; u && *u; u++)
		free(*u);
	free(args.uris);
	free(args.sort);
	poptFreeContext(popt);
	return rc;
}
