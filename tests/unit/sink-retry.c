// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages that can't be read for a while: a thread that touched one waits, and
 * continues when it can be read again, whatever else the shard has to do; no
 * other thread waits for that.  With a server that fails, and where the exact
 * order of events matters, with reads that fail on the test's command.
 */
#include "config.h"

#include "tests/unit/nbd-server.h"
#include "tests/unit/sink-reads.h"

#define NR_PAGES    600u	/* more than memory has room for */
#define TURN_MAX_NS (20 * NSEC_PER_MSEC)	/* of sink-store-trouble.c */

/* We evict and load another page of the shard all the time. */
static bool churn_until(bool (*is)(void *arg), void *arg)
{
	uint64_t give_up = clock_now_ns() + GIVE_UP_NS;
	bool right = true;

	while (!is(arg) && clock_now_ns() < give_up) {
		world_evict(&w, 5000, 1);
		right &= has_number(&w, 5000, 0x5000);
	}
	return right && is(arg);
}

/* Of the device, beyond *arg. */
static bool has_failed_more(void *arg)
{
	return world_stats(&w).store.nr_read_errors > *(uint64_t *)arg;
}

static void check_error(uint64_t since)
{
	struct reclaim_sink_stats s = world_stats(&w);

	ok(strstr(s.last_error, "cannot read back frame 0x0") &&
	   strstr(s.last_error, strerror(EIO)) && s.last_error_ns >= since &&
	   s.last_error_ns <= clock_now_ns(), "the last error is: %s",
	   s.last_error);
}

/* A server that fails, while the shard has other faults all the time. */
static void test_server(void)
{
	uint64_t before, since = clock_now_ns();
	struct toucher t = { 0 };
	struct nbd_server server;
	char options[160], error_file[80];
	const char *const args[] = {
		"--filter=error", "memory", "64M", "error-pread-rate=100%",
		error_file, NULL,
	};

	nbd_server_new(&server);
	snprintf(error_file, sizeof(error_file), "error-file=%s",
		 server.error_file);
	nbd_server_start(&server, args);
	snprintf(options, sizeof(options), "codec=none,mem=1M,shards=1,"
		 "timeout=60s,nbd=%s",
		 server.uri);
	world_open(&w, 32 * MIB, GUEST_MEM_MEMFD, options);
	ok(!world_stats(&w).last_error[0] && !world_stats(&w).last_error_ns,
	   "nothing has failed yet");
	fill_and_evict(0, NR_PAGES);
	set_number(&w, 5000, 0x5000);
	nbd_server_fail(&server, true);
	toucher_start(&t, &w, 0);
	ok(waits_for(1), "the server fails: who touches a page waits");
	check_error(since);
	before = world_stats(&w).store.nr_read_errors + 3;
	ok(churn_until(has_failed_more, &before) && !is_done(&t.done),
	   "it is tried again while the shard has other faults");
	nbd_server_fail(&server, false);
	ok(churn_until(toucher_is_done, &t), "the server works again: the page "
	   "is back");
	toucher_join(&t);
	ok(t.value == word(1, 0) && !world_stats(&w).nr_waiting,
	   "it is what it was, and nothing is waited for");
	world_close(&w);
	nbd_server_free(&server);
}

