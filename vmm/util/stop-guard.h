/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SIGTERM, SIGINT and SIGHUP of a long-running command: told to its main loop,
 * and enforced.
 *
 * From the first of them on the process has STOP_GUARD_LIMIT_MS to end in good
 * order.  Then the kernel kills it (a POSIX timer whose signal is SIGKILL), in
 * whatever state it is: waiting for a lock, for a device that does not answer,
 * or for memory.  Nothing that the limit needs is allocated or locked after
 * stop_guard_start().  The first process of a PID name space can't be killed by a
 * signal of its own: there the guard's thread ends it, with status 137 as well.
 *
 * SIGINT and SIGHUP that the process was started to ignore (nohup, a shell's
 * background command) stay ignored.
 *
 * There is one guard a process, since signals are the process's.  It stays until
 * the process ends.
 */
#ifndef VMM_UTIL_STOP_GUARD_H
#define VMM_UTIL_STOP_GUARD_H

#include <stdbool.h>

#define STOP_GUARD_LIMIT_MS 2000
/* So long before the limit the user is told, and the terminal restored. */
#define STOP_GUARD_LAST_MS  200

struct termios;

/*
 * Before any other thread is made: blocks the three signals in the caller and
 * so in all threads made later, and starts the thread that takes them.  Returns
 * a descriptor that can be read (poll: POLLIN) from the first signal on, which
 * is the guard's: not to be read or closed.  -errno on failure.
 */
int stop_guard_start(void);

/* The same for who serves others, and so ignores SIGPIPE. */
int stop_guard_start_server(void);

/*
 * For who ends in its own time, without a guard: calls fn at each of the three
 * signals; ignores SIGPIPE.
 */
void stop_signals_catch(void (*fn)(int sig));
/* In a child that was forked, before exec: as if they were never touched. */
void stop_signals_reset(void);

/* Whether that descriptor can be read.  After stop_guard_start(); any thread. */
bool stop_guard_is_stopping(void);

/*
 * The process ends by itself: from now on it has STOP_GUARD_LIMIT_MS for that, too,
 * and then ends with status.  Once; after a signal it does nothing.  Any thread.
 */
void stop_guard_ending(int status);

/*
 * What the guard's thread does when the first signal has come, or after
 * stop_guard_ending(), once the limit is set: it must not lock or allocate.  Before
 * stop_guard_start().
 */
void stop_guard_on_stop(void (*fn)(void));

/*
 * The settings that the terminal on standard input gets back at the first signal,
 * and again if the process is killed; NULL: none.  They must stay valid until
 * replaced.  Any thread.
 */
void stop_guard_keep_terminal(const struct termios *settings);

#endif
