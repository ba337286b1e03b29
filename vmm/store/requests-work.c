// SPDX-License-Identifier: GPL-2.0-or-later
/* The threads: workers, which execute requests, and the watcher. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/store/requests-internal.h"
#include "vmm/util/cond.h"

#define CANCEL_FACTOR	5	/* timeouts until a running read is cancelled */
/*
 * Writes and discards are cancelled later, as this costs a segment: wait long
 * enough for a server that is slow, or is being restarted.
 */
#define GIVE_UP_NS	(30 * NSEC_PER_SEC)
#define CHECKS_PER_TIMEOUT 4
#define CLOSE_NS	(NSEC_PER_SEC / 2)

/*
 * One write and one discard run at a time; and a write or discard must wait for
 * a running one of the same range.
 */
static bool may_start(const struct requests *q, const struct request *r)
{
	if (r->phase != QUEUED)
		return false;
	if (!request_changes(r))
		return true;
	for (const struct request *o = q->list; o; o = o->next) {
		if (o->phase != RUNNING || !request_changes(o))
			continue;
		if (o->kind == r->kind || request_overlaps(o, r->len, r->offset))
			return false;
	}
	return true;
}

static struct request *next_to_start(struct requests *q)
{
	struct request *best = NULL;

	for (struct request *r = q->list; r; r = r->next)
		if ((!best || r->kind < best->kind) && may_start(q, r))
			best = r;
	return best;
}

static int do_io(struct requests *q, const struct request *r,
		 const struct store_worker *w)
{
	switch (r->kind) {
	case KIND_READ:
	case KIND_PROBE:
		return q->dev->ops->read(q->dev, w, r->buf, r->len, r->offset);
	case KIND_WRITE:
		return q->dev->ops->write(q->dev, w, r->buf, r->len, r->offset);
	case KIND_DISCARD:
		return q->dev->ops->discard(q->dev, w, r->len, r->offset);
	}
	return -EINVAL;
}

/* Releases the lock meanwhile. */
static void log_queued_lines(struct requests *q)
{
	if (!health_has_unlogged(q->health))
		return;
	pthread_mutex_unlock(&q->lock);
	health_log(q->health);
	pthread_mutex_lock(&q->lock);
}

/* Executes the request, with the lock released meanwhile. */
static void run_request(struct requests *q, struct request *r,
			const struct store_worker *w)
{
	eventfd_t count;
	int rc;

	r->phase = RUNNING;
	r->worker = w;
	r->start_ns = clock_now_ns();
	q->nr_started++;
	/* Clear a cancellation meant for the previous request. */
	while (!eventfd_read(w->cancel_fd, &count))
		;
	if (q->watcher_sleeps)
		pthread_cond_signal(&q->watch);
	pthread_mutex_unlock(&q->lock);
	rc = do_io(q, r, w);
	pthread_mutex_lock(&q->lock);
	request_end(q, r, rc);
	log_queued_lines(q);
}

/* Drops a reference and releases the lock.  The last one frees everything. */
static void drop_user(struct requests *q, bool is_thread)
{
	bool last = !--q->nr_users;

	if (is_thread) {
		q->nr_threads--;
		pthread_cond_signal(&q->left);
	}
	pthread_mutex_unlock(&q->lock);
	if (!last)
		return;
	if (q->dev)
		q->dev->ops->close(q->dev);
	while (q->list)
		request_remove(q, q->list);
	for (unsigned int i = 0; i < q->nr_workers; i++)
		close(q->workers[i].cancel_fd);
	health_put(q->health);
	pthread_cond_destroy(&q->left);
	pthread_cond_destroy(&q->watch);
	pthread_cond_destroy(&q->work);
	pthread_mutex_destroy(&q->lock);
	free(q->in_use);
	free(q->nr_in_group);
	free(q);
}

struct worker_start {
	struct requests *q;
	const struct store_worker *worker;
};

static void *worker_thread(void *arg)
{
	struct worker_start s = *(struct worker_start *)arg;
	struct request *r;

	free(arg);
	pthread_mutex_lock(&s.q->lock);
	while (!s.q->is_stopping) {
		r = next_to_start(s.q);
		if (r) {
			run_request(s.q, r, s.worker);
			continue;
		}
		s.q->nr_idle++;
		pthread_cond_wait(&s.q->work, &s.q->lock);
		s.q->nr_idle--;
	}
	drop_user(s.q, true);
	return NULL;
}

static void cancel(struct request *r)
{
	r->is_cancelled = true;
	eventfd_write(r->worker->cancel_fd, 1);
}

/* Checks a running request's deadlines; returns when to check it again. */
static uint64_t check_request(struct requests *q, struct request *r,
			      uint64_t now)
{
	uint64_t late_ns = r->start_ns + q->timeout_ns;
	uint64_t cancel_ns = r->start_ns +
		(request_changes(r) ? q->give_up_ns :
				      CANCEL_FACTOR * q->timeout_ns);

	if (now < late_ns)
		return late_ns;
	if (!r->is_late)
		request_set_late(q, r, now);
	if (now >= cancel_ns && !r->is_cancelled)
		cancel(r);
	return UINT64_MAX;
}

