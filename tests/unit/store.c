// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The far-memory store compared with an array of its expected contents: every
 * coder, memory alone, a device behind it that is far too small, one that
 * fails, one that returns wrong data, and threads.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/store/store.h"

#define NR_KEYS 4096
#define MIB	(UINT64_C(1) << 20)

static uint64_t seed = 1;

static uint64_t rnd(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

/* Page contents by a number: same-filled, text-like, half random, random. */
static void fill(uint8_t *page, uint32_t number)
{
	uint64_t x = number * UINT64_C(0x9e3779b97f4a7c15) + 1;
	unsigned int kind = number % 4;

	for (unsigned int i = 0; i < STORE_PAGE_SIZE; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(page + i, kind == 0 ? &(uint64_t){ number } :
		       kind == 1 ? &(uint64_t){ x & 0x0f0f } :
		       kind == 2 ? &(uint64_t){ i % 64 ? number : x } : &x, 8);
	}
}

/* A device in memory that can be told to fail or to forget. */
struct faulty {
	struct store_device dev;
	uint8_t *bytes;
	bool fail_read, fail_write, forget;
};

static int faulty_read(struct store_device *dev, const struct store_worker *w,
		       void *buf, size_t len, uint64_t offset)
{
	struct faulty *f = (struct faulty *)dev;

	if (f->fail_read)
		return -EIO;
	memcpy(buf, f->bytes + offset, len);
	if (f->forget)
		for (size_t i = 0; i < len; i += 64)
			((uint8_t *)buf)[i] ^= 1;
	return 0;
}

static int faulty_write(struct store_device *dev, const struct store_worker *w,
			const void *buf, size_t len, uint64_t offset)
{
	struct faulty *f = (struct faulty *)dev;

	if (f->fail_write)
		return -EIO;
	memcpy(f->bytes + offset, buf, len);
	return 0;
}

static void faulty_close(struct store_device *dev)
{
	free(((struct faulty *)dev)->bytes);
	free(dev);
}

static struct faulty *faulty_new(uint64_t bytes)
{
	static const struct store_device_ops ops = {
		.read = faulty_read, .write = faulty_write,
		.close = faulty_close,
	};
	struct faulty *f = calloc(1, sizeof(*f));

	f->dev = (struct store_device){ .ops = &ops, .bytes = bytes };
	f->bytes = malloc(bytes);
	return f;
}

static struct store *new_store(uint64_t mem, struct store_device *dev)
{
	const struct store_config config = {
		.nr_keys = NR_KEYS, .mem_bytes = mem, .device = dev,
		/* No answer is late, however busy the host is. */
		.timeout_ns = UINT64_C(600000000000),
	};
	struct store *s;

	if (store_new(&s, &config))
		tap_bail("no store");
	return s;
}

static struct page_coder *new_coder(enum page_kind kind)
{
	struct page_coder *c;

	if (page_coder_new(&c, kind, 0))
		tap_bail("no coder");
	return c;
}

static void test_coders(void)
{
	static const struct {
		enum page_kind how;
		const char *name;
		enum page_kind kinds[4];
	} t[] = {
		{ PAGE_RAW, "no compression",
		  { PAGE_SAME, PAGE_RAW, PAGE_RAW, PAGE_RAW } },
		{ PAGE_LZ4, "lz4",
		  { PAGE_SAME, PAGE_LZ4, PAGE_LZ4, PAGE_RAW } },
		{ PAGE_ZSTD, "zstd",
		  { PAGE_SAME, PAGE_ZSTD, PAGE_ZSTD, PAGE_RAW } },
	};
	uint8_t page[STORE_PAGE_SIZE], back[STORE_PAGE_SIZE];

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct page_coder *c = new_coder(t[i].how);
		struct page_code code;
		bool kinds = true, same = true;

		for (uint32_t n = 0; n < 4; n++) {
			fill(page, n);
			page_encode(c, page, &code);
			kinds &= code.kind == t[i].kinds[n];
			same &= !page_decode(c, &code, back) &&
				!memcmp(page, back, sizeof(page));
		}
		ok(kinds, "%s: each page as it should be kept", t[i].name);
		ok(same, "%s: and comes back", t[i].name);
		code.kind = PAGE_LZ4;
		code.len = 100;
		code.data = page;
		memset(page, 0xff, 100);
		is_int(page_decode(c, &code, back), -EBADMSG,
		       "damaged LZ4 is refused");
		code.kind = PAGE_ZSTD;
		is_int(page_decode(c, &code, back), -EBADMSG,
		       "damaged Zstandard is refused");
		page_coder_free(c);
	}
}

static bool is_there(struct store *s, struct page_coder *c, uint64_t key,
		     uint32_t number)
{
	uint8_t page[STORE_PAGE_SIZE], want[STORE_PAGE_SIZE];

	fill(want, number);
	return !store_get(s, c, key, page) &&
	       !memcmp(page, want, sizeof(page));
}

