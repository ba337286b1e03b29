/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to a device whose answers are delayed, one by one: memory with a
 * gate before each kind of request.  Each block is full of its number.
 */
#ifndef TESTS_UNIT_STORE_DELAYS_H
#define TESTS_UNIT_STORE_DELAYS_H

#include <poll.h>
#include <pthread.h>

#include "tests/unit/store-pages.h"
#include "vmm/store/requests.h"

#define BYTES	   (8 * MIB)
#define TIMEOUT_NS (NSEC_PER_SEC / 4)
#define FOREVER	   (clock_now_ns() + 120 * NSEC_PER_SEC)

enum gate { READS, WRITES, DISCARDS, NR_GATES };

struct device {
	struct store_device dev;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool shut[NR_GATES];		/* requests wait until they may go on */
	unsigned int nr_inside[NR_GATES];	/* of these */
	unsigned int nr_done[NR_GATES];
	unsigned int nr_cancelled;
	int discard_rc;
	char order[16];			/* "wd": a write, then a discard */
	unsigned int nr_order;
	bool closed;
	uint8_t bytes[BYTES];
};

static bool is_cancelled(const struct store_worker *w)
{
	struct pollfd p = { .fd = w->cancel_fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* The lock is held on return.  Only reads can be cancelled, as in NBD. */
static int enter(struct device *d, const struct store_worker *w, enum gate g)
{
	int rc = 0;

	pthread_mutex_lock(&d->lock);
	d->nr_inside[g]++;
	pthread_cond_broadcast(&d->changed);
	while (d->shut[g] && !rc) {
		pthread_mutex_unlock(&d->lock);
		usleep(2000);
		pthread_mutex_lock(&d->lock);
		if (g == READS && is_cancelled(w))
			rc = -ECANCELED;
	}
	d->nr_inside[g]--;
	d->nr_cancelled += rc != 0;
	return rc;
}

static void leave(struct device *d, enum gate g)
{
	d->nr_done[g]++;
	if (d->nr_order < sizeof(d->order) - 1)
		d->order[d->nr_order++] = "rwd"[g];
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
}

static int dev_read(struct store_device *dev, const struct store_worker *w,
		    void *buf, size_t len, uint64_t offset)
{
	struct device *d = (struct device *)dev;
	int rc;

	/* Before the gate: an answer on its way can be old. */
	pthread_mutex_lock(&d->lock);
	memcpy(buf, d->bytes + offset, len);
	pthread_mutex_unlock(&d->lock);
	rc = enter(d, w, READS);
	leave(d, READS);
	return rc;
}

static int dev_write(struct store_device *dev, const struct store_worker *w,
		     const void *buf, size_t len, uint64_t offset)
{
	struct device *d = (struct device *)dev;
	int rc = enter(d, w, WRITES);

	memcpy(d->bytes + offset, buf, len);
	leave(d, WRITES);
	return rc;
}

static int dev_discard(struct store_device *dev, const struct store_worker *w,
		       size_t len, uint64_t offset)
{
	struct device *d = (struct device *)dev;
	int rc;

	enter(d, w, DISCARDS);
	memset(d->bytes + offset, 0xdd, len);
	rc = d->discard_rc;
	leave(d, DISCARDS);
	return rc;
}

static void dev_close(struct store_device *dev)
{
	struct device *d = (struct device *)dev;

	pthread_mutex_lock(&d->lock);
	d->closed = true;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
}

static void device_new(struct device *d)
{
	static const struct store_device_ops ops = {
		.read = dev_read, .write = dev_write, .discard = dev_discard,
		.close = dev_close,
	};

	memset(d, 0, sizeof(*d));
	d->dev = (struct store_device){
		.ops = &ops, .bytes = BYTES, .name = "test device",
	};
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->changed, NULL);
	for (size_t i = 0; i < BYTES; i++)
		d->bytes[i] = i / 4096;
}

static inline void shut(struct device *d, enum gate g, bool is_shut)
{
	pthread_mutex_lock(&d->lock);
	d->shut[g] = is_shut;
	pthread_mutex_unlock(&d->lock);
}

/*
 * Waits until *p is n; a hang is ended by alarm().  What only rises may have gone on
 * by the time we look: await_least().
 */
static inline void await(struct device *d, const unsigned int *p,
			 unsigned int n)
{
	pthread_mutex_lock(&d->lock);
	while (*p != n)
		pthread_cond_wait(&d->changed, &d->lock);
	pthread_mutex_unlock(&d->lock);
}

static inline void await_least(struct device *d, const unsigned int *p,
			       unsigned int n)
{
	pthread_mutex_lock(&d->lock);
	while (*p < n)
		pthread_cond_wait(&d->changed, &d->lock);
	pthread_mutex_unlock(&d->lock);
}

static inline void await_closed(struct device *d)
{
	pthread_mutex_lock(&d->lock);
	while (!d->closed)
		pthread_cond_wait(&d->changed, &d->lock);
	pthread_mutex_unlock(&d->lock);
	/* Who closed it has given the lock back by then, or does so now. */
	pthread_mutex_lock(&d->lock);
	pthread_mutex_unlock(&d->lock);
}

static inline void await_stalled(struct requests *q, bool is_stalled)
{
	while (requests_is_stalled(q) != is_stalled)
		usleep(1000);
}

static inline unsigned int get_number(struct device *d,
				      const unsigned int *p)
{
	unsigned int n;

	pthread_mutex_lock(&d->lock);
	n = *p;
	pthread_mutex_unlock(&d->lock);
	return n;
}

struct setting {
	struct device *dev;
	struct health *health;
	struct requests *q;
};

static struct device devices[16];
static unsigned int nr_devices;

static inline void open_setting(struct setting *t, unsigned int nr_workers,
				uint64_t timeout_ns)
{
	t->dev = &devices[nr_devices++];
	device_new(t->dev);
	t->dev->dev.nr_workers = nr_workers;
	t->health = health_new("test device");
	if (!t->health ||
	    requests_new(&t->q, &t->dev->dev, t->health, timeout_ns))
		tap_bail("no requests");
}

static inline void close_setting(struct setting *t)
{
	requests_free(t->q);
	await_closed(t->dev);
	health_put(t->health);
}

static inline struct health_stats stats_of(struct setting *t)
{
	struct health_stats st;

	health_get_stats(t->health, &st);
	return st;
}

#endif
