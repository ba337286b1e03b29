// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which pages make room: the oldest of memory, in their order, a segment at a
 * time; not those that were dropped or put again since, whose lines in the
 * queue are stale.  And which segments make room on the device: not repeatedly
 * one that can't be read, or whose records no longer exist; damaged pages are
 * not moved, nor lost before a get has found them.
 */
#include "config.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

#include "tests/unit/stderr-lines.h"
#include "tests/unit/store-pages.h"
#include "vmm/store/fifo.h"

#define NR_IN_MEMORY  960	/* of 4 MiB: 15 in each block of 64 KiB */
#define NR_IN_SEGMENT 254	/* of 4096 bytes and a header */
#define RECORD_HEADER 24
#define NR_KEYS	      32768
#define BYTES	      (64 * MIB)

static uint8_t bytes[BYTES];
static uint64_t bad_bytes;	/* from the start on: EIO */
static uint64_t nr_segments_read[BYTES / MIB];	/* atomic; whole ones */

/* The next page is read wrong, and right the time after.  Atomic. */
static bool wrong_once;

/* Reads of a kind wait while it is set: whole segments, and pages.  Atomic. */
static bool segments_wait, pages_wait;
static uint64_t waits_at[2];	/* atomic; the offset + 1 of one that waits */

static void wait_while(const bool *flag, uint64_t *at, uint64_t offset)
{
	while (__atomic_load_n(flag, __ATOMIC_ACQUIRE)) {
		__atomic_store_n(at, offset + 1, __ATOMIC_RELEASE);
		usleep(1000);
	}
}

static void set(bool *flag, bool value)
{
	__atomic_store_n(flag, value, __ATOMIC_RELEASE);
}

/* Where one waits. */
static uint64_t await(const uint64_t *at)
{
	uint64_t offset;

	while (!(offset = __atomic_load_n(at, __ATOMIC_ACQUIRE)))
		usleep(1000);
	return offset - 1;
}

static int dev_read(struct store_device *dev, const struct store_worker *w,
		    void *buf, size_t len, uint64_t offset)
{
	if (offset < bad_bytes)
		return -EIO;
	if (len == MIB)
		__atomic_fetch_add(&nr_segments_read[offset / MIB], 1,
				   __ATOMIC_RELAXED);
	if (len == MIB)
		wait_while(&segments_wait, &waits_at[0], offset);
	else
		wait_while(&pages_wait, &waits_at[1], offset);
	memcpy(buf, bytes + offset, len);
	if (len != MIB && __atomic_exchange_n(&wrong_once, false,
					      __ATOMIC_ACQ_REL))
		((uint8_t *)buf)[RECORD_HEADER + 100] ^= 1;
	return 0;
}

static int dev_write(struct store_device *dev, const struct store_worker *w,
		     const void *buf, size_t len, uint64_t offset)
{
	memcpy(bytes + offset, buf, len);
	return 0;
}

static void dev_close(struct store_device *dev)
{
}

static struct store *open_store_with(uint64_t mem, uint64_t dev_bytes)
{
	static const struct store_device_ops ops = {
		.read = dev_read, .write = dev_write, .close = dev_close,
	};
	static struct store_device dev = { .ops = &ops };

	dev.bytes = dev_bytes;
	return new_store_on(NR_KEYS, mem, &dev, 600 * NSEC_PER_SEC);
}

static struct store *open_store_of(uint64_t dev_bytes)
{
	return open_store_with(4 * MIB, dev_bytes);
}

static struct store *open_store(void)
{
	return open_store_of(BYTES);
}

static bool is_far(struct store *s, struct page_coder *c, uint64_t key)
{
	uint64_t far = store_stats_of(s).nr_gets_far;
	uint8_t page[STORE_PAGE_SIZE];

	return !store_get(s, c, key, page) &&
	       store_stats_of(s).nr_gets_far > far;
}

