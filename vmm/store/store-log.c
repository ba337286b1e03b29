// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Segments are in lists, so that no search under the caller's lock covers a
 * whole device: a list of the free ones, one for each range of live bytes, and
 * one of those that could not be cleaned.
 *
 *     free --begin--> no list --commit--> list by live bytes ----+
 *      ^           (being made)           (over 3/4: no list)    |
 *      |                                     ^  |pin             |
 *      |                               unpin |  v                |
 *      +--nothing is live, no reader------ no list (being read) <+
 *
 * Each list is a ring through a head, in order of insertion: the next free
 * segment is the one that has been free for longest, whose discard is most
 * likely done.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/store/page-code.h"
#include "vmm/store/requests.h"
#include "vmm/store/store-log.h"
#include "vmm/util/clock.h"
#include "vmm/util/min-max.h"

#define HEADER_MAGIC	 0x4c56u
#define MIN_SEGMENTS	 4
#define MAX_SEGMENTS	 (UINT32_MAX - NR_LISTS)	/* almost 4 PiB */
/*
 * The part of a large device that is used: 8 times the size of all pages, so
 * that cleaning costs next to nothing, and 1 GiB that may be lost to writes
 * without an answer.  More would only take memory, some bytes per segment.
 */
#define DEVICE_SHARE	 8
#define LOST_SEGMENTS	 1024
#define RESERVE_SEGMENTS 2	/* for cleaning */
#define NONE		 UINT64_MAX
/* A segment is worth cleaning if at most so many bytes are live. */
#define MAX_LIVE	 (LOG_SEGMENT_BYTES / 4 * 3)
#define LIVE_STEP	 (LOG_SEGMENT_BYTES / 64)
#define MAX_CANDIDATES	 32	/* segments compared to find the least live */
/* Between retries of two failed segments, so that not every put reads one. */
#define RETRY_FAILED_NS	 NSEC_PER_SEC

enum list {
	LIST_FREE,
	LIST_FAILED,
	LIST_LIVE,		/* and following, one for each LIVE_STEP */
	NR_LISTS = LIST_LIVE + MAX_LIVE / LIVE_STEP + 1,
	LIST_NONE = NR_LISTS,
};

struct header {			/* before each record; zeros after the last */
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
	uint32_t next, prev;	/* in its list */
	uint16_t nr_readers;
	uint8_t list;
	bool in_use : 1;	/* written, being made, or lost */
	bool is_lost : 1;
	bool has_failed : 1;	/* cleaning left records in it */
	bool is_wrong : 1;	/* it was read, and records were missing */
};

struct log {
	struct requests *requests;	/* owned */
	struct segment *segments; /* owned; nr of them, then a head per list */
	uint64_t nr, nr_free;
	uint8_t *buffer;		/* owned; for the segment being made */
	struct request *writing;	/* owns the buffer until done; NULL */
	uint64_t making;	/* index of the segment being made; or NONE */
	uint64_t retry_failed_ns;	/* when LIST_FAILED may be retried */
	size_t fill;			/* bytes in the buffer */
	struct log_stats stats;
};

static void list_del(struct log *log, struct segment *s)
{
	log->segments[s->prev].next = s->next;
	log->segments[s->next].prev = s->prev;
}

/* Appends to the list. */
static void list_add(struct log *log, enum list list, uint64_t i)
{
	struct segment *head = &log->segments[log->nr + list];
	struct segment *s = &log->segments[i];

	s->next = log->nr + list;
	s->prev = head->prev;
	log->segments[head->prev].next = i;
	head->prev = i;
}

static enum list list_for(const struct log *log, uint64_t i)
{
	const struct segment *s = &log->segments[i];

	if (!s->in_use)
		return LIST_FREE;
	if (s->is_lost || s->nr_readers || i == log->making ||
	    s->live > MAX_LIVE)
		return LIST_NONE;
	return s->has_failed ? LIST_FAILED : LIST_LIVE + s->live / LIVE_STEP;
}

/* Called after each change of a segment: moves it to the list it belongs to. */
static void relist(struct log *log, uint64_t i)
{
	struct segment *s = &log->segments[i];
	enum list list = list_for(log, i);

	if (list == s->list)
		return;
	if (s->list != LIST_NONE)
		list_del(log, s);
	s->list = list;
	if (list != LIST_NONE)
		list_add(log, list, i);
}

static size_t record_bytes(uint16_t len)
{
	return sizeof(struct header) + ((len + 7u) & ~7u);
}

/* Allocates the segments, all of them free. */
static int alloc_segments(struct log *log, uint64_t nr)
{
	if (nr < MIN_SEGMENTS)
		return -EFBIG;
	if (nr > MAX_SEGMENTS)
		nr = MAX_SEGMENTS;
	log->segments = calloc(nr + NR_LISTS, sizeof(*log->segments));
	if (!log->segments)
		return -ENOMEM;
	log->nr = log->nr_free = nr;
	log->making = NONE;
	for (uint64_t i = nr; i < nr + NR_LISTS; i++)
		log->segments[i].next = log->segments[i].prev = i;
	for (uint64_t i = 0; i < nr; i++) {
		log->segments[i].list = LIST_NONE;
		relist(log, i);
	}
	return 0;
}