/* Each page counts once, as long as it is not back, not gone. */
static void test_count(void)
{
	struct toucher t[5] = { 0 };
	uint64_t reads;

	world_open(&w, 8 * MIB, GUEST_MEM_MEMFD, "shards=1");
	fill_and_evict(0, 4);
	fail_pages_below(3);
	for (unsigned int i = 0; i < 5; i++)
		toucher_start(&t[i], &w, i % 3);
	ok(waits_for(3), "five threads wait for three pages");
	reads = load64(&nr_failed);
	is_int(world_discard(&w, 0, 1), 0, "one of them is given back");
	toucher_join(&t[0]);
	toucher_join(&t[3]);
	ok(!t[0].value && !t[3].value && world_stats(&w).nr_waiting == 2,
	   "who waited for it reads zeros, and two are left");
	fail_pages_below(2);
	is_int(world_prefetch(&w, 2, 2), 0, "another is brought back");
	toucher_join(&t[2]);
	ok(t[2].value == word(3, 0) && world_stats(&w).nr_waiting == 1,
	   "who waited for it has it, and one is left");
	is_int(world_prefetch(&w, 1, 1), -EIO, "the last can't be");
	is_int(world_stats(&w).nr_waiting, 1, "and is left");
	fail_pages_below(0);
	toucher_join(&t[1]);
	toucher_join(&t[4]);
	ok(t[1].value == word(2, 0) && t[4].value == t[1].value &&
	   !world_stats(&w).nr_waiting, "it can be read: none is left");
	ok(reads && !world_stats(&w).store.nr_pages, "and nothing is stored");
	fill_and_evict(4, 4);
	fail_pages_below(8);
	reads = load64(&nr_failed);
	is_int(world_prefetch(&w, 4, 4), -EIO, "four can't be brought back");
	is_int(load64(&nr_failed) - reads, 1, "which the first of them tells");
	fail_pages_below(0);
	world_close(&w);
}

static bool called_again;	/* atomic */
static struct guest_faults *asked;	/* atomic */

static void ask_twice(void *arg, unsigned int shard, gfn_t gfn)
{
	struct guest_faults *faults = __atomic_load_n(&asked,
						      __ATOMIC_ACQUIRE);

	guest_faults_retry_after(faults, shard, 3600 * NSEC_PER_SEC);
	guest_faults_retry_after(faults, shard, 0);
	guest_faults_zero(faults, gfn);
}

static void on_again(void *arg, unsigned int shard)
{
	__atomic_store_n(&called_again, true, __ATOMIC_RELEASE);
}

static bool was_called_again(void *arg)
{
	return is_done(&called_again);
}

/* Who asks for an earlier time has it. */
static void test_again(void)
{
	static const struct guest_faults_ops ops = {
		.missing = ask_twice, .retry = on_again,
	};
	struct guest_faults *faults;
	char why[256];

	if (guest_mem_new(&w.mem, 2 * MIB, GUEST_MEM_ANON) ||
	    guest_faults_new(&faults, w.mem, 1, &ops, NULL, why,
			     sizeof(why)) ||
	    guest_faults_watch(faults, (struct gfn_range){ GFN(0), 1 }))
		tap_bail("no faults");
	__atomic_store_n(&asked, faults, __ATOMIC_RELEASE);
	ok(has_number(&w, 0, 0) && wait_until(was_called_again, NULL),
	   "of two times to try again the earlier counts");
	guest_faults_free(faults);
	guest_mem_free(w.mem);
}

static struct toucher quick;

static uint64_t reads_before_quick, reads_at_quick;	/* atomic */
static uint64_t read_us;	/* atomic; what a failing read takes */

/* In the first read of a turn somebody touches a page that can be read. */
static void touch_quick(uint64_t key)
{
	if (key >= NR_MANY) {
		__atomic_store_n(&reads_at_quick, load64(&nr_failed),
				 __ATOMIC_RELEASE);
		return;
	}
	usleep(load64(&read_us));
	if (key || load64(&reads_before_quick))
		return;
	toucher_start(&quick, &w, NR_MANY);
	if (!wait_until(fault_is_queued, NULL))
		tap_bail("no fault");
	__atomic_store_n(&reads_before_quick, load64(&nr_failed) + 1,
			 __ATOMIC_RELEASE);
}

static void check_quick(uint64_t us, uint64_t most)
{
	uint64_t reads;

	__atomic_store_n(&read_us, us, __ATOMIC_RELEASE);
	__atomic_store_n(&reads_before_quick, 0, __ATOMIC_RELEASE);
	set_hook(touch_quick);
	while (!load64(&reads_before_quick))
		usleep(1000);
	toucher_join(&quick);
	set_hook(NULL);
	reads = load64(&reads_at_quick) - load64(&reads_before_quick);
	ok(reads <= most, "who touches another page is served after %llu more "
	   "tries of %llu us", (unsigned long long)reads,
	   (unsigned long long)us);
}