/* How many of the keys are on the device. */
static uint64_t nr_far_of(struct store *s, struct page_coder *c, uint64_t from,
			  uint64_t to)
{
	uint64_t nr = 0;

	for (uint64_t k = from; k < to; k++)
		nr += is_far(s, c, k);
	return nr;
}

static uint32_t numbers[NR_KEYS];

static void put_range(struct store *s, struct page_coder *c, uint64_t from,
		      uint64_t to, uint32_t number)
{
	for (uint64_t k = from; k < to; k++)
		if (put_number(s, c, numbers, k, number + k))
			tap_bail("can't put page %llu", (unsigned long long)k);
}

static void test_order(struct page_coder *c)
{
	struct store *s = open_store();
	bool in_order = true;

	put_range(s, c, 0, NR_IN_MEMORY, 1);
	is_int(store_stats_of(s).nr_far, 0, "as many as memory takes");
	for (uint64_t i = 1; i <= 8; i++) {
		uint64_t nr;

		while (store_stats_of(s).nr_demoted < i * NR_IN_SEGMENT) {
			nr = store_stats_of(s).nr_pages;
			put_range(s, c, nr, nr + 1, 1);
		}
		nr = store_stats_of(s).nr_pages;
		in_order &= nr_far_of(s, c, 0, i * NR_IN_SEGMENT) ==
				    i * NR_IN_SEGMENT &&
			    !nr_far_of(s, c, i * NR_IN_SEGMENT, nr);
	}
	ok(in_order, "the oldest go first, each segment full");
	store_free(s);
}

/* Ten pages were put again: these are young. */
static void test_put_again(struct page_coder *c)
{
	struct store *s = open_store();

	put_range(s, c, 0, NR_IN_MEMORY, 1);
	put_range(s, c, 0, 10, 5000);
	put_range(s, c, NR_IN_MEMORY, NR_IN_MEMORY + 1, 1);
	is_int(nr_far_of(s, c, 0, 10), 0, "pages put again are young");
	is_int(nr_far_of(s, c, 10, 10 + NR_IN_SEGMENT), NR_IN_SEGMENT,
	       "the oldest of the others went");
	store_free(s);
}

/* Dropped, or of one repeated word now: nothing that room could be made of. */
static void test_gone(struct page_coder *c)
{
	struct store *s = open_store();
	uint8_t page[STORE_PAGE_SIZE];

	put_range(s, c, 0, NR_IN_MEMORY, 1);
	for (uint64_t k = 0; k < 20; k++) {
		memset(page, 0xf0 + k % 16, sizeof(page));
		if (k % 2)
			store_drop(s, k);
		else if (store_put(s, c, k, page))
			tap_bail("can't put a page of one word");
	}
	put_range(s, c, NR_IN_MEMORY, NR_IN_MEMORY + 21, 1);
	is_int(store_stats_of(s).nr_demoted, NR_IN_SEGMENT,
	       "a segment is of pages that are there");
	is_int(nr_far_of(s, c, 20, 20 + NR_IN_SEGMENT), NR_IN_SEGMENT,
	       "the oldest of these went");
	is_int(store_stats_of(s).far_live_bytes, NR_IN_SEGMENT *
	       (RECORD_HEADER + STORE_PAGE_SIZE), "and nothing else");
	store_free(s);
}

/* Put over and over, one page needs one line, whatever became stale. */
static void test_one_page(struct page_coder *c)
{
	struct store *s = open_store();
	uint8_t page[STORE_PAGE_SIZE];

	for (uint32_t i = 0; i < 5000; i++)
		put_range(s, c, 7, 8, i);
	put_range(s, c, 100, 100 + NR_IN_MEMORY - 1, 1);
	put_range(s, c, 3000, 3001, 1);
	ok(is_far(s, c, 7), "the oldest page, put 5000 times, went first");
	fill_random(page, 4999 + 7);
	is_int(check_number(s, c, 7, 4999 + 7), 0, "its last put");
	store_free(s);
}

