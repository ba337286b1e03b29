/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The health of a store's device: counters, the last error, and the log lines.
 * A problem has one line when it begins and one when it is over, however many
 * requests fail, and with whichever errors.  If a device keeps failing and
 * recovering, a problem is logged at most once a minute; one that begins within
 * the minute is logged after it, if it lasts that long.
 *
 * Locking: any thread; its own lock is taken last of all.  The other functions
 * only queue lines: health_log() writes them, as that can block for any time if
 * nobody reads the log.
 */
#ifndef VMM_STORE_HEALTH_H
#define VMM_STORE_HEALTH_H

#include <stdint.h>

enum device_state {
	DEVICE_NONE,		/* there is no device */
	DEVICE_OK,
	DEVICE_STALLED,		/* a request is past its timeout */
	DEVICE_FAILED,		/* the last read or the last write failed */
};

struct health_stats {
	enum device_state state;
	/*
	 * Requests without an answer before the timeout.  Discards that stall
	 * the device (with a single worker) count as writes.
	 */
	uint64_t nr_late_reads, nr_late_writes;
	uint64_t nr_read_errors, nr_write_errors;
	uint64_t nr_no_space;		/* of the write errors: ENOSPC, EDQUOT */
	uint64_t nr_disconnected;	/* of both: the server is unreachable */
	uint64_t nr_damaged;		/* pages lost, by health_damaged() */
	uint64_t nr_wrong_segments;	/* by health_wrong_segment() */
	char last_error[128];		/* "": none so far */
	uint64_t last_error_ns;		/* clock_now_ns() */
};

enum health_kind { HEALTH_READ, HEALTH_WRITE, HEALTH_DISCARD, NR_HEALTH_KINDS };

struct health;

/* name: of the device, copied.  A reference, or NULL: out of memory. */
struct health *health_new(const char *name);
/* Takes a reference; drops one, the last of which frees it (h may be NULL). */
struct health *health_get(struct health *h);
void health_put(struct health *h);

/* A read or write ended: rc is 0 or -errno. */
void health_result(struct health *h, enum health_kind kind, int rc);
/*
 * The stored data of a page differ from what was put: it is lost permanently.
 */
void health_damaged(struct health *h, uint64_t page);
/*
 * The segment at that offset does not have all records that should be there.
 * It is left as it is: a get may read them correctly.
 */
void health_wrong_segment(struct health *h, uint64_t at);
/* A request was not answered for ns: the device is stalled. */
void health_late(struct health *h, enum health_kind kind, uint64_t ns);
/* Logs a stall that was not logged when it began; call it periodically. */
void health_check_stall(struct health *h);
/* No request is late any more: the stall, if there was one, is over. */
void health_responds(struct health *h);

/* Whether there are lines to write. */
bool health_has_unlogged(const struct health *h);
/* Writes the queued lines; to be called without locks held. */
void health_log(struct health *h);

void health_get_stats(struct health *h, struct health_stats *stats);

#endif
