/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs of the vmm command; main.c has their table. */
#ifndef VMM_CMD_CMD_H
#define VMM_CMD_CMD_H

#include <popt.h>

/* Exit statuses that scripts can rely on; see vmm(1). */
enum vmm_exit {
	VMM_EXIT_OK = 0,	/* done; for run: the guest powered off */
	VMM_EXIT_FAILURE = 1,	/* the request could not be carried out */
	VMM_EXIT_USAGE = 2,	/* the command line is wrong */
	VMM_EXIT_RESET = 3,	/* run: the guest asked for a reset */
	VMM_EXIT_PANIC = 4,	/* run: the guest kernel panicked */
	VMM_EXIT_CRASH = 5,	/* run: KVM could not go on (triple fault, ...) */
	VMM_EXIT_SIGNAL = 6,	/* run: stopped by SIGTERM, SIGINT or the escape key */
};

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

/* Says what poptGetNextOpt() returned `opt` for.  VMM_EXIT_USAGE. */
int cmd_bad_option(poptContext popt, int opt);

#endif
