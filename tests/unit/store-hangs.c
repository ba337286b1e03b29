// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests that hang: the probe of a stalled device for whether it answers
 * again, when writes time out and are retried, and several readers that wait
 * for one read.  The device's requests hang where the test says so, until they
 * are released or given up; each MiB is full of its number.
 */
#include "config.h"

#include <poll.h>
#include <pthread.h>

#include "tests/unit/stderr-lines.h"
#include "tests/unit/store-pages.h"
#include "vmm/store/requests.h"

#define NR_UNITS   16u
#define BYTES	   (NR_UNITS * MIB)
#define NR_OFFSETS 16u
#define TIMEOUT_NS (NSEC_PER_SEC / 10)
#define FOREVER	   (clock_now_ns() + 120 * NSEC_PER_SEC)

struct device {
	struct store_device dev;
	pthread_mutex_t lock;
	bool hangs[NR_UNITS], writes_hang;
	bool loses_writes;		/* -ENOLINK when they go on */
	unsigned int nr_hanging[NR_UNITS];
	uint64_t offsets[NR_OFFSETS];	/* of reads */
	unsigned int nr_reads;
	unsigned int nr_discards;	/* each fails */
	uint64_t lost_ns;		/* the last write without an answer */
	bool is_closed;
};

struct setting {
	struct device dev;
	struct health *health;
	struct requests *q;
};

/* Under the lock, which is not held meanwhile. */
static int hang(struct device *d, const struct store_worker *w,
		const bool *while_set)
{
	struct pollfd p = { .fd = w->cancel_fd, .events = POLLIN };
	bool is_given_up = false;

	while (*while_set && !is_given_up) {
		pthread_mutex_unlock(&d->lock);
		is_given_up = poll(&p, 1, 1) > 0;
		pthread_mutex_lock(&d->lock);
	}
	return is_given_up ? -ECANCELED : 0;
}

static int dev_read(struct store_device *dev, const struct store_worker *w,
		    void *buf, size_t len, uint64_t offset)
{
	struct device *d = (struct device *)dev;
	uint64_t unit = offset / MIB;
	int rc;

	memset(buf, unit, len);
	pthread_mutex_lock(&d->lock);
	if (d->nr_reads < NR_OFFSETS)
		d->offsets[d->nr_reads++] = offset;
	d->nr_hanging[unit]++;
	rc = hang(d, w, &d->hangs[unit]);
	d->nr_hanging[unit]--;
	pthread_mutex_unlock(&d->lock);
	return rc;
}

static int dev_write(struct store_device *dev, const struct store_worker *w,
		     const void *buf, size_t len, uint64_t offset)
{
	struct device *d = (struct device *)dev;
	int rc;

	pthread_mutex_lock(&d->lock);
	rc = hang(d, w, &d->writes_hang) || d->loses_writes ? -ENOLINK : 0;
	if (rc)
		d->lost_ns = clock_now_ns();
	pthread_mutex_unlock(&d->lock);
	return rc;
}

static int dev_discard(struct store_device *dev, const struct store_worker *w,
		       size_t len, uint64_t offset)
{
	struct device *d = (struct device *)dev;

	pthread_mutex_lock(&d->lock);
	d->nr_discards++;
	pthread_mutex_unlock(&d->lock);
	return -EOPNOTSUPP;
}

static void dev_close(struct store_device *dev)
{
	struct device *d = (struct device *)dev;

	pthread_mutex_lock(&d->lock);
	d->is_closed = true;
	pthread_mutex_unlock(&d->lock);
}

static void open_setting(struct setting *t, unsigned int nr_workers,
			 uint64_t timeout_ns)
{
	static const struct store_device_ops ops = {
		.read = dev_read, .write = dev_write, .discard = dev_discard,
		.close = dev_close,
	};

	memset(t, 0, sizeof(*t));
	t->dev.dev = (struct store_device){
		.ops = &ops, .bytes = BYTES, .name = "test device",
		.nr_workers = nr_workers,
	};
	pthread_mutex_init(&t->dev.lock, NULL);
	t->health = health_new("test device");
	if (!t->health ||
	    requests_new(&t->q, &t->dev.dev, t->health, timeout_ns))
		tap_bail("no requests");
}

