// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The time limit of a stop, on real processes: children that stop regularly
 * on request, and children that cannot.  The time is not measured: a child
 * that is not killed would run for ever, and the test ends it then.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/util/clock.h"
#include "vmm/util/stop-guard.h"

#define HANG_NS (120 * NSEC_PER_SEC)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void ready(int fd)
{
	if (write(fd, "r", 1) != 1)
		_exit(99);
}

static int start(void)
{
	int fd = stop_guard_start();

	if (fd < 0)
		_exit(98);
	return fd;
}

static void ends_well(int told)
{
	struct pollfd p = { .fd = start(), .events = POLLIN };

	if (poll(&p, 1, 0))
		_exit(97);	/* before any signal */
	ready(told);
	_exit(poll(&p, 1, -1) == 1 ? 0 : 96);
}

/* Holds a lock that its end needs. */
static void waits_for_a_lock(int told)
{
	start();
	pthread_mutex_lock(&lock);
	ready(told);
	pthread_mutex_lock(&lock);
}

static void *spin(void *arg)
{
	for (;;)
		free(calloc(1, 1 << 20));	/* the allocator's locks */
	return NULL;
}

static void waits_for_a_thread(int told)
{
	pthread_t thread;

	start();
	if (pthread_create(&thread, NULL, spin, NULL))
		_exit(95);
	ready(told);
	pthread_join(thread, NULL);
}

/* The message has no place to go: standard error is a full pipe. */
static void complains_in_vain(int told)
{
	char page[4096] = { 0 };
	int fds[2];

	start();
	if (pipe2(fds, O_NONBLOCK))
		_exit(94);
	while (write(fds[1], page, sizeof(page)) > 0)
		;
	dup2(fds[1], STDERR_FILENO);
	fcntl(STDERR_FILENO, F_SETFL, 0);
	ready(told);
	for (;;)
		pause();
}

/* The guest has ended, and a thread of ours never does. */
static void cannot_end(int told)
{
	pthread_t thread;

	start();
	if (pthread_create(&thread, NULL, spin, NULL))
		_exit(95);
	stop_guard_ending(42);
	stop_guard_ending(43);	/* too late */
	pthread_join(thread, NULL);
}

static void ends_in_time(int told)
{
	start();
	stop_guard_ending(42);
	_exit(7);
}

/* What a stop does at once, whatever the main thread waits for. */
static int told_of_stop;

static void tell(void)
{
	ready(told_of_stop);
}

static void is_stuck(int told)
{
	told_of_stop = told;
	stop_guard_on_stop(tell);
	waits_for_a_lock(told);
}

static void ignores_hangup(int told)
{
	struct pollfd p = { .events = POLLIN };

	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	p.fd = start();
	kill(getpid(), SIGINT);
	ready(told);
	/* The second is the one that ends it. */
	usleep(100000);
	kill(getpid(), poll(&p, 1, 0) ? SIGKILL : SIGTERM);
	_exit(poll(&p, 1, -1) == 1 ? 0 : 96);
}

static bool handles(int sig, void (*handler)(int))
{
	struct sigaction now;

	return !sigaction(sig, NULL, &now) && now.sa_handler == handler;
}

static void on_signal(int sig)
{
}

/* As below nohup, without a guard, and then in its child. */
static void catches_the_rest(int told)
{
	signal(SIGHUP, SIG_IGN);
	stop_signals_catch(on_signal);
	if (!handles(SIGHUP, SIG_IGN) || !handles(SIGINT, on_signal) ||
	    !handles(SIGTERM, on_signal) || !handles(SIGPIPE, SIG_IGN))
		_exit(89);
	stop_signals_reset();
	_exit(handles(SIGHUP, SIG_IGN) && handles(SIGINT, SIG_DFL) &&
	      handles(SIGTERM, SIG_DFL) && handles(SIGPIPE, SIG_DFL) ? 0 : 88);
}

/* The first process of a name space, which SIGKILL of its own does not reach. */
static void is_first(int told)
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		_exit(92);
	pid = fork();
	if (!pid) {
		start();
		kill(getpid(), SIGTERM);
		for (;;)
			pause();
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		_exit(91);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 90);
}

static int nr_told;	/* what the last child said after its signal */

/* Runs fn in a child, sends sig, if not 0, once it is ready; its wait status, or -1. */
static int run(void (*fn)(int told), int sig)
{
	uint64_t end = clock_now_ns() + HANG_NS;
	int told[2], status;
	char c;
	pid_t pid;

	fflush(NULL);
	if (pipe(told) || (pid = fork()) < 0)
		tap_bail("no child: %s", strerror(errno));
	if (!pid) {
		fn(told[1]);
		_exit(93);
	}
	close(told[1]);
	if (sig && read(told[0], &c, 1) == 1)
		kill(pid, sig);
	while (!waitpid(pid, &status, WNOHANG)) {
		if (clock_now_ns() > end) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			status = -1;
			break;
		}
		usleep(1000);
	}
	fcntl(told[0], F_SETFL, O_NONBLOCK);
	nr_told = read(told[0], &c, 1);
	close(told[0]);
	return status;
}

static bool was_killed(int status)
{
	return status >= 0 && WIFSIGNALED(status) &&
	       WTERMSIG(status) == SIGKILL;
}

int main(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	uint64_t before;
	int status;

	for (size_t i = 0; i < 3; i++)
		ok(!run(ends_well, signals[i]),
		   "%s is told, and the process ends by itself",
		   strsignal(signals[i]));
	before = clock_now_ns();
	ok(was_killed(run(waits_for_a_lock, SIGTERM)),
	   "one that waits for a lock is killed");
	ok(clock_now_ns() - before >= STOP_GUARD_LIMIT_MS * UINT64_C(1000000),
	   "not before the limit");
	ok(was_killed(run(waits_for_a_thread, SIGINT)),
	   "one that waits for a busy thread is killed");
	ok(was_killed(run(complains_in_vain, SIGHUP)),
	   "one whose messages nobody reads is killed");
	ok(was_killed(run(is_stuck, SIGTERM)) && nr_told == 1,
	   "what is to be done at a stop is done by one that is stuck");
	ok(!run(ignores_hangup, SIGHUP),
	   "signals that are ignored stay so, and others count");
	status = run(catches_the_rest, 0);
	ok(!status, "without a guard too, and in children; these get SIGPIPE "
	   "(%d)", status);
	status = run(cannot_end, 0);
	ok(status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 42,
	   "one that can't end by itself ends with its status");
	status = run(ends_in_time, 0);
	ok(status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 7,
	   "one that can is left alone");
	if (geteuid()) {
		tap_skip("the first process of a PID name space",
			 "only root may make one");
		return tap_done();
	}
	status = run(is_first, 0);
	ok(status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 137,
	   "the first process of a PID name space ends, too");
	return tap_done();
}
