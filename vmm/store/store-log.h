/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A log on a device, in segments that are written whole: slow devices like
 * large writes.  Records are read one by one.  A segment is free again when the
 * last record in it has been dropped; what keeps it from that is moved to a new
 * one (as in Rosenblum and Ousterhout, "The design and implementation of a
 * log-structured file system", 1992).
 *
 * A segment is made in two steps, so that no lock is held during I/O: the
 * records are copied to the buffer, log_write() and log_write_result() write
 * it, and only then does the owner take the new places for true.  It is not
 * used for anything else before the device has said what became of it, however
 * late; when that can't be known any more, it is lost (a server that has gone
 * may have received it).
 *
 * Locking: the owner's lock for all functions, but for log_write_result(),
 * log_read() and log_read_segment(), which wait for the device, each until a
 * time of clock_now_ns() and not when it is stalled: -ETIMEDOUT.  One thread at
 * a time makes segments.
 */
#ifndef VMM_STORE_STORE_LOG_H
#define VMM_STORE_STORE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/store/health.h"
#include "vmm/store/store-device.h"

#define LOG_SEGMENT_BYTES (UINT64_C(1) << 20)
#define LOG_MAX_LEN	  4096

struct log;

struct log_record {
	uint64_t key;
	uint64_t at;		/* its place on the device */
	uint32_t sum;
	uint16_t len;
	uint8_t kind;
	uint32_t data_sum;	/* of log_next(): what page_code_checksum() said */
};

/*
 * Takes the device over, closes it too.  timeout_ns as in requests.h.  -EFBIG:
 * no room for 4 segments; -ENOMEM, -EAGAIN.
 */
int log_new(struct log **logp, struct store_device *dev, struct health *health,
	    uint64_t timeout_ns);
/* Within half a second. */
void log_free(struct log *log);
uint64_t log_timeout_ns(const struct log *log);

/*
 * Begins a segment: 0; -ENOSPC; -ETIMEDOUT: writes are refused; -ENOMEM.
 * Some segments are kept for those who move records to make room: cleaning says
 * that you do.
 */
int log_begin(struct log *log, bool cleaning);
/* False when the segment is full.  r->at is set. */
bool log_add(struct log *log, struct log_record *r, const void *data);
/* Begins to write.  0 or -errno: then log_abort() is due. */
int log_write(struct log *log);
/*
 * -EINPROGRESS: no answer so far, ask again.  Else 0, and log_commit() is due,
 * or -errno: the records are nowhere, and log_abort() is due.
 */
int log_write_result(struct log *log, uint64_t until_ns);
/* The records count as live from here on. */
void log_commit(struct log *log);
/* rc: what log_write() or log_write_result() said; 0 without them. */
void log_abort(struct log *log, int rc);

/* A record is not needed any more. */
void log_drop(struct log *log, uint64_t at, uint16_t len);

/* Keeps the segment of `at` from being used again while it is read. */
void log_pin(struct log *log, uint64_t at);
void log_unpin(struct log *log, uint64_t at);
/*
 * Reads and checks a record's header against r (key, len, sum, kind).  0,
 * -errno of the device, or -EBADMSG: something else is there.
 */
int log_read(struct log *log, const struct log_record *r, void *data,
	     uint64_t until_ns);

/*
 * A segment without a reader of which at most 3/4 is live, with the least live
 * bytes or up to 16 KiB more: *at, its start, is pinned.  Those that failed come
 * last, in turn, and one of them a second, until one is cleaned.  False: none is
 * worth it now.  It takes no longer when there are many.
 */
bool log_victim(struct log *log, uint64_t *at);
/* It could not be read. */
void log_victim_failed(struct log *log, uint64_t at);
/*
 * It was read, and what could be read right in it has been moved.  True, once
 * for each use of a segment: there is something live in it still, which was not
 * found where it should be.  Then it has failed, too.
 */
bool log_victim_is_wrong(struct log *log, uint64_t at);
/* All of a segment, to go through: LOG_SEGMENT_BYTES. */
int log_read_segment(struct log *log, uint64_t at, void *buf,
		     uint64_t until_ns);
/* The next record in a segment's bytes; *pos begins as 0.  False at the end. */
bool log_next(const void *segment, uint64_t at, size_t *pos,
	      struct log_record *r, const void **data);

struct log_stats {
	uint64_t bytes, used_bytes;	/* of segments */
	uint64_t live_bytes;
	uint64_t lost_bytes;		/* of segments that can't be used */
};

void log_get_stats(const struct log *log, struct log_stats *stats);

#endif
