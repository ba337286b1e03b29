/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vmm top` on a screen, and as plain text. */
#ifndef VMM_TOP_LOOP_H
#define VMM_TOP_LOOP_H

#include "vmm/top/model.h"

struct top_options {
	char *const *sockets;	/* named ones; NULL ends; may be NULL */
	struct libvirt_fleet *const *fleets;	/* the same */
	double delay_s;
	long iterations;	/* 0: no end */
	enum top_column sort;
	int stop_fd;		/* of the stop guard; for the screen */
};

/* Both: 0 or -errno with why. */
int top_screen_run(const struct top_options *options, char *why, size_t len);
int top_batch_run(const struct top_options *options, char *why, size_t len);

#endif
