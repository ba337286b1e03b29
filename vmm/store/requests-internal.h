/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by requests.c (the interface), requests-list.c, requests-work.c (the
 * threads), requests-answer.c and requests-probe.c.
 *
 * All requests are in one list, in order of arrival.  It is short:
 * REQUESTS_MAX_WAITING reads and as many discards, a write for each thread that
 * writes (the store has one), and a probe for each worker.  A request is
 * removed when it is done and no thread waits for it, except for reads that
 * completed late (kept), and a discard whose answer was lost, which blocks
 * writes to its range.
 */
#ifndef VMM_STORE_REQUESTS_INTERNAL_H
#define VMM_STORE_REQUESTS_INTERNAL_H

#include <pthread.h>

#include "vmm/store/requests.h"

#define REQUESTS_MAX_WAITING 64		/* queued and running, of each kind */

/* By priority: reads are served first. */
enum request_kind { KIND_READ, KIND_PROBE, KIND_WRITE, KIND_DISCARD };
enum request_phase { QUEUED, RUNNING, DONE };

struct request {
	struct request *next;
	enum request_kind kind;
	enum request_phase phase;
	uint8_t *buf;			/* owned */
	size_t len;
	uint64_t offset;
	int result;			/* DONE */
	unsigned int nr_waiting;	/* threads that want the result */
	/* It ran for longer than the timeout; it was cancelled by cancel_fd. */
	bool is_late, is_cancelled;
	bool is_old;		/* a read of data overwritten since */
	uint64_t start_ns;		/* RUNNING */
	const struct store_worker *worker;	/* RUNNING */
	pthread_cond_t done;
};

struct requests {
	pthread_mutex_t lock;		/* guards all below */
	struct store_device *dev;	/* owned */
	struct health *health;		/* we hold a reference */
	uint64_t timeout_ns;		/* never changes */
	/* Never changes: when a running write or discard is cancelled. */
	uint64_t give_up_ns;
	struct request *list;		/* owned */
	unsigned int nr_threads;	/* the workers and the watcher */
	unsigned int nr_users;		/* references: threads, and the owner */
	unsigned int nr_idle, nr_workers;
	uint64_t nr_started;		/* requests so far */
	bool is_stalled, is_stopping;
	bool never_discards;		/* the answer to a discard was lost */
	/* After a write whose answer was lost: when to retry writes, or 0. */
	uint64_t writes_from_ns;
	uint64_t writes_delay_ns;	/* the last delay; 0: writes succeed */
	uint32_t nr_probes;		/* sent so far; wraps around */
	uint64_t nr_units;		/* MiB of the device */
	uint64_t *in_use;		/* owned; a bit per unit to be probed */
	uint16_t *nr_in_group;		/* owned; bits set of each 4096 */
	uint64_t nr_in_use;		/* bits set of all */
	bool watcher_sleeps;		/* until the next request is started */
	/* For idle workers; for the watcher; and when a thread has ended. */
	pthread_cond_t work, watch, left;
	struct store_worker workers[STORE_DEVICE_WORKERS];
};

/* All of these are called under the lock. */

static inline bool request_overlaps(const struct request *r, size_t len,
				    uint64_t offset)
{
	return r->offset < offset + len && offset < r->offset + r->len;
}

/* Whether it changes what later reads return. */
static inline bool request_changes(const struct request *r)
{
	return r->kind == KIND_WRITE || r->kind == KIND_DISCARD;
}

/* A read that completed too late for its caller. */
static inline bool request_is_kept(const struct request *r)
{
	return r->kind == KIND_READ && r->phase == DONE && !r->nr_waiting;
}

/* Appends a request to the list; takes ownership of buf.  NULL: no memory. */
struct request *request_add(struct requests *q, enum request_kind kind,
			    void *buf, size_t len, uint64_t offset);
void request_remove(struct requests *q, struct request *r);
/* Sets the result; the request is removed if no thread waits for it. */
void request_complete(struct requests *q, struct request *r, int rc);
/* Completes queued requests that were not started, with the result rc. */
void requests_cancel_queued(struct requests *q, int rc);

/* Marks a running request as past its timeout. */
void request_set_late(struct requests *q, struct request *r, uint64_t now);
/* Handles the device's result of a request that ran, and completes it. */
void request_end(struct requests *q, struct request *r, int rc);

/*
 * Whether a read or probe of the same MiB is without an answer: another one
 * would block one more worker, and get no answer either.
 */
bool requests_hangs_at(const struct requests *q, uint64_t offset);

/* Called before there are threads.  False: no memory. */
bool requests_probe_init(struct requests *q, uint64_t bytes);
/* Marks a range as written, or as no longer in use. */
void requests_set_in_use(struct requests *q, size_t len, uint64_t offset,
			 bool in_use);
/* Sends a probe if a worker is idle, unless one is in flight. */
void requests_probe(struct requests *q);

#endif
