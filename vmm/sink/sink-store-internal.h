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
	PAGE_LOST,	/* was damaged in the store; access is an error */
	/*
	 * In the states below the page is in the store and not in guest memory
	 * (code compares states with PAGE_STORED):
	 */
	PAGE_STORED,
	PAGE_LOADING,	/* being read from the store */
};

struct sink_shard {
	pthread_mutex_t lock;		/* guards the states of its frames */
	/* Only for the shard's thread: */
	struct page_coder *coder;	/* owned */
	uint8_t page[STORE_PAGE_SIZE];	/* its buffer */
	/* Under the lock: */
	uint64_t *waiting;	/* bitmap: touched, but can't be read; owned */
	uint64_t nr_waiting;	/* bits set in it */
	/*
	 * Only for the shard's thread: its pass over the waiting frames, see
	 * sink-store-trouble.c.  The next frame of the pass, and how long the
	 * thread waits before it begins another.
	 */
	uint64_t next_waiting, pass_delay_ns;
	bool pass_loaded;	/* a page was loaded in this pass */
};

/* The last failure; see sink_store_note(). */
struct sink_trouble {
	pthread_mutex_t lock;	/* guards text, when_ns and logged_waiting */
	char text[128];
	uint64_t when_ns;
	bool logged_waiting;	/* the last line logged says that pages wait */
	/* The last failed put that was logged, and when; engine's thread. */
	int put_error;
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
	/* Only for the engine's thread: */
	struct page_coder *coder;	/* owned */
	uint8_t page[STORE_PAGE_SIZE];	/* its buffer */
	uint64_t first_not_put;		/* frame, after a put that failed */
	/* Changed atomically; without .store and .last_error. */
	struct reclaim_sink_stats stats;
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

/* Reads the state without the shard's lock: it may be outdated. */
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
 * Under the lock, which here and below is that of the page's shard.  A page
 * that leaves the store also leaves the set of waiting pages.
 */
void sink_store_set_state(struct sink_store *s, gfn_t gfn,
			  enum page_state state);

struct load_times {	/* clock_now_ns(): requested, read, in place */
	uint64_t start, read, end;
};

/*
 * Loads a STORED page into guest memory and wakes the threads that wait for it.
 * The lock is held before and after, but released meanwhile.  coder and page, a
 * buffer, are the calling thread's.  0: the page is resident, or was discarded.
 * -EBADMSG: it is LOST.  Any other error: it is STORED as before, the load may
 * be retried, and no thread is woken.
 */
int sink_store_load(struct sink_store *s, gfn_t gfn, struct page_coder *coder,
		    void *page, struct load_times *t);

/* Discards pages, as the owner of discards: see guest_mem_set_owner(). */
int sink_store_discard(void *arg, struct gfn_range range);
/* Evicts resident pages within one shard.  0 or -errno; some may be evicted. */
int sink_store_evict_run(struct sink_store *s, struct gfn_range r);
/*
 * Loads the range's STORED pages; begins none at until_ns or later, which is no
 * error.  0; -EBADMSG: a page is LOST, the others are loaded; or why no page
 * can be loaded.
 */
int sink_store_prefetch(struct sink_store *s, struct gfn_range r,
			uint64_t until_ns);

/*
 * sink-store-trouble.c.  Sets the last error, the text of s->trouble, and its
 * time.  Does not log.
 */
void sink_store_note(struct sink_store *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * Notes the result of store_put() as the last error, and logs some errors,
 * rate-limited; 0: does nothing.
 */
void sink_store_note_put(struct sink_store *s, int rc);
/* Notes an error of store_get() or of copying the page into place. */
void sink_store_note_get(struct sink_store *s, gfn_t gfn, int rc);
/*
 * Under the lock: makes a LOADING page LOST, as its copy in the store is
 * damaged.  0: it is LOST.  -errno: this failed, and the page is as before.
 */
int sink_store_mark_lost(struct sink_store *s, gfn_t gfn);
/*
 * Under the lock, in the shard's thread: adds a touched page to the set of
 * waiting pages: a STORED page that could not be read because of rc, or a NONE
 * page that could not be made accessible.  It is retried until that succeeds or
 * the page is discarded.
 */
void sink_store_wait_for(struct sink_store *s, gfn_t gfn, int rc);
/* Under the lock: removes a page from that set, if it is in it. */
void sink_store_stop_waiting(struct sink_store *s, gfn_t gfn);
/* The `retry` of guest_faults_ops. */
void sink_store_retry_reads(void *arg, unsigned int shard);

#endif
