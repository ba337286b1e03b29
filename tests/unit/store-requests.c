// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests to a device whose answers are delayed, one by one: which are late,
 * kept, and cancelled.  Discards are in store-discards.c; real devices in
 * store-nbd.c and store-file.c.
 */
#include "config.h"

#include "tests/unit/store-delays.h"

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

/*
 * Of a device that answers: on a busy machine it may do so late, and be asked
 * again.  A hang is ended by alarm().
 */
static int read_sometime(struct setting *t, uint8_t buf[64], uint64_t offset)
{
	int rc;

	while ((rc = requests_read(t->q, buf, 64, offset, FOREVER)) ==
	       -ETIMEDOUT)
		usleep(1000);
	return rc;
}

static void write_all(struct setting *t, uint8_t byte, uint64_t offset)
{
	void *w = requests_buffer(MIB);
	struct request *r;
	int rc;

	memset(w, byte, MIB);
	while ((rc = requests_write(t->q, w, MIB, offset, &r)) == -ETIMEDOUT)
		usleep(1000);
	while (!rc && (rc = requests_write_result(t->q, r, FOREVER, &w)) ==
	       -EINPROGRESS) {
		usleep(1000);
		rc = 0;
	}
	if (rc)
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

/* A read of what is written meanwhile must not answer a later request. */
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
	is_int(read_sometime(&t, r[0].buf, 3 * MIB), 0,
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
	await_least(t.dev, &t.dev->nr_cancelled, 1);
	ok(requests_is_stalled(t.q), "it is cancelled: that is no answer");
	await(t.dev, &t.dev->nr_inside[READS], 1);
	shut(t.dev, READS, false);
	await_stalled(t.q, false);
	ok(true, "a probe finds out that it is well");
	is_int(stats_of(&t).nr_late_reads, 1, "probes are not counted");
	is_int(read_sometime(&t, buf, 4096 * 5), 0, "it can be read");
	is_int(buf[0], 5, "and reads are right");
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
	is_int(read_sometime(&t, buf, 4096), 0, "reads go on");
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
	test_free();
	return tap_done();
}