#define NR_PUT_AGAIN 8192	/* so many that one push looks at a part of them */

/*
 * Nor do stale lines need memory, of pages that are there, put again since: a
 * part of the queue's, at most.
 */
static void test_stale_lines(struct page_coder *c)
{
	struct store *s = open_store_with(64 * MIB, BYTES);
	size_t before, after;

	put_range(s, c, 0, NR_PUT_AGAIN, 1);
	before = mallinfo2().uordblks;
	for (uint32_t i = 0; i < 30; i++)
		put_range(s, c, 0, NR_PUT_AGAIN, i);
	after = mallinfo2().uordblks;
	ok(after <= before + (256 << 10), "%u pages put 30 times again have left "
	   "%zu KiB", NR_PUT_AGAIN, (after - before) >> 10);
	store_free(s);
}

/* Holes that dropped pages leave in memory are filled by others. */
static void test_holes(struct page_coder *c)
{
	struct store *s = open_store();
	struct store_stats st;
	bool right = true;

	put_range(s, c, 0, NR_IN_MEMORY, 1);
	for (uint64_t k = 0; k < NR_IN_MEMORY; k++)
		if (k % 8)
			store_drop(s, k);
	st = store_stats_of(s);
	/* One of 8 is left, in each of 64 blocks. */
	ok(st.mem_block_bytes < 4 * MIB, "memory is given back");
	for (uint64_t k = 0; k < NR_IN_MEMORY; k += 8)
		right &= !check_number(s, c, k, k + 1);
	ok(right, "what moved is what it was");
	store_free(s);
}

#define NR_SEGMENTS 40		/* two of these are kept free */
#define NR_LEFT	    20		/* in a segment with holes */
#define NR_WRONG    20		/* segments that have most of them */

/* Memory and device full; holes in all segments, most in the first 20. */
static struct store *store_with_holes(struct page_coder *c)
{
	struct store *s = open_store_of(NR_SEGMENTS * MIB);
	uint64_t nr = (NR_SEGMENTS - 2) * NR_IN_SEGMENT;

	put_range(s, c, 0, nr, 1);
	put_range(s, c, nr, nr + NR_IN_MEMORY, 1);
	for (uint64_t k = 0; k < nr; k++)
		if (k % NR_IN_SEGMENT >= (k / NR_IN_SEGMENT < NR_WRONG ? NR_LEFT :
							   3 * NR_LEFT))
			store_drop(s, k);
	return s;
}

/* A thousand pages more, while few puts fail. */
static void make_more_room(struct store *s, struct page_coder *c,
			   const char *name)
{
	uint64_t first = NR_SEGMENTS * NR_IN_SEGMENT + NR_IN_MEMORY;
	uint8_t page[STORE_PAGE_SIZE];
	unsigned int nr_failed = 0;

	for (uint64_t k = first; k < first + 1000 && nr_failed < 200; k++) {
		fill_random(page, k);
		while (store_put(s, c, k, page) && ++nr_failed < 200)
			;
	}
	ok(nr_failed < 200, "%s: others make room (%u puts failed)", name,
	   nr_failed);
}

/* The first segment's records are where they were put. */
static uint8_t *record_of(uint64_t key)
{
	return bytes + key * (RECORD_HEADER + STORE_PAGE_SIZE);
}

/*
 * What the cleaner reads wrong is not lost by that: a page, the header of one,
 * a checksum that a get does not use, and a page that is right the next time.
 */
