/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages to a person, on stderr, one line each: "vmm: text".  Where stderr is
 * systemd's journal (JOURNAL_STREAM names it), "<3>" or the like comes first, by
 * which journald knows how grave it is; where it is a regular file, the time.
 *
 * All functions keep errno, add the newline themselves and may be called by
 * any thread.  A line, or the rest of one, that nobody makes room for within
 * 0.1 s is lost: a pipe or terminal that is full holds nobody up.  Control
 * characters become '?': what is in a message may be a guest's or another
 * process's, and it may go to a terminal.
 * Whatever a guest can trigger goes through log_limited(), so that a hostile
 * guest cannot fill the host's disk with our messages.
 */
#ifndef VMM_UTIL_LOG_H
#define VMM_UTIL_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Default: LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);

void log_at(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* State of one rate-limited call site; zero-initialise, one per object. */
struct log_limit {
	uint64_t window_start_ns;
	unsigned int nr_in_window;
	unsigned int nr_suppressed;
};

/*
 * At most 5 messages a limit every 10 seconds; says how many it swallowed.  False:
 * this one was.
 */
bool log_limited(struct log_limit *limit, enum log_level level,
		 const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
