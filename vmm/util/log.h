/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages for the user, on stderr, one line each: "vmm: text".  If stderr is
 * systemd's journal (JOURNAL_STREAM names it), the line starts with the
 * priority, such as "<3>"; if it is a regular file, with the time.
 *
 * All functions keep errno, add the newline themselves and may be called by
 * any thread.  A line, or the rest of one, is dropped if there is no room for
 * it within 0.1 s: a full pipe or terminal blocks no caller longer.  Control
 * characters become '?': a message may contain text of a guest or another
 * process, and may go to a terminal.  Whatever a guest can trigger goes through
 * log_limited(), so that a hostile guest cannot fill the host's disk with our
 * messages.
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

/* State of one rate-limited message of one object; zero-initialised. */
struct log_limit {
	uint64_t window_start_ns;
	unsigned int nr_in_window;
	unsigned int nr_suppressed;
};

/*
 * At most 5 messages per limit every 10 seconds; reports how many were
 * suppressed.  False: this one was.
 */
bool log_limited(struct log_limit *limit, enum log_level level,
		 const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
