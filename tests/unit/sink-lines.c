// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Log lines about pages that threads wait for.  They are rate-limited, and yet
 * the last one is true: if the beginning of a wait was logged its end is, too;
 * if not, the wait is logged later, if it lasts.  Our own function wraps
 * clock_gettime() (-Wl,--wrap), so that the limit's ten seconds pass at once.
 */
#include "config.h"

#include <time.h>

#include "tests/unit/sink-reads.h"
#include "tests/unit/stderr-lines.h"

#define BEGINS	   "accesses to such pages block"
#define ENDS	   "all waiting page faults are resolved"
#define NR_SHORT   16u	/* more than the limit lets pass in any ten seconds */
#define LIMIT_S	   11

static long skipped_s;		/* atomic */

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = __real_clock_gettime(id, ts);

	ts->tv_sec += __atomic_load_n(&skipped_s, __ATOMIC_ACQUIRE);
	return rc;
}

/* One page waits; *t is who does. */
static void begin(struct toucher *t, unsigned int gfn)
{
	fail_pages_below(gfn + 1);
	toucher_start(t, &w, gfn);
	if (!waits_for(1))
		tap_bail("nobody waits");
}

static void end(struct toucher *t)
{
	fail_pages_below(0);
	toucher_join(t);
	if (!waits_for(0))
		tap_bail("a page is waited for that is there");
}

struct lines {
	const char *text;
	unsigned int nr;
};

static bool has_lines(void *arg)
{
	const struct lines *l = arg;

	return count_lines(l->text) >= l->nr;
}

/* Lines come from another thread. */
static bool await_nr(const char *text, unsigned int nr)
{
	return wait_until(has_lines, &(struct lines){ text, nr });
}

int main(void)
{
	struct toucher t = { 0 };
	unsigned int nr;

	signal(SIGALRM, on_alarm);
	alarm(600);
	world_require();
	catch_stderr();
	world_open(&w, 8 * MIB, GUEST_MEM_ANON, "shards=1");
	fill_and_evict(0, NR_SHORT + 2);
	for (unsigned int i = 0; i < 3; i++) {
		begin(&t, i);
		end(&t);
	}
	ok(await_nr(BEGINS, 3) && await_nr(ENDS, 3),
	   "three short troubles: each begins and is over");
	for (unsigned int i = 3; i < NR_SHORT; i++) {
		begin(&t, i);
		end(&t);
	}
	nr = count_lines(BEGINS);
	ok(await_nr(ENDS, nr) && count_lines(ENDS) == nr,
	   "%u of them: what was logged is logged as over", NR_SHORT);
	begin(&t, NR_SHORT);
	__atomic_store_n(&skipped_s, LIMIT_S, __ATOMIC_RELEASE);
	ok(await_nr(BEGINS, nr + 1), "one that lasts is logged in the end");
	end(&t);
	ok(await_nr(ENDS, nr + 1), "and when it is over");
	forget_lines();
	world_close(&w);
	return tap_done();
}
