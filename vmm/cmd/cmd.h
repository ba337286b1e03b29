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

/* Reports the error `opt` of poptGetNextOpt().  VMM_EXIT_USAGE. */
int cmd_bad_option(poptContext popt, int opt);
/*
 * Sets the value of an option from a table whose keys are options, such as
 * "--cpus"; text NULL: it was not given.  VMM_EXIT_OK, or VMM_EXIT_USAGE after
 * reporting the error.
 */
int cmd_set_option(const struct key *keys, const char *option, const char *text,
		   void *to);

#endif
