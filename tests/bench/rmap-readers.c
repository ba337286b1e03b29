// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Readers of one map at once, each bound to one CPU, for a fixed time:
 *
 *	readers/LOCK/N/rate/SCHEME	calls a second of all N together
 *	readers/LOCK/N/cpu/SCHEME	CPU time of a call
 *	readers/LOCK/growth/SCHEME	rate of 2 over that of 1 just before; 5 a round
 *
 * LOCK is what the caller does around its calls of page_referenced (a page of
 * ten processes): "none", since nobody writes; "batch", a shared hold of one
 * rwlock for 256 calls, as the engine takes the view's for many frames; "each",
 * a hold for every call, which is how not to do it.
 *
 * The rate is by wall time, so other load on the CPUs reduces it.  The CPU time
 * is not affected by other load, except through the caches; it grows when
 * readers slow down each other.
 */
#include "config.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "tests/bench/rmap-compare.h"

#define MAX_READERS 16
#define SHARERS	    10
#define PAGES	    512
#define BATCH	    256
#define PAIRS	    5

enum locking { LOCK_NONE, LOCK_BATCH, LOCK_EACH, NR_LOCKINGS };

static const char *const lockings[NR_LOCKINGS] = { "none", "batch", "each" };

struct team {
	struct rmap *map;
	pthread_rwlock_t lock;
	enum locking locking;
	pthread_barrier_t start;
	atomic_bool stop;
};

struct reader {		/* one a cache line and more: readers write it */
	struct team *team;
	pthread_t thread;
	unsigned int cpu, first;
	double calls, wall_ns, cpu_ns;
} __attribute__((aligned(256)));

/* The n-th CPU that this process may use. */
static unsigned int nth_cpu(unsigned int n)
{
	cpu_set_t set;
	unsigned int cpu;

	if (sched_getaffinity(0, sizeof(set), &set))
		compare_die("sched_getaffinity", -errno);
	n %= (unsigned int)CPU_COUNT(&set);
	for (cpu = 0; !CPU_ISSET(cpu, &set) || n--; cpu++)
		;
	return cpu;
}

static void bind_to(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		compare_die("sched_setaffinity", -errno);
}

static void some_calls(struct team *t, unsigned int *page)
{
	struct rmap_referenced ref;

	if (t->locking == LOCK_BATCH)
		pthread_rwlock_rdlock(&t->lock);
	for (unsigned int i = 0; i < BATCH; i++) {
		if (t->locking == LOCK_EACH)
			pthread_rwlock_rdlock(&t->lock);
		if (rmap_page_referenced(t->map, *page, &ref) ||
		    ref.nr_mappings != SHARERS)
			compare_die("page_referenced: wrong answer", -EINVAL);
		if (t->locking == LOCK_EACH)
			pthread_rwlock_unlock(&t->lock);
		*page = (*page + 1) % PAGES;
	}
	if (t->locking == LOCK_BATCH)
		pthread_rwlock_unlock(&t->lock);
}

static void *reader(void *arg)
{
	struct reader *r = arg;
	struct team *t = r->team;
	unsigned int page = r->first;
	uint64_t wall, cpu, calls = 0;

	bind_to(r->cpu);
	pthread_barrier_wait(&t->start);
	wall = bench_now_ns();
	cpu = bench_thread_cpu_ns();
	/* On a busy machine its turn may come when it is to stop: once then. */
	do {
		some_calls(t, &page);
		calls += BATCH;
	} while (!atomic_load_explicit(&t->stop, memory_order_relaxed));
	r->cpu_ns = (double)(bench_thread_cpu_ns() - cpu);
	r->wall_ns = (double)(bench_now_ns() - wall);
	r->calls = (double)calls;
	return NULL;
}

/* Calls a second, in millions; *cpu_ns: of one call. */
static double rate_of(struct team *t, unsigned int n, double *cpu_ns)
{
	static struct reader readers[MAX_READERS];
	struct timespec ts = { 0, compare_quick ? 2000000 : 40000000 };
	double rate = 0, calls = 0;

	pthread_barrier_init(&t->start, NULL, n + 1);
	atomic_store(&t->stop, false);
	for (unsigned int i = 0; i < n; i++) {
		struct reader *r = &readers[i];
		int rc;

		*r = (struct reader){ .team = t, .cpu = nth_cpu(i),
				      .first = i * 31 % PAGES };
		rc = pthread_create(&r->thread, NULL, reader, r);
		if (rc)
			compare_die("pthread_create", -rc);
	}
	pthread_barrier_wait(&t->start);
	nanosleep(&ts, NULL);
	atomic_store(&t->stop, true);
	*cpu_ns = 0;
	for (unsigned int i = 0; i < n; i++) {
		struct reader *r = &readers[i];

		pthread_join(r->thread, NULL);
		rate += r->calls / r->wall_ns * 1e3;
		*cpu_ns += r->cpu_ns;
		calls += r->calls;
	}
	*cpu_ns /= calls;
	pthread_barrier_destroy(&t->start);
	return rate;
}

static double measure(struct bench *b, struct team *t, enum rmap_scheme scheme,
		      unsigned int n)
{
	const char *lock = lockings[t->locking];
	double cpu_ns, rate = rate_of(t, n, &cpu_ns);

	compare_report(b, scheme, "Mcalls/s", rate, "readers/%s/%u/rate", lock,
		       n);
	compare_report(b, scheme, "ns", cpu_ns, "readers/%s/%u/cpu", lock, n);
	return rate;
}

static void measure_all(struct bench *b, struct team *t,
			enum rmap_scheme scheme)
{
	for (unsigned int i = 0; i < PAIRS; i++) {
		double one = measure(b, t, scheme, 1);
		double two = measure(b, t, scheme, 2);

		compare_report(b, scheme, "x", two / one, "readers/%s/growth",
			       lockings[t->locking]);
	}
	for (unsigned int n = 4; n <= MAX_READERS; n *= 2)
		measure(b, t, scheme, n);
}

void compare_readers(struct bench *b)
{
	struct team t = { .map = NULL };
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr,
		PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&t.lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	for (unsigned int s = 0; s < NR_SCHEMES; s++) {
		t.map = compare_family(s, SHARERS, PAGES, PAGES);
		for (unsigned int l = 0; l < NR_LOCKINGS; l++) {
			/* Locks are the caller's: one scheme shows them. */
			if (l && s)
				break;
			t.locking = l;
			measure_all(b, &t, s);
		}
		rmap_free(t.map);
	}
	pthread_rwlock_destroy(&t.lock);
}