static uint64_t useful_segments(uint64_t nr_keys)
{
	unsigned int in_one = LOG_SEGMENT_BYTES / record_bytes(LOG_MAX_LEN);

	return LOST_SEGMENTS + DEVICE_SHARE * (nr_keys / in_one + 1);
}

int log_new(struct log **logp, struct store_device *dev, uint64_t nr_keys,
	    struct health *health, uint64_t timeout_ns)
{
	struct log *log = calloc(1, sizeof(*log));
	uint64_t nr = dev->bytes / LOG_SEGMENT_BYTES;
	int rc;

	if (!log)
		return -ENOMEM;
	rc = alloc_segments(log, min_u64(nr, useful_segments(nr_keys)));
	if (!rc)
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

int log_begin(struct log *log, bool cleaning)
{
	struct segment *s;

	if (log->nr_free <= (cleaning ? 0 : RESERVE_SEGMENTS))
		return -ENOSPC;
	if (requests_refuses_writes(log->requests))
		return -ETIMEDOUT;
	if (!log->buffer)
		log->buffer = requests_buffer(LOG_SEGMENT_BYTES);
	if (!log->buffer)
		return -ENOMEM;
	log->making = log->segments[log->nr + LIST_FREE].next;
	s = &log->segments[log->making];
	s->in_use = true;
	s->has_failed = s->is_wrong = false;
	relist(log, log->making);
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

	/* Clear what the buffer has of an earlier segment. */
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

/* Frees a segment once nothing in it is live and it has no reader. */
static void segment_changed(struct log *log, uint64_t i)
{
	struct segment *s = &log->segments[i];
	bool is_freed = s->in_use && !s->live && !s->nr_readers &&
			!s->is_lost && i != log->making;

	if (is_freed)
		s->in_use = false;
	relist(log, i);
	if (!is_freed)
		return;
	log->nr_free++;
	requests_discard(log->requests, LOG_SEGMENT_BYTES,
			 i * LOG_SEGMENT_BYTES);
}

void log_commit(struct log *log)
{
	uint64_t made = log->making;

	log->making = NONE;
	log->stats.live_bytes += log->segments[made].live;
	segment_changed(log, made);
}

void log_abort(struct log *log, int rc)
{
	uint64_t made = log->making;

	log->making = NONE;
	log->segments[made].live = 0;
	log->segments[made].is_lost = rc == -ENOLINK;
	if (rc == -ENOLINK)
		log->stats.lost_bytes += LOG_SEGMENT_BYTES;
	segment_changed(log, made);
}

void log_drop(struct log *log, uint64_t at, uint16_t len)
{
	uint64_t i = at / LOG_SEGMENT_BYTES;

	log->segments[i].live -= record_bytes(len);
	if (i != log->making)
		log->stats.live_bytes -= record_bytes(len);
	segment_changed(log, i);
}

void log_pin(struct log *log, uint64_t at)
{
	log->segments[at / LOG_SEGMENT_BYTES].nr_readers++;
	relist(log, at / LOG_SEGMENT_BYTES);
}

void log_unpin(struct log *log, uint64_t at)
{
	log->segments[at / LOG_SEGMENT_BYTES].nr_readers--;
	segment_changed(log, at / LOG_SEGMENT_BYTES);
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

/* The segments with the least live bytes; those that failed, if no others. */
static enum list best_list(const struct log *log)
{
	enum list list = LIST_LIVE;

	while (list < NR_LISTS && log->segments[log->nr + list].next ==
					  log->nr + list)
		list++;
	return list < NR_LISTS ? list : LIST_FAILED;
}

bool log_victim(struct log *log, uint64_t *at)
{
	enum list list = best_list(log);
	uint64_t head = log->nr + list, now = clock_now_ns();
	uint64_t i = log->segments[head].next, best = i;

	if (i == head || (list == LIST_FAILED && now < log->retry_failed_ns))
		return false;
	if (list == LIST_FAILED) {
		log->retry_failed_ns = now + RETRY_FAILED_NS;
		i = head;	/* take the first: they are retried in turn */
	}
	for (int n = 0; n < MAX_CANDIDATES && i != head; n++) {
		if (log->segments[i].live < log->segments[best].live)
			best = i;
		i = log->segments[i].next;
	}
	*at = best * LOG_SEGMENT_BYTES;
	log_pin(log, *at);
	return true;
}

void log_victim_failed(struct log *log, uint64_t at)
{
	struct segment *s = &log->segments[at / LOG_SEGMENT_BYTES];

	if (!s->live)
		return;
	s->has_failed = true;
	relist(log, at / LOG_SEGMENT_BYTES);
}

bool log_victim_mark_wrong(struct log *log, uint64_t at)
{
	struct segment *s = &log->segments[at / LOG_SEGMENT_BYTES];
	bool was_wrong = s->is_wrong;

	if (!s->live) {
		if (s->has_failed)
			log->retry_failed_ns = 0;
		return false;
	}
	s->is_wrong = true;
	log_victim_failed(log, at);
	return !was_wrong;
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
	stats->used_bytes = (log->nr - log->nr_free) * LOG_SEGMENT_BYTES;
}
