// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store sink: errors, and pages that can't be read at the moment.
 *
 * A thread that touches such a page waits, and the page is called waiting.
 * Each shard's thread retries the waiting pages of its shard in passes:
 *
 *	wait ... pass: [turn] faults [turn] faults ... [turn]   wait ...   pass
 *	 100 ms to 1 s: doubled after a pass in which no page was loaded
 *
 * A turn retries a few pages; between two turns other faults of the shard are
 * served.  So each page is retried at the latest a second, plus the duration of
 * a pass, after its last attempt, whatever else happens in the shard; and pages
 * that stay unreadable do not prevent others from being retried.
 */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "vmm/sink/sink-store-internal.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"
#include "vmm/util/error-text.h"
#include "vmm/util/min-max.h"

#define FIRST_DELAY_NS (100 * NSEC_PER_MSEC)
#define MAX_DELAY_NS   NSEC_PER_SEC
#define TURN_PAGES     16
#define TURN_NS	       (20 * NSEC_PER_MSEC)
#define REPEAT_LOG_NS  (60 * NSEC_PER_SEC)

void sink_store_note(struct sink_store *s, const char *fmt, ...)
{
	struct sink_trouble *t = &s->trouble;
	va_list ap;

	va_start(ap, fmt);
	pthread_mutex_lock(&t->lock);
	vsnprintf(t->text, sizeof(t->text), fmt, ap);
	t->when_ns = clock_now_ns();
	pthread_mutex_unlock(&t->lock);
	va_end(ap);
}

static const char *reason(int rc)
{
	switch (rc) {
	case -ETIMEDOUT:
		return "the device does not answer";
	case -ENOSPC:
		return "the store is full, in memory and on its device";
	case -EBADMSG:
		return "its copy in the store is damaged";
	case -EAGAIN:
		return "the address space of vmm is being changed";
	case -ENOLINK:
		return "the connection to the device broke before it answered";
	default:
		return error_text(-rc);
	}
}

/* As above; -ENOSPC of a read is the device's, as reading needs no space. */
static const char *read_reason(int rc)
{
	return rc == -ENOSPC ? error_text(ENOSPC) : reason(rc);
}

/*
 * Logs only that the store is full or memory is short, as the store itself logs
 * errors of its device; once a minute, as a store may be full for days.
 */
void sink_store_note_put(struct sink_store *s, int rc)
{
	struct sink_trouble *t = &s->trouble;
	uint64_t now = clock_now_ns();

	if (!rc)
		return;
	sink_store_note(s, "cannot store pages, so they stay in guest memory: "
			"%s", reason(rc));
	if (rc != -ENOSPC && rc != -ENOMEM)
		return;
	if (rc == t->put_error && now - t->put_logged_ns < REPEAT_LOG_NS)
		return;
	t->put_error = rc;
	t->put_logged_ns = now;
	log_limited(&t->put_limit, LOG_LEVEL_WARN,
		    "store: cannot store pages, so they stay in guest memory: "
		    "%s", reason(rc));
}

void sink_store_note_get(struct sink_store *s, gfn_t gfn, int rc)
{
	sink_store_note(s, "cannot read back frame 0x%llx: %s",
			(unsigned long long)gfn.v, read_reason(rc));
}

int sink_store_mark_lost(struct sink_store *s, gfn_t gfn)
{
	int rc = guest_faults_poison(s->faults, gfn);

	if (rc) {
		log_limited(&s->trouble.lost_limit, LOG_LEVEL_ERROR,
			    "store: the data of frame 0x%llx is damaged, and "
			    "its page cannot be replaced by one that raises a "
			    "memory error: %s; accesses to it block; raise "
			    "vm.max_map_count",
			    (unsigned long long)gfn.v, error_text(-rc));
		return rc;
	}
	store_drop(s->store, gfn.v);
	sink_store_set_state(s, gfn, PAGE_LOST);
	sink_store_count(&s->stats.nr_poisoned, 1);
	log_limited(&s->trouble.lost_limit, LOG_LEVEL_ERROR,
		    "store: the data of frame 0x%llx is damaged: an access to "
		    "it is a memory error, which ends the guest",
		    (unsigned long long)gfn.v);
	return 0;
}

/*
 * Logs one line when the first page waits, and one when none waits any more.
 * Both are written under one lock, so that lines are in the order of events and
 * the last one is true.  The second line is written only if the first was, so
 * it needs no rate limit; a first line that is over its limit is tried again in
 * each later pass.  gfn, rc: a page that waits, and why it could not be read.
 */
