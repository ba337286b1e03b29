// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The locking rule of rmap.h: readers run together, a writer alone.  Many
 * threads walk under a shared lock while one replays a history under an
 * exclusive one.  What a walk finds must fit _mapcount at that moment; run
 * under ThreadSanitizer, a reader that writes anything is a race.
 */
#include "config.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/bench/rmap-trace.h"
#include "tests/tap.h"

static const char *const schemes[] = { "anon_vma", "anon_mm", "pte_chain" };

struct shared {
	pthread_rwlock_t lock;
	struct rmap *map;		/* by lock */
	uint64_t nr_frames;
	atomic_bool stop;
	atomic_ulong nr_wrong, nr_walks;
};

static bool count_one(const struct rmap *map, uint64_t gfn,
		      const struct rmap_vma *vma, uint64_t addr, void *arg)
{
	(*(int *)arg)++;
	return true;
}

static void *reader(void *arg)
{
	struct shared *s = arg;
	uint64_t gfn = 0;

	while (!atomic_load(&s->stop)) {
		struct rmap_referenced ref;
		struct rmap_page_info info;
		int hits = 0;
		struct rmap_walk_control rwc = { .arg = &hits,
						 .rmap_one = count_one };

		gfn = (gfn + 7) % s->nr_frames;
		pthread_rwlock_rdlock(&s->lock);
		rmap_page_info(s->map, gfn, &info);
		rmap_walk(s->map, gfn, &rwc);
		rmap_page_referenced(s->map, gfn, &ref);
		pthread_rwlock_unlock(&s->lock);
		if (hits != info.mapcount + 1 ||
		    ref.nr_mappings != (unsigned int)hits)
			atomic_fetch_add(&s->nr_wrong, 1);
		if (atomic_fetch_add(&s->nr_walks, 1) % 16 == 15)
			sched_yield();
	}
	return NULL;
}

static void run(const struct trace *t, enum rmap_scheme scheme, unsigned int nr)
{
	struct rmap_config c = { .nr_frames = t->nr_frames, .scheme = scheme };
	struct shared s = { .nr_frames = t->nr_frames };
	pthread_t threads[16];
	pthread_rwlockattr_t attr;
	unsigned int errors = 0;

	/* Readers that come and go without end would starve the writer. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr,
		PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	if (rmap_new(&s.map, &c) || pthread_rwlock_init(&s.lock, &attr))
		tap_bail("no memory");
	pthread_rwlockattr_destroy(&attr);
	for (unsigned int i = 0; i < nr; i++) {
		if (pthread_create(&threads[i], NULL, reader, &s))
			tap_bail("pthread_create");
	}
	for (size_t i = 0; i < t->nr; i++) {
		pthread_rwlock_wrlock(&s.lock);
		errors += trace_apply(s.map, &t->events[i]) != 0;
		pthread_rwlock_unlock(&s.lock);
		/* Let every reader have a turn, with no clock involved. */
		for (unsigned long n = atomic_load(&s.nr_walks) + nr;
		     i % 256 == 0 && atomic_load(&s.nr_walks) < n;)
			sched_yield();
	}
	atomic_store(&s.stop, true);
	for (unsigned int i = 0; i < nr; i++)
		pthread_join(threads[i], NULL);
	ok(!errors && !s.nr_wrong && s.nr_walks >= nr,
	   "%s, %u readers beside a writer of %zu events", schemes[scheme], nr,
	   t->nr);
	printf("# %lu walks, %lu wrong\n", (unsigned long)s.nr_walks,
	       (unsigned long)s.nr_wrong);
	pthread_rwlock_destroy(&s.lock);
	rmap_free(s.map);
}

int main(void)
{
	static const unsigned int nr_readers[] = { 1, 2, 4, 8, 16 };
	struct trace t = { 0 };

	/* The histories follow each other; all end with their processes. */
	for (unsigned int g = 0; g < nr_trace_generators; g++) {
		const struct trace_generator *gen = &trace_generators[g];

		if (t.nr && strcmp(gen->name, "mremap"))
			continue;
		gen->fn(&t, gen->small_scale, gen->small_pages);
	}
	for (unsigned int s = 0; s < 3; s++) {
		for (unsigned int i = 0; i < 5; i++)
			run(&t, s, nr_readers[i]);
	}
	trace_free(&t);
	return tap_done();
}