static void test_damage(struct page_coder *c)
{
	struct store *s = store_with_holes(c);
	uint8_t page[STORE_PAGE_SIZE];
	struct store_stats st;
	bool right = true;

	forget_lines();
	record_of(5)[RECORD_HEADER + 100] ^= 1;
	record_of(6)[8] ^= 1;
	record_of(7)[RECORD_HEADER - 4] ^= 1;
	record_of(8)[RECORD_HEADER + 100] ^= 1;
	make_more_room(s, c, "pages are damaged");
	st = store_stats_of(s);
	is_int(st.nr_damaged, 0, "the cleaner loses none");
	ok(st.nr_wrong_segments == 1 && st.last_error_ns &&
	   strstr(st.last_error, "wrong data in MiB 0"),
	   "but has met a wrong segment, last_error: %s", st.last_error);
	is_int(count_lines("wrong data in MiB 0"), 1, "one line says so");
	forget_lines();
	record_of(8)[RECORD_HEADER + 100] ^= 1;
	for (uint64_t k = 0; k < NR_LEFT; k++)
		if (k != 5 && k != 6)
			right &= !check_number(s, c, k, k + 1);
	ok(right, "those that can be read right are what they were");
	for (int i = 0; i < 2; i++)
		right &= store_get(s, c, 5, page) == -EBADMSG &&
			 store_get(s, c, 6, page) == -EBADMSG;
	ok(right && store_has(s, 5), "the others can't be read");
	st = store_stats_of(s);
	is_int(st.nr_damaged, 2, "and count once");
	ok(strstr(st.last_error, "wrong data for page 0x6") &&
	   st.last_error_ns, "last_error: %s", st.last_error);
	ok(count_lines("wrong data"), "there is a line");
	store_drop(s, 5);
	is_int(store_get(s, c, 5, page), -ENOENT, "one is dropped");
	put_range(s, c, 6, 7, 1);
	is_int(check_number(s, c, 6, 7), 0, "one is put again");
	is_int(st.nr_pages - store_stats_of(s).nr_pages, 1, "both counted");
	store_free(s);
	forget_lines();
}

/* What a mirror, or a cable, may do: wrong once is not lost. */
static void test_wrong_once(struct page_coder *c)
{
	struct store *s = store_with_holes(c);

	set(&wrong_once, true);
	is_int(check_number(s, c, 5, 6), 0, "a page that is read wrong once is "
	       "read again");
	ok(!__atomic_load_n(&wrong_once, __ATOMIC_ACQUIRE), "so it was");
	is_int(store_stats_of(s).nr_damaged, 0, "and is not lost");
	store_free(s);
}

struct call {
	struct store *s;
	struct page_coder *c;
	uint64_t key;
	int rc;
};

static void *make_room(void *arg)
{
	struct call *call = arg;

	make_more_room(call->s, call->c, "a page is being read meanwhile");
	return NULL;
}

static void *get_page(void *arg)
{
	struct call *call = arg;

	call->rc = check_number(call->s, call->c, call->key, call->key + 1);
	return NULL;
}

/* A page moves while it is read: where it was is not used before that ends. */
static void test_read_while_moved(struct page_coder *c)
{
	struct page_coder *other = new_page_coder(PAGE_RAW);
	struct store *s = store_with_holes(c);
	struct call maker = { .s = s, .c = c }, getter = { .s = s, .c = other };
	pthread_t threads[2];
	uint64_t segment;

	set(&segments_wait, true);
	set(&pages_wait, true);
	if (pthread_create(&threads[0], NULL, make_room, &maker))
		tap_bail("no thread");
	segment = await(&waits_at[0]) / MIB;
	getter.key = segment * NR_IN_SEGMENT;
	if (pthread_create(&threads[1], NULL, get_page, &getter))
		tap_bail("no thread");
	await(&waits_at[1]);
	set(&segments_wait, false);
	pthread_join(threads[0], NULL);
	ok(store_stats_of(s).nr_cleaned, "it has moved, as others have");
	set(&pages_wait, false);
	pthread_join(threads[1], NULL);
	is_int(getter.rc, 0, "it is read where it was");
	is_int(check_number(s, c, getter.key, getter.key + 1), 0,
	       "and then where it is");
	store_free(s);
	page_coder_free(other);
}

