/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_UTIL_EXIT_STATUS_H
#define VMM_UTIL_EXIT_STATUS_H

/* Exit statuses that scripts can rely on; see vmm(1). */
enum vmm_exit {
	VMM_EXIT_OK = 0,	/* done; for run: the guest powered off */
	VMM_EXIT_FAILURE = 1,	/* the request could not be carried out */
	VMM_EXIT_USAGE = 2,	/* the command line is wrong */
	VMM_EXIT_RESET = 3,	/* run: the guest requested a reset */
	VMM_EXIT_PANIC = 4,	/* run: the guest kernel panicked */
	VMM_EXIT_CRASH = 5,	/* run: the guest crashed (triple fault, ...) */
	VMM_EXIT_SIGNAL = 6,	/* run, experiment: stopped by signal or key */
	VMM_EXIT_KILLED = 137,	/* the stop guard; a shell shows SIGKILL so */
};

#endif
