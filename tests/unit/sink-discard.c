// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages that the guest discards while the store sink evicts them, loads them,
 * or a thread touches them: afterwards they are zeros, and the store has
 * nothing of them.  Our functions wrap madvise(), store_put() and store_get(),
 * so that each step can be made to happen at that moment (-Wl,--wrap).
 */
#include "config.h"

#include <sys/mman.h>

#include "tests/unit/sink-fixture.h"

#define G 300u		/* the page in question */

static struct world w;
static __thread bool discarding;
/* Called in the discarding thread, before and after the page is dropped. */
static void (*before_drop)(void), (*after_drop)(void);
static void (*after_put)(uint64_t key), (*after_get)(uint64_t key); /* atomic */

int __real_madvise(void *p, size_t len, int advice);
int __wrap_madvise(void *p, size_t len, int advice);
int __real_store_put(struct store *s, struct page_coder *c, uint64_t key,
		     const void *page);
int __wrap_store_put(struct store *s, struct page_coder *c, uint64_t key,
		     const void *page);
int __real_store_get(struct store *s, struct page_coder *c, uint64_t key,
		     void *page);
int __wrap_store_get(struct store *s, struct page_coder *c, uint64_t key,
		     void *page);

static void set(void (**hook)(uint64_t key), void (*fn)(uint64_t key))
{
	__atomic_store_n(hook, fn, __ATOMIC_RELEASE);
}

static void call(void (**hook)(uint64_t key), uint64_t key)
{
	void (*fn)(uint64_t key) = __atomic_load_n(hook, __ATOMIC_ACQUIRE);

	if (fn)
		fn(key);
}

int __wrap_madvise(void *p, size_t len, int advice)
{
	int rc;

	if (discarding && before_drop)
		before_drop();
	rc = __real_madvise(p, len, advice);
	if (discarding && after_drop)
		after_drop();
	return rc;
}

int __wrap_store_put(struct store *s, struct page_coder *c, uint64_t key,
		     const void *page)
{
	int rc = __real_store_put(s, c, key, page);

	call(&after_put, key);
	return rc;
}

int __wrap_store_get(struct store *s, struct page_coder *c, uint64_t key,
		     void *page)
{
	int rc = __real_store_get(s, c, key, page);

	call(&after_get, key);
	return rc;
}

/* What else happens, and whether it has; in a thread of its own. */
static struct {
	pthread_t thread;
	bool done;		/* atomic */
} other;

