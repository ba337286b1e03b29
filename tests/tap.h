/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TAP producer in one header, for one-file test programs.  ok() counts and
 * prints; tap_done() prints the plan and returns main()'s exit status.
 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int tap_nr, tap_nr_failed;

__attribute__((format(printf, 4, 5), unused)) static bool
tap_result(bool pass, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	tap_nr++;
	printf("%sok %d - ", pass ? "" : "not ", tap_nr);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	if (!pass) {
		tap_nr_failed++;
		printf("# failed at %s:%d\n", file, line);
	}
	fflush(stdout);
	return pass;
}

/* ok(condition, "what is tested %d", n): evaluates to the condition. */
#define ok(cond, ...) tap_result(!!(cond), __FILE__, __LINE__, __VA_ARGS__)

#define is_int(got, want, name) do {                                        \
	long long got_ = (got), want_ = (want);                             \
	if (!ok(got_ == want_, "%s", name))                                 \
		printf("# got %lld, want %lld\n", got_, want_);             \
} while (0)

/* A test that this machine or its kernel cannot run, or only root may. */
__attribute__((unused)) static void tap_skip(const char *name,
					     const char *reason)
{
	printf("ok %d - %s # SKIP %s\n", ++tap_nr, name, reason);
	fflush(stdout);
}

__attribute__((unused, noreturn)) static void tap_skip_all(const char *reason)
{
	printf("1..0 # SKIP %s\n", reason);
	exit(0);
}

/* What can be had is missing, such as swap: a skip would hide it. */
__attribute__((unused, noreturn)) static void tap_fail_all(const char *reason)
{
	printf("1..1\nnot ok 1 - %s\n", reason);
	exit(1);
}

/* Was it refused, with rc, because we are not root?  Then it may be skipped. */
__attribute__((unused)) static bool tap_lacks_root(int rc)
{
	return geteuid() && (rc == -EPERM || rc == -EACCES);
}

/* All of the test needs what was refused with rc. */
__attribute__((unused, noreturn)) static void tap_refused(int rc,
							  const char *reason)
{
	if (tap_lacks_root(rc))
		tap_skip_all(reason);
	tap_fail_all(reason);
}

/* Stop at once: nothing after this makes sense. */
#define tap_bail(...) do {                                                  \
	printf("Bail out! "); printf(__VA_ARGS__); putchar('\n');           \
	exit(99);                                                           \
} while (0)

__attribute__((unused)) static int tap_done(void)
{
	printf("1..%d\n", tap_nr);
	return tap_nr_failed ? 1 : 0;
}

#endif
