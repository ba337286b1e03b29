// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The time limit that is set in the kernel for a stop: 2 s at most, as users
 * are promised, whatever the constant says, and before any thread is notified
 * of the signal.  The timer is not started, so that the test survives it; the
 * test stop-guard shows that it kills.
 */
#include "config.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "tests/tap.h"
#include "vmm/util/clock.h"
#include "vmm/util/stop-guard.h"

#define PROMISED_NS (2 * NSEC_PER_SEC)
#define HANG_MS	    120000

static struct {
	struct sigevent event;
	clockid_t clock;
	struct itimerspec limit;
	int flags;
	int nr_armed;		/* atomic */
	int nr_armed_at_write;	/* atomic; -1: not written */
} seen = { .nr_armed_at_write = -1 };

int __real_timer_create(clockid_t clock, struct sigevent *event,
			timer_t *timer);
int __wrap_timer_create(clockid_t clock, struct sigevent *event,
			timer_t *timer);
int __wrap_timer_settime(timer_t timer, int flags,
			 const struct itimerspec *limit,
			 struct itimerspec *old);
int __real_eventfd_write(int fd, eventfd_t value);
int __wrap_eventfd_write(int fd, eventfd_t value);

int __wrap_timer_create(clockid_t clock, struct sigevent *event,
			timer_t *timer)
{
	seen.clock = clock;
	seen.event = *event;
	return __real_timer_create(clock, event, timer);
}

int __wrap_timer_settime(timer_t timer, int flags,
			 const struct itimerspec *limit,
			 struct itimerspec *old)
{
	seen.limit = *limit;
	seen.flags = flags;
	__atomic_fetch_add(&seen.nr_armed, 1, __ATOMIC_RELEASE);
	return 0;
}

int __wrap_eventfd_write(int fd, eventfd_t value)
{
	__atomic_store_n(&seen.nr_armed_at_write,
			 __atomic_load_n(&seen.nr_armed, __ATOMIC_ACQUIRE),
			 __ATOMIC_RELEASE);
	return __real_eventfd_write(fd, value);
}

int main(void)
{
	struct pollfd p = { .fd = stop_guard_start(), .events = POLLIN };
	uint64_t ns;

	if (p.fd < 0)
		tap_bail("no guard: %s", strerror(-p.fd));
	is_int(seen.clock, CLOCK_MONOTONIC,
	       "its clock goes on, whoever sets the time");
	ok(seen.event.sigev_notify == SIGEV_SIGNAL &&
	   seen.event.sigev_signo == SIGKILL, "the kernel kills by itself");
	is_int(__atomic_load_n(&seen.nr_armed, __ATOMIC_ACQUIRE), 0,
	       "no signal: no limit");
	/* To the process, as kill(1) does: the guard's thread takes it. */
	kill(getpid(), SIGTERM);
	is_int(poll(&p, 1, HANG_MS), 1, "a signal is told");
	is_int(__atomic_load_n(&seen.nr_armed_at_write, __ATOMIC_ACQUIRE), 1,
	       "when the limit runs already");
	ns = seen.limit.it_value.tv_sec * NSEC_PER_SEC +
	     seen.limit.it_value.tv_nsec;
	ok(!seen.flags && ns > 0 && ns <= PROMISED_NS,
	   "which is 2 s or less (%llu ns)", (unsigned long long)ns);
	ok(STOP_GUARD_LAST_MS > 0 && STOP_GUARD_LAST_MS < STOP_GUARD_LIMIT_MS,
	   "and the last words come before it");
	return tap_done();
}