static void *evict_it(void *arg)
{
	world_evict(&w, G, 1);
	__atomic_store_n(&other.done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void *read_it(void *arg)
{
	has_number(&w, G, 1);
	__atomic_store_n(&other.done, true, __ATOMIC_RELEASE);
	return NULL;
}

/*
 * Lets it run as far as it can: to its end, if no thread holds the shard's
 * lock.
 */
static void let_other_run(void *(*fn)(void *))
{
	pthread_mutex_t *lock = &sink_store_shard(store_sink(&w), GFN(G))->lock;
	uint64_t give_up = clock_now_ns() + GIVE_UP_NS;
	unsigned int nr_held = 0;

	other.done = false;
	start_thread(&other.thread, fn, NULL);
	while (!is_done(&other.done) && nr_held < 20 &&
	       clock_now_ns() < give_up) {
		usleep(1000);
		if (pthread_mutex_trylock(lock))
			nr_held++;
		else
			pthread_mutex_unlock(lock);
	}
}

static void evict_before_drop(void)
{
	before_drop = NULL;
	let_other_run(evict_it);
}

static void read_after_drop(void)
{
	after_drop = NULL;
	let_other_run(read_it);
}

static int discard_it(void)
{
	int rc;

	discarding = true;
	rc = world_discard(&w, G, 1);
	discarding = false;
	return rc;
}

static void check_zeros(const char *name, const char *what)
{
	struct reclaim_sink_stats s = world_stats(&w);

	ok(has_number(&w, G, 0), "%s: %s: it reads as zeros", name, what);
	ok(!s.store.nr_pages && !s.nr_waiting &&
	   !guest_mem_is_evicted(w.mem, GFN(G)),
	   "%s: %s: the store has nothing", name, what);
	set_number(&w, G, 2);
	ok(world_evict(&w, G, 1) == 1 && has_number(&w, G, 2),
	   "%s: %s: it can be used and evicted again", name, what);
}

static void open_with_page(enum guest_mem_backing backing, bool evicted)
{
	world_open(&w, 8 * MIB, backing, "shards=1");
	set_number(&w, G, 1);
	if (evicted && world_evict(&w, G, 1) != 1)
		tap_bail("not evicted");
}

/* An eviction just before the page is dropped, or a touch just after. */
static void test_drop(enum guest_mem_backing backing, const char *name)
{
	open_with_page(backing, false);
	before_drop = evict_before_drop;
	is_int(discard_it(), 0, "a page is evicted while it is given back");
	pthread_join(other.thread, NULL);
	check_zeros(name, "evicted while it is given back");
	world_close(&w);

	open_with_page(backing, true);
	after_drop = read_after_drop;
	is_int(discard_it(), 0, "a page is touched while it is given back");
	pthread_join(other.thread, NULL);
	check_zeros(name, "touched while it is given back");
	world_close(&w);
}

static void discard_after(uint64_t key)
{
	set(&after_put, NULL);
	set(&after_get, NULL);
	if (key != G || discard_it())
		tap_bail("it is not given back");
}

static void test_copied(enum guest_mem_backing backing, const char *name)
{
	open_with_page(backing, false);
	set(&after_put, discard_after);
	is_int(world_evict(&w, G, 1), 1, "a page is given back while it is "
	       "evicted");
	check_zeros(name, "given back while it is evicted");
	world_close(&w);
}

static void test_loaded(enum guest_mem_backing backing, const char *name)
{
	struct toucher t = { 0 };

	open_with_page(backing, true);
	set(&after_get, discard_after);
	toucher_start(&t, &w, G);
	toucher_join(&t);
	is_int(t.value, 0, "a page is given back while it is loaded");
	check_zeros(name, "given back while it is loaded");
	world_close(&w);

	open_with_page(backing, true);
	set(&after_get, discard_after);
	is_int(world_prefetch(&w, G, 1), 0, "a page is given back while it is "
	       "brought back");
	check_zeros(name, "given back while it is brought back");
	world_close(&w);
}

/* All kinds of pages in a range across the blocks of two shards. */
static void test_ranges(enum guest_mem_backing backing, const char *name)
{
	const uint64_t border = UINT64_C(1) << 14, from = border - 700;
	unsigned int bad = 0;

	world_open(&w, 132 * MIB, backing, "shards=2");
	for (uint64_t g = from - 1; g <= from + 1400; g++)
		set_number(&w, g, 1 + g - from);
	world_evict(&w, from + 100, 300);
	world_evict(&w, border - 10, 600);
	is_int(world_discard(&w, from, 1400), 0, "a range of two shards");
	ok(!world_stats(&w).store.nr_pages, "%s: the store has none of it",
	   name);
	for (uint64_t g = from; g < from + 1400; g++)
		bad += !has_number(&w, g, 0);
	ok(!bad && has_number(&w, from - 1, 0) &&
	   has_number(&w, from + 1400, 1401), "%s: all of it is zeros, and "
	   "nothing else is", name);
	world_close(&w);
}

#define BLOCK	  256u		/* pages of one thread */
#define NR_OWNERS 3u
#define OPERATIONS 1500u

struct owner {
	uint64_t first, seed, nr_discards, nr_wrong;
	uint32_t numbers[BLOCK];
	bool stop;		/* atomic */
	pthread_t thread;
};

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *seed >> 33;
}

static void owner_discard(struct owner *o)
{
	uint64_t i = next_random(&o->seed) % BLOCK;
	uint64_t nr = 1 + next_random(&o->seed) % 32;

	if (nr > BLOCK - i)
		nr = BLOCK - i;
	o->nr_wrong += world_discard(&w, o->first + i, nr) != 0;
	for (uint64_t k = i; k < i + nr; k++)
		o->numbers[k] = 0;
	/* At once: an eviction may be under way. */
	o->nr_wrong += !has_number(&w, o->first + i, 0);
	o->nr_discards++;
}

static void *own(void *arg)
{
	struct owner *o = arg;
	uint64_t i;

	while (!is_done(&o->stop)) {
		i = next_random(&o->seed) % BLOCK;
		switch (next_random(&o->seed) % 4) {
		case 0:
			owner_discard(o);
			break;
		case 1:
			set_number(&w, o->first + i, ++o->numbers[i]);
			break;
		default:
			o->nr_wrong += !has_number(&w, o->first + i,
						   o->numbers[i]);
		}
	}
	return NULL;
}

/* Until enough has happened, however long that takes. */
static void disturb(void)
{
	uint64_t seed = 5, nr_evicted = 0, give_up = clock_now_ns() + GIVE_UP_NS;

	while ((nr_evicted < 4 * OPERATIONS ||
		world_stats(&w).nr_faults < OPERATIONS) &&
	       clock_now_ns() < give_up) {
		uint64_t at = next_random(&seed) % (NR_OWNERS * BLOCK - 64);

		nr_evicted += world_evict(&w, G + at, 64);
		if (next_random(&seed) % 4 == 0)
			world_prefetch(&w, G + at, 32);
	}
}

static void test_stress(enum guest_mem_backing backing, const char *name)
{
	static struct owner owners[NR_OWNERS];
	uint64_t nr_wrong = 0, nr_discards = 0;

	world_open(&w, 8 * MIB, backing, "shards=1");
	memset(owners, 0, sizeof(owners));
	for (unsigned int i = 0; i < NR_OWNERS; i++) {
		owners[i].first = G + i * BLOCK;
		owners[i].seed = i + 1;
		start_thread(&owners[i].thread, own, &owners[i]);
	}
	disturb();
	for (unsigned int i = 0; i < NR_OWNERS; i++) {
		struct owner *o = &owners[i];

		__atomic_store_n(&o->stop, true, __ATOMIC_RELEASE);
		pthread_join(o->thread, NULL);
		for (unsigned int k = 0; k < BLOCK; k++)
			o->nr_wrong += !has_number(&w, o->first + k,
						   o->numbers[k]);
		nr_wrong += o->nr_wrong;
		nr_discards += o->nr_discards;
	}
	ok(!nr_wrong && nr_discards, "%s: %llu ranges are given back while "
	   "pages are evicted: %llu reads are wrong", name,
	   (unsigned long long)nr_discards, (unsigned long long)nr_wrong);
	world_close(&w);
}

int main(void)
{
	world_require();
	for (size_t i = 0; i < NR_BACKINGS; i++) {
		test_drop(backings[i].backing, backings[i].name);
		test_copied(backings[i].backing, backings[i].name);
		test_loaded(backings[i].backing, backings[i].name);
		test_ranges(backings[i].backing, backings[i].name);
		test_stress(backings[i].backing, backings[i].name);
	}
	return tap_done();
}
