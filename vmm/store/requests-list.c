// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm/store/requests-internal.h"
#include "vmm/util/cond.h"

#define KEPT_BYTES (2u << 20)	/* limit for data of late reads */

struct request *request_add(struct requests *q, enum request_kind kind,
			    void *buf, size_t len, uint64_t offset)
{
	struct request *r = calloc(1, sizeof(*r)), **end = &q->list;

	if (!r)
		return NULL;
	r->kind = kind;
	r->buf = buf;
	r->len = len;
	r->offset = offset;
	cond_init(&r->done);
	while (*end)
		end = &(*end)->next;
	*end = r;
	pthread_cond_signal(&q->work);
	return r;
}

void request_remove(struct requests *q, struct request *r)
{
	struct request **p = &q->list;

	while (*p != r)
		p = &(*p)->next;
	*p = r->next;
	pthread_cond_destroy(&r->done);
	free(r->buf);
	free(r);
}

/* Frees the oldest kept reads over the limit. */
static void drop_kept(struct requests *q)
{
	struct request *r, *next;
	size_t bytes = 0;

	for (r = q->list; r; r = r->next)
		bytes += request_is_kept(r) ? r->len : 0;
	for (r = q->list; r && bytes > KEPT_BYTES; r = next) {
		next = r->next;
		if (!request_is_kept(r))
			continue;
		bytes -= r->len;
		request_remove(q, r);
	}
}

void request_complete(struct requests *q, struct request *r, int rc)
{
	r->phase = DONE;
	r->result = rc;
	if (r->nr_waiting)
		pthread_cond_broadcast(&r->done);
	else if (r->kind == KIND_READ && !rc && !r->is_old)
		drop_kept(q);
	else if (r->kind != KIND_DISCARD || rc != -ENOLINK)
		request_remove(q, r);
}

void requests_cancel_queued(struct requests *q, int rc)
{
	struct request *next;

	for (struct request *r = q->list; r; r = next) {
		next = r->next;
		if (r->phase == QUEUED)
			request_complete(q, r, rc);
	}
}
