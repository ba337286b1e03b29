/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal of `vmm top`.  Signals come as what they mean: none ends the
 * process behind our back, so that the terminal always is put back.  Those that
 * end it are the stop guard's, started before.
 */
#ifndef VMM_TOP_SCREEN_H
#define VMM_TOP_SCREEN_H

#include <termios.h>

#include "vmm/top/page.h"

struct screen {
	void *terminal;		/* ncurses' */
	int signal_fd;		/* can be read: call screen_signal() */
	struct termios before;	/* of standard input, when it was opened */
	int rows, cols;
	bool colour, utf8;
};

/* -ENOTTY, -ENOTSUP: a terminal that can't do this; why has the remedy. */
int screen_open(struct screen *screen, char *why, size_t len);
/* Puts the terminal back. */
void screen_close(struct screen *screen);

void screen_show(struct screen *screen, const struct top_page *page);

/* A character or enum top_key; -1: none has been pressed. */
int screen_key(void);

/*
 * Does what signals want: a new size, to be stopped and to go on.  true: the
 * process is to end.
 */
bool screen_signal(struct screen *screen);

#endif
