/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the device of a store is: counters, the last error, and the log lines.
 * A trouble has one line when it begins and one when it is over, however many
 * requests it meets, and with whichever errors.  Of a device that comes and goes
 * that is told once a minute, and if it lasts.
 *
 * Locking: any thread; a lock of its own, below all others.  Lines are written by
 * health_say() alone, as that can take any time when nobody reads them.
 */
#ifndef VMM_STORE_HEALTH_H
#define VMM_STORE_HEALTH_H

#include <stdint.h>

enum device_state {
	DEVICE_NONE,		/* there is no device */
	DEVICE_OK,
	DEVICE_STALLED,		/* a request has no answer for too long */
	DEVICE_FAILED,		/* the last read or the last write failed */
};

struct health_stats {
	enum device_state state;
	/*
	 * Without an answer in time.  Discards are counted with writes, where
	 * they stall the device: if it does one request at a time.
	 */
	uint64_t nr_late_reads, nr_late_writes;
	uint64_t nr_read_errors, nr_write_errors;
	uint64_t nr_no_space;		/* of the write errors: ENOSPC, EDQUOT */
	uint64_t nr_disconnected;	/* of both: the server is not reached */
	uint64_t nr_damaged;		/* pages lost: not what was written */
	uint64_t nr_wrong_segments;	/* by health_wrong_segment() */
	char last_error[128];		/* "": none so far */
	uint64_t last_error_ns;		/* clock_now_ns() */
};

enum health_kind { HEALTH_READ, HEALTH_WRITE, HEALTH_DISCARD, NR_HEALTH_KINDS };

struct health;

/* name: of the device, copied.  NULL: no memory.  With one user. */
struct health *health_new(const char *name);
/* One user more, and one less: the last one frees it. */
struct health *health_get(struct health *h);
void health_put(struct health *h);

/* A read or write ended: rc is 0 or -errno. */
void health_result(struct health *h, enum health_kind kind, int rc);
/* What was kept of a page is not what was put: lost for good. */
void health_damaged(struct health *h, uint64_t page);
/*
 * In the segment at that place not all was found that should be there.  It is
 * left as it is: a get may read it right.
 */
void health_wrong_segment(struct health *h, uint64_t at);
/* A request has had no answer for ns: the device is stalled. */
void health_late(struct health *h, enum health_kind kind, uint64_t ns);
/* It is so still; to be called now and then. */
void health_is_late(struct health *h);
/* No request is late any more. */
void health_answers(struct health *h);

/* Whether there are lines to write, and writing them: hold no lock for that. */
bool health_has_news(const struct health *h);
void health_say(struct health *h);

void health_get_stats(struct health *h, struct health_stats *stats);

#endif
