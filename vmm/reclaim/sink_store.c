// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store as a sink: pages leave guest memory for a store of ours and come
 * back when they are touched (userfaultfd).
 *
 *	NONE --protect, copy--> EVICTING --drop from memory--> STORED
 *	  ^                        |                              | touched
 *	  +---- written to --------+                              v
 *	  +----------------- copied into memory ----------- LOADING
 *
 * A page is write-protected before it is copied.  A vCPU that writes meanwhile
 * waits; its fault takes EVICTING back to NONE and lifts the protection, and
 * the copy is thrown away.  Pages are dropped under the shard's lock and only
 * if still EVICTING, so no write is ever lost; and what is missing is served
 * by its state, so nobody reads a zero page in its place.
 *
 * Locking: a shard's lock guards the states of its frames.  Order: shard ->
 * store.  It is not held while pages are compressed, decompressed, or read from
 * a device.  Nobody touches guest memory with it: the fault would need it.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm/mem/faults.h"
#include "vmm/reclaim/sink_store-internal.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"
#include "vmm/util/log.h"

static pthread_mutex_t *lock_of(struct sink_store *s, gfn_t gfn)
{
	return &s->shards[guest_faults_shard(s->faults, gfn)].lock;
}

static void set_state(struct sink_store *s, gfn_t gfn, enum page_state state)
{
	bool was_away = s->states[gfn.v] >= PAGE_STORED;

	__atomic_store_n(&s->states[gfn.v], state, __ATOMIC_RELEASE);
	if (was_away != (state >= PAGE_STORED))
		guest_mem_set_away(s->mem, gfn, !was_away);
}

/* When a page was asked for, had been read, and was in place. */
struct load_times {
	uint64_t start, read, end;
};

