// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long the store holds its locks, counted and not timed: the store's files
 * are built separately for this test so that each basic block calls
 * __sanitizer_cov_trace_pc(), and blocks are counted from the time a thread
 * locks a mutex until it has none (--wrap).  A device of a terabyte, a memory
 * of many blocks and a queue of many lines must not make that longer.
 */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "tests/unit/store-pages.h"
#include "vmm/store/fifo.h"
#include "vmm/store/requests-internal.h"
#include "vmm/store/slab.h"
#include "vmm/store/store-log.h"

/* A line or record takes ten to twenty: some thousands of these. */
#define MOST_IN_A_HOLD 65536
#define MOST_IN_A_CALL 4000	/* of what picks one of many */

/* --- what is counted ------------------------------------------------------ */
static _Thread_local uint64_t nr_steps, hold_begin;
static _Thread_local unsigned int nr_locked;
static _Atomic uint64_t longest;

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
	nr_steps++;
}

static void count_hold(void)
{
	uint64_t nr = nr_steps - hold_begin, seen = atomic_load(&longest);

	while (nr > seen && !atomic_compare_exchange_weak(&longest, &seen, nr))
		;
	hold_begin = nr_steps;
}

int __real_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
	int rc = __real_pthread_mutex_lock(lock);

	if (!nr_locked++)
		hold_begin = nr_steps;
	return rc;
}

int __real_pthread_mutex_unlock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock)
{
	if (!--nr_locked)
		count_hold();
	return __real_pthread_mutex_unlock(lock);
}

int __real_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock)
{
	count_hold();
	return __real_pthread_cond_wait(cond, lock);
}

int __real_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock,
				  const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock,
				  const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock,
				  const struct timespec *until)
{
	count_hold();
	return __real_pthread_cond_timedwait(cond, lock, until);
}

static void few_steps(uint64_t nr, uint64_t most, const char *name)
{
	ok(nr && nr <= most, "%s: %llu steps, %llu at most", name,
	   (unsigned long long)nr, (unsigned long long)most);
}

/* --- a device of any size, that keeps nothing ----------------------------- */
static _Atomic uint64_t nr_reads, last_read;

static int dev_read(struct store_device *dev, const struct store_worker *w,
		    void *buf, size_t len, uint64_t offset)
{
	memset(buf, 0, len);
	last_read = offset;
	nr_reads++;
	return 0;
}

static int dev_write(struct store_device *dev, const struct store_worker *w,
		     const void *buf, size_t len, uint64_t offset)
{
	return 0;
}

static void dev_close(struct store_device *dev)
{
}

static struct store_device *device_of(uint64_t bytes)
{
	static const struct store_device_ops ops = {
		.read = dev_read, .write = dev_write, .close = dev_close,
	};
	static struct store_device dev = { .ops = &ops };

	dev.bytes = bytes;
	return &dev;
}

/* --- segments ------------------------------------------------------------- */
static struct health *health;

static struct log *new_log(uint64_t nr_segments)
{
	struct log *log;

	if (log_new(&log, device_of(nr_segments * MIB), nr_segments * 256,
		    health, 0))
		tap_bail("no log");
	return log;
}

/* One segment of some pages; false when there is none free. */
static bool add_segment(struct log *log, unsigned int nr_pages,
			struct log_record *record)
{
	static const uint8_t page[STORE_PAGE_SIZE];

