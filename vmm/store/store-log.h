/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A log on a device, in segments that are written as a whole: large writes suit
 * slow devices.  Records are read one by one.  A segment is free again when the
 * last record in it has been dropped; cleaning moves the remaining live records
 * to a new one (as in Rosenblum and Ousterhout, "The design and implementation
 * of a log-structured file system", 1992).
 *
 * A segment is made in two steps, so that no lock is held during I/O: the
 * records are copied to the buffer, log_write() and log_write_result() write
 * it, and only then does the caller use the new offsets.  The segment is not
 * reused before the device has answered, however late; if its answer is lost,
 * the segment is lost (a server that is gone may have received the write).
 *
 * Offsets (`at`) are bytes on the device; of a segment, that of its start.
 *
 * Locking: the caller's lock for all functions except log_write_result(),
 * log_read() and log_read_segment(), which wait for the device: until until_ns
 * (clock_now_ns()), or not at all while it is stalled.  One thread at a time
 * makes segments.
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
	uint64_t at;		/* its offset */
	uint32_t sum;		/* page_checksum() */
	uint16_t len;		/* of the data, bytes */
	uint8_t kind;		/* enum page_kind */
	uint32_t data_sum;	/* page_code_checksum(); set by log_next() */
};

/*
 * Takes ownership of the device on success, and closes it in log_free().  Of a
 * device that is much larger than nr_keys pages only a part is used.
 * timeout_ns as in requests.h.  0; -EFBIG: no room for 4 segments; -ENOMEM;
 * -EAGAIN: no threads.
 */
int log_new(struct log **logp, struct store_device *dev, uint64_t nr_keys,
	    struct health *health, uint64_t timeout_ns);
/* Returns within half a second. */
void log_free(struct log *log);
uint64_t log_timeout_ns(const struct log *log);

/*
 * Begins a segment: 0; -ENOSPC; -ETIMEDOUT: writes are refused; -ENOMEM.
 * Some segments are reserved for moving records to make room: `cleaning` is set
 * for that.
 */
int log_begin(struct log *log, bool cleaning);
/* False when the segment is full.  r->at is set. */
bool log_add(struct log *log, struct log_record *r, const void *data);
/* Starts to write.  0 or -errno: then call log_abort(). */
int log_write(struct log *log);
/*
 * 0: call log_commit().  -EINPROGRESS: no answer so far; call this again later.
 * Another -errno: the records were not written; call log_abort().
 */
int log_write_result(struct log *log, uint64_t until_ns);
/* The records count as live from here on. */
void log_commit(struct log *log);
/*
 * Ends the segment without its records.  rc: the result of log_write() or
 * log_write_result(); 0 if nothing was to be written.
 */
void log_abort(struct log *log, int rc);

/* The record of len bytes at this offset is not needed any more. */
void log_drop(struct log *log, uint64_t at, uint16_t len);

/* Keeps the segment of `at` from being reused while it is read. */
void log_pin(struct log *log, uint64_t at);
void log_unpin(struct log *log, uint64_t at);
/*
 * Reads a record's data, and checks its header against r (key, len, sum, kind).
 * 0; -EBADMSG: it is not that record; else as requests_read().
 */
int log_read(struct log *log, const struct log_record *r, void *data,
	     uint64_t until_ns);

/*
 * Chooses a victim, a segment to clean, and pins it: one that has no reader and
 * is live by 3/4 at most, with the least live bytes or up to 16 KiB more.
 * Segments whose cleaning failed come last, in turn, and at most one of them
 * per second, until one is cleaned.  False: no segment is worth cleaning now.
 * The time does not grow with the number of segments.
 */
bool log_victim(struct log *log, uint64_t *at);
/* The victim could not be read. */
void log_victim_failed(struct log *log, uint64_t at);
/*
 * After the victim was read and its valid records were moved: if it still has
 * live records, which were not found where they should be, marks it as wrong
 * and as failed.  True: it is wrong, and was not marked since its last reuse.
 */
bool log_victim_mark_wrong(struct log *log, uint64_t at);
/* Reads LOG_SEGMENT_BYTES, for log_next(); errors as requests_read(). */
int log_read_segment(struct log *log, uint64_t at, void *buf,
		     uint64_t until_ns);
/* The next record in a segment's bytes; *pos starts as 0.  False at the end. */
bool log_next(const void *segment, uint64_t at, size_t *pos,
	      struct log_record *r, const void **data);

struct log_stats {
	uint64_t used_bytes;		/* of segments that are not free */
	uint64_t live_bytes;		/* of records, headers included */
	uint64_t lost_bytes;		/* of segments that must not be used */
};

void log_get_stats(const struct log *log, struct log_stats *stats);

#endif
