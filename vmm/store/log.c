// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/store/log.h"
#include "vmm/store/page_code.h"
#include "vmm/store/requests.h"

#define HEADER_MAGIC	 0x4c56u
#define MIN_SEGMENTS	 4
#define RESERVE_SEGMENTS 2	/* for cleaning */
#define NONE		 UINT64_MAX

struct header {			/* before each record; the rest is zeros */
	uint64_t key;
	uint32_t sum;
	uint16_t len;
	uint8_t kind;
	uint8_t unused;
	uint32_t magic;
	uint32_t data_sum;
};

struct segment {
	uint32_t live;		/* bytes, headers included */
	uint16_t nr_readers;
	uint8_t nr_failed;	/* cleanings that left something in it */
	bool in_use;		/* written, being made, or lost */
	bool is_lost;
};

struct log {
	struct requests *requests;	/* owned */
	struct segment *segments;	/* owned */
	uint64_t nr, nr_free, hint;
	uint8_t *buffer;		/* owned; of the segment being made */
	struct request *writing;	/* has the buffer meanwhile; or NULL */
	uint64_t making;		/* NONE: none */
	size_t fill;
	struct log_stats stats;
};

int log_new(struct log **logp, struct store_device *dev, struct health *health,
	    uint64_t timeout_ns)
{
	struct log *log;
	int rc = -ENOMEM;

	if (dev->bytes / LOG_SEGMENT_BYTES < MIN_SEGMENTS)
		return -EFBIG;
	log = calloc(1, sizeof(*log));
	if (!log)
		return -ENOMEM;
	log->nr = log->nr_free = dev->bytes / LOG_SEGMENT_BYTES;
	log->segments = calloc(log->nr, sizeof(*log->segments));
	log->making = NONE;
	if (log->segments)
		rc = requests_new(&log->requests, dev, health, timeout_ns);
	if (rc) {
		log_free(log);
		return rc;
	}
	*logp = log;
	return 0;
}

void log_free(struct log *log)
{
	if (!log)
		return;
	requests_free(log->requests);
	free(log->segments);
	free(log->buffer);
	free(log);
}

uint64_t log_timeout_ns(const struct log *log)
{
	return requests_timeout_ns(log->requests);
}

static size_t record_bytes(uint16_t len)
{
	return sizeof(struct header) + ((len + 7u) & ~7u);
}

int log_begin(struct log *log, bool cleaning)
{
	if (log->nr_free <= (cleaning ? 0 : RESERVE_SEGMENTS))
		return -ENOSPC;
	if (requests_refuses_writes(log->requests))
		return -ETIMEDOUT;
	if (!log->buffer)
		log->buffer = requests_buffer(LOG_SEGMENT_BYTES);
	if (!log->buffer)
		return -ENOMEM;
	while (log->segments[log->hint].in_use)
		log->hint = (log->hint + 1) % log->nr;
	log->making = log->hint;
	log->hint = (log->hint + 1) % log->nr;
	log->segments[log->making] = (struct segment){ .in_use = true };
	log->nr_free--;
	log->fill = 0;
	return 0;
}

bool log_add(struct log *log, struct log_record *r, const void *data)
{
	const struct header h = {
		.key = r->key, .sum = r->sum, .len = r->len, .kind = r->kind,
		.magic = HEADER_MAGIC,
		.data_sum = page_code_checksum(data, r->len),
	};

	if (log->fill + record_bytes(r->len) > LOG_SEGMENT_BYTES)
		return false;
	r->at = log->making * LOG_SEGMENT_BYTES + log->fill;
	memcpy(log->buffer + log->fill, &h, sizeof(h));
	memcpy(log->buffer + log->fill + sizeof(h), data, r->len);
	log->fill += record_bytes(r->len);
	log->segments[log->making].live += record_bytes(r->len);
	return true;
}

int log_write(struct log *log)
{
	int rc;

	/* Not what an older segment left there. */
	memset(log->buffer + log->fill, 0, LOG_SEGMENT_BYTES - log->fill);
	rc = requests_write(log->requests, log->buffer, LOG_SEGMENT_BYTES,
			    log->making * LOG_SEGMENT_BYTES, &log->writing);
	if (!rc)
		log->buffer = NULL;
	return rc;
}

int log_write_result(struct log *log, uint64_t until_ns)
{
	void *buffer;
	int rc = requests_write_result(log->requests, log->writing, until_ns,
				       &buffer);

	if (rc == -EINPROGRESS)
		return rc;
	log->writing = NULL;
	log->buffer = buffer;
	return rc;
}