/* A page is read wrong, and dropped or put again before that is known. */
static void test_changed_while_read_wrong(struct page_coder *c, bool again)
{
	struct page_coder *other = new_page_coder(PAGE_RAW);
	struct store *s = store_with_holes(c);
	struct call getter = { .s = s, .c = other, .key = 5 };
	uint64_t nr = store_stats_of(s).nr_pages;
	pthread_t thread;

	record_of(5)[RECORD_HEADER + 100] ^= 1;
	waits_at[1] = 0;
	set(&pages_wait, true);
	if (pthread_create(&thread, NULL, get_page, &getter))
		tap_bail("no thread");
	await(&waits_at[1]);
	store_drop(s, 5);
	if (again)
		put_range(s, c, 5, 6, 1);
	set(&pages_wait, false);
	pthread_join(thread, NULL);
	is_int(getter.rc, again ? 0 : -ENOENT, again ?
	       "put again: the new page is read" :
	       "dropped while it is read: it is not there");
	is_int(store_has(s, 5), again, "nor is anything in its place");
	is_int(store_stats_of(s).nr_pages, again ? nr : nr - 1, "counted so");
	is_int(store_stats_of(s).nr_damaged, 0, "nothing was lost");
	store_free(s);
	page_coder_free(other);
}

static void test_bad_segments(struct page_coder *c)
{
	struct store *s = store_with_holes(c);

	bad_bytes = MIB;
	make_more_room(s, c, "a segment can't be read");
	is_int(store_stats_of(s).nr_wrong_segments, 0, "it is no wrong one");
	store_free(s);
	bad_bytes = 0;
	forget_lines();
}

static uint64_t nr_wrong_read(void)
{
	uint64_t nr = 0;

	for (unsigned int i = 0; i < NR_WRONG; i++)
		nr += __atomic_load_n(&nr_segments_read[i], __ATOMIC_RELAXED);
	return nr;
}

/* Of a thousand keys from *key on; until puts fail. */
static void fill_up(struct store *s, struct page_coder *c, uint64_t *key)
{
	uint8_t page[STORE_PAGE_SIZE];
	unsigned int nr_failed = 0;

	while (nr_failed < 20) {
		fill_random(page, *key);
		if (store_put(s, c, *key, page))
			nr_failed++;
		else if (++*key == NR_KEYS)
			tap_bail("no end of room");
	}
}

static bool are_right(struct store *s, struct page_coder *c)
{
	bool right = true;

	for (uint64_t k = 0; k < NR_WRONG * NR_IN_SEGMENT; k++)
		if (k % NR_IN_SEGMENT < NR_LEFT)
			right &= !check_number(s, c, k, k + 1);
	return right;
}

/*
 * Nothing that was in them is there: each is told once, and not read by each put
 * that finds no room.  When they can be read again, they make room.
 */
static void test_overwritten(struct page_coder *c)
{
	static uint8_t saved[NR_WRONG * MIB];
	struct store *s = store_with_holes(c);
	uint64_t key = NR_SEGMENTS * NR_IN_SEGMENT + NR_IN_MEMORY;
	uint64_t nr, start, end;
	struct store_stats st;

	memcpy(saved, bytes, sizeof(saved));
	memset(bytes, 0, sizeof(saved));
	memset(nr_segments_read, 0, sizeof(nr_segments_read));
	start = clock_now_ns();
	make_more_room(s, c, "segments are overwritten");
	fill_up(s, c, &key);
	end = clock_now_ns();
	nr = nr_wrong_read();
	st = store_stats_of(s);
	ok(nr >= NR_WRONG &&
	   nr <= NR_WRONG + 1 + (end - start) / NSEC_PER_SEC,
	   "each is read once, then one a second (%llu reads)",
	   (unsigned long long)nr);
	ok(st.nr_wrong_segments == NR_WRONG && !st.nr_damaged &&
	   !st.nr_read_errors, "each is counted once, and no page is lost");
	ok(strstr(st.last_error, "wrong data in MiB"), "last_error: %s",
	   st.last_error);
	nr = count_lines("wrong data in MiB");
	ok(nr && nr <= 5 * (1 + (end - start) / (10 * NSEC_PER_SEC)),
	   "%llu lines say so", (unsigned long long)nr);
	memcpy(bytes, saved, sizeof(saved));
	nr = store_stats_of(s).nr_pages;
	for (int i = 0; i < 6000 && store_stats_of(s).nr_pages == nr; i++) {
		put_number(s, c, numbers, key, key);
		usleep(10000);
	}
	key++;
	fill_up(s, c, &key);
	ok(store_stats_of(s).nr_pages > nr + NR_WRONG / 2 * NR_IN_SEGMENT,
	   "they can be read again: there is room for %llu more pages",
	   (unsigned long long)store_stats_of(s).nr_pages - nr);
	ok(are_right(s, c), "what was in them is what it was");
	store_free(s);
	forget_lines();
}

