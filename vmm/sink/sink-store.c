// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store as a sink: pages are evicted from guest memory to a store in this
 * process and faulted in when they are touched (userfaultfd).
 *
 *	NONE --protect, copy--> EVICTING --drop from memory--> STORED
 *	  ^                        |                            |  ^
 *	  +---- written to --------+                    touched |  | cannot be
 *	  |                                                     v  | read now
 *	  +----------------- copied into memory ------------ LOADING
 *	  |                                                     |
 *	  +--- discarded (from all states) --- LOST <- damaged -+
 *
 * NONE means that the page is not in the store.  It is in memory, or was never
 * touched, or has been discarded.
 *
 * A page is write-protected before it is copied.  A vCPU that writes meanwhile
 * waits; its fault changes EVICTING back to NONE and removes the protection,
 * and the copy is discarded.  Pages are dropped from memory under the shard's
 * lock and only if still EVICTING, so no write is ever lost; and a fault on a
 * missing page is served by its state, so no access finds a zero page in its
 * place.
 *
 * A thread that has worked on a page without the lock checks the page's state
 * again: if that is no longer EVICTING or LOADING, the page was written to or
 * discarded meanwhile.  It cannot have become EVICTING or LOADING once more
 * since, as only the engine's thread changes a page from NONE: evictions and
 * prefetches run in that thread itself; and a page that a shard's thread is
 * loading can be evicted again only after another touch, which that same thread
 * would have to serve.
 *
 * Locking: a shard's lock guards the states of its frames, and their drop from
 * guest memory.  Order: shard's lock -> store's.  The shard's lock is not held
 * while pages are compressed, decompressed, or read from a device.  Guest
 * memory is not touched with it held: serving a fault needs it.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>

#include "vmm/sink/sink-store-internal.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"

void sink_store_set_state(struct sink_store *s, gfn_t gfn,
			  enum page_state state)
{
	bool was_evicted = s->states[gfn.v] >= PAGE_STORED;
	bool is_evicted = state >= PAGE_STORED;
	bool was_lost = s->states[gfn.v] == PAGE_LOST;

	__atomic_store_n(&s->states[gfn.v], state, __ATOMIC_RELEASE);
	if (was_lost || state == PAGE_LOST)
		guest_mem_set_lost(s->mem, gfn, state == PAGE_LOST);
	if (was_evicted != is_evicted)
		guest_mem_set_evicted(s->mem, gfn, is_evicted);
	if (!is_evicted)
		sink_store_stop_waiting(s, gfn);
}

/* A page was loaded on a fault, whose handling began at `from`. */
static void count_fault(struct sink_store *s, uint64_t from,
			const struct load_times *t)
{
	uint64_t end = clock_now_ns(), ns = end - from;
	unsigned int i = ns ? 63 - __builtin_clzll(ns) : 0;

	sink_store_count(&s->stats.nr_faults, 1);
	sink_store_count(&s->stats.fault_ns_total, ns);
	sink_store_count(&s->stats.fault_read_ns_total, t->read - t->start);
	sink_store_count(&s->stats.fault_copy_ns_total, t->end - t->read);
	sink_store_count(&s->stats.fault_log2_ns[i < 31 ? i : 31], 1);
	sink_store_count(&s->stats.fault_times[histogram_index(ns)], 1);
	__atomic_store_n(&s->stats.last_fault_start_ns, from, __ATOMIC_RELAXED);
	__atomic_store_n(&s->stats.last_fault_end_ns, t->end, __ATOMIC_RELAXED);
}

static void wake(struct sink_store *s, gfn_t gfn)
{
	guest_faults_wake(s->faults, (struct gfn_range){ gfn, 1 });
}

/* Under the lock: for a page that was never touched, or was discarded. */
static void serve_zero(struct sink_store *s, gfn_t gfn)
{
	int rc = guest_faults_zero(s->faults, gfn);

	sink_store_count(&s->stats.nr_zero_faults, 1);
	if (rc == -EAGAIN)
		sink_store_wait_for(s, gfn, rc);
	else if (rc)
		wake(s, gfn);	/* -EEXIST: two threads touched it at once */
}

/*
 * Under the lock: completes the load of a LOADING page, whose read returned rc.
 * Returns as sink_store_load().
 */
static int put_in_place(struct sink_store *s, gfn_t gfn, const void *page,
			int rc)
{
	if (!rc)
		rc = guest_faults_copy(s->faults, gfn, page);
	if (rc == -EEXIST) {
		wake(s, gfn);
		rc = 0;
	}
	if (rc)
		sink_store_note_get(s, gfn, rc);
	if (rc == -EBADMSG && !(rc = sink_store_mark_lost(s, gfn)))
		return -EBADMSG;
	if (rc) {
		sink_store_set_state(s, gfn, PAGE_STORED);
		return rc;
	}
	store_drop(s->store, gfn.v);
	sink_store_set_state(s, gfn, PAGE_NONE);
	return 0;
}

