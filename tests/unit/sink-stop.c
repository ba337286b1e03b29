// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sink ends while threads wait for pages that can't be read, and while
 * faults arrive: it waits for none of these.  Also the log lines of many
 * waiting pages.
 */
#include "config.h"

#include "tests/unit/sink-reads.h"
#include "tests/unit/stderr-lines.h"

static uint64_t nr_slow, reads_after_stop;	/* atomic */

/* A device that is slow to say no. */
static void be_slow(uint64_t key)
{
	__atomic_fetch_add(&nr_slow, 1, __ATOMIC_ACQ_REL);
	usleep(5000);
	if (__atomic_load_n(&store_sink(&w)->faults->stopping,
			    __ATOMIC_ACQUIRE))
		__atomic_fetch_add(&reads_after_stop, 1, __ATOMIC_ACQ_REL);
}

static void test_stop(void)
{
	world_open(&w, 8 * MIB, GUEST_MEM_ANON, "shards=1");
	start_many();
	set_hook(be_slow);
	/* In the middle of a pass. */
	while (load64(&nr_slow) < 10)
		usleep(1000);
	w.sink->ops->close(w.sink);
	set_hook(NULL);
	ok(load64(&reads_after_stop) <= TURN_MAX, "stopping waits for %llu "
	   "tries, not for the pages",
	   (unsigned long long)load64(&reads_after_stop));
	for (unsigned int i = 0; i < NR_MANY; i++)
		toucher_join(&many[i]);
	fail_pages_below(0);
	guest_mem_free(w.mem);
}

static unsigned int stop_stage;	/* of the shard's thread */
static bool have_gathered;	/* atomic */
static uint64_t reads_in_batch;	/* atomic; after stopping */
static pthread_t closer;

static void *close_sink(void *arg)
{
	w.sink->ops->close(w.sink);
	return NULL;
}

/* Faults gather while the first is served; stop comes with the next of them. */
static void stop_in_batch(uint64_t key)
{
	switch (stop_stage++) {
	case 0:
		for (unsigned int i = 1; i <= FAULTS_BATCH; i++)
			toucher_start(&many[i], &w, i);
		__atomic_store_n(&have_gathered, true, __ATOMIC_RELEASE);
		if (!wait_until(fault_is_queued, NULL))
			tap_bail("no fault");
		usleep(200000);
		break;
	case 1:
		start_thread(&closer, close_sink, NULL);
		while (!__atomic_load_n(&store_sink(&w)->faults->stopping,
					__ATOMIC_ACQUIRE))
			usleep(1000);
		break;
	default:
		__atomic_fetch_add(&reads_in_batch, 1, __ATOMIC_ACQ_REL);
	}
}

/*
 * Threads that fault at the same time are no longer served one by one, either.
 */
static void test_stop_batch(void)
{
	world_open(&w, 8 * MIB, GUEST_MEM_ANON, "shards=1");
	fill_and_evict(0, FAULTS_BATCH + 1);
	set_hook(stop_in_batch);
	toucher_start(&many[0], &w, 0);
	while (!is_done(&have_gathered))
		usleep(1000);
	for (unsigned int i = 0; i <= FAULTS_BATCH; i++)
		toucher_join(&many[i]);
	pthread_join(closer, NULL);
	set_hook(NULL);
	is_int(load64(&reads_in_batch), 0, "nor for faults that came at once");
	guest_mem_free(w.mem);
}

/*
 * An engine that is to stop waits for no more pages, each of which may take a
 * slow device a second; those that were not put stay, and can be evicted later.
 */
static void test_stop_evicting(void)
{
	const struct gfn_range r = { GFN(0), NR_MANY };
	struct reclaim_result res = { 0 };
	atomic_bool stopping;

	world_open(&w, 8 * MIB, GUEST_MEM_ANON, "shards=1");
	for (uint64_t g = 0; g < NR_MANY; g++)
		*words_at(&w, g) = g + 1;
	atomic_init(&stopping, true);
	w.sink->stopping = &stopping;
	is_int(w.sink->ops->evict(w.sink, &r, 1, &res), -ECANCELED,
	       "an eviction is cancelled when the engine stops");
	is_int((long)res.evicted, 0, "no page is evicted after that");
	is_int((long)world_stats(&w).store.nr_puts, 0, "nor stored");
	atomic_store(&stopping, false);
	is_int((long)world_evict(&w, 0, NR_MANY), NR_MANY,
	       "and all can be evicted later");
	for (uint64_t g = 0; g < NR_MANY; g++)
		if (*words_at(&w, g) != g + 1)
			tap_bail("page %llu is another", (unsigned long long)g);
	world_close(&w);
}

int main(void)
{
	signal(SIGALRM, on_alarm);
	alarm(900);
	world_require();
	catch_stderr();
	test_stop();
	is_int(count_lines("cannot read back"), 1,
	       "one line for all pages that were waited for");
	forget_lines();
	test_stop_batch();
	test_stop_evicting();
	return tap_done();
}
