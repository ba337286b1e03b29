// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests to a device whose answers are held back, one by one: what is late,
 * kept, cancelled, put off, barred.  The device is memory with a gate before
 * each kind of request; real ones are in store-nbd.c and store-file.c.
 */
#include "config.h"

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

static void shut(struct device *d, enum gate g, bool is_shut)
{
	pthread_mutex_lock(&d->lock);
	d->shut[g] = is_shut;
	pthread_mutex_unlock(&d->lock);
}

/* Waits until *p is n; a hang is ended by alarm(). */
static void await(struct device *d, const unsigned int *p, unsigned int n)
{
	pthread_mutex_lock(&d->lock);
	while (*p != n)
		pthread_cond_wait(&d->changed, &d->lock);
	pthread_mutex_unlock(&d->lock);
}

static void await_closed(struct device *d)
{
	pthread_mutex_lock(&d->lock);
	while (!d->closed)
		pthread_cond_wait(&d->changed, &d->lock);
	pthread_mutex_unlock(&d->lock);
	/* Who closed it has given the lock back by then, or does so now. */
	pthread_mutex_lock(&d->lock);
	pthread_mutex_unlock(&d->lock);
}

static void await_stalled(struct requests *q, bool is_stalled)
{
	while (requests_is_stalled(q) != is_stalled)
		usleep(1000);
}

static unsigned int get_number(struct device *d, const unsigned int *p)
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

