/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store sink by task: sink-store.c (states, faults; start reading there),
 * sink-store-evict.c, sink-store-discard.c, sink-store-trouble.c (unreadable
 * pages, errors), sink-store-open.c (options, open and close).
 */
#ifndef VMM_SINK_SINK_STORE_INTERNAL_H
#define VMM_SINK_SINK_STORE_INTERNAL_H

#include <pthread.h>

#include "vmm/mem/faults.h"
#include "vmm/sink/sink.h"
#include "vmm/store/store.h"
#include "vmm/util/log.h"

enum page_state {
	PAGE_NONE,	/* in guest memory, or never written: zeros */
	PAGE_EVICTING,	/* being copied; write-protected */
	PAGE_LOST,	/* damaged in the store; access is an error */
	/*
	 * In the states below the page is in the store and not in guest memory:
	 */
	PAGE_STORED,
	PAGE_LOADING,	/* being read */
};

struct sink_shard {
	pthread_mutex_t lock;		/* of the states of its frames */
	struct page_coder *coder;	/* owned; of the shard's thread */
	uint8_t page[STORE_PAGE_SIZE];	/* of the shard's thread */
	/* Under the lock: */
	uint64_t *waiting;	/* owned; touched frames that can't be read */
	uint64_t nr_waiting;	/* of this shard */
	/*
	 * Of the shard's thread: its pass over these frames, see
	 * sink-store-trouble.c
	 */
	uint64_t next_waiting, pass_delay_ns;
	bool pass_loaded;	/* a page was loaded in this pass */
};

/* The last failure; see sink_store_note(). */
struct sink_trouble {
	pthread_mutex_t lock;	/* guards text, when_ns and logged_waiting */
	char text[128];
	uint64_t when_ns;
	bool logged_waiting;	/* last log line on it: pages wait */
	int put_error;		/* last logged, and when: engine's thread */
	uint64_t put_logged_ns;
	struct log_limit put_limit, read_limit, lost_limit;
};

struct sink_store {
	struct reclaim_sink sink;
	struct guest_mem *mem;		/* not owned */
	struct store *store;		/* owned */
	struct guest_faults *faults;	/* owned */
	uint8_t *states;		/* owned; enum page_state by gfn */
	struct sink_census census;
	struct page_coder *coder;	/* owned; of the engine's thread */
	uint8_t page[STORE_PAGE_SIZE];
	uint64_t put_failed;		/* the frame */
	struct reclaim_sink_stats stats;	/* of the sink; atomic */
	struct sink_trouble trouble;
	unsigned int nr_shards;
	struct sink_shard shards[];
};

extern const struct guest_faults_ops sink_store_faults;

static inline struct sink_shard *sink_store_shard(struct sink_store *s,
						  gfn_t gfn)
{
	return &s->shards[guest_faults_shard(s->faults, gfn)];
}

/* Reads the state without the lock: it may be outdated. */
static inline enum page_state sink_store_peek(const struct sink_store *s,
					      gfn_t gfn)
{
	return __atomic_load_n(&s->states[gfn.v], __ATOMIC_ACQUIRE);
}

static inline void sink_store_count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

/*
 * Under the lock.  A page that leaves the store is no longer in the waiting
 * set.
 */
void sink_store_set_state(struct sink_store *s, gfn_t gfn,
			  enum page_state state);

struct load_times {	/* times: requested, read, in place */
	uint64_t start, read, end;
};

/*
 * Loads a STORED page into guest memory and wakes the threads that wait for it.
 * The lock is held before and after, not meanwhile. 0: it is resident, or was
 * discarded.  -EBADMSG: it is LOST.  Any other error: it is STORED as before,
 * the load may be retried, and no thread is woken.
 */
int sink_store_load(struct sink_store *s, gfn_t gfn, struct page_coder *coder,
		    void *page, struct load_times *t);

/* The owner's function for discards, see guest_mem_set_owner(). */
int sink_store_discard(void *arg, struct gfn_range range);
/* Evicts resident pages within one shard. */
int sink_store_evict_run(struct sink_store *s, struct gfn_range r);
/* Starts no page at until_ns or later, which is no error. */
int sink_store_prefetch(struct sink_store *s, struct gfn_range r,
			uint64_t until_ns);

/*
 * sink-store-trouble.c.  Sets the text of s->trouble, with the current time.
 * Does not log.
 */
void sink_store_note(struct sink_store *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * Notes the result of store_put(); 0 is no error.  Errors are logged,
 * rate-limited.
 */
void sink_store_note_put(struct sink_store *s, int rc);
void sink_store_note_get(struct sink_store *s, gfn_t gfn, int rc);
/*
 * Under the lock: makes a LOADING page LOST, as it is permanently damaged. 0:
 * it is LOST.  -errno: this failed, and the page is as before.
 */
int sink_store_mark_lost(struct sink_store *s, gfn_t gfn);
/*
 * Under the lock, in the shard's thread: adds a touched page to the waiting
 * set: one that is STORED and could not be read because of rc, or one that is
 * NONE and could not be made accessible.  It is retried until it succeeds or
 * the page is discarded.
 */
void sink_store_wait_for(struct sink_store *s, gfn_t gfn, int rc);
/* Under the lock. */
void sink_store_stop_waiting(struct sink_store *s, gfn_t gfn);
/* The `retry` of guest_faults_ops. */
void sink_store_retry_reads(void *arg, unsigned int shard);

#endif