static bool get_flag(struct device *d, const bool *flag)
{
	bool value;

	pthread_mutex_lock(&d->lock);
	value = *flag;
	pthread_mutex_unlock(&d->lock);
	return value;
}

static unsigned int get_number(struct device *d, const unsigned int *p)
{
	unsigned int n;

	pthread_mutex_lock(&d->lock);
	n = *p;
	pthread_mutex_unlock(&d->lock);
	return n;
}

static void set_flag(struct device *d, bool *flag, bool value)
{
	pthread_mutex_lock(&d->lock);
	*flag = value;
	pthread_mutex_unlock(&d->lock);
}

static void close_setting(struct setting *t)
{
	for (unsigned int i = 0; i < NR_UNITS; i++)
		set_flag(&t->dev, &t->dev.hangs[i], false);
	requests_free(t->q);
	while (!get_flag(&t->dev, &t->dev.is_closed))
		usleep(1000);
	health_put(t->health);
}

/* Tried until it is not refused: a busy host may be late. */
static int write_unit(struct setting *t, unsigned int unit)
{
	void *buf = requests_buffer(MIB), *back = NULL;
	struct request *r;
	int rc;

	memset(buf, 0, MIB);
	while ((rc = requests_write(t->q, buf, MIB, unit * MIB, &r)) ==
	       -ETIMEDOUT)
		usleep(1000);
	if (rc)
		tap_bail("can't write: %s", strerror(-rc));
	while ((rc = requests_write_result(t->q, r, FOREVER, &back)) ==
	       -EINPROGRESS)
		usleep(1000);
	free(back);
	return rc;
}

/* Nothing answers: one place after the other is requested. */
static void test_places(void)
{
	bool were_asked[NR_UNITS] = { false }, aligned = true;
	unsigned int nr = 0, nr_wrong = 0;
	static struct setting t;
	uint8_t buf[64];

	open_setting(&t, 1, TIMEOUT_NS);
	for (unsigned int i = 0; i < 8; i++)
		if (write_unit(&t, i))
			tap_bail("can't write");
	requests_discard(t.q, 4 * MIB, 4 * MIB);
	/* A busy host may have been late with a write, and sent a probe. */
	while (requests_is_stalled(t.q))
		usleep(1000);
	pthread_mutex_lock(&t.dev.lock);
	t.dev.nr_reads = 0;
	pthread_mutex_unlock(&t.dev.lock);
	for (unsigned int i = 0; i < NR_UNITS; i++)
		set_flag(&t.dev, &t.dev.hangs[i], true);
	is_int(requests_read(t.q, buf, 64, 0, FOREVER), -ETIMEDOUT,
	       "a device without an answer");
	while (get_number(&t.dev, &t.dev.nr_reads) < NR_OFFSETS)
		usleep(1000);
	for (unsigned int i = 1; i < NR_OFFSETS; i++) {
		were_asked[t.dev.offsets[i] / MIB] = true;
		aligned &= t.dev.offsets[i] % STORE_DEVICE_BLOCK == 0;
	}
	for (unsigned int i = 0; i < NR_UNITS; i++) {
		nr += i < 4 && were_asked[i];
		nr_wrong += i >= 4 && were_asked[i];
	}
	is_int(nr, 4, "each part that is in use is asked for");
	is_int(nr_wrong, 0, "no other: it was discarded, or never written");
	ok(aligned, "by blocks");
	close_setting(&t);
}

