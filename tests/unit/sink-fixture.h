/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of the store sink: guest memory without a guest, threads that touch
 * it, and pages that hold a number in all of their words.
 */
#ifndef TESTS_UNIT_SINK_FIXTURE_H
#define TESTS_UNIT_SINK_FIXTURE_H

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/mem/faults-internal.h"
#include "vmm/sink/sink-store-internal.h"
#include "vmm/util/clock.h"

#define MIB	   (UINT64_C(1) << 20)
#define WORDS	   512
/* Ends a hang; measures nothing. */
#define GIVE_UP_NS (120 * NSEC_PER_SEC)

/* What test threads do to guest memory is a race, as what a guest does. */
#define AS_A_GUEST __attribute__((no_sanitize("thread"), noinline))

struct world {
	struct guest_mem *mem;
	struct reclaim_sink *sink;
};

__attribute__((unused)) static const struct {
	enum guest_mem_backing backing;
	const char *name;
} backings[] = {
	{ GUEST_MEM_ANON, "private memory" },
	{ GUEST_MEM_THP, "huge pages" },
	{ GUEST_MEM_MEMFD, "a memfd" },
};
#define NR_BACKINGS (sizeof(backings) / sizeof(*backings))

static inline struct sink_store *store_sink(const struct world *w)
{
	return (struct sink_store *)w->sink;
}

static inline int world_try(struct world *w, uint64_t nr_bytes,
			    enum guest_mem_backing backing,
			    const char *options, char *why, size_t len)
{
	int rc;

	*w = (struct world){ 0 };
	if (guest_mem_new(&w->mem, nr_bytes, backing))
		tap_bail("no memory");
	rc = sink_store.open(&w->sink, w->mem, options, why, len);
	if (rc)
		guest_mem_free(w->mem);
	return rc;
}

static inline void world_open(struct world *w, uint64_t nr_bytes,
			      enum guest_mem_backing backing,
			      const char *options)
{
	char why[256];

	if (world_try(w, nr_bytes, backing, options, why, sizeof(why)))
		tap_bail("no sink: %s", why);
}

static inline void world_close(struct world *w)
{
	w->sink->ops->close(w->sink);
	guest_mem_free(w->mem);
}

/* Ends the program where page faults can't be served. */
static inline void world_require(void)
{
	char why[256];
	struct world w;
	int rc;

	rc = world_try(&w, 2 * MIB, GUEST_MEM_ANON, NULL, why, sizeof(why));
	if (rc)
		tap_refused(rc, why);
	world_close(&w);
}

static inline struct reclaim_sink_stats world_stats(const struct world *w)
{
	struct reclaim_sink_stats s;

	w->sink->ops->get_stats(w->sink, &s);
	return s;
}

/* Pages that went. */
static inline uint64_t world_evict(const struct world *w, uint64_t gfn,
				   uint64_t nr)
{
	const struct gfn_range r = { GFN(gfn), nr };
	struct reclaim_result res = { 0 };
	int rc = w->sink->ops->evict(w->sink, &r, 1, &res);

	if (rc)
		tap_bail("evict: %s", strerror(-rc));
	return res.evicted;
}

static inline int world_prefetch(const struct world *w, uint64_t gfn,
				 uint64_t nr)
{
	const struct gfn_range r = { GFN(gfn), nr };

	return w->sink->ops->prefetch(w->sink, &r, 1);
}

static inline int world_discard(const struct world *w, uint64_t gfn,
				uint64_t nr)
{
	return guest_mem_discard(w->mem, (struct gfn_range){ GFN(gfn), nr });
}

static inline volatile uint64_t *words_at(const struct world *w, uint64_t gfn)
{
	return guest_mem_ptr(w->mem, gfn_to_gpa(GFN(gfn)), VMM_PAGE_SIZE);
}

/* A quarter is random, so that it needs room.  Of number 0: zeros. */
static inline uint64_t word(uint32_t number, unsigned int k)
{
	return !number ? 0 : k % 4 ? number :
		(number + k) * UINT64_C(0x9e3779b97f4a7c15);
}

AS_A_GUEST __attribute__((unused)) static bool
has_number(const struct world *w, uint64_t gfn, uint32_t number)
{
	volatile uint64_t *p = words_at(w, gfn);

	for (unsigned int k = 0; k < WORDS; k++)
		if (p[k] != word(number, k))
			return false;
	return true;
}

AS_A_GUEST __attribute__((unused)) static void
set_number(const struct world *w, uint64_t gfn, uint32_t number)
{
	volatile uint64_t *p = words_at(w, gfn);

	for (unsigned int k = 0; k < WORDS; k++)
		p[k] = word(number, k);
}

/* A thread that touches one word of a page, and says when it has. */
struct toucher {
	volatile uint64_t *word;
	bool writes;
	uint64_t value;		/* to write, or read */
	bool done;		/* atomic */
	pthread_t thread;
};

AS_A_GUEST static void *touch_it(void *arg)
{
	struct toucher *t = arg;

	if (t->writes)
		*t->word = t->value;
	else
		t->value = *t->word;
	__atomic_store_n(&t->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static inline void start_thread(pthread_t *thread, void *(*fn)(void *),
				void *arg)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	if (pthread_create(thread, &attr, fn, arg))
		tap_bail("no thread");
	pthread_attr_destroy(&attr);
}

static inline bool is_done(const bool *done)
{
	return __atomic_load_n(done, __ATOMIC_ACQUIRE);
}

/* False: it hangs. */
static inline bool wait_until(bool (*is)(void *arg), void *arg)
{
	uint64_t give_up = clock_now_ns() + GIVE_UP_NS;

	while (!is(arg)) {
		if (clock_now_ns() > give_up)
			return false;
		usleep(1000);
	}
	return true;
}

static inline bool toucher_is_done(void *arg)
{
	return is_done(&((struct toucher *)arg)->done);
}

static inline void toucher_start(struct toucher *t, const struct world *w,
				 uint64_t gfn)
{
	t->word = words_at(w, gfn);
	t->done = false;
	start_thread(&t->thread, touch_it, t);
}

/* Bails out where it waits for ever: it could not be joined. */
static inline void toucher_join(struct toucher *t)
{
	if (!wait_until(toucher_is_done, t))
		tap_bail("a page is waited for, for ever");
	pthread_join(t->thread, NULL);
}

static inline uint64_t nr_fault_messages(const struct world *w)
{
	struct guest_faults_stats s;

	guest_faults_get_stats(store_sink(w)->faults, &s);
	return s.nr_missing + s.nr_write_protected;
}

#endif
