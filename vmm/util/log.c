// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vmm/util/clock.h"
#include "vmm/util/log.h"
#include "vmm/util/printable.h"
#include "vmm/util/tx-out.h"

#define LIMIT_WINDOW_NS (10 * NSEC_PER_SEC)
#define LIMIT_MESSAGES	5
#define READER_MS	100

static enum log_level max_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	__atomic_store_n(&max_level, level, __ATOMIC_RELAXED);
}

/*
 * One write() per line if it fits, so that lines of several threads do not mix.
 * A reader that does not read must not delay a device or a stop: a terminal may
 * have room for part of the line only, and write() would wait for more. line[0]
 * is a newline, to end the previous line if that was cut.
 */
static void write_line(const char *line, size_t len)
{
	uint64_t now = clock_now_ns(), end = now + READER_MS * NSEC_PER_MSEC;
	static atomic_bool is_cut;	/* the previous line */
	bool was_cut = atomic_exchange(&is_cut, false);
	size_t start = was_cut ? 0 : 1, at = start;
	struct tx_out out;
	ssize_t n;

	tx_out_open(&out, STDERR_FILENO);
	while (at < len && now < end) {
		n = tx_out_write(&out, line + at, len - at);
		if (n > 0)
			at += n;
		else if (n != -EAGAIN)
			break; /* nowhere to report it */
		else
			tx_out_wait(&out, (end - now) / NSEC_PER_MSEC + 1);
		now = clock_now_ns();
	}
	if (at < len && (was_cut || at > start))
		atomic_store(&is_cut, true);
	tx_out_close(&out);
}

/* Whether stderr is the socket to journald that systemd gave us. */
static bool is_journal(const struct stat *st)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	int end = 0;

	return stream &&
	       sscanf(stream, "%llu:%llu%n", &device, &inode, &end) == 2 &&
	       !stream[end] && st->st_dev == device && st->st_ino == inode;
}

/* "2026-01-31T12:00:00.123+0100 " */
static size_t put_time(char *buf, size_t len)
{
	struct timespec now;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	if (!localtime_r(&now.tv_sec, &tm))
		return 0;
	n = strftime(buf, len, "%Y-%m-%dT%H:%M:%S", &tm);
	n += snprintf(buf + n, len - n, ".%03ld", now.tv_nsec / 1000000);
	return n + strftime(buf + n, len - n, "%z ", &tm);
}

/*
 * Writes the prefix of a line for the kind of file that stderr is; returns its
 * length.  Checked for each line, as stderr may change.
 */
static size_t put_context(enum log_level level, char *buf, size_t len)
{
	/* Of syslog(3); journald reads them from "<N>". */
	static const int priority[] = {
		[LOG_LEVEL_ERROR] = 3, [LOG_LEVEL_WARN] = 4,
		[LOG_LEVEL_INFO] = 6, [LOG_LEVEL_DEBUG] = 7,
	};
	struct stat st;

	if (fstat(STDERR_FILENO, &st))
		return 0;
	if (is_journal(&st))
		return snprintf(buf, len, "<%d>", priority[level]);
	return S_ISREG(st.st_mode) ? put_time(buf, len) : 0;
}

__attribute__((format(printf, 2, 0)))
static void emit(enum log_level level, const char *fmt, va_list ap)
{
	static const char *const prefix[] = {
		[LOG_LEVEL_ERROR] = "vmm: error: ",
		[LOG_LEVEL_WARN] = "vmm: warning: ",
		[LOG_LEVEL_INFO] = "vmm: ",
		[LOG_LEVEL_DEBUG] = "vmm: debug: ",
	};
	char line[1024];
	int n = 1, m;

	line[0] = '\n';
	n += put_context(level, line + n, sizeof(line) - n);
	n += snprintf(line + n, sizeof(line) - n, "%s", prefix[level]);
	m = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	if (m < 0)
		return;
	n += m;
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n] = 0;
	printable_make(line + 1);
	line[n++] = '\n';
	write_line(line, n);
}

void log_at(enum log_level level, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (level > __atomic_load_n(&max_level, __ATOMIC_RELAXED))
		return;
	va_start(ap, fmt);
	emit(level, fmt, ap);
	va_end(ap);
	errno = saved;
}

bool log_limited(struct log_limit *limit, enum log_level level,
		 const char *fmt, ...)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int saved = errno;
	uint64_t now = clock_now_ns();
	unsigned int suppressed = 0;
	bool pass;
	va_list ap;

	pthread_mutex_lock(&lock);
	if (now - limit->window_start_ns >= LIMIT_WINDOW_NS) {
		limit->window_start_ns = now;
		limit->nr_in_window = 0;
		suppressed = limit->nr_suppressed;
		limit->nr_suppressed = 0;
	}
	pass = limit->nr_in_window < LIMIT_MESSAGES;
	if (pass)
		limit->nr_in_window++;
	else
		limit->nr_suppressed++;
	pthread_mutex_unlock(&lock);

	if (suppressed)
		log_at(level, "%u similar messages suppressed", suppressed);
	if (pass && level <= __atomic_load_n(&max_level, __ATOMIC_RELAXED)) {
		va_start(ap, fmt);
		emit(level, fmt, ap);
		va_end(ap);
	}
	errno = saved;
	return pass;
}