/* Another answer has come before the probe's, which never does. */
static void test_late_probe(void)
{
	static struct setting t;
	uint64_t until;
	uint8_t buf[64];
	bool stalled = false;

	open_setting(&t, 4, TIMEOUT_NS);
	if (write_unit(&t, 5))
		tap_bail("can't write");
	set_flag(&t.dev, &t.dev.hangs[0], true);
	set_flag(&t.dev, &t.dev.hangs[5], true);
	is_int(requests_read(t.q, buf, 64, 0, FOREVER), -ETIMEDOUT,
	       "a read is late");
	while (!get_number(&t.dev, &t.dev.nr_hanging[5]))
		usleep(1000);
	set_flag(&t.dev, &t.dev.hangs[0], false);
	while (requests_is_stalled(t.q))
		usleep(1000);
	until = clock_now_ns() + 4 * TIMEOUT_NS;
	while (clock_now_ns() < until) {
		stalled |= requests_is_stalled(t.q);
		usleep(1000);
	}
	ok(!stalled, "it is answered: a probe that is late stalls nothing");
	close_setting(&t);
}

struct reader {
	struct setting *t;
	uint8_t buf[64];
	int rc;
};

static void *read_unit_3(void *arg)
{
	struct reader *r = arg;

	r->rc = requests_read(r->t->q, r->buf, 64, 3 * MIB, FOREVER);
	return NULL;
}

/* They wait for one request, which is freed when the last of them has it. */
static void test_one_read(void)
{
	static struct setting t;
	struct reader r[4];
	pthread_t threads[4];
	unsigned int nr = 0;

	open_setting(&t, 4, 60 * NSEC_PER_SEC);
	set_flag(&t.dev, &t.dev.hangs[3], true);
	for (int i = 0; i < 4; i++) {
		r[i].t = &t;
		if (pthread_create(&threads[i], NULL, read_unit_3, &r[i]))
			tap_bail("no thread");
	}
	while (!get_number(&t.dev, &t.dev.nr_reads))
		usleep(1000);
	/* Time for the others to ask; if one does not, that is no failure. */
	usleep(200000);
	set_flag(&t.dev, &t.dev.hangs[3], false);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		nr += !r[i].rc && r[i].buf[0] == 3 && r[i].buf[63] == 3;
	}
	is_int(nr, 4, "four threads wait for one read: all have it");
	close_setting(&t);
}

static uint64_t get_lost_ns(struct device *d)
{
	uint64_t ns;

	pthread_mutex_lock(&d->lock);
	ns = d->lost_ns;
	pthread_mutex_unlock(&d->lock);
	return ns;
}

/* How long writes are refused after one whose answer is lost. */
static uint64_t refused_ns(struct setting *t)
{
	set_flag(&t->dev, &t->dev.loses_writes, true);
	if (write_unit(t, 1) != -ENOLINK)
		tap_bail("a write has an answer");
	set_flag(&t->dev, &t->dev.loses_writes, false);
	while (requests_refuses_writes(t->q))
		usleep(1000);
	return clock_now_ns() - get_lost_ns(&t->dev);
}

static void test_delay(void)
{
	static struct setting t;
	uint64_t least = 5 * TIMEOUT_NS;

	open_setting(&t, 4, TIMEOUT_NS);
	for (unsigned int i = 0; i < 3; i++, least *= 2) {
		ok(refused_ns(&t) >= least, "a write's answer is lost: no "
		   "other for %llu ms",
		   (unsigned long long)(least / NSEC_PER_MSEC));
		/* No proof that writes are done: the delay grows all the same. */
		while (get_number(&t.dev, &t.dev.nr_discards) <= i) {
			requests_discard(t.q, MIB, 8 * MIB);
			usleep(1000);
		}
	}
	is_int(write_unit(&t, 2), 0, "then one is done");
	is_int(write_unit(&t, 2), 0, "and the next, at once");
	close_setting(&t);
}

