// SPDX-License-Identifier: GPL-2.0-or-later
/* vmm attach: the command line. */
#include "config.h"

#include <popt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/attach/attach.h"
#include "vmm/cmd/cmd.h"
#include "vmm/libvirt/libvirt-conn.h"
#include "vmm/util/log.h"

static const struct key option_keys[] = {
	{ "--pid", KEY_NUMBER, KEY_MEMBER(struct attach_options, pid),
	  .min = 1, .unit = "a process" },
	{ .name = NULL },
};

static int check_guest_choice(const struct attach_options *o)
{
	bool by_libvirt = o->domain || o->all;
	struct stat st;

	if (by_libvirt == !(o->pid || o->qmp) && !(o->domain && o->all))
		goto good;
	log_error("attach: no guest is named, or more than one: give --pid "
		  "PID, --qmp SOCKET, a libvirt DOMAIN, or --all; see --help");
	return VMM_EXIT_USAGE;
good:
	if (o->uri && !by_libvirt) {
		log_error("--connect %s: no domain is named: name one, or use "
			  "--all",
			  o->uri);
		return VMM_EXIT_USAGE;
	}
	if (o->all && (o->service.name || o->service.socket || o->agent)) {
		log_error("--all: --name, --socket and --agent apply to a "
			  "single guest: leave them out");
		return VMM_EXIT_USAGE;
	}
	if (o->all && o->ages && (stat(o->ages, &st) || !S_ISDIR(st.st_mode))) {
		log_error("--ages %s: with --all it must be an existing "
			  "directory, in which each guest gets a file",
			  o->ages);
		return VMM_EXIT_USAGE;
	}
#ifndef HAVE_LIBVIRT
	if (by_libvirt) {
		log_error("%s", LIBVIRT_CONN_MISSING);
		return VMM_EXIT_FAILURE;
	}
#endif
	return VMM_EXIT_OK;
}

static int check(struct attach_options *o)
{
	int rc = cmd_set_option(option_keys, "--pid", o->pid_text, o);

	if (!rc)
		rc = check_guest_choice(o);
	return rc ? rc : service_options_check(&o->service);
}

/*
 * In a process that attach_all() started: makes the options, which are those
 * for all domains, options for the domain of ATTACH_OF_ALL.
 */
static int serve_domain_of_all(struct attach_options *o)
{
	if (!o->all) {
		log_error("--" ATTACH_OF_ALL " is for the processes that --all "
			  "starts: name the domain instead");
		return VMM_EXIT_USAGE;
	}
	o->all = 0;
	o->domain = o->of_all;
	o->of_all = NULL;
	return VMM_EXIT_OK;
}

static int parse(struct attach_options *o, poptContext popt,
		 const struct poptOption *table)
{
	const char *word;
	int rc, opt = cmd_next_option(popt, table);

	if (opt < -1)
		return cmd_bad_option(popt, opt);
	word = poptGetArg(popt);
	o->domain = word ? strdup(word) : NULL;
	word = word ? poptGetArg(popt) : NULL;
	if (word) {
		log_error("attach: unexpected argument '%s': name one domain, "
			  "or use --all",
			  word);
		return VMM_EXIT_USAGE;
	}
	rc = check(o);
	if (!rc && o->of_all)
		rc = serve_domain_of_all(o);
	return rc;
}

static int options_parse(struct attach_options *o, int argc, char **argv)
{
	struct service_options *r = &o->service;
	const struct poptOption table[] = {
		{ "pid", 'p', POPT_ARG_STRING, &o->pid_text, 0,
		  "process ID of the guest's QEMU", "PID" },
		{ "qmp", 'q', POPT_ARG_STRING, &o->qmp, 0,
		  "unix socket of a monitor (QMP) of the QEMU process",
		  "SOCKET" },
		{ "connect", 'c', POPT_ARG_STRING, &o->uri, 0,
		  "URI of the libvirt that runs the domain (libvirt's default)",
		  "URI" },
		{ "all", 'A', POPT_ARG_NONE, &o->all, 0,
		  "attach to all domains there, running now or later", NULL },
		{ ATTACH_OF_ALL, 0, POPT_ARG_STRING | POPT_ARGFLAG_DOC_HIDDEN,
		  &o->of_all, 0, NULL, NULL },
		{ "abits", 'a', POPT_ARG_STRING, &r->abits, 0,
		  "source of accessed bits: auto, none, kvm-young, damon, "
		  "page-idle (auto)", "SOURCE" },
		{ "reclaim", 'r', POPT_ARG_STRING, &r->reclaim_text, 0,
		  "reclaim policy: off, on, target=SIZE,period=TIME,idle=N,"
		  "cpu=PERCENT,prefetch=PAGES (off)", "POLICY" },
		{ "sink", 0, POPT_ARG_STRING, &r->sink, 0,
		  "where cold pages go: swap, damon, numa,to=NODE (swap)",
		  "SINK" },
		{ "agent", 0, POPT_ARG_STRING, &o->agent, 0,
		  "QEMU's unix socket of the agent's virtio-serial port",
		  "PATH" },
		{ "no-agent", 0, POPT_ARG_NONE, &r->no_agent, 0,
		  "do not connect to a guest agent", NULL },
		{ "ages", 0, POPT_ARG_STRING, &o->ages, 0,
		  "load page ages from this file if it exists, and save them "
		  "to it; in a directory, the guest's file there", "PATH" },
		{ "name", 'n', POPT_ARG_STRING, &r->name, 0,
		  "name of the VM (QEMU's name of it)", "NAME" },
		{ "socket", 's', POPT_ARG_STRING, &r->socket, 0,
		  "control and statistics socket (/run/vmm/NAME.sock)", "PATH" },
		{ "verbose", 'v', POPT_ARG_NONE, &o->verbose, 0,
		  "log more", NULL },
		POPT_AUTOHELP
		POPT_TABLEEND
	};
	poptContext popt;
	int rc;

	memset(o, 0, sizeof(*o));
	r->policy = (struct engine_policy)ENGINE_POLICY_DEFAULT;
	popt = poptGetContext("vmm attach", argc, (const char **)argv, table, 0);
	poptSetOtherOptionHelp(popt, "--pid PID | --qmp SOCKET | [--connect "
			       "URI] DOMAIN|--all [OPTION...]");
	rc = parse(o, popt, table);
	poptFreeContext(popt);
	return rc;
}

/* Also frees the strings that were taken from libvirt's metadata. */
static void options_free(struct attach_options *o)
{
	service_options_free(&o->service);
	free(o->pid_text);
	free(o->qmp);
	free(o->uri);
	free(o->domain);
	free(o->of_all);
	free(o->ages);
	free(o->agent);
}

int cmd_attach(int argc, char **argv)
{
	struct attach_options o;
	int rc = options_parse(&o, argc, argv);

	if (o.verbose)
		log_set_level(LOG_LEVEL_DEBUG);
	if (!rc && !o.service.sink)
		o.service.sink = strdup("swap");
	if (!rc)
		rc = o.all ? attach_all(&o, argc, argv) : attach_guest(&o);
	options_free(&o);
	return rc;
}
