// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Discards on a device whose answers are delayed, one by one: what waits for
 * them, and what must not.
 */
#include "config.h"

#include "tests/unit/store-delays.h"

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

int main(void)
{
	alarm(600);
	test_discards();
	test_barred();
	test_failed_discard();
	test_late_discard();
	test_write_behind_lost_discard();
	return tap_done();
}
