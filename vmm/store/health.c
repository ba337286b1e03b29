// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm/store/health.h"
#include "vmm/util/clock.h"
#include "vmm/util/error-text.h"
#include "vmm/util/log.h"

#define REPEAT_LOG_NS (60 * NSEC_PER_SEC)

/*
 * Troubles: that requests of a kind fail, by enum health_kind (discards are not
 * reported), and a stall.
 */
enum { TROUBLE_STALL = NR_HEALTH_KINDS, NR_TROUBLES };
/*
 * Log lines: one for the beginning of each trouble (its own number), one for
 * its end (LINE_OVER + that number), and two others.
 */
enum {
	LINE_OVER = NR_TROUBLES, LINE_DAMAGE = 2 * NR_TROUBLES, LINE_SEGMENT,
	NR_LINES
};

struct health {
	pthread_mutex_t lock;
	unsigned int nr_users;	/* atomic */
	char name[96];
	int errors[NR_HEALTH_KINDS];	/* of the last request: -errno or 0 */
	bool stalled;
	uint64_t stalled_ns;	/* when it began: clock_now_ns() */
	enum health_kind stalled_kind;	/* of the first unanswered request */
	bool has_unlogged;	/* atomic */
	struct {
		bool is_logged;	/* it began, so its end will be logged */
		uint64_t logged_ns;	/* when it last began; 0: never */
	} troubles[NR_TROUBLES];
	struct {
		char text[256];	/* "": nothing to log */
		enum log_level level;
		struct log_limit limit;
	} lines[NR_LINES];
	struct health_stats stats;
};

static const char *const verbs[NR_HEALTH_KINDS] = {
	[HEALTH_READ] = "read", [HEALTH_WRITE] = "write",
	[HEALTH_DISCARD] = "discard",
};

/* What a failure means for pages, for the reader of the log. */
static const char *const effects[NR_HEALTH_KINDS] = {
	[HEALTH_READ] = "accesses to pages on it block",
	[HEALTH_WRITE] = "pages stay in guest memory",
};

struct health *health_new(const char *name)
{
	struct health *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	pthread_mutex_init(&h->lock, NULL);
	h->nr_users = 1;
	snprintf(h->name, sizeof(h->name), "%s", name);
	return h;
}

struct health *health_get(struct health *h)
{
	__atomic_fetch_add(&h->nr_users, 1, __ATOMIC_RELAXED);
	return h;
}

void health_put(struct health *h)
{
	if (!h || __atomic_sub_fetch(&h->nr_users, 1, __ATOMIC_ACQ_REL))
		return;
	pthread_mutex_destroy(&h->lock);
	free(h);
}

/* Under the lock. */
__attribute__((format(printf, 2, 3)))
static void set_last_error(struct health *h, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(h->stats.last_error, sizeof(h->stats.last_error), fmt, ap);
	va_end(ap);
	h->stats.last_error_ns = clock_now_ns();
}

/* Under the lock. */
__attribute__((format(printf, 4, 5)))
static void queue_line(struct health *h, unsigned int i, enum log_level level,
		       const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(h->lines[i].text, sizeof(h->lines[i].text), fmt, ap);
	va_end(ap);
	h->lines[i].level = level;
	__atomic_store_n(&h->has_unlogged, true, __ATOMIC_RELAXED);
}

/* Under the lock.  True: a line is due. */
static bool trouble_begins(struct health *h, unsigned int trouble)
{
	uint64_t now = clock_now_ns();
	uint64_t logged_ns = h->troubles[trouble].logged_ns;

	if (h->troubles[trouble].is_logged ||
	    (logged_ns && now - logged_ns < REPEAT_LOG_NS))
		return false;
	h->troubles[trouble].is_logged = true;
	h->troubles[trouble].logged_ns = now;
	return true;
}

/* Under the lock.  True: a line is due. */
static bool trouble_ends(struct health *h, unsigned int trouble)
{
	bool was_logged = h->troubles[trouble].is_logged;

	h->troubles[trouble].is_logged = false;
	return was_logged;
}

bool health_has_unlogged(const struct health *h)
{
	return __atomic_load_n(&h->has_unlogged, __ATOMIC_RELAXED);
}

static bool take_line(struct health *h, unsigned int i, char *text, size_t len)
{
	pthread_mutex_lock(&h->lock);
	snprintf(text, len, "%s", h->lines[i].text);
	h->lines[i].text[0] = 0;
	pthread_mutex_unlock(&h->lock);
	return *text;
}

void health_log(struct health *h)
{
	char text[256];

	__atomic_store_n(&h->has_unlogged, false, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < NR_LINES; i++)
		if (take_line(h, i, text, sizeof(text)))
			log_limited(&h->lines[i].limit, h->lines[i].level,
				    "store: %s", text);
}

static const char *device_error_text(int rc)
{
	return rc == -ENOLINK ? "the connection broke before it answered" :
				error_text(-rc);
}