/* Free once nothing in it is live, and nobody reads it. */
static void check_free(struct log *log, uint64_t i)
{
	struct segment *s = &log->segments[i];

	if (s->live || s->nr_readers || !s->in_use || s->is_lost ||
	    i == log->making)
		return;
	s->in_use = false;
	log->nr_free++;
	requests_discard(log->requests, LOG_SEGMENT_BYTES,
			 i * LOG_SEGMENT_BYTES);
}

void log_commit(struct log *log)
{
	uint64_t made = log->making;

	log->making = NONE;
	log->stats.live_bytes += log->segments[made].live;
	check_free(log, made);
}

void log_abort(struct log *log, int rc)
{
	uint64_t made = log->making;

	log->making = NONE;
	log->segments[made].live = 0;
	log->segments[made].is_lost = rc == -ENOLINK;
	if (rc == -ENOLINK)
		log->stats.lost_bytes += LOG_SEGMENT_BYTES;
	check_free(log, made);
}

void log_drop(struct log *log, uint64_t at, uint16_t len)
{
	uint64_t i = at / LOG_SEGMENT_BYTES;

	log->segments[i].live -= record_bytes(len);
	if (i != log->making)
		log->stats.live_bytes -= record_bytes(len);
	check_free(log, i);
}

void log_pin(struct log *log, uint64_t at)
{
	log->segments[at / LOG_SEGMENT_BYTES].nr_readers++;
}

void log_unpin(struct log *log, uint64_t at)
{
	log->segments[at / LOG_SEGMENT_BYTES].nr_readers--;
	check_free(log, at / LOG_SEGMENT_BYTES);
}

int log_read(struct log *log, const struct log_record *r, void *data,
	     uint64_t until_ns)
{
	uint8_t buffer[sizeof(struct header) + LOG_MAX_LEN];
	struct header h;
	int rc;

	if (r->len > LOG_MAX_LEN)
		return -EBADMSG;
	rc = requests_read(log->requests, buffer, sizeof(h) + r->len, r->at,
			   until_ns);
	if (rc)
		return rc;
	memcpy(&h, buffer, sizeof(h));
	if (h.magic != HEADER_MAGIC || h.key != r->key || h.len != r->len ||
	    h.sum != r->sum || h.kind != r->kind)
		return -EBADMSG;
	memcpy(data, buffer + sizeof(h), r->len);
	return 0;
}

static bool is_better_victim(const struct segment *s,
			     const struct segment *than)
{
	if (s->nr_failed != than->nr_failed)
		return s->nr_failed < than->nr_failed;
	return s->live < than->live;
}

bool log_victim(struct log *log, uint64_t *at)
{
	uint64_t best = NONE;

	for (uint64_t i = 0; i < log->nr; i++) {
		const struct segment *s = &log->segments[i];

		if (!s->in_use || s->is_lost || s->nr_readers ||
		    i == log->making ||
		    s->live > LOG_SEGMENT_BYTES / 4 * 3)
			continue;
		if (best == NONE || is_better_victim(s, &log->segments[best]))
			best = i;
	}
	if (best == NONE)
		return false;
	*at = best * LOG_SEGMENT_BYTES;
	log_pin(log, *at);
	return true;
}

void log_victim_failed(struct log *log, uint64_t at)
{
	struct segment *s = &log->segments[at / LOG_SEGMENT_BYTES];

	if (s->live && s->nr_failed < UINT8_MAX)
		s->nr_failed++;
}

int log_read_segment(struct log *log, uint64_t at, void *buf,
		     uint64_t until_ns)
{
	return requests_read(log->requests, buf, LOG_SEGMENT_BYTES, at,
			     until_ns);
}

bool log_next(const void *segment, uint64_t at, size_t *pos,
	      struct log_record *r, const void **data)
{
	const uint8_t *bytes = segment;
	struct header h;

	if (*pos + sizeof(h) > LOG_SEGMENT_BYTES)
		return false;
	memcpy(&h, bytes + *pos, sizeof(h));
	if (h.magic != HEADER_MAGIC || h.len > LOG_MAX_LEN ||
	    *pos + record_bytes(h.len) > LOG_SEGMENT_BYTES)
		return false;
	*r = (struct log_record){
		.key = h.key, .at = at + *pos, .sum = h.sum, .len = h.len,
		.kind = h.kind, .data_sum = h.data_sum,
	};
	*data = bytes + *pos + sizeof(h);
	*pos += record_bytes(h.len);
	return true;
}

void log_get_stats(const struct log *log, struct log_stats *stats)
{
	*stats = log->stats;
	stats->bytes = log->nr * LOG_SEGMENT_BYTES;
	stats->used_bytes = (log->nr - log->nr_free) * LOG_SEGMENT_BYTES;
}