#define IS_LIVE(line) ((line).key % 1000 == 0)

static bool not_live(struct fifo_line line, void *arg)
{
	(*(uint64_t *)arg)++;
	return !IS_LIVE(line);
}

static void test_fifo(void)
{
	struct fifo *f = fifo_new();
	struct fifo_line line, next = { 0 };
	uint64_t nr_asked = 0, nr_lines = 0, nr_live = 0;
	bool in_order = true;

	for (uint64_t i = 0; i < 1000000; i++)
		if (fifo_push(f, (struct fifo_line){ i, i }, not_live,
			      &nr_asked))
			tap_bail("no memory for the queue");
	while (fifo_pop(f, &line)) {
		nr_lines++;
		if (!IS_LIVE(line))
			continue;
		in_order &= line.key == 1000 * nr_live &&
			    line.seq == (uint8_t)line.key;
		nr_live++;
	}
	ok(nr_live == 1000 && in_order, "live lines come out, in order");
	ok(nr_lines <= 4096, "stale ones don't let the queue grow: %llu lines",
	   (unsigned long long)nr_lines);
	ok(nr_asked < 4000000, "nor are they looked at over and over (%llu)",
	   (unsigned long long)nr_asked);
	for (uint64_t i = 1; i < 3000; i++) {
		fifo_push(f, (struct fifo_line){ i * 1000, 0 }, not_live,
			  &nr_asked);
		if (i % 3)
			continue;
		fifo_pop(f, &line);
		fifo_unpop(f, line);
		fifo_pop(f, &next);
		in_order &= line.key == next.key && next.key == i / 3 * 1000;
	}
	ok(in_order, "what is put back is the next to come");
	fifo_free(f);
}

/* A device of any size may be named; memory is used for what pages need. */
static void test_huge_device(struct page_coder *c)
{
	struct mallinfo2 before = mallinfo2(), now;
	struct store *s = open_store_of(UINT64_C(1) << 48);
	uint64_t used;

	now = mallinfo2();
	used = now.uordblks + now.hblkhd - before.uordblks - before.hblkhd;
	if (!ok(used < 64 * MIB, "a device of 256 TiB takes little memory"))
		printf("# %llu bytes\n", (unsigned long long)used);
	put_range(s, c, 0, 2 * NR_IN_MEMORY, 1);
	ok(nr_far_of(s, c, 0, 2 * NR_IN_MEMORY) > 0, "and is used");
	store_free(s);
}

int main(void)
{
	struct page_coder *c = new_page_coder(PAGE_RAW);

	alarm(600);
	catch_stderr();
	test_fifo();
	test_order(c);
	test_put_again(c);
	test_gone(c);
	test_one_page(c);
	test_stale_lines(c);
	test_holes(c);
	test_bad_segments(c);
	test_overwritten(c);
	test_damage(c);
	test_wrong_once(c);
	test_read_while_moved(c);
	test_changed_while_read_wrong(c, false);
	test_changed_while_read_wrong(c, true);
	test_huge_device(c);
	page_coder_free(c);
	return tap_done();
}