static void add(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static void count_fault(struct sink_store *s, uint64_t from,
			const struct load_times *t)
{
	uint64_t end = clock_now_ns(), ns = end - from;
	unsigned int i = ns ? 63 - __builtin_clzll(ns) : 0;

	add(&s->stats.nr_faults, 1);
	add(&s->stats.fault_ns_total, ns);
	add(&s->stats.fault_read_ns_total, t->read - t->start);
	add(&s->stats.fault_copy_ns_total, t->end - t->read);
	add(&s->stats.fault_log2_ns[i < 31 ? i : 31], 1);
	add(&s->stats.fault_times[histogram_index(ns)], 1);
	__atomic_store_n(&s->stats.last_fault_start_ns, from, __ATOMIC_RELAXED);
	__atomic_store_n(&s->stats.last_fault_end_ns, t->end, __ATOMIC_RELAXED);
}

/* Under the lock: the page's first touch, or what a discard left. */
static void serve_zero(struct sink_store *s, gfn_t gfn)
{
	__atomic_fetch_add(&s->stats.nr_zero_faults, 1, __ATOMIC_RELAXED);
	/* -EEXIST: two threads touched it at once. */
	if (guest_faults_zero(s->faults, gfn))
		guest_faults_wake(s->faults, gfn);
}

/* Under the lock. */
static void stop_waiting(struct sink_store *s, gfn_t gfn)
{
	struct sink_shard *sh =
		&s->shards[guest_faults_shard(s->faults, gfn)];

	if (!bitmap_test(sh->waiting, gfn.v))
		return;
	bitmap_clear(sh->waiting, gfn.v);
	sh->nr_waiting--;
	log_info("frame 0x%llx could be read back", (unsigned long long)gfn.v);
}

/*
 * Under the lock, of a page that can't be had: it stays where it is, and who
 * touched it waits.  What is damaged for good is a memory error to them.
 */
static void serve_failure(struct sink_store *s, unsigned int shard, gfn_t gfn,
			  int rc)
{
	if (rc == -EBADMSG && !guest_faults_poison(s->faults, gfn)) {
		log_error("frame 0x%llx is damaged in the store: the guest "
			  "gets a memory error", (unsigned long long)gfn.v);
		store_drop(s->store, gfn.v);
		set_state(s, gfn, PAGE_NONE);
		stop_waiting(s, gfn);
		__atomic_fetch_add(&s->stats.nr_poisoned, 1, __ATOMIC_RELAXED);
		return;
	}
	if (!bitmap_test(s->shards[shard].waiting, gfn.v)) {
		log_error("frame 0x%llx can't be read back: %s; whoever "
			  "touches it waits until it can",
			  (unsigned long long)gfn.v, strerror(-rc));
		bitmap_set(s->shards[shard].waiting, gfn.v);
		s->shards[shard].nr_waiting++;
	}
	guest_faults_again(s->faults, shard);
}

/* The lock is held before and after.  0, or -errno: not LOADING any more. */
static int load(struct sink_store *s, gfn_t gfn, struct page_coder *coder,
		void *page, struct load_times *t)
{
	pthread_mutex_t *lock = lock_of(s, gfn);
	int rc;

	set_state(s, gfn, PAGE_LOADING);
	pthread_mutex_unlock(lock);
	t->start = clock_now_ns();
	rc = store_get(s->store, coder, gfn.v, page);
	t->read = t->end = clock_now_ns();
	pthread_mutex_lock(lock);
	/* Discarded meanwhile: nobody wants it any more. */
	if (s->states[gfn.v] != PAGE_LOADING) {
		guest_faults_wake(s->faults, gfn);
		return 0;
	}
	if (!rc)
		rc = guest_faults_copy(s->faults, gfn, page);
	t->end = clock_now_ns();
	if (rc && rc != -EEXIST) {
		set_state(s, gfn, PAGE_STORED);
		return rc;
	}
	store_drop(s->store, gfn.v);
	set_state(s, gfn, PAGE_NONE);
	stop_waiting(s, gfn);
	return 0;
}

static void serve_missing(struct sink_store *s, unsigned int shard, gfn_t gfn)
{
	struct sink_shard *sh = &s->shards[shard];
	uint64_t from = clock_now_ns();
	struct load_times times;
	int rc;

	switch ((enum page_state)s->states[gfn.v]) {
	case PAGE_EVICTING:
		/* Discarded while it was copied. */
		set_state(s, gfn, PAGE_NONE);
		serve_zero(s, gfn);
		break;
	case PAGE_NONE:
		serve_zero(s, gfn);
		break;
	case PAGE_STORED:
		rc = load(s, gfn, sh->coder, sh->page, &times);
		if (rc)
			serve_failure(s, shard, gfn, rc);
		else
			count_fault(s, from, &times);
		break;
	case PAGE_LOADING:
		break;		/* who loads it wakes */
	}
}

static void missing(void *arg, unsigned int shard, gfn_t gfn)
{
	struct sink_store *s = arg;

	pthread_mutex_lock(&s->shards[shard].lock);
	serve_missing(s, shard, gfn);
	pthread_mutex_unlock(&s->shards[shard].lock);
}

static void write_protected(void *arg, unsigned int shard, gfn_t gfn)
{
	struct sink_store *s = arg;

	pthread_mutex_lock(&s->shards[shard].lock);
	if (s->states[gfn.v] == PAGE_EVICTING) {
		set_state(s, gfn, PAGE_NONE);
		__atomic_fetch_add(&s->stats.nr_cancelled, 1, __ATOMIC_RELAXED);
	}
	/* STORED: it has gone meanwhile, and is missed when they try again. */
	if (s->states[gfn.v] != PAGE_NONE ||
	    guest_faults_protect(s->faults, (struct gfn_range){ gfn, 1 },
				 false))
		guest_faults_wake(s->faults, gfn);
	pthread_mutex_unlock(&s->shards[shard].lock);
}

/* The pages that could not be read, once more. */
static void again(void *arg, unsigned int shard)
{
	struct sink_store *s = arg;
	struct sink_shard *sh = &s->shards[shard];
	uint64_t nr = guest_mem_nr_frames(s->mem);

	pthread_mutex_lock(&sh->lock);
	for (uint64_t g = bitmap_next(sh->waiting, 0, nr); g < nr;
	     g = bitmap_next(sh->waiting, g + 1, nr)) {
		struct load_times times;
		int rc = 0;

		if (s->states[g] == PAGE_STORED)
			rc = load(s, GFN(g), sh->coder, sh->page, &times);
		if (rc)
			serve_failure(s, shard, GFN(g), rc);
	}
	pthread_mutex_unlock(&sh->lock);
}

const struct guest_faults_ops sink_store_faults = {
	.missing = missing,
	.write_protected = write_protected,
	.again = again,
};

/* The guest wants it no more: neither what is stored nor what is on its way. */
void sink_store_discard(void *arg, struct gfn_range range)
{
	struct sink_store *s = arg;

	for (uint64_t g = range.start.v; g < range.start.v + range.nr; g++) {
		pthread_mutex_t *lock = lock_of(s, GFN(g));

		/* Most have nothing stored; a stale look errs only there. */
		if (__atomic_load_n(&s->states[g], __ATOMIC_ACQUIRE) ==
		    PAGE_NONE)
			continue;
		pthread_mutex_lock(lock);
		if (s->states[g] >= PAGE_STORED)
			store_drop(s->store, g);
		set_state(s, GFN(g), PAGE_NONE);
		stop_waiting(s, GFN(g));
		guest_faults_wake(s->faults, GFN(g));
		pthread_mutex_unlock(lock);
	}
}

/* Resident pages of the range that are not on their way: EVICTING. */
static uint64_t begin(struct sink_store *s, struct gfn_range r)
{
	pthread_mutex_t *lock = lock_of(s, r.start);
	uint64_t nr = 0;

	pthread_mutex_lock(lock);
	for (uint64_t g = r.start.v; g < r.start.v + r.nr; g++)
		if (s->states[g] == PAGE_NONE) {
			set_state(s, GFN(g), PAGE_EVICTING);
			nr++;
		}
	pthread_mutex_unlock(lock);
	return nr;
}

/* Not evicted after all; under the lock. */
static void let_go(struct sink_store *s, gfn_t gfn)
{
	set_state(s, gfn, PAGE_NONE);
	store_drop(s->store, gfn.v);
	guest_faults_protect(s->faults, (struct gfn_range){ gfn, 1 }, false);
}

static int copy_to_store(struct sink_store *s, struct gfn_range r)
{
	int rc = 0;

	for (uint64_t g = r.start.v; !rc && g < r.start.v + r.nr; g++) {
		const void *p = guest_mem_ptr(s->mem, gfn_to_gpa(GFN(g)),
					      VMM_PAGE_SIZE);

		if (__atomic_load_n(&s->states[g], __ATOMIC_ACQUIRE) !=
		    PAGE_EVICTING)
			continue;
		/* A copy: when a write gets in between, ours still holds. */
		memcpy(s->page, p, VMM_PAGE_SIZE);
		rc = store_put(s->store, s->coder, g, s->page);
		if (rc)
			s->put_failed = g;
	}
	return rc;
}

static int drop(struct sink_store *s, uint64_t from, uint64_t to)
{
	void *p = guest_mem_ptr(s->mem, gfn_to_gpa(GFN(from)),
				(to - from) << VMM_PAGE_SHIFT);
	int advice = guest_mem_backing(s->mem) == GUEST_MEM_MEMFD ?
		MADV_REMOVE : MADV_DONTNEED;

	return madvise(p, (to - from) << VMM_PAGE_SHIFT, advice) ? -errno : 0;
}

/* The pages that are EVICTING still and have been put go; the others stay. */
static void finish(struct sink_store *s, struct gfn_range r, uint64_t put_end)
{
	pthread_mutex_t *lock = lock_of(s, r.start);
	uint64_t end = r.start.v + r.nr;

	pthread_mutex_lock(lock);
	for (uint64_t g = r.start.v, next; g < end; g = next) {
		next = g + 1;
		if (s->states[g] != PAGE_EVICTING) {
			/* A copy may have been put of what was taken back. */
			if (s->states[g] == PAGE_NONE)
				store_drop(s->store, g);
			continue;
		}
		if (g >= put_end) {
			let_go(s, GFN(g));
			continue;
		}
		while (next < put_end && s->states[next] == PAGE_EVICTING)
			next++;
		for (uint64_t i = g; i < next; i++)
			set_state(s, GFN(i), PAGE_STORED);
		if (drop(s, g, next))
			for (uint64_t i = g; i < next; i++)
				let_go(s, GFN(i));
	}
	pthread_mutex_unlock(lock);
}

/* A run of resident pages of one shard. */
int sink_store_evict_run(struct sink_store *s, struct gfn_range r)
{
	uint64_t put_end = r.start.v + r.nr;
	int rc = guest_faults_watch(s->faults, r);

	if (rc || !begin(s, r))
		return rc;
	rc = guest_faults_protect(s->faults, r, true);
	if (rc) {
		put_end = r.start.v;
	} else {
		rc = copy_to_store(s, r);
		if (rc)
			put_end = s->put_failed;
	}
	finish(s, r, put_end);
	return rc;
}

int sink_store_prefetch(struct sink_store *s, struct gfn_range r)
{
	int rc = 0;

	for (uint64_t g = r.start.v; !rc && g < r.start.v + r.nr; g++) {
		pthread_mutex_t *lock = lock_of(s, GFN(g));
		struct load_times times;

		if (__atomic_load_n(&s->states[g], __ATOMIC_ACQUIRE) !=
		    PAGE_STORED)
			continue;
		pthread_mutex_lock(lock);
		if (s->states[g] == PAGE_STORED) {
			rc = load(s, GFN(g), s->coder, s->page, &times);
			/* They fault again, and wait as for their own. */
			guest_faults_wake(s->faults, GFN(g));
		}
		pthread_mutex_unlock(lock);
	}
	return rc;
}