int sink_store_load(struct sink_store *s, gfn_t gfn, struct page_coder *coder,
		    void *page, struct load_times *t)
{
	pthread_mutex_t *lock = &sink_store_shard(s, gfn)->lock;
	int rc;

	sink_store_set_state(s, gfn, PAGE_LOADING);
	pthread_mutex_unlock(lock);
	t->start = clock_now_ns();
	rc = store_get(s->store, coder, gfn.v, page);
	t->read = t->end = clock_now_ns();
	pthread_mutex_lock(lock);
	/* Discarded meanwhile, which has woken the waiting threads. */
	if (s->states[gfn.v] != PAGE_LOADING)
		return 0;
	rc = put_in_place(s, gfn, page, rc);
	t->end = clock_now_ns();
	return rc;
}

/* Under the lock, which is released during the load. */
static void serve_stored(struct sink_store *s, struct sink_shard *sh, gfn_t gfn)
{
	uint64_t from = clock_now_ns();
	struct load_times times;
	int rc;

	/*
	 * It could not be read before, and a retry is scheduled: other threads
	 * that touch it wait for that, too.
	 */
	if (bitmap_test(sh->waiting, gfn.v))
		return;
	rc = sink_store_load(s, gfn, sh->coder, sh->page, &times);
	if (!rc)
		count_fault(s, from, &times);
	else if (rc != -EBADMSG)
		sink_store_wait_for(s, gfn, rc);
}

static void missing(void *arg, unsigned int shard, gfn_t gfn)
{
	struct sink_store *s = arg;
	struct sink_shard *sh = &s->shards[shard];

	pthread_mutex_lock(&sh->lock);
	switch ((enum page_state)s->states[gfn.v]) {
	case PAGE_EVICTING:
		/* It was discarded before its eviction began. */
		sink_store_set_state(s, gfn, PAGE_NONE);
		serve_zero(s, gfn);
		break;
	case PAGE_NONE:
		serve_zero(s, gfn);
		break;
	case PAGE_LOST:
		wake(s, gfn);
		break;
	case PAGE_STORED:
		serve_stored(s, sh, gfn);
		break;
	case PAGE_LOADING:
		break;		/* the thread that loads it wakes this one */
	}
	pthread_mutex_unlock(&sh->lock);
}

static void write_protected(void *arg, unsigned int shard, gfn_t gfn)
{
	struct sink_store *s = arg;
	int rc = 0;

	pthread_mutex_lock(&s->shards[shard].lock);
	if (s->states[gfn.v] == PAGE_EVICTING) {
		sink_store_set_state(s, gfn, PAGE_NONE);
		sink_store_count(&s->stats.nr_cancelled, 1);
	}
	/* If it is STORED by now, the retried access finds it missing. */
	if (s->states[gfn.v] == PAGE_NONE)
		rc = guest_faults_protect(s->faults,
					  (struct gfn_range){ gfn, 1 }, false);
	if (rc == -EAGAIN)
		sink_store_wait_for(s, gfn, rc);
	else if (rc || s->states[gfn.v] != PAGE_NONE)
		wake(s, gfn);
	pthread_mutex_unlock(&s->shards[shard].lock);
}

const struct guest_faults_ops sink_store_faults = {
	.missing = missing,
	.write_protected = write_protected,
	.retry = sink_store_retry_reads,
};

/*
 * Loads the page if it is STORED.  0, -EBADMSG (this page is LOST; others may
 * be readable), or why no page can be read.
 */
static int prefetch_page(struct sink_store *s, gfn_t gfn)
{
	pthread_mutex_t *lock = &sink_store_shard(s, gfn)->lock;
	struct load_times times;
	int rc = 0;

	if (sink_store_peek(s, gfn) != PAGE_STORED)
		return 0;
	pthread_mutex_lock(lock);
	if (s->states[gfn.v] == PAGE_STORED) {
		rc = sink_store_load(s, gfn, s->coder, s->page, &times);
		/*
		 * Threads that touched it while it was LOADING fault again, and
		 * then wait for a retry that serve_stored() schedules.
		 */
		if (rc)
			wake(s, gfn);
	}
	pthread_mutex_unlock(lock);
	return rc;
}

int sink_store_prefetch(struct sink_store *s, struct gfn_range r,
			uint64_t until_ns)
{
	int rc = 0;

	for (uint64_t g = r.start.v; g < r.start.v + r.nr &&
	     clock_now_ns() < until_ns; g++) {
		int failed = prefetch_page(s, GFN(g));

		if (failed && failed != -EBADMSG)
			return failed;
		if (failed)
			rc = failed;
	}
	return rc;
}
