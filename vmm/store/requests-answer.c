// SPDX-License-Identifier: GPL-2.0-or-later
/* Handles answers of the device, and missing ones. */
#include "config.h"

#include <errno.h>

#include "vmm/store/requests-internal.h"
#include "vmm/util/clock.h"

#define FIRST_DELAY   5		/* timeouts, until writes are retried */
#define MOST_DELAY_NS (300 * NSEC_PER_SEC)

/*
 * No thread waits for a probe, nor for a discard that leaves a worker for
 * reads.
 */
static bool is_waited_for(const struct requests *q, const struct request *r)
{
	return r->kind == KIND_READ || r->kind == KIND_WRITE ||
	       (r->kind == KIND_DISCARD && q->nr_workers == 1);
}

static bool any_late(const struct requests *q)
{
	for (const struct request *r = q->list; r; r = r->next)
		if (r->phase == RUNNING && r->is_late && is_waited_for(q, r))
			return true;
	return false;
}

static enum health_kind health_kind(const struct request *r)
{
	return r->kind == KIND_WRITE ? HEALTH_WRITE :
	       r->kind == KIND_DISCARD ? HEALTH_DISCARD : HEALTH_READ;
}

/* The device is stalled: waiting threads stop waiting. */
static void stall(struct requests *q)
{
	q->is_stalled = true;
	requests_cancel_queued(q, -ETIMEDOUT);
	for (struct request *r = q->list; r; r = r->next)
		pthread_cond_broadcast(&r->done);
}

/* Completes writes that were queued behind a discard of their range. */
static void complete_writes_behind(struct requests *q,
				   const struct request *discard, int rc)
{
	struct request *next;

	for (struct request *r = q->list; r; r = next) {
		next = r->next;
		if (r->kind == KIND_WRITE && r->phase == QUEUED &&
		    request_overlaps(r, discard->len, discard->offset))
			request_complete(q, r, rc);
	}
}

void request_set_late(struct requests *q, struct request *r, uint64_t now)
{
	r->is_late = true;
	if (r->kind == KIND_DISCARD)
		complete_writes_behind(q, r, -ETIMEDOUT);
	/* A probe or discard without an answer concerns its place alone. */
	if (!is_waited_for(q, r))
		return;
	health_late(q->health, health_kind(r), now - r->start_ns);
	stall(q);
}

static bool timed_out(const struct request *r, int rc)
{
	return r->is_cancelled && (rc == -ECANCELED || rc == -ENOLINK);
}

/*
 * Each attempt costs a segment if the server serves reads but never writes: so
 * writes are retried less and less often.
 */
static void postpone_writes(struct requests *q)
{
	uint64_t ns = q->writes_delay_ns ? 2 * q->writes_delay_ns :
					   FIRST_DELAY * q->timeout_ns;

	q->writes_delay_ns = ns < MOST_DELAY_NS ? ns : MOST_DELAY_NS;
	q->writes_from_ns = clock_now_ns() + q->writes_delay_ns;
}

static void remove_queued_discards(struct requests *q)
{
	struct request *next;

	for (struct request *r = q->list; r; r = next) {
		next = r->next;
		if (r->kind == KIND_DISCARD && r->phase == QUEUED)
			request_remove(q, r);
	}
}

/*
 * The request may still be executed later, over whatever is written there by
 * then.
 */
static void handle_lost_answer(struct requests *q, const struct request *r)
{
	if (r->kind == KIND_WRITE)
		postpone_writes(q);
	if (r->kind != KIND_DISCARD)
		return;
	complete_writes_behind(q, r, -ENOLINK);
	/* Each discard could cost a segment, and nothing depends on them. */
	q->never_discards = true;
	remove_queued_discards(q);
}

static void report_if_recovered(struct requests *q)
{
	if (!q->is_stalled && !q->writes_delay_ns && !any_late(q))
		health_responds(q->health);
}

/*
 * Whether the device has responded.  An error of a read or write counts, unless
 * the request was abandoned; of a discard it does not, as this host returns one
 * too, if discards are not supported.
 */
static bool is_answer(const struct request *r, int rc)
{
	return !timed_out(r, rc) && (r->kind != KIND_DISCARD || !rc);
}

static void got_answer(struct requests *q, struct request *r, int rc)
{
	q->is_stalled = false;
	if (r->kind == KIND_READ || r->kind == KIND_WRITE)
		health_result(q->health, health_kind(r), rc);
	if (r->kind == KIND_WRITE && !rc) {
		q->writes_delay_ns = q->writes_from_ns = 0;
		requests_set_in_use(q, r->len, r->offset, true);
	}
}

void request_end(struct requests *q, struct request *r, int rc)
{
	if (rc == -ETIMEDOUT) {
		if (!r->is_late)
			request_set_late(q, r, clock_now_ns());
	} else if (is_answer(r, rc)) {
		got_answer(q, r, rc);
	}
	if (rc == -ENOLINK)
		handle_lost_answer(q, r);
	request_complete(q, r, rc);
	report_if_recovered(q);
	/* Wake a worker for a request that waited for this one's range. */
	pthread_cond_signal(&q->work);
}
