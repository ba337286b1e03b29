// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is logged about a failing device: one line when a failure begins and one
 * when it is over, whichever thread finds it, and not for each time that it
 * recurs.
 */
#include "config.h"

#include <errno.h>

#include "tests/unit/stderr-lines.h"
#include "vmm/store/health.h"
#include "vmm/util/clock.h"

/* The clock, as far as it is ahead of the real one. */
static time_t ahead_s;

int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);

int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = __real_clock_gettime(id, t);

	t->tv_sec += ahead_s;
	return rc;
}

/* As the requests do it: what is due is written at once. */
static unsigned int lines(struct health *h, const char *text)
{
	if (health_has_unlogged(h))
		health_log(h);
	return count_lines(text);
}

static void fail(struct health *h, enum health_kind kind, int rc)
{
	health_result(h, kind, rc);
	lines(h, "");
}

static struct health *start(void)
{
	struct health *h = health_new("disk");

	if (!h)
		tap_bail("no memory");
	forget_lines();
	return h;
}

static void test_errors(void)
{
	static const int errors[] = { -ECONNRESET, -ECONNREFUSED, -EIO };
	struct health *h = start();
	struct health_stats st;

	for (int i = 0; i < 30; i++) {
		fail(h, HEALTH_READ, errors[i % 3]);
		fail(h, HEALTH_WRITE, errors[i % 3]);
	}
	is_int(lines(h, "cannot read disk"), 1, "reads fail: one line");
	is_int(lines(h, "cannot write disk"), 1, "writes fail: one line");
	fail(h, HEALTH_READ, 0);
	fail(h, HEALTH_READ, 0);
	is_int(lines(h, "can read disk again"), 1, "reads go on: one line");
	is_int(lines(h, "can write disk again"), 0, "writes still fail");
	health_get_stats(h, &st);
	ok(st.nr_read_errors == 30 && st.nr_write_errors == 30 &&
	   st.state == DEVICE_FAILED, "all are counted");
	fail(h, HEALTH_WRITE, 0);
	is_int(lines(h, "can write disk again"), 1, "they go on: one line");
	health_put(h);
}

/* Both end before anybody has written a line. */
static void test_at_once(void)
{
	struct health *h = start();

	health_result(h, HEALTH_READ, -EIO);
	health_result(h, HEALTH_WRITE, -EIO);
	health_result(h, HEALTH_READ, 0);
	health_result(h, HEALTH_WRITE, 0);
	ok(lines(h, "can read disk again") == 1 &&
	   lines(h, "can write disk again") == 1,
	   "of two troubles that end at once both are told");
	health_put(h);
}

static void test_comes_and_goes(void)
{
	struct health *h = start();

	for (int i = 0; i < 30; i++) {
		fail(h, HEALTH_READ, -EIO);
		fail(h, HEALTH_READ, 0);
	}
	is_int(lines(h, "cannot read disk"), 1, "it comes and goes: one line");
	is_int(lines(h, "can read disk again"), 1, "and one");
	fail(h, HEALTH_READ, -EIO);
	ahead_s += 61;
	fail(h, HEALTH_READ, -EIO);
	fail(h, HEALTH_READ, -EIO);
	is_int(lines(h, "cannot read disk"), 2, "it lasts: one more");
	fail(h, HEALTH_READ, 0);
	is_int(lines(h, "can read disk again"), 2, "and one more");
	health_put(h);
}

static void test_stall(void)
{
	struct health *h = start();

	for (int i = 0; i < 4; i++)
		health_late(h, i % 2 ? HEALTH_READ : HEALTH_WRITE, NSEC_PER_SEC);
	health_check_stall(h);
	is_int(lines(h, "disk has not answered a write for 1.0 s"), 1,
	       "four requests have no answer: one line");
	is_int(lines(h, "has not answered"), 1, "no other");
	health_responds(h);
	health_responds(h);
	is_int(lines(h, "disk answers again"), 1, "it answers: one line");
	health_check_stall(h);
	health_late(h, HEALTH_READ, NSEC_PER_SEC);
	health_check_stall(h);
	is_int(lines(h, "has not answered"), 1, "shortly after: none");
	ahead_s += 61;
	health_check_stall(h);
	is_int(lines(h, "has not answered a read for 62"), 1,
	       "which lasts: one more");
	health_responds(h);
	is_int(lines(h, "disk answers again"), 2, "and one more");
	health_put(h);
}

int main(void)
{
	catch_stderr();
	test_errors();
	test_at_once();
	test_comes_and_goes();
	test_stall();
	return tap_done();
}
