/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vmm top` on a screen, and as plain text. */
#ifndef VMM_TOP_LOOP_H
#define VMM_TOP_LOOP_H

#include "vmm/top/model.h"

struct top_options {
	char *const *sockets;	/* of --socket; NULL ends; or NULL */
	struct libvirt_fleet *const *fleets;	/* likewise */
	double delay_s;
	long iterations;	/* 0: no limit */
	enum top_column sort;
	int stop_fd;		/* the stop guard's; only for the screen */
};

/* Both: 0 or -errno with why. */
int top_screen_run(const struct top_options *options, char *why, size_t len);
int top_batch_run(const struct top_options *options, char *why, size_t len);

#endif