static bool all_tried_again(void *arg)
{
	const uint64_t *before = arg;

	for (unsigned int i = 0; i < NR_MANY; i++)
		if (load64(&failed_by_page[i]) < before[i] + 2)
			return false;
	return true;
}

/* With as many as there may be, others are served, and each is tried again. */
static void test_many(void)
{
	uint64_t before[NR_MANY], start, passes;
	unsigned int wrong = 0;

	world_open(&w, 8 * MIB, GUEST_MEM_ANON, "shards=1");
	start_many();
	check_quick(0, TURN_MAX);
	if (world_evict(&w, NR_MANY, 1) != 1)
		tap_bail("not evicted");
	check_quick(5000, TURN_MAX_NS / 5000000 + 1);
	start = clock_now_ns();
	for (unsigned int i = 0; i < NR_MANY; i++)
		before[i] = load64(&failed_by_page[i]);
	ok(wait_until(all_tried_again, before), "each is tried again");
	passes = load64(&failed_by_page[0]) - before[0];
	ok(passes <= 2 + (clock_now_ns() - start) / (90 * NSEC_PER_MSEC),
	   "but not all the time: %llu times", (unsigned long long)passes);
	fail_pages_below(0);
	for (unsigned int i = 0; i < NR_MANY; i++) {
		toucher_join(&many[i]);
		wrong += many[i].value != word(i + 1, 0);
	}
	ok(!wrong && !world_stats(&w).nr_waiting, "they can be read: all "
	   "go on");
	world_close(&w);
}

/* Of the shard's thread; others read them atomically. */
enum { GATHER, HOLD, WAIT_FOR_TURN, HAD_TURN };
static uint64_t due_stage, nr_before_turn;

static void set_stage(uint64_t stage)
{
	__atomic_store_n(&due_stage, stage, __ATOMIC_RELEASE);
}

/*
 * Faults gather during one read, are taken at once, and the next read lasts
 * until page 0 is to be tried again.  What is read from then on, before it is?
 */
static void hold_until_due(uint64_t key)
{
	const struct faults_shard *sh = &store_sink(&w)->faults->shards[0];

	if (!key) {
		if (due_stage == WAIT_FOR_TURN)
			set_stage(HAD_TURN);
		return;
	}
	switch (due_stage) {
	case GATHER:
		for (unsigned int i = 2; i <= FAULTS_BATCH + 1; i++)
			toucher_start(&many[i], &w, i);
		if (!wait_until(fault_is_queued, NULL))
			tap_bail("no fault");
		usleep(200000);
		set_stage(HOLD);
		break;
	case HOLD:
		/* More than what those that are served quickly may take. */
		usleep(50000);
		while (clock_now_ns() < sh->retry_ns)
			usleep(1000);
		set_stage(WAIT_FOR_TURN);
		break;
	case WAIT_FOR_TURN:
		__atomic_fetch_add(&nr_before_turn, 1, __ATOMIC_ACQ_REL);
		break;
	default:
		break;
	}
}

/* Faults that came at once don't have to be served before it, one by one. */
static void test_batch(void)
{
	unsigned int wrong = 0;

	world_open(&w, 8 * MIB, GUEST_MEM_ANON, "shards=1");
	fill_and_evict(0, FAULTS_BATCH + 2);
	fail_pages_below(1);
	toucher_start(&many[0], &w, 0);
	ok(waits_for(1), "a page is waited for");
	set_hook(hold_until_due);
	toucher_start(&many[1], &w, 1);
	while (load64(&due_stage) == GATHER)
		usleep(1000);
	for (unsigned int i = 1; i <= FAULTS_BATCH + 1; i++)
		toucher_join(&many[i]);
	fail_pages_below(0);
	toucher_join(&many[0]);
	set_hook(NULL);
	ok(load64(&due_stage) == HAD_TURN && !load64(&nr_before_turn),
	   "it is tried again when it is due, after %llu more faults",
	   (unsigned long long)load64(&nr_before_turn));
	for (unsigned int i = 0; i <= FAULTS_BATCH + 1; i++)
		wrong += many[i].value != word(i + 1, 0);
	ok(!wrong && !world_stats(&w).nr_waiting, "all go on");
	world_close(&w);
}