	*record = (struct log_record){ .len = sizeof(page), .kind = PAGE_RAW };
	if (log_begin(log, true))
		return false;
	while (nr_pages--)
		if (!log_add(log, record, page))
			tap_bail("a segment is too small");
	log_commit(log);
	return true;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#define NR_SEGMENTS (UINT64_C(1) << 18)		/* 256 GiB */

/* All in use, but for one that is dropped, somewhere in the middle. */
static void test_many_segments(void)
{
	struct log *log = new_log(NR_SEGMENTS);
	struct log_record r;
	uint64_t nr = 0, nr_begin = 0, nr_victim = 0, at;

	while (add_segment(log, 1, &r))
		nr++;
	is_int(nr, NR_SEGMENTS, "all segments are used");
	for (int i = 0; i < 32; i++) {
		uint64_t steps = nr_steps;

		if (!log_victim(log, &at))
			tap_bail("no victim");
		nr_victim = most(nr_victim, nr_steps - steps);
		log_unpin(log, at);
		log_drop(log, (NR_SEGMENTS / 2 + (i & 1 ? i : -i)) * MIB,
			 r.len);
		steps = nr_steps;
		if (!add_segment(log, 1, &r))
			tap_bail("a segment is not free again");
		nr_begin = most(nr_begin, nr_steps - steps);
	}
	few_steps(nr_victim, MOST_IN_A_CALL, "a victim of many");
	few_steps(nr_begin, MOST_IN_A_CALL, "the only free segment");
	log_free(log);
}

#define NR_FEW 500

static bool is_victim(struct log *log, uint64_t segment)
{
	uint64_t at;
	bool is = log_victim(log, &at);

	if (is)
		log_unpin(log, at);
	return is && at == segment * MIB;
}

/* A victim is found wherever it is, and the best is the emptiest. */
static void test_victims(void)
{
	struct log *log = new_log(NR_FEW);
	struct log_record r;
	bool right = true;
	uint64_t at;

	for (int i = 0; i < NR_FEW; i++)
		right &= add_segment(log, 200, &r);
	ok(right && !log_victim(log, &at), "full segments are no victims");
	for (unsigned int i = 0; i < NR_FEW; i++) {
		for (int page = 0; page < 20; page++)
			log_drop(log, i * MIB, r.len);
		right &= is_victim(log, i);
		log_pin(log, i * MIB);
		right &= !log_victim(log, &at);
	}
	ok(right, "the only one is found, and not while it is read");
	for (unsigned int i = 0; i < NR_FEW; i++)
		log_unpin(log, i * MIB);
	for (unsigned int i = NR_FEW - 1; i > NR_FEW - 100; i--) {
		for (int page = 0; page < 5 + (int)(NR_FEW - i); page++)
			log_drop(log, i * MIB, r.len);
		right &= is_victim(log, i);
	}
	ok(right, "the emptiest is found");
	at = (NR_FEW - 99) * MIB;
	log_pin(log, at);
	log_victim_failed(log, at);
	log_unpin(log, at);
	right = is_victim(log, NR_FEW - 98);
	for (unsigned int i = 0; i < NR_FEW; i++)
		if (i != NR_FEW - 99)
			log_pin(log, i * MIB);
	ok(right && is_victim(log, NR_FEW - 99), "one that failed comes last");
	log_free(log);
}

/* --- blocks of memory ----------------------------------------------------- */
#define NR_BLOCKS   2048
#define IN_BLOCK    15		/* objects of 4096 bytes */

struct moves {
	uint64_t *handles, nr;
};

static void count_move(uint64_t key, uint64_t from, uint64_t to, void *arg)
{
	struct moves *m = arg;

	m->handles[key] = to;
	m->nr++;
}

static void test_blocks(void)
{
	uint64_t *handles = calloc(NR_BLOCKS * IN_BLOCK, sizeof(*handles));
	struct moves m = { handles, 0 };
	struct slab *s;
	uint64_t steps;
	bool right = true;

	if (!handles || slab_new(&s, NR_BLOCKS * 65536))
		tap_bail("no memory");
	for (uint64_t k = 0; k < NR_BLOCKS * IN_BLOCK; k++) {
		handles[k] = slab_alloc(s, STORE_PAGE_SIZE, k);
		if (handles[k] == SLAB_NONE)
			tap_bail("not as many blocks as was asked for");
		memcpy(slab_data(s, handles[k]), &k, sizeof(k));
	}
	/* One of each block, and 13 of one in the middle. */
	for (uint64_t k = 0; k < NR_BLOCKS * IN_BLOCK; k++)
		if (k % IN_BLOCK == 0 || (k / IN_BLOCK == NR_BLOCKS / 2 &&
					  k % IN_BLOCK < 13)) {
			slab_release(s, handles[k]);
			handles[k] = SLAB_NONE;
		}
	steps = nr_steps;
	is_int(slab_compact(s, 512, count_move, &m), 65536,
	       "a block is emptied");
	few_steps(nr_steps - steps, MOST_IN_A_CALL, "the emptiest of many");
	is_int(m.nr, 2, "it was that with least to move");
	for (int i = 0; i < 100; i++)
		slab_compact(s, 512, count_move, &m);
	for (uint64_t k = 0; k < NR_BLOCKS * IN_BLOCK; k++)
		right &= handles[k] == SLAB_NONE ||
			 !memcmp(slab_data(s, handles[k]), &k, sizeof(k));
	ok(right, "what moved is what it was");
	slab_free(s);
	free(handles);
}

/* --- probes --------------------------------------------------------------- */
#define NR_UNITS (UINT64_C(1) << 20)		/* 1 TiB */

static uint64_t probed(struct requests *q, uint64_t *longest_call)
{
	uint64_t before = nr_reads, steps;

	while (nr_reads == before) {
		pthread_mutex_lock(&q->lock);
		steps = nr_steps;
		requests_probe(q);
		*longest_call = most(*longest_call, nr_steps - steps);
		pthread_mutex_unlock(&q->lock);
		usleep(1000);
	}
	return last_read / MIB;
}

static void set_in_use(struct requests *q, uint64_t from, uint64_t to,
		       bool in_use)
{
	pthread_mutex_lock(&q->lock);
	for (; from < to; from += 4096)
		requests_set_in_use(q, 4096 * MIB, from * MIB, in_use);
	pthread_mutex_unlock(&q->lock);
}

static void test_probes(void)
{
	static const uint64_t places[] = { 7, 500000, NR_UNITS - 1 };
	unsigned int nr[4] = { 0 };
	struct requests *q;
	uint64_t steps = 0;

	if (requests_new(&q, device_of(NR_UNITS * MIB), health, 0))
		tap_bail("no requests");
	set_in_use(q, 0, NR_UNITS, true);
	for (int i = 0; i < 20; i++)
		probed(q, &steps);
	few_steps(steps, MOST_IN_A_CALL, "a probe of many places");
	set_in_use(q, 0, NR_UNITS, false);
	pthread_mutex_lock(&q->lock);
	for (int i = 0; i < 3; i++)
		requests_set_in_use(q, MIB, places[i] * MIB, true);
	pthread_mutex_unlock(&q->lock);
	for (int i = 0; i < 30; i++) {
		uint64_t unit = probed(q, &steps);
		int k = 0;

		while (k < 3 && places[k] != unit)
			k++;
		nr[k]++;
	}
	ok(nr[0] > 5 && nr[1] > 5 && nr[2] > 5 && !nr[3],
	   "all places in use are probed, no others: %u, %u, %u, %u", nr[0],
	   nr[1], nr[2], nr[3]);
	requests_free(q);
}

/* --- the queue ------------------------------------------------------------ */
#define NR_SMALL 400000u	/* pages that are kept in less than 64 bytes */

static void put_small(struct store *s, struct page_coder *c, uint64_t key)
{
	static uint8_t page[STORE_PAGE_SIZE];

	memcpy(page, &(uint64_t){ key + 1 }, 8);
	if (store_put(s, c, key, page))
		tap_bail("can't put a page");
}

static void test_queue(void)
{
	struct page_coder *c = new_page_coder(PAGE_LZ4);
	struct store *s = new_store_on(NR_SMALL + 16384, 32 * MIB,
				       device_of(64 * MIB), 600 * NSEC_PER_SEC);
	uint8_t page[STORE_PAGE_SIZE];
	uint64_t key = NR_SMALL;

	longest = 0;
	for (uint64_t k = 0; k < NR_SMALL; k++)
		put_small(s, c, k);
	is_int(store_stats_of(s).nr_mem, NR_SMALL, "all are in memory");
	few_steps(longest, MOST_IN_A_HOLD, "a hold as the queue grows");
	longest = 0;
	for (uint64_t i = 0; i < 8; i++)	/* it moves what is left */
		for (uint64_t k = i; k < NR_SMALL; k += 8)
			store_drop(s, k);
	few_steps(longest, MOST_IN_A_HOLD, "a hold as pages are dropped");
	longest = 0;
	while (!store_stats_of(s).nr_demoted) {
		fill_random(page, key);
		if (store_put(s, c, key++, page))
			tap_bail("can't put a page");
	}
	few_steps(longest, MOST_IN_A_HOLD, "a hold with all of them stale");
	store_free(s);
	page_coder_free(c);
}

int main(void)
{
	alarm(3000);
	health = health_new("the device");
	if (!health)
		tap_bail("no memory");
	test_many_segments();
	test_victims();
	test_blocks();
	test_probes();
	test_queue();
	health_put(health);
	return tap_done();
}