/* numbers[key]: what was put there last; 0: nothing. */
static bool all_there(struct store *s, struct page_coder *c,
		      const uint32_t *numbers)
{
	uint8_t page[STORE_PAGE_SIZE];

	for (uint64_t k = 0; k < NR_KEYS; k++)
		if (numbers[k] ? !is_there(s, c, k, numbers[k]) :
				 store_get(s, c, k, page) != -ENOENT)
			return false;
	return true;
}

static bool one_step(struct store *s, struct page_coder *c, uint32_t *numbers,
		     uint64_t keys, unsigned int *nr_refused)
{
	uint8_t page[STORE_PAGE_SIZE];
	uint64_t k = rnd(keys);
	int rc;

	switch (rnd(8)) {
	case 0: case 1: case 2: case 3:
		numbers[k] = 1 + rnd(1 << 30);
		fill(page, numbers[k]);
		rc = store_put(s, c, k, page);
		if (!rc)
			return true;
		numbers[k] = 0;
		(*nr_refused)++;
		return rc == -ENOSPC;
	case 4: case 5:
		store_drop(s, k);
		numbers[k] = 0;
		return !store_has(s, k);
	case 6:
		/* Most of them, so that holes are worth filling. */
		if (rnd(2000))
			return true;
		for (k = 0; k < keys; k++)
			if (rnd(8)) {
				store_drop(s, k);
				numbers[k] = 0;
			}
		return true;
	default:
		return numbers[k] ? is_there(s, c, k, numbers[k]) :
				    !store_has(s, k);
	}
}

static void run_steps(struct store *s, enum page_kind kind, uint64_t keys,
		      unsigned int steps, bool may_refuse, const char *name)
{
	struct page_coder *c = new_coder(kind);
	uint32_t *numbers = calloc(NR_KEYS, sizeof(*numbers));
	unsigned int nr_refused = 0, i;
	struct store_stats st;
	uint64_t nr = 0;

	for (i = 0; i < steps && one_step(s, c, numbers, keys, &nr_refused); i++)
		;
	for (uint64_t k = 0; k < NR_KEYS; k++)
		nr += numbers[k] != 0;
	store_get_stats(s, &st);
	ok(i == steps && all_there(s, c, numbers), "%s: as the array", name);
	ok(st.nr_pages == nr && nr == st.nr_same + st.nr_mem + st.nr_far,
	   "%s: every page is counted once", name);
	ok(may_refuse ? nr_refused > 0 : !nr_refused, "%s: %u were refused",
	   name, nr_refused);
	for (uint64_t k = 0; k < NR_KEYS; k++)
		store_drop(s, k);
	store_get_stats(s, &st);
	ok(!st.nr_pages && !st.mem_block_bytes && !st.far_used_bytes &&
	   !st.far_live_bytes,
	   "%s: nothing is left behind", name);
	free(numbers);
	page_coder_free(c);
}

static void test_random(void)
{
	static const enum page_kind kinds[] = { PAGE_RAW, PAGE_LZ4, PAGE_ZSTD };
	static const char *const names[] = { "raw", "lz4", "zstd" };
	struct store_stats st;

	for (int i = 0; i < 3; i++) {
		struct store *s = new_store(64 * MIB, NULL);

		run_steps(s, kinds[i], NR_KEYS, 40000, false, names[i]);
		store_free(s);
	}
	for (int i = 0; i < 3; i++) {
		static const uint64_t mib[] = { 16, 12, 6 };
		struct store *s = new_store(MIB,
					    &faulty_new(mib[i] * MIB)->dev);

		run_steps(s, kinds[i], 2000, 40000, false,
			  "with a device, cleaned as it goes");
		store_get_stats(s, &st);
		ok(st.nr_demoted && st.nr_cleaned && st.nr_gets_far,
		   "pages went there (%llu), were moved (%llu) and read (%llu)",
		   (unsigned long long)st.nr_demoted,
		   (unsigned long long)st.nr_cleaned,
		   (unsigned long long)st.nr_gets_far);
		store_free(s);
	}
	for (int i = 0; i < 2; i++) {
		struct store *s = new_store(MIB, i ? &faulty_new(4 * MIB)->dev :
						     NULL);

		run_steps(s, PAGE_LZ4, NR_KEYS, 40000, true,
			  i ? "full device" : "full memory");
		store_free(s);
	}
}

static void put_all(struct store *s, struct page_coder *c, uint32_t *numbers,
		    uint64_t nr)
{
	uint8_t page[STORE_PAGE_SIZE];

	for (uint64_t k = 0; k < nr; k++) {
		fill(page, numbers[k] = 4 * k + 3);
		if (store_put(s, c, k, page))
			numbers[k] = 0;
	}
}

