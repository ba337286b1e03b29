/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs of the vmm command; main.c has their table. */
#ifndef VMM_CMD_CMD_H
#define VMM_CMD_CMD_H

#include <popt.h>

#include "vmm/util/key-value.h"
#include "vmm/util/exit-status.h"

/* argv[0] is "vmm VERB".  Each returns an exit status. */
int cmd_attach(int argc, char **argv);
int cmd_balance(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_experiment(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_libvirt(int argc, char **argv);
int cmd_metrics(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_top(int argc, char **argv);

/* An error below all of popt's that is reported already. */
#define CMD_REFUSED (-1000)

/*
 * poptGetNextOpt(); at the end of the options it also refuses an empty text for
 * an option of `table` that names something, such as a file, a socket or a
 * libvirt.  An error, below -1, is for cmd_bad_option().
 */
int cmd_next_option(poptContext popt, const struct poptOption *table);
/*
 * The same check for an option whose text popt does not store: option, kind and
 * what are its longName, argDescrip and descrip in the table.  VMM_EXIT_OK, or
 * VMM_EXIT_USAGE after reporting the error.
 */
int cmd_check_named(const char *option, const char *kind, const char *what,
		    const char *text);
/* Reports the error `opt` of cmd_next_option().  VMM_EXIT_USAGE. */
int cmd_bad_option(poptContext popt, int opt);
/*
 * Sets the value of an option, by a table whose keys are options, such as
 * "--cpus"; text NULL: the option was not given.  VMM_EXIT_OK, or
 * VMM_EXIT_USAGE after reporting the error.
 */
int cmd_set_option(const struct key *keys, const char *option, const char *text,
		   void *to);

#endif