static bool all_have_asked(void *arg)
{
	return nr_fault_messages(&w) >= *(const uint64_t *)arg;
}

/* Many threads want one page: it is not read for each of them. */
static void test_one_page(void)
{
	uint64_t want, reads, start = clock_now_ns();
	unsigned int wrong = 0;

	world_open(&w, 8 * MIB, GUEST_MEM_MEMFD, "shards=1");
	fill_and_evict(0, 1);
	fail_pages_below(1);
	reads = load64(&nr_failed);
	want = nr_fault_messages(&w) + NR_MANY;
	for (unsigned int i = 0; i < NR_MANY; i++)
		toucher_start(&many[i], &w, 0);
	ok(wait_until(all_have_asked, &want), "%u threads want one page",
	   NR_MANY);
	reads = load64(&nr_failed) - reads;
	ok(reads <= 2 + (clock_now_ns() - start) / (90 * NSEC_PER_MSEC),
	   "it is read %llu times meanwhile", (unsigned long long)reads);
	is_int(world_stats(&w).nr_waiting, 1, "and counts once");
	fail_pages_below(0);
	for (unsigned int i = 0; i < NR_MANY; i++) {
		toucher_join(&many[i]);
		wrong += many[i].value != word(1, 0);
	}
	is_int(wrong, 0, "then all of them have it");
	world_close(&w);
}

#define NR_PREFETCHED 64u

static uint64_t nr_slow;	/* atomic; reads */

/* Longer than the timeout, though each is answered. */
static void read_slowly(uint64_t key)
{
	__atomic_fetch_add(&nr_slow, 1, __ATOMIC_ACQ_REL);
	usleep(60000);
}

static void open_on_file(const char *timeout)
{
	char dir[] = "/tmp/vmm-sink-retry-XXXXXX", options[160];

	if (!mkdtemp(dir))
		tap_bail("no directory");
	snprintf(options, sizeof(options), "codec=none,mem=1M,shards=1,size=8M,"
		 "timeout=%s,file=%s/far", timeout, dir);
	world_open(&w, 8 * MIB, GUEST_MEM_ANON, options);
	rmdir(dir);
	fill_and_evict(0, NR_PREFETCHED);
}

/* Prefetching is a hint: it does not wait for one slow read after the other. */
static void test_slow_prefetch(void)
{
	bool right = true;

	open_on_file("50ms");
	set_hook(read_slowly);
	is_int(world_prefetch(&w, 0, NR_PREFETCHED), 0, "reads are slow");
	set_hook(NULL);
	ok(load64(&nr_slow) <= 1, "of %u pages it has asked for %llu",
	   NR_PREFETCHED, (unsigned long long)load64(&nr_slow));
	for (uint64_t g = 0; g < NR_PREFETCHED; g++)
		right &= has_number(&w, g, g + 1);
	ok(right, "all come when they are touched");
	world_close(&w);

	open_on_file("60s");
	set_hook(read_slowly);
	is_int(world_prefetch(&w, 0, 4), 0, "within the timeout");
	set_hook(NULL);
	is_int(world_stats(&w).store.nr_pages, NR_PREFETCHED - 4, "all come");
	world_close(&w);
}

static void test_full(void)
{
	uint64_t since = clock_now_ns();
	struct reclaim_sink_stats s;

	world_open(&w, 8 * MIB, GUEST_MEM_ANON, "codec=none,mem=1M");
	for (uint64_t g = 0; g < NR_PAGES; g++)
		set_number(&w, g, g + 1);
	ok(world_evict(&w, 0, NR_PAGES) < NR_PAGES, "a store that is full");
	s = world_stats(&w);
	ok(strstr(s.last_error, "the store is full") &&
	   s.last_error_ns >= since && s.store.nr_full, "says so: %s", s.last_error);
	world_close(&w);
}

int main(void)
{
	signal(SIGALRM, on_alarm);
	alarm(900);
	world_require();
	test_again();
	test_server();
	test_count();
	test_many();
	test_batch();
	test_one_page();
	test_slow_prefetch();
	test_full();
	return tap_done();
}
