// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <langinfo.h>
#include <ncurses.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "vmm/top/screen.h"
#include "vmm/util/error-text.h"
#include "vmm/util/stop-guard.h"

/* The stop guard handles SIGTERM, SIGINT and SIGHUP. */
static const int caught[] = { SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH };

static void caught_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
		sigaddset(set, caught[i]);
}

/* Not initscr(): that exits if the terminal is unsuitable. */
static int open_terminal(struct screen *s, char *why, size_t len)
{
	const char *term = getenv("TERM");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		snprintf(why, len, "standard output is not a terminal: use "
			 "--batch");
		return -ENOTTY;
	}
	s->terminal = newterm(NULL, stdout, stdin);
	if (s->terminal && tigetstr("cup"))
		return 0;
	snprintf(why, len, "a terminal of type '%s' cannot show a full screen: "
		 "use --batch, or set TERM", term ? term : "");
	if (s->terminal) {
		endwin();
		delscreen(s->terminal);
	}
	return -ENOTSUP;
}

static void start_colour(struct screen *s)
{
	const char *no_color = getenv("NO_COLOR");

	s->colour = !(no_color && *no_color) && has_colors() &&
		    start_color() == OK && use_default_colors() == OK;
	if (!s->colour)
		return;
	init_pair(1, COLOR_YELLOW, -1);
	init_pair(2, COLOR_RED, -1);
	init_pair(3, COLOR_CYAN, -1);
}

int screen_open(struct screen *s, char *why, size_t len)
{
	sigset_t set;
	int rc;

	if (!tcgetattr(STDIN_FILENO, &s->before))
		stop_guard_keep_terminal(&s->before);
	/* First: ncurses installs handlers for signals that are not blocked. */
	caught_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (s->signal_fd < 0) {
		rc = -errno;
		snprintf(why, len, "cannot create a signalfd: %s",
			 error_text(errno));
		return rc;
	}
	rc = open_terminal(s, why, len);
	if (rc) {
		stop_guard_keep_terminal(NULL);
		close(s->signal_fd);
		return rc;
	}
	s->utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(50);
	start_colour(s);
	getmaxyx(stdscr, s->rows, s->cols);
	return 0;
}

void screen_close(struct screen *s)
{
	endwin();
	stop_guard_keep_terminal(NULL);
	delscreen(s->terminal);
	close(s->signal_fd);
}

static attr_t attribute(const struct screen *s, enum top_attr attr)
{
	switch (attr) {
	case TOP_TITLE:
		return A_BOLD;
	case TOP_HEADING:
		return s->colour ? A_BOLD | COLOR_PAIR(3) : A_UNDERLINE;
	case TOP_SELECTED:
		return A_REVERSE;
	case TOP_DIM:
		return A_DIM;
	case TOP_WARNING:
		return s->colour ? COLOR_PAIR(1) : A_BOLD;
	case TOP_ALARM:
		return s->colour ? A_BOLD | COLOR_PAIR(2) : A_BOLD;
	case TOP_PLAIN:
		break;
	}
	return A_NORMAL;
}

void screen_show(struct screen *s, const struct top_page *page)
{
	attr_t a;

	erase();
	for (int row = 0; row < page->rows; row++) {
		a = attribute(s, page->lines[row].attr);
		attrset(a);
		mvaddstr(row, 0, page->lines[row].text);
		if (page->lines[row].attr == TOP_SELECTED)
			mvchgat(row, 0, -1, A_REVERSE, 0, NULL);
	}
	attrset(A_NORMAL);
	curs_set(page->cursor_row >= 0);
	if (page->cursor_row >= 0)
		move(page->cursor_row, page->cursor_col);
	refresh();
}

int screen_key(void)
{
	int c = getch();

	switch (c) {
	case KEY_UP:
		return TOP_KEY_UP;
	case KEY_DOWN:
		return TOP_KEY_DOWN;
	case KEY_LEFT:
		return TOP_KEY_LEFT;
	case KEY_PPAGE:
		return TOP_KEY_PAGE_UP;
	case KEY_NPAGE:
		return TOP_KEY_PAGE_DOWN;
	case KEY_HOME:
		return TOP_KEY_HOME;
	case KEY_END:
		return TOP_KEY_END;
	case KEY_BACKSPACE:
	case '\b':
		return TOP_KEY_BACKSPACE;
	case KEY_ENTER:
	case '\r':
		return TOP_KEY_ENTER;
	case ERR:
		return -1;
	}
	/* A key without meaning here must not look like "no key". */
	return c < 0x80 ? c : 0;
}

/* Stops the process, as SIGTSTP does by default; returns when continued. */
static void stop_here(void)
{
	sigset_t set;

	endwin();
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);	/* stops here */
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static void take_size(struct screen *s)
{
	struct winsize w;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) && w.ws_row && w.ws_col)
		resizeterm(w.ws_row, w.ws_col);
	getmaxyx(stdscr, s->rows, s->cols);
}

bool screen_signal(struct screen *s)
{
	struct signalfd_siginfo info;

	while (read(s->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGTSTP:
			stop_here();
			break;
		case SIGCONT:
			/*
			 * Other programs may have changed the terminal
			 * meanwhile.
			 */
			reset_prog_mode();
			clearok(curscr, TRUE);
			take_size(s);
			break;
		case SIGWINCH:
			take_size(s);
			break;
		default:
			return true;
		}
	}
	return false;
}
