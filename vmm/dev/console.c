// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "vmm/dev/console.h"
#include "vmm/dev/serial.h"
#include "vmm/kvm/vm.h"
#include "vmm/util/stop-guard.h"

#define ESCAPE	  0x01	/* Ctrl-A */
#define RETRY_MS  20

struct console {
	struct vm *vm;
	struct serial *serial;
	struct event *readable, *retry;	/* owned */
	bool raw;			/* `saved` is to be restored */
	struct termios saved;
	bool escaped;			/* the last byte was Ctrl-A */
	uint8_t backlog[256];		/* input the guest has not read yet */
	size_t start, len;		/* of the backlog */
};

/* Handles escape sequences; returns the number of bytes left for the guest. */
static size_t take_escapes(struct console *c, uint8_t *buf, size_t len)
{
	size_t kept = 0;

	for (size_t i = 0; i < len; i++) {
		if (!c->escaped && buf[i] == ESCAPE) {
			c->escaped = true;
			continue;
		}
		if (c->escaped && (buf[i] == 'x' || buf[i] == 'X'))
			kill(getpid(), SIGTERM); /* a stop with a deadline */
		else
			buf[kept++] = buf[i];
		c->escaped = false;
	}
	return kept;
}

/*
 * While the guest does not read, we don't read standard input either, so that
 * the program that writes to it waits.
 */
static void deliver(struct console *c)
{
	const struct timeval soon = { 0, RETRY_MS * 1000 };
	size_t n = serial_input(c->serial, c->backlog + c->start, c->len);

	c->start += n;
	c->len -= n;
	if (c->len)
		event_add(c->retry, &soon);
	else
		event_add(c->readable, NULL);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct console *c = arg;
	ssize_t n = read(fd, c->backlog, sizeof(c->backlog));

	if (n <= 0) {
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			event_add(c->readable, NULL);
		return;		/* end of input: the guest keeps running */
	}
	c->start = 0;
	c->len = c->raw ? take_escapes(c, c->backlog, n) : (size_t)n;
	deliver(c);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	deliver(arg);
}

static void set_raw(struct console *c)
{
	struct termios t;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &c->saved))
		return;
	t = c->saved;
	cfmakeraw(&t);
	t.c_oflag |= OPOST | ONLCR;	/* for our messages: \n as \r\n */
	stop_guard_keep_terminal(&c->saved);
	c->raw = !tcsetattr(STDIN_FILENO, TCSANOW, &t);
}

/* A regular file and /dev/null can't be polled, and have no escape keys. */
static bool can_wait_for_input(void)
{
	struct stat st;

	return !fstat(STDIN_FILENO, &st) &&
	       (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) ||
		isatty(STDIN_FILENO));
}

int console_new(struct console **cp, struct vm *vm, struct serial *serial)
{
	struct console *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->vm = vm;
	c->serial = serial;
	c->readable = event_new(vm_event_base(vm), STDIN_FILENO, EV_READ,
				on_readable, c);
	c->retry = evtimer_new(vm_event_base(vm), on_retry, c);
	if (!c->readable || !c->retry) {
		console_free(c);
		return -ENOMEM;
	}
	set_raw(c);
	if (can_wait_for_input())
		event_add(c->readable, NULL);
	*cp = c;
	return 0;
}

void console_free(struct console *c)
{
	if (!c)
		return;
	if (c->raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &c->saved);
	stop_guard_keep_terminal(NULL);
	if (c->readable)
		event_free(c->readable);
	if (c->retry)
		event_free(c->retry);
	free(c);
}
