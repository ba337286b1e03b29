// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/store/requests-internal.h"
#include "vmm/util/cond.h"

void *requests_buffer(size_t len)
{
	void *buf;

	return posix_memalign(&buf, STORE_DEVICE_BLOCK, len) ? NULL : buf;
}

uint64_t requests_timeout_ns(const struct requests *q)
{
	return q->timeout_ns;
}

bool requests_is_stalled(struct requests *q)
{
	bool is_stalled;

	pthread_mutex_lock(&q->lock);
	is_stalled = q->is_stalled;
	pthread_mutex_unlock(&q->lock);
	return is_stalled;
}

/* Whether writes and discards are refused. */
static bool refuses_changes(const struct requests *q)
{
	return q->is_stalled || q->writes_from_ns;
}

bool requests_refuses_writes(struct requests *q)
{
	bool refuses;

	pthread_mutex_lock(&q->lock);
	refuses = refuses_changes(q);
	pthread_mutex_unlock(&q->lock);
	return refuses;
}

/*
 * False: it is not done, and it is late, the deadline has passed, or the device
 * is stalled.
 */
static bool wait_for(struct requests *q, struct request *r, uint64_t until_ns)
{
	while (r->phase != DONE && !q->is_stalled && !r->is_late &&
	       !cond_wait_until(&r->done, &q->lock, until_ns))
		;
	return r->phase == DONE;
}

/* Limits each kind separately: queued hints must not block reads. */
static bool too_many(const struct requests *q, enum request_kind kind)
{
	unsigned int nr = 0;

	for (const struct request *r = q->list; r; r = r->next)
		nr += r->kind == kind && r->phase != DONE;
	return nr >= REQUESTS_MAX_WAITING;
}

/* Finds the same read, in flight for another thread or completed late. */
static struct request *find_read(struct requests *q, size_t len,
				 uint64_t offset)
{
	for (struct request *r = q->list; r; r = r->next)
		if (r->kind == KIND_READ && !r->is_old && r->len == len &&
		    r->offset == offset && (r->phase != DONE || !r->result))
			return r;
	return NULL;
}

static struct request *new_read(struct requests *q, size_t len, uint64_t offset,
				int *rc)
{
	struct request *r = NULL;
	void *buf;

	*rc = -ETIMEDOUT;
	if (q->is_stalled || too_many(q, KIND_READ) ||
	    requests_hangs_at(q, offset))
		return NULL;
	*rc = -ENOMEM;
	buf = requests_buffer(len);
	if (buf)
		r = request_add(q, KIND_READ, buf, len, offset);
	if (!r)
		free(buf);
	return r;
}

int requests_read(struct requests *q, void *buf, size_t len, uint64_t offset,
		  uint64_t until_ns)
{
	uint64_t from = offset & ~(uint64_t)(STORE_DEVICE_BLOCK - 1);
	uint64_t to = (offset + len + STORE_DEVICE_BLOCK - 1) &
		      ~(uint64_t)(STORE_DEVICE_BLOCK - 1);
	struct request *r;
	int rc;

	pthread_mutex_lock(&q->lock);
	r = find_read(q, to - from, from);
	if (!r)
		r = new_read(q, to - from, from, &rc);
	if (r) {
		r->nr_waiting++;
		rc = wait_for(q, r, until_ns) ? r->result : -ETIMEDOUT;
		r->nr_waiting--;
		if (!rc)
			memcpy(buf, r->buf + (offset - from), len);
		if (r->phase == DONE && !r->nr_waiting)
			request_remove(q, r);
	}
	pthread_mutex_unlock(&q->lock);
	return rc;
}

/*
 * Data of reads in a range that is now written must not be shared with later
 * reads.
 */
static void outdate_reads(struct requests *q, size_t len, uint64_t offset)
{
	struct request *next;

	for (struct request *r = q->list; r; r = next) {
		next = r->next;
		if (r->kind != KIND_READ || !request_overlaps(r, len, offset))
			continue;
		r->is_old = true;
		if (request_is_kept(r))
			request_remove(q, r);
	}
}

static bool blocks_writes(const struct request *r)
{
	return r->kind == KIND_DISCARD && r->phase == DONE;
}

/*
 * Removes discards of the range that have not been started.  -ENOLINK: the
 * range can't be used any more; -ETIMEDOUT: it is being discarded, which may
 * take for ever.
 */
static int cancel_discards(struct requests *q, size_t len, uint64_t offset)
{
	struct request *next;
	int rc = 0;

	for (struct request *r = q->list; r; r = next) {
		next = r->next;
		if (r->kind != KIND_DISCARD ||
		    !request_overlaps(r, len, offset))
			continue;
		if (r->phase == RUNNING) {
			rc = r->is_late ? -ETIMEDOUT : rc;
			continue;
		}
		if (blocks_writes(r))
			rc = -ENOLINK;
		request_remove(q, r);
	}
	return rc;
}

int requests_write(struct requests *q, void *buf, size_t len, uint64_t offset,
		   struct request **rp)
{
	struct request *r = NULL;
	int rc;

	pthread_mutex_lock(&q->lock);
	rc = refuses_changes(q) ? -ETIMEDOUT : cancel_discards(q, len, offset);
	if (!rc) {
		outdate_reads(q, len, offset);
		r = request_add(q, KIND_WRITE, buf, len, offset);
		rc = r ? 0 : -ENOMEM;
	}
	if (r) {
		r->nr_waiting++;
		*rp = r;
	}
	pthread_mutex_unlock(&q->lock);
	return rc;
}

int requests_write_result(struct requests *q, struct request *r,
			  uint64_t until_ns, void **bufp)
{
	int rc = -EINPROGRESS;

	pthread_mutex_lock(&q->lock);
	if (wait_for(q, r, until_ns)) {
		rc = r->result;
		*bufp = r->buf;
		r->buf = NULL;
		request_remove(q, r);
	}
	pthread_mutex_unlock(&q->lock);
	return rc;
}

void requests_discard(struct requests *q, size_t len, uint64_t offset)
{
	pthread_mutex_lock(&q->lock);
	requests_set_in_use(q, len, offset, false);
	if (q->dev->ops->discard && !q->never_discards &&
	    !refuses_changes(q) && !too_many(q, KIND_DISCARD)) {
		outdate_reads(q, len, offset);
		request_add(q, KIND_DISCARD, NULL, len, offset);
	}
	pthread_mutex_unlock(&q->lock);
}
