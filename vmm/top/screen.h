/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal of `vmm top`.  Signals arrive through a descriptor, so that none
 * ends the process before the terminal is restored.  SIGTERM, SIGINT and SIGHUP
 * are handled by the stop guard, which is started before.
 */
#ifndef VMM_TOP_SCREEN_H
#define VMM_TOP_SCREEN_H

#include <termios.h>

#include "vmm/top/page.h"

struct screen {
	void *terminal;		/* ncurses' */
	int signal_fd;		/* readable: call screen_signal() */
	struct termios before;	/* settings of standard input before */
	int rows, cols;
	bool colour, utf8;
};

/* -ENOTTY, -ENOTSUP: an unsuitable terminal; why has the remedy. */
int screen_open(struct screen *screen, char *why, size_t len);
/* Restores the terminal. */
void screen_close(struct screen *screen);

void screen_show(struct screen *screen, const struct top_page *page);

/* A character or enum top_key; -1: no key was pressed. */
int screen_key(void);

/* Handles signals: resize, stop and continue.  true: the process has to end. */
bool screen_signal(struct screen *screen);

#endif
