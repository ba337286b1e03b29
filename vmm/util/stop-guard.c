// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "vmm/util/exit-status.h"
#include "vmm/util/stop-guard.h"
#include "vmm/util/thread.h"

static struct {
	sigset_t set;
	timer_t timer;
	pthread_t thread;
	int fd;
	bool claimed;		/* stop_guard_ending() was called; atomic */
	bool ending;		/* status is set; atomic */
	int status;
	void (*on_stop)(void);
	const struct termios *terminal;	/* atomic */
} guard;

static struct timespec in_ms(long ms)
{
	return (struct timespec){ ms / 1000, ms % 1000 * 1000000 };
}

static void restore_terminal(void)
{
	const struct termios *t = __atomic_load_n(&guard.terminal,
						  __ATOMIC_ACQUIRE);

	if (t)
		tcsetattr(STDIN_FILENO, TCSANOW, t);
}

/* Nothing here may lock or allocate: any thread may be blocked. */
static void last_words(bool ending)
{
	const char *text = ending ?
		"vmm: the guest has ended but vmm cannot shut down: exiting "
		"now\n" :
		"vmm: did not stop in time: ending itself by SIGKILL now\n";
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	restore_terminal();
	if (poll(&p, 1, 0) > 0 && (p.revents & POLLOUT) &&
	    write(STDERR_FILENO, text, strlen(text)) < 0)
		return;
}

static void *guard_thread(void *arg)
{
	const struct itimerspec limit = { .it_value =
		in_ms(STOP_GUARD_LIMIT_MS) };
	struct timespec wait = in_ms(STOP_GUARD_LIMIT_MS - STOP_GUARD_LAST_MS);
	const struct timespec last = in_ms(2 * STOP_GUARD_LAST_MS);
	bool ending;
	int sig;

	pthread_setname_np(pthread_self(), "vmm-stop");
	while (sigwait(&guard.set, &sig))
		;
	ending = __atomic_load_n(&guard.ending, __ATOMIC_ACQUIRE);
	timer_settime(guard.timer, 0, &limit, NULL);
	if (eventfd_write(guard.fd, 1) < 0)
		wait = in_ms(0);	/* nobody is notified: be quick */
	if (guard.on_stop)
		guard.on_stop();
	/* Do it early: later this thread may get no CPU in time. */
	restore_terminal();
	nanosleep(&wait, NULL);
	last_words(ending);
	if (ending)
		syscall(SYS_exit_group, guard.status);
	nanosleep(&last, NULL);
	syscall(SYS_exit_group, VMM_EXIT_KILLED);	/* SIGKILL did not work */
	return NULL;
}

void stop_guard_ending(int status)
{
	if (__atomic_exchange_n(&guard.claimed, true, __ATOMIC_ACQ_REL))
		return;
	guard.status = status;
	__atomic_store_n(&guard.ending, true, __ATOMIC_RELEASE);
	pthread_kill(guard.thread, SIGTERM);
}

bool stop_guard_is_stopping(void)
{
	struct pollfd p = { .fd = guard.fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

void stop_guard_on_stop(void (*fn)(void))
{
	guard.on_stop = fn;
}

static bool is_ignored(int sig)
{
	struct sigaction now;

	return !sigaction(sig, NULL, &now) && now.sa_handler == SIG_IGN;
}

/* An ignored signal must not be waited for: sigwait() would return it. */
static void take_unless_ignored(int sig)
{
	if (!is_ignored(sig))
		sigaddset(&guard.set, sig);
}

int stop_guard_start(void)
{
	struct sigevent kill_us = {
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL,
	};
	int rc;

	sigemptyset(&guard.set);
	sigaddset(&guard.set, SIGTERM);
	take_unless_ignored(SIGINT);
	take_unless_ignored(SIGHUP);
	guard.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (guard.fd < 0)
		return -errno;
	if (timer_create(CLOCK_MONOTONIC, &kill_us, &guard.timer)) {
		rc = -errno;
		goto fail;
	}
	pthread_sigmask(SIG_BLOCK, &guard.set, NULL);
	/*
	 * Its thread blocks SIGTTOU, too, which must not stop it while it
	 * writes the last message.
	 */
	rc = thread_start(&guard.thread, guard_thread, NULL);
	if (!rc) {
		pthread_detach(guard.thread);
		return guard.fd;
	}
	pthread_sigmask(SIG_UNBLOCK, &guard.set, NULL);
	timer_delete(guard.timer);
fail:
	close(guard.fd);
	return rc;
}

void stop_guard_keep_terminal(const struct termios *settings)
{
	/* Pairs with the read in the guard's thread. */
	__atomic_store_n(&guard.terminal, settings, __ATOMIC_RELEASE);
}

int stop_guard_start_server(void)
{
	int fd = stop_guard_start();

	if (fd >= 0)
		signal(SIGPIPE, SIG_IGN);
	return fd;
}

static const int stop_signals[] = { SIGINT, SIGTERM, SIGHUP };
#define NR_STOP_SIGNALS (sizeof(stop_signals) / sizeof(*stop_signals))

static struct sigaction inherited_pipe;	/* of SIGPIPE */

/*
 * nohup has SIGHUP ignored.  A shell has SIGINT ignored in its background jobs,
 * which are to be stopped by it all the same.
 */
static bool stays_ignored(int sig)
{
	return sig == SIGHUP && is_ignored(sig);
}

void stop_signals_catch(void (*fn)(int sig))
{
	struct sigaction action = { .sa_handler = fn };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	for (size_t i = 0; i < NR_STOP_SIGNALS; i++)
		if (!stays_ignored(stop_signals[i]))
			sigaction(stop_signals[i], &action, NULL);
	sigaction(SIGPIPE, &ignore, &inherited_pipe);
}

void stop_signals_reset(void)
{
	for (size_t i = 0; i < NR_STOP_SIGNALS; i++)
		if (!stays_ignored(stop_signals[i]))
			signal(stop_signals[i], SIG_DFL);
	sigaction(SIGPIPE, &inherited_pipe, NULL);
}