/* Ten pages of one MiB are requested, and none is answered. */
static void test_bad_unit(void)
{
	static struct setting t;
	unsigned int most = 0, nr, nr_read = 0;
	uint8_t buf[64];

	open_setting(&t, 4, TIMEOUT_NS);
	/* Where probes are sent to. */
	if (write_unit(&t, 3) || write_unit(&t, 5))
		tap_bail("can't write");
	set_flag(&t.dev, &t.dev.hangs[0], true);
	for (unsigned int i = 0; i < 10; i++) {
		while (requests_is_stalled(t.q))
			usleep(1000);
		if (requests_read(t.q, buf, 64, i * 4096, FOREVER) !=
		    -ETIMEDOUT)
			tap_bail("a read has an answer");
		nr = get_number(&t.dev, &t.dev.nr_hanging[0]);
		most = nr > most ? nr : most;
		while (requests_is_stalled(t.q))
			usleep(1000);
		nr_read += !requests_read(t.q, buf, 64, 3 * MIB + i * 4096,
					  FOREVER);
	}
	is_int(most, 1, "one worker waits for a place that does not answer");
	ok(nr_read, "others are read");
	close_setting(&t);
}

static void begin_write(struct setting *t, struct request **r)
{
	set_flag(&t->dev, &t->dev.writes_hang, true);
	while (requests_write(t->q, requests_buffer(MIB), MIB, MIB, r))
		usleep(1000);
}

static enum device_state state_of(struct setting *t)
{
	struct health_stats st;

	health_get_stats(t->health, &st);
	return st.state;
}

/* With one worker, and with several whose other requests are answered. */
static void test_give_up(void)
{
	static struct setting t[2];
	struct request *r[2];
	uint64_t from = clock_now_ns();
	void *buf;

	for (int i = 0; i < 2; i++) {
		open_setting(&t[i], i ? 4 : 1, TIMEOUT_NS);
		begin_write(&t[i], &r[i]);
	}
	for (int i = 0; i < 2; i++) {
		int rc;

		while ((rc = requests_write_result(t[i].q, r[i], FOREVER,
						   &buf)) == -EINPROGRESS)
			usleep(1000);
		is_int(rc, -ENOLINK, "a write that hangs is given up");
		ok(get_lost_ns(&t[i].dev) - from >= 30 * NSEC_PER_SEC,
		   "after half a minute: it could be slow");
		free(buf);
		set_flag(&t[i].dev, &t[i].dev.writes_hang, false);
		while (requests_refuses_writes(t[i].q))
			usleep(1000);
		is_int(state_of(&t[i]), DEVICE_STALLED,
		       "another may be tried: that is no answer yet");
		is_int(write_unit(&t[i], 2), 0, "it is done");
		while (state_of(&t[i]) != DEVICE_OK)
			usleep(1000);
		ok(true, "that is one");
		close_setting(&t[i]);
	}
}

/* It begins less than a minute after the last line of one, and lasts. */
static void test_told_late(void)
{
	static struct setting t;
	struct request *r;
	uint8_t byte;
	uint64_t from = clock_now_ns();
	void *buf;
	int rc;

	forget_lines();
	open_setting(&t, 4, TIMEOUT_NS);
	set_flag(&t.dev, &t.dev.hangs[3], true);
	requests_read(t.q, &byte, 1, 3 * MIB, FOREVER);
	await_lines("has not answered a read");
	set_flag(&t.dev, &t.dev.hangs[3], false);
	await_lines("answers again");
	begin_write(&t, &r);
	while (state_of(&t) != DEVICE_STALLED)
		usleep(1000);
	while ((rc = requests_write_result(t.q, r, FOREVER, &buf)) ==
	       -EINPROGRESS)
		usleep(1000);
	free(buf);
	is_int(rc, -ENOLINK, "soon after it a write is given up");
	is_int(await_lines("has not answered a write"), 1,
	       "that is told, as it lasts");
	ok(clock_now_ns() - from >= 60 * NSEC_PER_SEC,
	   "a minute after the last line at least");
	close_setting(&t);
	forget_lines();
}

int main(void)
{
	alarm(1200);
	catch_stderr();
	test_places();
	test_late_probe();
	test_one_read();
	test_delay();
	test_bad_unit();
	test_give_up();
	test_told_late();
	return tap_done();
}
