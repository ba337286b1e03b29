// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel refuses to install pages while the address space is changing
 * (EAGAIN), for any length of time.  A thread that touches such a page waits,
 * retries are not made without a pause, and in the end the page is right.  Our
 * own function wraps ioctl() (-Wl,--wrap).
 */
#include "config.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "tests/unit/sink-fixture.h"

/* Of one page in one try; more than vmm/mem/faults-pages.c has. */
#define MOST_TRIES 32u

static bool busy;		/* atomic */
static uint64_t nr_refused;	/* atomic */
static struct world w;

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!__atomic_load_n(&busy, __ATOMIC_ACQUIRE) ||
	    (request != UFFDIO_COPY && request != UFFDIO_ZEROPAGE &&
	     request != UFFDIO_WRITEPROTECT))
		return __real_ioctl(fd, request, arg);
	__atomic_fetch_add(&nr_refused, 1, __ATOMIC_ACQ_REL);
	errno = EAGAIN;
	return -1;
}

static void set_busy(bool on)
{
	__atomic_store_n(&busy, on, __ATOMIC_RELEASE);
}

static uint64_t refused(void)
{
	return __atomic_load_n(&nr_refused, __ATOMIC_ACQUIRE);
}

/* A try that does not end shows nothing else. */
static void on_alarm(int sig)
{
	static const char text[] = "not ok - it is asked without end\n";

	(void)sig;
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(1);
}

static bool waits(void *arg)
{
	(void)arg;
	return world_stats(&w).nr_waiting;
}

static bool tried_thrice(void *arg)
{
	return refused() > *(const uint64_t *)arg + 2 * MOST_TRIES;
}

/* Someone touches page 0 while the kernel refuses it, and then it does not. */
static void check_wait(const char *what, bool writes, uint32_t number)
{
	struct toucher t = { .writes = writes, .value = word(number, 0) };
	uint64_t start = clock_now_ns(), before = refused(), tries, most;

	set_busy(true);
	toucher_start(&t, &w, 0);
	ok(wait_until(waits, NULL), "%s: it is waited for", what);
	ok(wait_until(tried_thrice, &before), "%s: and tried again", what);
	tries = refused() - before;
	most = MOST_TRIES * (2 + (clock_now_ns() - start) /
				     (90 * NSEC_PER_MSEC));
	ok(tries <= most, "%s: not without a pause: %llu times", what,
	   (unsigned long long)tries);
	ok(!toucher_is_done(&t), "%s: nobody has gone on", what);
	set_busy(false);
	toucher_join(&t);
	ok(has_number(&w, 0, number), "%s: it is right in the end", what);
	ok(!world_stats(&w).nr_waiting, "%s: none is waited for", what);
}

static void test(enum guest_mem_backing backing)
{
	struct reclaim_result res = { 0 };
	const struct gfn_range r = { GFN(0), 1 };
	uint64_t before;

	world_open(&w, 2 * MIB, backing, "shards=1");
	set_number(&w, 0, 7);
	if (world_evict(&w, 0, 1) != 1)
		tap_bail("not evicted");
	check_wait("a page of the store", false, 7);

	world_discard(&w, 0, 1);
	check_wait("a page of zeros", false, 0);

	set_number(&w, 0, 8);
	if (guest_faults_protect(store_sink(&w)->faults, r, true))
		tap_bail("not protected");
	check_wait("a page that is protected", true, 8);

	before = refused();
	set_busy(true);
	is_int(w.sink->ops->evict(w.sink, &r, 1, &res), -EAGAIN,
	       "an eviction is given up");
	ok(refused() - before <= 2 * MOST_TRIES, "soon");
	set_busy(false);
	ok(has_number(&w, 0, 8), "the page is where it was");
	is_int(world_evict(&w, 0, 1), 1, "and can go later");
	world_close(&w);
}

/* The end does not wait for the kernel. */
static void test_end(void)
{
	struct toucher t = { 0 };

	world_open(&w, 2 * MIB, GUEST_MEM_ANON, "shards=1");
	set_number(&w, 0, 7);
	if (world_evict(&w, 0, 1) != 1)
		tap_bail("not evicted");
	set_busy(true);
	toucher_start(&t, &w, 0);
	ok(wait_until(waits, NULL), "a page is waited for");
	w.sink->ops->close(w.sink);
	toucher_join(&t);
	ok(true, "the sink ends all the same");
	set_busy(false);
	guest_mem_free(w.mem);
}

int main(void)
{
	signal(SIGALRM, on_alarm);
	alarm(300);
	world_require();
	test(GUEST_MEM_ANON);
	test(GUEST_MEM_MEMFD);
	test_end();
	return tap_done();
}
