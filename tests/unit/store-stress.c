// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * No page is lost: threads put, get and drop pages of their own, each byte
 * verified, on a device that at random hangs for longer than any timeout,
 * fails, writes half, or loses the answer to a write, which it then performs at
 * any later time.  Then the device recovers, and all pages must be there.
 *
 * The seed is derived from the time, and printed: give it as the argument to
 * repeat the same choices (not the same order of threads).
 */
#include "config.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "tests/unit/store-pages.h"

#define NR_THREADS 4
#define NR_KEYS	   600			/* of each thread */
#define NR_STEPS   4000			/* of each thread, at least */
#define NR_OF_EACH 5			/* of each kind of trouble, at least */
#define MAX_NS	   (300 * NSEC_PER_SEC)	/* then it is given up */
#define BYTES	   (24 * MIB)
#define TIMEOUT_NS (20 * NSEC_PER_MSEC)
#define LOST_WRITES 40	/* until then each other segment is written again */
#define MAX_LOST   8	/* writes that are done later; each costs 1 MiB */

struct lost_write {
	unsigned int due;	/* after as many writes */
	uint64_t offset;
	size_t len;
	uint8_t *data;		/* owned */
};

struct device {
	struct store_device dev;
	pthread_mutex_t lock;
	uint64_t seed;
	bool is_well;
	unsigned int nr_stalls, nr_errors, nr_halves, nr_late_writes;
	struct lost_write lost[MAX_LOST];
	unsigned int nr_lost, nr_writes;
	uint8_t *bytes;		/* owned */
};

/* Of n.  Under the lock, as all but the operations. */
static uint64_t rnd(uint64_t *seed, uint64_t n)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (*seed >> 11) % n;
}

static void do_lost_write(struct device *d, unsigned int i)
{
	struct lost_write *l = &d->lost[i];

	memcpy(d->bytes + l->offset, l->data, l->len);
	free(l->data);
	*l = d->lost[--d->nr_lost];
	d->nr_late_writes++;
}

/* Stands still for a while: up to six timeouts, unless it is cancelled. */
static int stand_still(struct device *d, const struct store_worker *w,
		       bool can_cancel)
{
	int ms = 10 + rnd(&d->seed, 110);
	struct pollfd p = { .fd = can_cancel ? w->cancel_fd : -1,
			    .events = POLLIN };
	int n;

	d->nr_stalls++;
	pthread_mutex_unlock(&d->lock);
	n = poll(&p, 1, ms);
	pthread_mutex_lock(&d->lock);
	return n > 0 ? -ECANCELED : 0;
}

static int trouble(struct device *d, const struct store_worker *w,
		   bool can_cancel)
{
	if (d->nr_lost && d->lost[0].due <= d->nr_writes)
		do_lost_write(d, 0);
	if (d->is_well)
		return 0;
	if (!rnd(&d->seed, 60))
		return stand_still(d, w, can_cancel);
	/* There are few writes, of many pages each. */
	if (!rnd(&d->seed, can_cancel ? 20 : 5)) {
		d->nr_errors++;
		return rnd(&d->seed, 2) ? -EIO : -ECONNREFUSED;
	}
	return 0;
}

static int dev_read(struct store_device *dev, const struct store_worker *w,
		    void *buf, size_t len, uint64_t offset)
{
	struct device *d = (struct device *)dev;
	int rc;

	pthread_mutex_lock(&d->lock);
	rc = trouble(d, w, true);
	if (!rc)
		memcpy(buf, d->bytes + offset, len);
	pthread_mutex_unlock(&d->lock);
	return rc;
}

static int dev_write(struct store_device *dev, const struct store_worker *w,
		     const void *buf, size_t len, uint64_t offset)
{
	struct device *d = (struct device *)dev;
	int rc;

	pthread_mutex_lock(&d->lock);
	d->nr_writes++;
	rc = trouble(d, w, false);
	if (rc && rnd(&d->seed, 2)) {
		d->nr_halves++;
		memcpy(d->bytes + offset, buf, len / 2);
	} else if (!d->is_well && !rc &&
		   d->nr_lost + d->nr_late_writes < MAX_LOST &&
		   !rnd(&d->seed, 6)) {
		struct lost_write *l = &d->lost[d->nr_lost++];

		*l = (struct lost_write){
			d->nr_writes + LOST_WRITES, offset, len, malloc(len),
		};
		memcpy(l->data, buf, len);
		rc = -ENOLINK;
	} else if (!rc) {
		memcpy(d->bytes + offset, buf, len);
	}
	pthread_mutex_unlock(&d->lock);
	return rc;
}

static int dev_discard(struct store_device *dev, const struct store_worker *w,
		       size_t len, uint64_t offset)
{
	struct device *d = (struct device *)dev;
	int rc;

	pthread_mutex_lock(&d->lock);
	rc = trouble(d, w, false);
	if (!rc)
		memset(d->bytes + offset, 0xdd, len);
	pthread_mutex_unlock(&d->lock);
	return rc;
}

static void dev_close(struct store_device *dev)
{
	struct device *d = (struct device *)dev;

	while (d->nr_lost)
		do_lost_write(d, 0);
	pthread_mutex_destroy(&d->lock);
	free(d->bytes);
	free(d);
}

static struct device *device_new(uint64_t seed)
{
	static const struct store_device_ops ops = {
		.read = dev_read, .write = dev_write, .discard = dev_discard,
		.close = dev_close,
	};
	struct device *d = calloc(1, sizeof(*d));

