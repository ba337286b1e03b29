// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "vmm/util/stop-guard.h"

static struct {
	sigset_t set;
	timer_t timer;
	int fd;
	const struct termios *terminal;	/* atomic */
} guard;

static struct timespec in_ms(long ms)
{
	return (struct timespec){ ms / 1000, ms % 1000 * 1000000 };
}

/* Nothing here may lock or allocate: any thread may have been stopped. */
static void last_words(void)
{
	static const char text[] =
		"vmm: not stopped in time: ends by SIGKILL now\n";
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
	const struct termios *t = __atomic_load_n(&guard.terminal,
						  __ATOMIC_ACQUIRE);

	if (t)
		tcsetattr(STDIN_FILENO, TCSANOW, t);
	if (poll(&p, 1, 0) > 0 && (p.revents & POLLOUT) &&
	    write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		return;
}

static void *guard_thread(void *arg)
{
	const struct itimerspec limit = { .it_value =
		in_ms(STOP_GUARD_LIMIT_MS) };
	struct timespec wait = in_ms(STOP_GUARD_LIMIT_MS - STOP_GUARD_LAST_MS);
	int sig;

	pthread_setname_np(pthread_self(), "vmm-stop");
	while (sigwait(&guard.set, &sig))
		;
	timer_settime(guard.timer, 0, &limit, NULL);
	if (eventfd_write(guard.fd, 1) < 0)
		wait = in_ms(0);	/* nobody learns of it: be quick */
	nanosleep(&wait, NULL);
	last_words();
	for (;;)
		pause();
	return NULL;
}

static int start_thread(void)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	/* All signals: SIGTTOU must not stop it when it has the last word. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&thread, &attr, guard_thread, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -rc;
}

int stop_guard_start(void)
{
	struct sigevent kill_us = {
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL,
	};
	int rc;

	sigemptyset(&guard.set);
	sigaddset(&guard.set, SIGTERM);
	sigaddset(&guard.set, SIGINT);
	sigaddset(&guard.set, SIGHUP);
	guard.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (guard.fd < 0)
		return -errno;
	if (timer_create(CLOCK_MONOTONIC, &kill_us, &guard.timer)) {
		rc = -errno;
		goto fail;
	}
	pthread_sigmask(SIG_BLOCK, &guard.set, NULL);
	rc = start_thread();
	if (!rc)
		return guard.fd;
	pthread_sigmask(SIG_UNBLOCK, &guard.set, NULL);
	timer_delete(guard.timer);
fail:
	close(guard.fd);
	return rc;
}

void stop_guard_keep_terminal(const struct termios *settings)
{
	/* Pairs with the read before the end. */
	__atomic_store_n(&guard.terminal, settings, __ATOMIC_RELEASE);
}