/* Checks all requests; returns when to check again. */
static uint64_t check_requests(struct requests *q)
{
	uint64_t now = clock_now_ns();
	uint64_t next = now + q->timeout_ns / CHECKS_PER_TIMEOUT;

	/* requests_cancel_queued() does not remove running requests. */
	for (struct request *r = q->list; r; r = r->next) {
		uint64_t again = UINT64_MAX;

		if (r->phase == RUNNING)
			again = check_request(q, r, now);
		next = again < next ? again : next;
	}
	health_check_stall(q->health);
	if (q->is_stalled)
		requests_probe(q);
	if (now >= q->writes_from_ns)
		q->writes_from_ns = 0;
	return next;
}

static uint64_t check_and_log(struct requests *q)
{
	uint64_t next = check_requests(q);

	log_queued_lines(q);
	return next;
}

static bool any_running(const struct requests *q)
{
	for (const struct request *r = q->list; r; r = r->next)
		if (r->phase == RUNNING)
			return true;
	return false;
}

static void *watcher_thread(void *arg)
{
	struct requests *q = arg;
	uint64_t nr_seen = 0, until;

	pthread_mutex_lock(&q->lock);
	while (!q->is_stopping) {
		/*
		 * Sleep only after a period without requests: they come in
		 * bursts.
		 */
		q->watcher_sleeps = !q->is_stalled && !q->writes_delay_ns &&
				    q->nr_started == nr_seen && !any_running(q);
		nr_seen = q->nr_started;
		if (q->watcher_sleeps) {
			pthread_cond_wait(&q->watch, &q->lock);
		} else {
			until = check_and_log(q);
			/* The lock may have been released meanwhile. */
			if (!q->is_stopping)
				cond_wait_until(&q->watch, &q->lock, until);
		}
		q->watcher_sleeps = false;
	}
	drop_user(q, true);
	return NULL;
}

static int start_thread(struct requests *q, void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_mutex_lock(&q->lock);
	rc = -pthread_create(&thread, &attr, fn, arg);
	if (!rc) {
		q->nr_threads++;
		q->nr_users++;
	}
	pthread_mutex_unlock(&q->lock);
	pthread_attr_destroy(&attr);
	return rc;
}

static int start_worker(struct requests *q)
{
	struct store_worker *w = &q->workers[q->nr_workers];
	struct worker_start *s = malloc(sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	*w = (struct store_worker){
		q->nr_workers, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
	};
	if (w->cancel_fd < 0) {
		free(s);
		return -errno;
	}
	q->nr_workers++;
	*s = (struct worker_start){ q, w };
	rc = start_thread(q, worker_thread, s);
	if (rc)
		free(s);
	return rc;
}

int requests_new(struct requests **qp, struct store_device *dev,
		 struct health *health, uint64_t timeout_ns)
{
	struct requests *q = calloc(1, sizeof(*q));
	unsigned int nr = dev->nr_workers;
	int rc;

	if (!q)
		return -ENOMEM;
	if (!nr || nr > STORE_DEVICE_WORKERS)
		nr = STORE_DEVICE_WORKERS;
	pthread_mutex_init(&q->lock, NULL);
	cond_init(&q->work);
	cond_init(&q->watch);
	cond_init(&q->left);
	q->health = health_get(health);
	q->timeout_ns = timeout_ns ? timeout_ns : REQUESTS_TIMEOUT_NS;
	q->give_up_ns = CANCEL_FACTOR * q->timeout_ns > GIVE_UP_NS ?
			CANCEL_FACTOR * q->timeout_ns : GIVE_UP_NS;
	q->nr_users = 1;
	rc = requests_probe_init(q, dev->bytes) ? 0 : -ENOMEM;
	if (!rc)
		rc = start_thread(q, watcher_thread, q);
	while (!rc && q->nr_workers < nr)
		rc = start_worker(q);
	if (rc) {
		requests_free(q);
		return rc;
	}
	pthread_mutex_lock(&q->lock);
	q->dev = dev;
	pthread_mutex_unlock(&q->lock);
	*qp = q;
	return 0;
}

void requests_free(struct requests *q)
{
	uint64_t until = clock_now_ns() + CLOSE_NS;

	if (!q)
		return;
	pthread_mutex_lock(&q->lock);
	q->is_stopping = true;
	requests_cancel_queued(q, -ECANCELED);
	for (struct request *r = q->list; r; r = r->next)
		if (r->phase == RUNNING)
			cancel(r);
	pthread_cond_broadcast(&q->work);
	pthread_cond_signal(&q->watch);
	while (q->nr_threads &&
	       !cond_wait_until(&q->left, &q->lock, until))
		;
	drop_user(q, false);
}
