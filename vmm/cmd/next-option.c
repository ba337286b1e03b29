// SPDX-License-Identifier: GPL-2.0-or-later
/* Refuses an empty value for an option that names something, such as a file. */
#include "config.h"

#include <string.h>

#include "vmm/cmd/cmd.h"
#include "vmm/util/log.h"

/*
 * What must not be empty: an option by its name, or by the kind of its value as
 * --help shows that.  The first that matches has the example for the message.
 */
static const struct {
	const char *of, *example;
} examples[] = {
	{ "ages", "/var/lib/vmm/ages" },
	{ "kernel", "/boot/vmlinuz" },
	{ "initrd", "/boot/initrd.img" },
	{ "agent-record", "/var/tmp/vm1.record" },
	{ "FILE[,ro]", "/var/lib/vmm/disk.img" },
	{ "FILE", "/path/to/file" },
	{ "PATH", "/run/vmm/vm1.sock" },
	{ "SOCKET", "/run/qemu/monitor.sock" },
	{ "DIR", "/path/to/results" },
	{ "URI", "qemu:///system" },
	{ "NAME", "vm1" },
	{ "HOST:PORT", "127.0.0.1:9717" },
};

static const char *example_of(const char *option, const char *kind)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++)
		if (!strcmp(examples[i].of, option) ||
		    !strcmp(examples[i].of, kind))
			return examples[i].example;
	return NULL;
}

int cmd_check_named(const char *option, const char *kind, const char *what,
		    const char *text)
{
	const char *example = example_of(option, kind);

	if (!text || *text || !example)
		return VMM_EXIT_OK;
	log_error("--%s: the value is empty: give %s (%s), for example --%s %s",
		  option, kind, what, option, example);
	return VMM_EXIT_USAGE;
}

static int check_one(const struct poptOption *o, const char *text)
{
	return cmd_check_named(o->longName, o->argDescrip, o->descrip, text);
}

static int check(const struct poptOption *o)
{
	unsigned int type = o->argInfo & POPT_ARG_MASK;
	int rc = VMM_EXIT_OK;

	if (!o->longName || !o->argDescrip || !o->arg)
		return rc;
	if (type == POPT_ARG_STRING)
		return check_one(o, *(char **)o->arg);
	if (type != POPT_ARG_ARGV)
		return rc;
	for (char **text = *(char ***)o->arg; !rc && text && *text; text++)
		rc = check_one(o, *text);
	return rc;
}

int cmd_next_option(poptContext popt, const struct poptOption *table)
{
	int opt = poptGetNextOpt(popt);

	for (const struct poptOption *o = table;
	     opt == -1 && (o->longName || o->shortName || o->arg); o++)
		if (check(o))
			opt = CMD_REFUSED;
	return opt;
}