	d->dev = (struct store_device){
		.ops = &ops, .bytes = BYTES, .name = "test device",
	};
	d->seed = seed;
	d->bytes = calloc(1, BYTES);
	pthread_mutex_init(&d->lock, NULL);
	return d;
}

/* Whether enough has happened. */
static bool has_had_enough(struct device *d)
{
	bool enough;

	pthread_mutex_lock(&d->lock);
	enough = d->nr_stalls >= NR_OF_EACH && d->nr_errors >= NR_OF_EACH &&
		 d->nr_halves >= NR_OF_EACH && d->nr_late_writes >= NR_OF_EACH;
	pthread_mutex_unlock(&d->lock);
	return enough;
}

struct worker {
	struct device *dev;
	struct store *store;
	uint64_t first, seed;
	unsigned int nr_got, nr_again, nr_refused;
	uint32_t numbers[NR_KEYS];
	int wrong;	/* what should not have come; 0 */
};

/* A refused thread retries later. */
static void wait_a_little(void)
{
	usleep(1000);
}

/* The page that was put is there, or can't be had now. */
static int look(struct worker *w, struct page_coder *c, uint64_t k)
{
	int rc = check_number(w->store, c, w->first + k, w->numbers[k]);

	if (rc == -EBADMSG || rc == -EILSEQ || rc == -ENOENT)
		return rc;
	if (!rc) {
		w->nr_got++;
		return 0;
	}
	w->nr_again++;
	wait_a_little();
	return 0;
}

static void step(struct worker *w, struct page_coder *c)
{
	uint64_t k = rnd(&w->seed, NR_KEYS), what = rnd(&w->seed, 16);
	uint8_t page[STORE_PAGE_SIZE];

	if (what == 0) {
		store_drop(w->store, w->first + k);
		w->numbers[k] = 0;
	} else if (what < 8 && !w->numbers[k]) {
		w->numbers[k] = 1 + rnd(&w->seed, 1 << 30);
		fill_random(page, w->numbers[k]);
		if (store_put(w->store, c, w->first + k, page)) {
			/* It is still in guest memory, and is put again. */
			w->numbers[k] = 0;
			w->nr_refused++;
			wait_a_little();
		}
	} else {
		w->wrong = look(w, c, k);
		/* As after a fault: back in memory. */
		if (what == 15 && !w->wrong) {
			store_drop(w->store, w->first + k);
			w->numbers[k] = 0;
		}
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct page_coder *c = new_page_coder(PAGE_LZ4);
	uint64_t until = clock_now_ns() + MAX_NS;

	for (unsigned int i = 0; !w->wrong && clock_now_ns() < until &&
	     (i < NR_STEPS || !has_had_enough(w->dev)); i++)
		step(w, c);
	page_coder_free(c);
	return NULL;
}

static void set_well(struct device *d)
{
	pthread_mutex_lock(&d->lock);
	d->is_well = true;
	pthread_mutex_unlock(&d->lock);
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) :
				   clock_now_ns() | 1;
	struct device *d = device_new(seed);
	struct store *s = new_store_on(NR_THREADS * NR_KEYS, MIB, &d->dev,
				       TIMEOUT_NS);
	static struct worker w[NR_THREADS];
	struct page_coder *c = new_page_coder(PAGE_LZ4);
	pthread_t threads[NR_THREADS];
	struct store_stats st;
	unsigned int got = 0, again = 0, refused = 0;

	alarm(1200);
	printf("# seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < NR_THREADS; i++) {
		w[i].dev = d;
		w[i].store = s;
		w[i].first = i * NR_KEYS;
		w[i].seed = seed + i + 1;
		if (pthread_create(&threads[i], NULL, work, &w[i]))
			tap_bail("no thread");
	}
	for (int i = 0; i < NR_THREADS; i++) {
		pthread_join(threads[i], NULL);
		got += w[i].nr_got;
		again += w[i].nr_again;
		refused += w[i].nr_refused;
		if (!ok(!w[i].wrong, "thread %d: nothing was wrong", i))
			printf("# %s\n", strerror(-w[i].wrong));
	}
	st = store_stats_of(s);
	ok(got && again && refused, "%u were right, %u could not be read, %u "
	   "not be put", got, again, refused);
	ok(st.nr_demoted && st.nr_cleaned && st.nr_late_reads +
	   st.nr_late_writes && st.nr_read_errors && st.nr_write_errors,
	   "%llu went to the device, %llu were moved there; %llu requests were "
	   "late, %llu failed", (unsigned long long)st.nr_demoted,
	   (unsigned long long)st.nr_cleaned,
	   (unsigned long long)(st.nr_late_reads + st.nr_late_writes),
	   (unsigned long long)(st.nr_read_errors + st.nr_write_errors));
	pthread_mutex_lock(&d->lock);
	ok(d->nr_stalls >= NR_OF_EACH && d->nr_late_writes >= NR_OF_EACH,
	   "it stood still %u times, failed %u times, wrote half %u times and "
	   "too late %u times", d->nr_stalls, d->nr_errors, d->nr_halves,
	   d->nr_late_writes);
	pthread_mutex_unlock(&d->lock);
	ok(!st.nr_damaged, "no page was damaged");
	set_well(d);
	for (int i = 0; i < NR_THREADS; i++)
		is_int(check_all(s, c, w[i].first, w[i].numbers, NR_KEYS), 0,
		       "it is well: every page is what was put");
	store_free(s);
	page_coder_free(c);
	return tap_done();
}
