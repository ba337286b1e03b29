/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Of requests.c (what is asked), requests-list.c, requests-work.c (the
 * threads), requests-answer.c and requests-probe.c.
 *
 * All requests are in one list, in the order in which they came.  It is short:
 * REQUESTS_MAX_WAITING reads and as many discards, a write for each thread that
 * writes (the store has one), and a probe for each worker.  A request leaves it
 * when it is done and nobody waits, but for reads that came late (kept), and a
 * discard whose answer was lost, which bars its range from being written.
 */
#ifndef VMM_STORE_REQUESTS_INTERNAL_H
#define VMM_STORE_REQUESTS_INTERNAL_H

#include <pthread.h>

#include "vmm/store/requests.h"

#define REQUESTS_MAX_WAITING 64		/* queued and running, of a kind */

/* The first is served first. */
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
	bool is_late, is_cancelled;
	bool is_old;		/* a read of what has been written since */
	uint64_t start_ns;		/* RUNNING */
	const struct store_worker *worker;	/* RUNNING */
	pthread_cond_t done;
};

struct requests {
	pthread_mutex_t lock;		/* guards all below */
	struct store_device *dev;	/* owned */
	struct health *health;		/* one user is ours */
	uint64_t timeout_ns;		/* never changes */
	uint64_t give_up_ns;		/* never changes; a write or discard */
	struct request *list;
	unsigned int nr_threads;	/* each is a user of this */
	unsigned int nr_users;
	unsigned int nr_idle, nr_workers;
	uint64_t nr_started;
	bool is_stalled, is_stopping;
	bool never_discards;		/* the answer to one was lost */
	/* After a write whose answer was lost: 0, or when to try again. */
	uint64_t writes_from_ns;
	uint64_t writes_delay_ns;	/* so long; 0: one was done since */
	uint32_t nr_probes;
	uint64_t nr_units;		/* MiB of the device */
	uint64_t *in_use;		/* owned; a bit each: to be probed */
	uint16_t *nr_in_group;		/* owned; bits set of each 4096 */
	uint64_t nr_in_use;		/* of all */
	bool watcher_sleeps;
	pthread_cond_t work, watch, left;
	struct store_worker workers[STORE_DEVICE_WORKERS];
};

/* All of these under the lock. */

static inline bool request_overlaps(const struct request *r, size_t len,
				    uint64_t offset)
{
	return r->offset < offset + len && offset < r->offset + r->len;
}

/* What it does is seen by those who read. */
static inline bool request_changes(const struct request *r)
{
	return r->kind == KIND_WRITE || r->kind == KIND_DISCARD;
}

/* A read that came too late for who asked. */
static inline bool request_is_kept(const struct request *r)
{
	return r->kind == KIND_READ && r->phase == DONE && !r->nr_waiting;
}

/* At the list's end; takes buf over.  NULL: no memory. */
struct request *request_add(struct requests *q, enum request_kind kind,
			    void *buf, size_t len, uint64_t offset);
void request_remove(struct requests *q, struct request *r);
/* With a result; it is removed when nobody is there to take that. */
void request_complete(struct requests *q, struct request *r, int rc);
/* Those that have not begun have rc as their result. */
void requests_cancel_queued(struct requests *q, int rc);

/* It runs, and has no answer in time. */
void request_set_late(struct requests *q, struct request *r, uint64_t now);
/* It ran, with this result of the device; completes it. */
void request_end(struct requests *q, struct request *r, int rc);

/*
 * A read or probe of the same MiB has no answer: another one would take one more
 * worker, and have none, either.
 */
bool requests_hangs_at(const struct requests *q, uint64_t offset);

/* Before there are threads.  False: no memory. */
bool requests_probe_init(struct requests *q, uint64_t bytes);
/* It has been written; or nothing in it is needed any more. */
void requests_set_in_use(struct requests *q, size_t len, uint64_t offset,
			 bool in_use);
/* Sends a probe, unless one is under way, when a worker is idle. */
void requests_probe(struct requests *q);

#endif
