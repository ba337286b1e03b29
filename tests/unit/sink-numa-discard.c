// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A page that is given back while the NUMA sink moves it: afterwards it is not
 * allocated, neither evicted nor counted as in swap.  Also pages that a
 * previous sink has moved.  Only the order of events and the sink's state
 * matter here, so a host with one node suffices: our own functions wrap those
 * that query nodes and move pages (-Wl,--wrap).
 */
#include "config.h"

#include <errno.h>
#include <numaif.h>
#include <pthread.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/sink/sink.h"

#define G  300u
#define NR 8u
#define MOVED 3000u	/* not among the first that are asked for */
#define LARGE 4096u	/* pages of the memory that they are in */

static struct guest_mem *mem;
static pthread_t thread;
static bool started, done;	/* done: atomic */
static atomic_bool stopping;
static uint64_t nr_asked, stop_after;	/* pages, where they are */
static bool moved_before;	/* MOVED .. MOVED + NR - 1, to node 1 */

uint64_t __wrap_host_numa_nodes(void);
long __wrap_move_pages(int pid, unsigned long nr, void **pages,
		       const int *nodes, int *status, int flags);

uint64_t __wrap_host_numa_nodes(void)
{
	return 3;
}

static void *discard(void *arg)
{
	if (guest_mem_discard(mem, (struct gfn_range){ GFN(G), NR }))
		tap_bail("it is not given back");
	__atomic_store_n(&done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* All have moved; and before that is noted, the guest discards them. */
long __wrap_move_pages(int pid, unsigned long nr, void **pages,
		       const int *nodes, int *status, int flags)
{
	const char *first = nodes ? NULL :
		guest_mem_ptr(mem, gfn_to_gpa(GFN(MOVED)), 1);

	for (unsigned long i = 0; i < nr; i++)
		status[i] = nodes ? nodes[i] : moved_before &&
			(const char *)pages[i] >= first &&
			(const char *)pages[i] < first + NR * VMM_PAGE_SIZE;
	if (!nodes) {
		nr_asked += nr;
		if (nr_asked >= stop_after)
			stopping = true;
		return 0;	/* a look where they are */
	}
	if (!started && pthread_create(&thread, NULL, discard, NULL))
		tap_bail("no thread");
	started = true;
	/* As far as it gets: it waits for us, if all is well. */
	for (int i = 0; i < 200 && !__atomic_load_n(&done, __ATOMIC_ACQUIRE);
	     i++)
		usleep(1000);
	return 0;
}

/*
 * To look where all pages are takes seconds in a large guest: it is done by the
 * engine's thread, and ends with it.
 */
static void check_look(struct reclaim_sink *sink)
{
	const uint64_t nr = guest_mem_nr_pages(mem);

	ok(nr_asked <= nr / 2, "to open it asks where %llu of %llu pages are",
	   (unsigned long long)nr_asked, (unsigned long long)nr);
	if (!sink->ops->find_evicted)
		return;
	sink->stopping = &stopping;
	nr_asked = 0;
	stop_after = 1;
	is_int(sink->ops->find_evicted(sink), -ECANCELED,
	       "a stop ends the look");
	ok(nr_asked && nr_asked <= 512, "after %llu pages",
	   (unsigned long long)nr_asked);
	stopping = false;
	stop_after = UINT64_MAX;
	is_int(sink->ops->find_evicted(sink), 0, "it goes on");
	ok(nr_asked <= nr, "with what was not looked at");
	nr_asked = 0;
	ok(!sink->ops->find_evicted(sink) && !nr_asked, "and is done once");
}

static uint64_t nr_away(uint64_t from, uint64_t end)
{
	uint64_t nr = 0;

	for (uint64_t g = from; g < end; g++)
		nr += guest_mem_is_evicted(mem, GFN(g));
	return nr;
}

static void test_moved_before(enum guest_mem_backing backing)
{
	const struct gfn_range r = { GFN(MOVED), NR };
	struct reclaim_sink *sink;
	char why[256];

	moved_before = true;
	started = true;		/* nobody gives anything back here */
	done = true;
	nr_asked = 0;
	stopping = false;
	stop_after = UINT64_MAX;
	if (guest_mem_new(&mem, LARGE << VMM_PAGE_SHIFT, backing) ||
	    sink_numa.open(&sink, mem, "to=1,from=0", why, sizeof(why)))
		tap_bail("no sink");
	check_look(sink);
	ok(nr_away(MOVED, MOVED + NR) == NR && nr_away(0, LARGE) == NR,
	   "what a sink before this one moved is away, and nothing else");
	ok(!sink->ops->prefetch(sink, &r, 1) && !nr_away(0, LARGE),
	   "and can be fetched");
	sink->ops->close(sink);
	guest_mem_free(mem);
	moved_before = false;
}

int main(void)
{
	static const enum guest_mem_backing backings[] = {
		GUEST_MEM_ANON, GUEST_MEM_MEMFD,
	};
	const struct gfn_range r = { GFN(G), NR };

	for (unsigned int b = 0; b < 2; b++) {
		struct reclaim_result res = { 0 };
		struct reclaim_sink *sink;
		char why[256];
		uint8_t *p;

		started = done = false;
		if (guest_mem_new(&mem, 4 << 20, backings[b]) ||
		    sink_numa.open(&sink, mem, "to=1,from=0", why, sizeof(why)))
			tap_bail("no sink");
		p = guest_mem_ptr(mem, gfn_to_gpa(GFN(G)), NR * VMM_PAGE_SIZE);
		for (unsigned int i = 0; i < NR; i++)
			p[i * VMM_PAGE_SIZE] = 1;
		is_int(sink->ops->evict(sink, &r, 1, &res), 0, "pages are given "
		       "back while they move");
		pthread_join(thread, NULL);
		ok(!nr_away(G, G + NR) && !p[0], "none of them counts as away");
		sink->ops->close(sink);
		guest_mem_free(mem);
		test_moved_before(backings[b]);
	}
	return tap_done();
}
