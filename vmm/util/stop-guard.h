/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SIGTERM, SIGINT and SIGHUP of a long-running command: passed to its main
 * loop, with an enforced deadline.
 *
 * After the first of them the process has STOP_GUARD_LIMIT_MS for an orderly
 * exit.  Then the kernel kills it (a POSIX timer whose signal is SIGKILL), in
 * whatever state it is: waiting for a lock, for a device that does not answer,
 * or for memory.  Enforcing the limit allocates and locks nothing after
 * stop_guard_start().  The first process of a PID namespace can't be killed by
 * its own signal: there the guard's thread ends it, also with status 137.
 *
 * SIGINT and SIGHUP stay ignored if the process was started with them ignored
 * (nohup, a shell's background command).
 *
 * There is one guard per process, since signals are per process.  It stays
 * until the process ends.
 */
#ifndef VMM_UTIL_STOP_GUARD_H
#define VMM_UTIL_STOP_GUARD_H

#include <stdbool.h>

#define STOP_GUARD_LIMIT_MS 2000
/* This long before the limit the user is warned and the terminal restored. */
#define STOP_GUARD_LAST_MS  200

struct termios;

/*
 * Before any other thread is made: blocks the three signals in the caller and
 * so in all threads made later, and starts the thread that takes them.  Returns
 * a descriptor that is readable (poll: POLLIN) from the first signal on; it
 * belongs to the guard and must not be read or closed.  -errno on failure.
 */
int stop_guard_start(void);

/* The same for servers, which ignore SIGPIPE. */
int stop_guard_start_server(void);

/*
 * For commands without a deadline and a guard: calls fn at each of the three
 * signals; SIGHUP stays ignored if it is, as below nohup.  Ignores SIGPIPE.
 */
void stop_signals_catch(void (*fn)(int sig));
/*
 * In a forked child, before exec: the four signals as they were before
 * stop_signals_catch().
 */
void stop_signals_reset(void);

/*
 * Whether that descriptor is readable.  After stop_guard_start(); any thread.
 */
bool stop_guard_is_stopping(void);

/*
 * The process exits on its own, without a signal: from now on it has the same
 * STOP_GUARD_LIMIT_MS for that, and is then ended with status.  Works once;
 * after a signal it does nothing.  Any thread.
 */
void stop_guard_ending(int status);

/*
 * Sets a function that the guard's thread calls after the first signal or
 * stop_guard_ending(), once the limit is set: it must not lock or allocate.
 * Call this before stop_guard_start().
 */
void stop_guard_on_stop(void (*fn)(void));

/*
 * Sets the settings restored to the terminal on standard input at the first
 * signal, and again if the process is killed; NULL: none.  They must stay valid
 * until replaced.  Any thread.
 */
void stop_guard_keep_terminal(const struct termios *settings);

#endif
