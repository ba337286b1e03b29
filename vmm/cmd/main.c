// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cmd/cmd.h"
#include "vmm/libvirt/libvirt-fleet.h"
#include "vmm/sink/evictor.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/error-text.h"
#include "vmm/util/log.h"
#include "vmm/util/nearest.h"

struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
};

static const struct verb verbs[] = {
	{ "run", cmd_run, "start a virtual machine" },
	{ "attach", cmd_attach,
	  "reclaim memory of guests of QEMU and libvirt" },
	{ "stat", cmd_stat, "show memory statistics of a running VM" },
	{ "top", cmd_top, "show all running VMs, updated continuously" },
	{ "metrics", cmd_metrics, "metrics of all running VMs for Prometheus" },
	{ "inspect", cmd_inspect, "show the mappings of a page, or how idle a "
				  "process is" },
	{ "policy", cmd_policy, "show or change the reclaim policy of a running VM" },
	{ "balance", cmd_balance, "move memory between running VMs, to those "
				  "that need it" },
	{ "libvirt", cmd_libvirt, "prepare a domain of libvirt for reclaim" },
	{ "doctor", cmd_doctor, "show what this host supports, and what it "
				"lacks" },
	{ "experiment", cmd_experiment, "start guests and compare policies on "
					"them" },
	{ NULL, NULL, NULL },
};

static void usage(FILE *f)
{
	fprintf(f, "usage: vmm VERB [OPTION...]\n\n");
	for (const struct verb *v = verbs; v->name; v++)
		fprintf(f, "  %-11s %s\n", v->name, v->what);
	fprintf(f, "\n`vmm VERB --help` lists the options of a verb.\n");
}

/*
 * At the exit of every verb, and of popt: lost output is a failure.  The reason
 * is known only if the last write is the one that failed.
 */
static void check_output(int status, void *unused)
{
	bool lost;

	errno = 0;
	lost = fflush(stdout) || ferror(stdout);
	if (!lost)
		return;
	log_error("could not write all of the output%s%s",
		  errno ? ": " : "", errno ? error_text(errno) : "");
	if (!status)
		_exit(VMM_EXIT_FAILURE);
}

/* argv[0] becomes "vmm VERB", as usage messages show it. */
static int run(const struct verb *v, int argc, char **argv)
{
	char name[32];
	int rc;

	snprintf(name, sizeof(name), "vmm %s", v->name);
	argv[0] = name;
	rc = v->run(argc, argv);
	argv[0] = NULL;
	if (libvirt_fleet_left_any()) {
		check_output(rc, NULL);
		fflush(NULL);
		_exit(rc);
	}
	return rc;
}

/* popt shows its table only in its help: reads the "--NAME"s there. */
static void suggest_option(poptContext popt, const char *option, char *hint,
			   size_t len)
{
	struct nearest n = { .word = option };
	__cleanup_free char *help = NULL;
	size_t help_len;
	FILE *f = open_memstream(&help, &help_len);

	*hint = 0;
	if (!f)
		return;
	poptPrintHelp(popt, f, 0);
	if (fclose(f))
		return;
	for (char *save, *line = strtok_r(help, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *name = line + strspn(line, " ");

		/* "  -k, --kernel=FILE   what it is" */
		if (name[0] == '-' && name[1] != '-')
			name += strcspn(name, ",") + strspn(name + 2, ", ");
		if (strncmp(name, "--", 2))
			continue;
		name[strcspn(name, "= ")] = 0;
		nearest_try(&n, name);
	}
	nearest_hint(&n, hint, len);
}

int cmd_bad_option(poptContext popt, int opt)
{
	const char *option = poptBadOption(popt, POPT_BADOPTION_NOALIAS);
	char hint[64] = "";

	if (opt == CMD_REFUSED)
		return VMM_EXIT_USAGE;
	if (opt == POPT_ERROR_BADOPT && !strncmp(option, "--", 2))
		suggest_option(popt, option, hint, sizeof(hint));
	log_error("%s: %s%s%s see --help", option, poptStrerror(opt), hint,
		  *hint ? "" : ";");
	return VMM_EXIT_USAGE;
}

int cmd_set_option(const struct key *keys, const char *option, const char *text,
		   void *to)
{
	char why[256];

	if (!text || !key_set_text(keys, option, text, to, why, sizeof(why)))
		return VMM_EXIT_OK;
	log_error("%s", why);
	return VMM_EXIT_USAGE;
}

static int unknown_verb(const char *name)
{
	struct nearest n = { .word = name };
	char hint[64];

	for (const struct verb *v = verbs; v->name; v++)
		nearest_try(&n, v->name);
	fprintf(stderr, "vmm: unknown verb '%s'%s%s `vmm --help` lists the "
		"verbs\n", name,
		nearest_hint(&n, hint, sizeof(hint)), n.name ? "" : ";");
	return VMM_EXIT_USAGE;
}

/*
 * Where standard input, output or error are closed, files that are opened later
 * must not become them: messages and the guest's output would be written to
 * these.  Opened for reading, so that writing fails as it does when closed.
 */
static void occupy_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	evictor_init(argc, argv);
	occupy_standard_files();
	on_exit(check_output, NULL);
	if (argc >= 2 && !strcmp(argv[1], "--help")) {
		usage(stdout);
		return VMM_EXIT_OK;
	}
	if (argc >= 2 && !strcmp(argv[1], "--version")) {
		printf("vmm %s\n", PACKAGE_VERSION);
		return VMM_EXIT_OK;
	}
	if (argc < 2) {
		usage(stderr);
		return VMM_EXIT_USAGE;
	}
	for (const struct verb *v = verbs; v->name; v++)
		if (!strcmp(argv[1], v->name))
			return run(v, argc - 1, argv + 1);
	return unknown_verb(argv[1]);
}