static void open_setting(struct setting *t, unsigned int nr_workers,
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

static void close_setting(struct setting *t)
{
	requests_free(t->q);
	await_closed(t->dev);
	health_put(t->health);
}

static struct health_stats stats_of(struct setting *t)
{
	struct health_stats st;

	health_get_stats(t->health, &st);
	return st;
}

static void test_plain(void)
{
	struct setting t;
	struct request *r;
	uint8_t buf[10000], *w = requests_buffer(MIB);
	void *back;
	int rc;

	open_setting(&t, 0, 0);
	is_int(requests_timeout_ns(t.q), NSEC_PER_SEC, "a second by default");
	rc = requests_read(t.q, buf, 5000, 4096 * 3 + 4000, FOREVER);
	ok(!rc && buf[0] == 3 && buf[95] == 3 && buf[96] == 4 &&
	   buf[4191] == 4 && buf[4192] == 5, "bytes of any place");
	memset(w, 0x77, MIB);
	rc = requests_write(t.q, w, MIB, MIB, &r);
	ok(!rc && !requests_write_result(t.q, r, FOREVER, &back) && back == w,
	   "a write, and the buffer comes back");
	rc = requests_read(t.q, buf, 100, MIB - 50, FOREVER);
	ok(!rc && buf[49] == 255 && buf[50] == 0x77, "it is read");
	requests_discard(t.q, MIB, 2 * MIB);
	await(t.dev, &t.dev->nr_done[DISCARDS], 1);
	is_int(stats_of(&t).state, DEVICE_OK, "all is well");
	close_setting(&t);
	free(w);
}

static void test_late_read(void)
{
	struct setting t;
	uint8_t buf[64];

	open_setting(&t, 0, TIMEOUT_NS);
	shut(t.dev, READS, true);
	is_int(requests_read(t.q, buf, 64, 4096 * 9, FOREVER), -ETIMEDOUT,
	       "a read is late: who waits is told");
	ok(requests_is_stalled(t.q), "the device is stalled");
	is_int(requests_read(t.q, buf, 64, 4096 * 10, FOREVER), -ETIMEDOUT,
	       "another is refused at once");
	shut(t.dev, READS, false);
	await_stalled(t.q, false);
	await(t.dev, &t.dev->nr_inside[READS], 0);
	while (stats_of(&t).state != DEVICE_OK)
		usleep(1000);
	ok(true, "it answers: all is well again");
	shut(t.dev, READS, true);
	is_int(requests_read(t.q, buf, 64, 4096 * 9, FOREVER), 0,
	       "what came late is there for who asks again");
	is_int(buf[0], 9, "and right");
	is_int(requests_read(t.q, buf, 64, 4096 * 9, FOREVER), -ETIMEDOUT,
	       "once: it may change");
	shut(t.dev, READS, false);
	close_setting(&t);
}

static void write_all(struct setting *t, uint8_t byte, uint64_t offset)
{
	struct request *r;
	void *w = requests_buffer(MIB);

	memset(w, byte, MIB);
	if (requests_write(t->q, w, MIB, offset, &r) ||
	    requests_write_result(t->q, r, FOREVER, &w))
		tap_bail("can't write");
	free(w);
}

struct reader {
	struct setting *t;
	uint8_t buf[64];
	int rc;
};

static void *read_3m(void *arg)
{
	struct reader *r = arg;

	r->rc = requests_read(r->t->q, r->buf, 64, 3 * MIB, FOREVER);
	return NULL;
}

/* A read of what is written meanwhile must not be given to who asks then. */
static void test_old_read(void)
{
	struct setting t;
	struct reader r[2];
	pthread_t threads[2];

	open_setting(&t, 0, 120 * NSEC_PER_SEC);
	write_all(&t, 1, 3 * MIB);
	shut(t.dev, READS, true);
	for (unsigned int i = 0; i < 2; i++) {
		r[i].t = &t;
		if (pthread_create(&threads[i], NULL, read_3m, &r[i]))
			tap_bail("no thread");
		await(t.dev, &t.dev->nr_inside[READS], i + 1);
		write_all(&t, 2 + i, 3 * MIB);
	}
	shut(t.dev, READS, false);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	ok(!r[0].rc && r[0].buf[0] == 1 && !r[1].rc && r[1].buf[0] == 2,
	   "each read has what there was when it was asked for");
	close_setting(&t);

	open_setting(&t, 0, TIMEOUT_NS);
	shut(t.dev, READS, true);
	is_int(requests_read(t.q, r[0].buf, 64, 3 * MIB, FOREVER), -ETIMEDOUT,
	       "a late read");
	shut(t.dev, READS, false);
	await_stalled(t.q, false);
	write_all(&t, 4, 3 * MIB);
	is_int(requests_read(t.q, r[0].buf, 64, 3 * MIB, FOREVER), 0,
	       "its range is written, and read again");
	is_int(r[0].buf[0], 4, "what came late is not used");
	close_setting(&t);
}

static void test_cancelled_read(void)
{
	struct setting t;
	uint8_t buf[64];

	open_setting(&t, 1, TIMEOUT_NS);
	shut(t.dev, READS, true);
	is_int(requests_read(t.q, buf, 64, 0, FOREVER), -ETIMEDOUT,
	       "one worker, and a read that hangs");
	await(t.dev, &t.dev->nr_cancelled, 1);
	ok(requests_is_stalled(t.q), "it is cancelled: that is no answer");
	await(t.dev, &t.dev->nr_inside[READS], 1);
	shut(t.dev, READS, false);
	await_stalled(t.q, false);
	is_int(requests_read(t.q, buf, 64, 4096 * 5, FOREVER), 0,
	       "a probe finds out that it is well");
	is_int(buf[0], 5, "and reads are right");
	is_int(stats_of(&t).nr_late_reads, 1, "probes are not counted");
	close_setting(&t);
}

static void test_late_write(void)
{
	struct setting t;
	struct request *r, *other;
	uint8_t *w = requests_buffer(MIB), buf[64];
	void *v = requests_buffer(MIB);
	int rc;

	memset(w, 0x42, MIB);
	open_setting(&t, 0, TIMEOUT_NS);
	shut(t.dev, WRITES, true);
	shut(t.dev, READS, true);	/* the probe's */
	is_int(requests_write(t.q, w, MIB, MIB, &r), 0, "a write");
	is_int(requests_write_result(t.q, r, FOREVER, &v), -EINPROGRESS,
	       "that hangs: told in time");
	ok(requests_is_stalled(t.q), "the device is stalled");
	is_int(requests_write(t.q, v, MIB, 2 * MIB, &other), -ETIMEDOUT,
	       "another is refused");
	shut(t.dev, READS, false);
	await_stalled(t.q, false);
	is_int(stats_of(&t).state, DEVICE_STALLED,
	       "it is told to be stalled, as one request is");
	is_int(requests_read(t.q, buf, 64, 4096, FOREVER), 0, "reads go on");
	is_int(requests_write_result(t.q, r, FOREVER, &v), -EINPROGRESS,
	       "the write is not waited for again");
	usleep(TIMEOUT_NS / 1000 * 7);
	is_int(get_number(t.dev, &t.dev->nr_done[WRITES]), 0,
	       "it is not cancelled: it could be done at any time");
	shut(t.dev, WRITES, false);
	await(t.dev, &t.dev->nr_done[WRITES], 1);
	free(v);
	/* The answer is on its way from the device to the queue. */
	while ((rc = requests_write_result(t.q, r, FOREVER, &v)) ==
	       -EINPROGRESS)
		usleep(1000);
	is_int(rc, 0, "it ends: the result is to be had");
	ok(v == w && t.dev->bytes[MIB] == 0x42, "and it was written");
	while (stats_of(&t).state != DEVICE_OK)
		usleep(1000);
	is_int(stats_of(&t).nr_late_writes, 1, "all is well, one was late");
	close_setting(&t);
	free(v);
}

static void test_discards(void)
{
	struct setting t;
	struct request *r;
	void *w = requests_buffer(MIB);
	uint8_t buf[64];
	unsigned int nr;

	memset(w, 0x42, MIB);
	open_setting(&t, 0, 120 * NSEC_PER_SEC);
	shut(t.dev, DISCARDS, true);
	requests_discard(t.q, MIB, MIB);
	await(t.dev, &t.dev->nr_inside[DISCARDS], 1);
	for (unsigned int i = 2; i < 6; i++)
		requests_discard(t.q, MIB, i * MIB);
	is_int(requests_write(t.q, w, MIB, 3 * MIB, &r), 0,
	       "a write to what is to be discarded");
	is_int(requests_write_result(t.q, r, FOREVER, &w), 0, "is done");
	is_int(requests_write(t.q, w, MIB, MIB, &r), 0,
	       "a write to what is being discarded");
	is_int(requests_write_result(t.q, r, clock_now_ns() + NSEC_PER_SEC / 10,
				     &w), -EINPROGRESS, "waits for that");
	is_int(get_number(t.dev, &t.dev->nr_inside[DISCARDS]), 1,
	       "one discard at a time");
	shut(t.dev, DISCARDS, false);
	is_int(requests_write_result(t.q, r, FOREVER, &w), 0, "and is done");
	await(t.dev, &t.dev->nr_done[DISCARDS], 4);
	ok(t.dev->bytes[MIB] == 0x42 && t.dev->bytes[3 * MIB] == 0x42 &&
	   t.dev->bytes[2 * MIB] == 0xdd, "what was written is there");

	shut(t.dev, DISCARDS, true);
	nr = t.dev->nr_done[DISCARDS];
	for (unsigned int i = 0; i < 200; i++)
		requests_discard(t.q, MIB, i % 8 * MIB);
	is_int(requests_read(t.q, buf, 64, 4096, FOREVER), 0,
	       "reads don't wait for discards, however many do");
	shut(t.dev, DISCARDS, false);
	is_int(requests_write(t.q, w, MIB, 0, &r), 0, "many discards");
	is_int(requests_write_result(t.q, r, FOREVER, &w), 0, "don't bar it");
	while (get_number(t.dev, &t.dev->nr_inside[DISCARDS]))
		usleep(1000);
	ok(get_number(t.dev, &t.dev->nr_done[DISCARDS]) - nr <= 64,
	   "too many are left out");
	close_setting(&t);
	free(w);
}

static void test_barred(void)
{
	struct setting t;
	struct request *r;
	void *w = requests_buffer(MIB);

	memset(w, 0x42, MIB);
	open_setting(&t, 0, 120 * NSEC_PER_SEC);
	t.dev->discard_rc = -EIO;
	requests_discard(t.q, MIB, 4 * MIB);
	await(t.dev, &t.dev->nr_done[DISCARDS], 1);
	is_int(requests_write(t.q, w, MIB, 4 * MIB, &r), 0,
	       "a discard that failed is of no matter");
	is_int(requests_write_result(t.q, r, FOREVER, &w), 0, "and is done");
	is_int(stats_of(&t).nr_write_errors, 0, "nor is it counted");
	t.dev->discard_rc = -ENOLINK;
	requests_discard(t.q, MIB, MIB);
	await(t.dev, &t.dev->nr_done[DISCARDS], 2);
	/* The answer is on its way from the device to the queue. */
	for (int i = 0; i < 100; i++) {
		usleep(10000);
		if (requests_write(t.q, w, MIB, 2 * MIB, &r) ||
		    requests_write_result(t.q, r, FOREVER, &w))
			tap_bail("can't write elsewhere");
	}
	is_int(requests_write(t.q, w, MIB, MIB, &r), -ENOLINK,
	       "what may be discarded at any time is not written to");
	for (uint64_t i = 3; i < 8; i++)
		requests_discard(t.q, MIB, i * MIB);
	usleep(200000);
	is_int(get_number(t.dev, &t.dev->nr_inside[DISCARDS]) +
	       get_number(t.dev, &t.dev->nr_done[DISCARDS]), 2,
	       "there are no more discards after that one");
	close_setting(&t);
	free(w);
}

/* With several workers, a discard that never ends bars its own range alone. */
static void test_late_discard(void)
{
	struct setting t;
	struct request *r;
	void *w = requests_buffer(MIB);
	int rc;

	memset(w, 0x42, MIB);
	open_setting(&t, 4, TIMEOUT_NS);
	shut(t.dev, DISCARDS, true);
	requests_discard(t.q, MIB, MIB);
	await(t.dev, &t.dev->nr_inside[DISCARDS], 1);
	is_int(requests_write(t.q, w, MIB, MIB, &r), 0,
	       "a write to what is being discarded");
	is_int(requests_write_result(t.q, r, FOREVER, &w), -ETIMEDOUT,
	       "has not begun when the discard is late");
	ok(!requests_is_stalled(t.q), "which stalls nothing");
	is_int(requests_write(t.q, w, MIB, MIB, &r), -ETIMEDOUT,
	       "nothing is written there before the discard ends");
	/* A busy host may be late. */
	while ((rc = requests_write(t.q, w, MIB, 2 * MIB, &r)) == -ETIMEDOUT)
		usleep(1000);
	while (!rc && (rc = requests_write_result(t.q, r, FOREVER, &w)) ==
	       -EINPROGRESS)
		usleep(1000);
	is_int(rc, 0, "others go on");
	shut(t.dev, DISCARDS, false);
	close_setting(&t);
	free(w);
}

/* A host that can't discard says so, though the device does not answer. */
static void test_failed_discard(void)
{
	struct setting t;
	uint8_t buf[64];

	open_setting(&t, 4, TIMEOUT_NS);
	t.dev->discard_rc = -EOPNOTSUPP;
	shut(t.dev, DISCARDS, true);
	requests_discard(t.q, MIB, MIB);
	await(t.dev, &t.dev->nr_inside[DISCARDS], 1);
	shut(t.dev, READS, true);
	is_int(requests_read(t.q, buf, 64, 0, FOREVER), -ETIMEDOUT,
	       "a read is late");
	shut(t.dev, DISCARDS, false);
	await(t.dev, &t.dev->nr_done[DISCARDS], 1);
	/* Time for its answer to come to the queue. */
	usleep(200000);
	ok(requests_is_stalled(t.q), "a discard that fails is no answer");
	shut(t.dev, READS, false);
	await_stalled(t.q, false);
	close_setting(&t);
}

/* A write waits for a discard whose answer is lost: that can still be done. */
static void test_write_behind_lost_discard(void)
{
	struct setting t;
	struct request *r;
	void *w = requests_buffer(MIB);

	memset(w, 0x42, MIB);
	open_setting(&t, 0, 120 * NSEC_PER_SEC);
	t.dev->discard_rc = -ENOLINK;
	shut(t.dev, DISCARDS, true);
	requests_discard(t.q, MIB, MIB);
	await(t.dev, &t.dev->nr_inside[DISCARDS], 1);
	is_int(requests_write(t.q, w, MIB, MIB, &r), 0,
	       "a write to what is being discarded");
	shut(t.dev, DISCARDS, false);
	is_int(requests_write_result(t.q, r, FOREVER, &w), -ENOLINK,
	       "the discard's answer is lost: the write is not done");
	is_int(get_number(t.dev, &t.dev->nr_done[WRITES]), 0, "nor was begun");
	close_setting(&t);
	free(w);
}

static void test_free(void)
{
	struct setting t;
	struct request *r;
	uint64_t from;

	open_setting(&t, 0, TIMEOUT_NS);
	shut(t.dev, WRITES, true);
	if (requests_write(t.q, requests_buffer(MIB), MIB, 0, &r))
		tap_bail("no write");
	await(t.dev, &t.dev->nr_inside[WRITES], 1);
	from = clock_now_ns();
	requests_free(t.q);
	ok(clock_now_ns() - from < 30 * NSEC_PER_SEC && !t.dev->closed,
	   "it ends though a request hangs, which keeps the device open");
	shut(t.dev, WRITES, false);
	await_closed(t.dev);
	ok(t.dev->nr_done[WRITES] == 1, "that ends: so does the rest");
	health_put(t.health);
}

int main(void)
{
	alarm(600);
	test_plain();
	test_late_read();
	test_old_read();
	test_cancelled_read();
	test_late_write();
	test_discards();
	test_barred();
	test_failed_discard();
	test_late_discard();
	test_write_behind_lost_discard();
	test_free();
	return tap_done();
}
