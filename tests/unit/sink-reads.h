/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sink whose reads fail as a test requires: our own function wraps
 * store_get() (-Wl,--wrap).  Also many threads that wait for pages.
 */
#ifndef TESTS_UNIT_SINK_READS_H
#define TESTS_UNIT_SINK_READS_H

#include <errno.h>
#include <poll.h>
#include <signal.h>

#include "tests/unit/sink-fixture.h"

#define NR_MANY	 400u		/* threads that wait at once */
#define TURN_MAX 16		/* tries; of sink-store-trouble.c */

static struct world w;
/* Reads of pages below fail; in each read hook is called, if it is set. */
static uint64_t fail_below;	/* atomic */
static uint64_t nr_failed;	/* atomic; reads */
static uint64_t failed_by_page[NR_MANY];	/* atomic */
static void (*hook)(uint64_t key);

int __real_store_get(struct store *s, struct page_coder *c, uint64_t key,
		     void *page);
int __wrap_store_get(struct store *s, struct page_coder *c, uint64_t key,
		     void *page);

static inline uint64_t load64(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void fail_pages_below(uint64_t gfn)
{
	__atomic_store_n(&fail_below, gfn, __ATOMIC_RELEASE);
}

int __wrap_store_get(struct store *s, struct page_coder *c, uint64_t key,
		     void *page)
{
	void (*fn)(uint64_t key) = __atomic_load_n(&hook, __ATOMIC_ACQUIRE);

	if (fn)
		fn(key);
	if (key >= load64(&fail_below))
		return __real_store_get(s, c, key, page);
	__atomic_fetch_add(&nr_failed, 1, __ATOMIC_ACQ_REL);
	if (key < NR_MANY)
		__atomic_fetch_add(&failed_by_page[key], 1, __ATOMIC_ACQ_REL);
	return -EIO;
}

static inline void set_hook(void (*fn)(uint64_t key))
{
	__atomic_store_n(&hook, fn, __ATOMIC_RELEASE);
}

static struct toucher many[NR_MANY];

static inline bool nr_waiting_is(void *arg)
{
	return world_stats(&w).nr_waiting == *(const uint64_t *)arg;
}

static inline bool waits_for(uint64_t nr)
{
	return wait_until(nr_waiting_is, &nr);
}

static inline void fill_and_evict(uint64_t first, uint64_t nr)
{
	for (uint64_t g = first; g < first + nr; g++)
		set_number(&w, g, g + 1);
	if (world_evict(&w, first, nr) != nr)
		tap_bail("not all are evicted");
}

/* Messages wait in the shard's userfaultfd, until its thread takes them. */
static inline bool fault_is_queued(void *arg)
{
	struct pollfd fd = { .fd = store_sink(&w)->faults->shards[0].fd,
			     .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

static inline void start_many(void)
{
	fill_and_evict(0, NR_MANY + 1);
	fail_pages_below(NR_MANY);
	for (unsigned int i = 0; i < NR_MANY; i++)
		toucher_start(&many[i], &w, i);
	ok(waits_for(NR_MANY), "%u pages are waited for", NR_MANY);
}

static inline void on_alarm(int sig)
{
	static const char text[] = "Bail out! it hangs\n";

	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(98);
	_exit(99);
}

#endif
