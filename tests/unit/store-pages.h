/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages by number, and operations on them for tests of the store. */
#ifndef TESTS_UNIT_STORE_PAGES_H
#define TESTS_UNIT_STORE_PAGES_H

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/store/store.h"
#include "vmm/util/clock.h"

#define MIB UINT64_C(0x100000)

/* Random, so that no codec makes it smaller. */
__attribute__((unused)) static void fill_random(void *page, uint32_t number)
{
	uint64_t x = number * UINT64_C(0x9e3779b97f4a7c15) + 1;

	for (unsigned int i = 0; i < STORE_PAGE_SIZE; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy((char *)page + i, &x, 8);
	}
}

__attribute__((unused)) static struct store *
new_store_on(uint64_t nr_keys, uint64_t mem, struct store_device *dev,
	     uint64_t timeout_ns)
{
	const struct store_config config = {
		.nr_keys = nr_keys, .mem_bytes = mem, .device = dev,
		.timeout_ns = timeout_ns,
	};
	struct store *s;

	if (store_new(&s, &config))
		tap_bail("no store");
	return s;
}

__attribute__((unused)) static struct page_coder *
new_page_coder(enum page_kind kind)
{
	struct page_coder *c;

	if (page_coder_new(&c, kind, 0))
		tap_bail("no coder");
	return c;
}

/* Puts page `number` at key; numbers[key] is then what is there, or 0. */
__attribute__((unused)) static int put_number(struct store *s,
					      struct page_coder *c,
					      uint32_t *numbers, uint64_t key,
					      uint32_t number)
{
	uint8_t page[STORE_PAGE_SIZE];
	int rc;

	fill_random(page, number);
	rc = store_put(s, c, key, page);
	numbers[key] = rc ? 0 : number;
	return rc;
}

/* 0: it is what was put; -EILSEQ: it is not; or what store_get() says. */
__attribute__((unused)) static int check_number(struct store *s,
						struct page_coder *c,
						uint64_t key, uint32_t number)
{
	uint8_t page[STORE_PAGE_SIZE], want[STORE_PAGE_SIZE];
	int rc = store_get(s, c, key, page);

	if (!number)
		return rc == -ENOENT ? 0 : -EILSEQ;
	if (rc)
		return rc;
	fill_random(want, number);
	return memcmp(page, want, sizeof(page)) ? -EILSEQ : 0;
}

/* numbers: of the keys from `first`.  Passing errors are tried for minutes. */
__attribute__((unused)) static int check_all(struct store *s,
					     struct page_coder *c,
					     uint64_t first,
					     const uint32_t *numbers,
					     uint64_t nr)
{
	uint64_t until = clock_now_ns() + 120 * NSEC_PER_SEC;
	int rc = 0;

	for (uint64_t k = 0; k < nr; k++)
		while ((rc = check_number(s, c, first + k,
					  numbers[k]))) {
			if (rc == -EILSEQ || rc == -EBADMSG || rc == -ENOENT ||
			    clock_now_ns() > until) {
				printf("# page %llu: %s\n",
				       (unsigned long long)(first + k),
				       strerror(-rc));
				return rc;
			}
			usleep(20000);
		}
	return rc;
}

__attribute__((unused)) static struct store_stats store_stats_of(struct store *s)
{
	struct store_stats st;

	store_get_stats(s, &st);
	return st;
}

#endif