static bool is_disconnected(int rc)
{
	switch (-rc) {
	case ENOLINK: case ECONNREFUSED: case ECONNRESET: case ENOTCONN:
	case EPIPE: case ESHUTDOWN: case ETIMEDOUT: case ENOENT:
	case EHOSTUNREACH: case ENETUNREACH:
		return true;
	default:
		return false;
	}
}

static void count_error(struct health *h, enum health_kind kind, int rc)
{
	if (kind == HEALTH_READ)
		h->stats.nr_read_errors++;
	else
		h->stats.nr_write_errors++;
	if (kind == HEALTH_WRITE && (rc == -ENOSPC || rc == -EDQUOT))
		h->stats.nr_no_space++;
	if (is_disconnected(rc))
		h->stats.nr_disconnected++;
}

void health_result(struct health *h, enum health_kind kind, int rc)
{
	pthread_mutex_lock(&h->lock);
	if (rc) {
		count_error(h, kind, rc);
		set_last_error(h, "%s of %.60s: %s", verbs[kind], h->name,
			       device_error_text(rc));
		if (trouble_begins(h, kind))
			queue_line(h, kind, LOG_LEVEL_ERROR,
				   "cannot %s %s: %s; %s", verbs[kind], h->name,
				   device_error_text(rc), effects[kind]);
	} else if (trouble_ends(h, kind)) {
		queue_line(h, LINE_OVER + kind, LOG_LEVEL_INFO,
			   "can %s %s again", verbs[kind], h->name);
	}
	h->errors[kind] = rc;
	pthread_mutex_unlock(&h->lock);
}

void health_damaged(struct health *h, uint64_t page)
{
	pthread_mutex_lock(&h->lock);
	h->stats.nr_damaged++;
	set_last_error(h, "%.60s has wrong data for page 0x%llx", h->name,
		       (unsigned long long)page);
	queue_line(h, LINE_DAMAGE, LOG_LEVEL_ERROR,
		   "%s has wrong data for page 0x%llx: the page is lost",
		   h->name, (unsigned long long)page);
	pthread_mutex_unlock(&h->lock);
}

void health_wrong_segment(struct health *h, uint64_t at)
{
	unsigned long long mib = at >> 20;

	pthread_mutex_lock(&h->lock);
	h->stats.nr_wrong_segments++;
	set_last_error(h, "%.60s has wrong data in MiB %llu", h->name, mib);
	queue_line(h, LINE_SEGMENT, LOG_LEVEL_ERROR, "%s has wrong data in MiB "
		   "%llu: damaged pages there are not moved and keep their "
		   "space", h->name, mib);
	pthread_mutex_unlock(&h->lock);
}

/* Under the lock. */
static void log_stalled(struct health *h)
{
	double seconds = (double)(clock_now_ns() - h->stalled_ns) /
			 NSEC_PER_SEC;

	if (trouble_begins(h, TROUBLE_STALL))
		queue_line(h, TROUBLE_STALL, LOG_LEVEL_ERROR, "%s has not "
			   "answered a %s for %.1f s; until it does, pages "
			   "stay in guest memory, and accesses to pages on it "
			   "block", h->name, verbs[h->stalled_kind], seconds);
}

void health_late(struct health *h, enum health_kind kind, uint64_t ns)
{
	double seconds = (double)ns / NSEC_PER_SEC;

	pthread_mutex_lock(&h->lock);
	if (kind == HEALTH_READ)
		h->stats.nr_late_reads++;
	else
		h->stats.nr_late_writes++;
	set_last_error(h, "%s of %.60s: no answer for %.1f s", verbs[kind],
		       h->name, seconds);
	if (!h->stalled) {
		h->stalled = true;
		h->stalled_ns = h->stats.last_error_ns - ns;
		h->stalled_kind = kind;
	}
	log_stalled(h);
	pthread_mutex_unlock(&h->lock);
}

void health_check_stall(struct health *h)
{
	pthread_mutex_lock(&h->lock);
	if (h->stalled)
		log_stalled(h);
	pthread_mutex_unlock(&h->lock);
}

void health_responds(struct health *h)
{
	pthread_mutex_lock(&h->lock);
	if (trouble_ends(h, TROUBLE_STALL))
		queue_line(h, LINE_OVER + TROUBLE_STALL, LOG_LEVEL_INFO,
			   "%s answers again, after %.1f s", h->name,
			   (double)(clock_now_ns() - h->stalled_ns) /
			   NSEC_PER_SEC);
	h->stalled = false;
	pthread_mutex_unlock(&h->lock);
}

void health_get_stats(struct health *h, struct health_stats *stats)
{
	pthread_mutex_lock(&h->lock);
	*stats = h->stats;
	stats->state = h->stalled ? DEVICE_STALLED :
		h->errors[HEALTH_READ] || h->errors[HEALTH_WRITE] ?
		DEVICE_FAILED : DEVICE_OK;
	pthread_mutex_unlock(&h->lock);
}