static void test_failures(void)
{
	struct faulty *f = faulty_new(64 * MIB);
	struct store *s = new_store(MIB, &f->dev);
	struct page_coder *c = new_coder(PAGE_LZ4);
	static uint32_t numbers[NR_KEYS];
	uint8_t page[STORE_PAGE_SIZE];
	struct store_stats st;
	uint64_t kept = 0;

	f->fail_write = true;
	put_all(s, c, numbers, 1000);
	for (uint64_t k = 0; k < 1000; k++)
		kept += numbers[k] != 0;
	store_get_stats(s, &st);
	ok(kept > 200 && kept < 260 && st.nr_write_errors && !st.nr_far,
	   "a device that can't be written to: what memory takes is put (%llu)",
	   (unsigned long long)kept);
	ok(all_there(s, c, numbers), "and is there");
	f->fail_write = false;
	put_all(s, c, numbers, 1000);
	store_get_stats(s, &st);
	ok(st.nr_far > 700 && all_there(s, c, numbers),
	   "it can again: all is there");
	f->fail_read = true;
	is_int(store_get(s, c, 0, page), -EIO, "it can't be read: an error");
	f->fail_read = false;
	ok(all_there(s, c, numbers), "it can again: nothing is lost");
	f->forget = true;
	memset(page, 1, sizeof(page));
	is_int(store_get(s, c, 0, page), -EBADMSG, "it lies: an error");
	store_get_stats(s, &st);
	ok(st.nr_damaged == 1 && st.nr_read_errors == 1, "both are counted");
	store_free(s);
	page_coder_free(c);
}

static void test_config(void)
{
	struct store_config config = { .nr_keys = 1, .mem_bytes = 1000 };
	struct page_coder *c = new_coder(PAGE_LZ4);
	uint8_t page[STORE_PAGE_SIZE] = { 0 };
	struct store_device *dev;
	struct store *s;
	char why[256], path[] = "/tmp/vmm-store-XXXXXX";
	int fd = mkstemp(path);

	is_int(store_new(&s, &config), -EINVAL, "too little memory is refused");
	is_int(store_file_open(&dev, path, MIB, why, sizeof(why)), -EEXIST,
	       "a file that is there is not taken");
	close(fd);
	unlink(path);
	is_int(store_file_open(&dev, path, 0, why, sizeof(why)), -EINVAL,
	       "a file needs a size");
	is_int(store_nbd_open(&dev, "nbd+unix:///?socket=/nonexistent", 0, why,
			      sizeof(why)) < 0 && strstr(why, "/nonexistent"),
	       1, "a server that is not there is named");
	ok(!store_file_open(&dev, path, 8 * MIB, why, sizeof(why)) &&
	   access(path, F_OK), "a file leaves nothing behind");
	config.mem_bytes = MIB;
	config.device = dev;
	is_int(store_new(&s, &config), 0, "a store on it");
	is_int(store_put(s, c, 1, page), -EINVAL, "a key too many");
	is_int(store_get(s, c, 1, page), -ENOENT, "nothing is there");
	store_free(s);
	page_coder_free(c);
}

struct worker {
	struct store *store;
	uint64_t first, nr, seed;
	bool ok;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct page_coder *c = new_coder(PAGE_LZ4);
	uint32_t *numbers = calloc(w->nr, sizeof(*numbers));
	uint8_t page[STORE_PAGE_SIZE];
	uint64_t x = w->seed;

	w->ok = true;
	for (unsigned int i = 0; i < 6000; i++) {
		uint64_t k;

		x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
		k = (x >> 33) % w->nr;
		if (x >> 60 < 8) {
			numbers[k] = 1 + (x >> 35);
			fill(page, numbers[k]);
			if (store_put(w->store, c, w->first + k, page))
				numbers[k] = 0;
		} else if (x >> 60 == 8) {
			store_drop(w->store, w->first + k);
			numbers[k] = 0;
		} else if (numbers[k]) {
			w->ok &= is_there(w->store, c, w->first + k,
					  numbers[k]);
		}
	}
	free(numbers);
	page_coder_free(c);
	return NULL;
}

static void test_threads(void)
{
	struct store *s = new_store(MIB, &faulty_new(32 * MIB)->dev);
	struct worker w[4];
	pthread_t t[4];
	bool all = true;

	for (int i = 0; i < 4; i++) {
		w[i] = (struct worker){ s, 1024 * i, 1024, i + 1, false };
		if (pthread_create(&t[i], NULL, work, &w[i]))
			tap_bail("no thread");
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		all &= w[i].ok;
	}
	ok(all, "four threads, each with its own keys");
	store_free(s);
}

int main(void)
{
	test_coders();
	test_random();
	test_failures();
	test_config();
	test_threads();
	return tap_done();
}