static void log_waiting(struct sink_store *s, gfn_t gfn, int rc)
{
	struct sink_trouble *t = &s->trouble;
	bool any_waiting;

	pthread_mutex_lock(&t->lock);
	any_waiting = __atomic_load_n(&s->stats.nr_waiting, __ATOMIC_RELAXED);
	if (any_waiting && !t->logged_waiting) {
		t->logged_waiting = log_limited(&t->read_limit, LOG_LEVEL_ERROR,
			"store: cannot read back frame 0x%llx: %s; accesses to "
			"such pages block; reads are retried until they "
			"succeed",
			(unsigned long long)gfn.v, read_reason(rc));
	} else if (!any_waiting && t->logged_waiting) {
		log_info("store: all waiting page faults are resolved");
		t->logged_waiting = false;
	}
	pthread_mutex_unlock(&t->lock);
}

void sink_store_stop_waiting(struct sink_store *s, gfn_t gfn)
{
	struct sink_shard *sh = sink_store_shard(s, gfn);

	if (!bitmap_test(sh->waiting, gfn.v))
		return;
	bitmap_clear(sh->waiting, gfn.v);
	sh->nr_waiting--;
	if (!__atomic_sub_fetch(&s->stats.nr_waiting, 1, __ATOMIC_RELAXED))
		log_waiting(s, gfn, 0);
}

void sink_store_wait_for(struct sink_store *s, gfn_t gfn, int rc)
{
	struct sink_shard *sh = sink_store_shard(s, gfn);

	if (bitmap_test(sh->waiting, gfn.v))
		return;
	bitmap_set(sh->waiting, gfn.v);
	if (!__atomic_fetch_add(&s->stats.nr_waiting, 1, __ATOMIC_RELAXED))
		log_waiting(s, gfn, rc);
	if (sh->nr_waiting++)
		return;
	sh->pass_delay_ns = FIRST_DELAY_NS;
	guest_faults_retry_after(s->faults, sh - s->shards, FIRST_DELAY_NS);
}

/*
 * Under the lock: for a waiting page that is not in the store (PAGE_NONE): it
 * could not be filled with zeros, or its protection not be removed.  The
 * threads that wait for it retry their access, and the new faults are handled
 * by the page's state at that time.
 */
static void wake_to_retry(struct sink_store *s, gfn_t gfn)
{
	sink_store_stop_waiting(s, gfn);
	guest_faults_wake(s->faults, (struct gfn_range){ gfn, 1 });
}

/* Under the lock: one turn of a pass.  True: the pass is complete. */
static bool retry_turn(struct sink_store *s, struct sink_shard *sh)
{
	uint64_t nr = guest_mem_nr_frames(s->mem);
	uint64_t end_ns = clock_now_ns() + TURN_NS;
	bool is_first = !sh->next_waiting;
	struct load_times times;
	int rc = 0;

	for (unsigned int i = 0; i < TURN_PAGES; i++) {
		uint64_t g = bitmap_next(sh->waiting, sh->next_waiting, nr);

		if (g == nr)
			return true;
		sh->next_waiting = g + 1;
		/* PAGE_LOADING: another thread is loading it. */
		if (s->states[g] == PAGE_STORED) {
			rc = sink_store_load(s, GFN(g), sh->coder, sh->page,
					     &times);
			sh->pass_loaded |= !rc;
		} else if (s->states[g] == PAGE_NONE) {
			wake_to_retry(s, GFN(g));
		}
		/* Once a pass, in case the first failure was not logged. */
		if (rc && is_first)
			log_waiting(s, GFN(g), rc);
		is_first = false;
		if (clock_now_ns() >= end_ns)
			break;
	}
	return false;
}

void sink_store_retry_reads(void *arg, unsigned int shard)
{
	struct sink_store *s = arg;
	struct sink_shard *sh = &s->shards[shard];

	pthread_mutex_lock(&sh->lock);
	if (!retry_turn(s, sh)) {
		guest_faults_retry_after(s->faults, shard, 0);
	} else {
		sh->pass_delay_ns = sh->pass_loaded ? FIRST_DELAY_NS :
			min_u64(2 * sh->pass_delay_ns, MAX_DELAY_NS);
		sh->pass_loaded = false;
		sh->next_waiting = 0;
		if (sh->nr_waiting)
			guest_faults_retry_after(s->faults, shard,
						 sh->pass_delay_ns);
	}
	pthread_mutex_unlock(&sh->lock);
}
