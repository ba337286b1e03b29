/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine's state, in parts, and the functions that its files share.
 *
 * Locks, each taken along the arrow only:
 *
 *     callback_lock --> lock --> view lock
 *
 *   callback_lock  on_scan and its argument; held while on_scan() runs
 *   lock           what other threads read or set: policy, stats, history, and
 *                  whether the engine is paused (engine-lock.h: how long it
 *                  may be held)
 *   none           scan, census, pass, goal, requests: only the engine's thread
 *                  uses these
 */
#ifndef VMM_ENGINE_ENGINE_INTERNAL_H
#define VMM_ENGINE_ENGINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "vmm/engine/engine.h"
#include "vmm/engine/engine-lock.h"
#include "vmm/engine/nodes.h"
#include "vmm/engine/prefetch.h"
#include "vmm/engine/reclaim.h"
#include "vmm/policy/anon-file-balance.h"
#include "vmm/policy/blocks.h"
#include "vmm/policy/choice.h"
#include "vmm/policy/frames.h"
#include "vmm/policy/price.h"
#include "vmm/policy/proactive.h"
#include "vmm/policy/wss.h"
#include "vmm/sink/sink.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"
#include "vmm/util/fair-lock.h"
#include "vmm/util/log.h"

/*
 * Candidates in a batch, at most; engine_pass.batch is a quarter of this unless
 * the source's cost is ACCESS_COST_RMAP: each batch is harvested once more, in
 * several calls.
 */
#define ENGINE_BATCH 16384

/*
 * Pages that the sink is to evict or to bring back in one call, at most; 16 MiB.
 * A thread that stops or pauses the engine waits for no more than that.
 */
#define ENGINE_SINK_PAGES 4096

struct word_classes {		/* resident frames among 64, by class */
	uint8_t nr[NR_FRAME_CLASSES];
};

/* A request to the guest that may still be pending. */
struct guest_request {
	uint64_t nr_pages;	/* requested, so not to be evicted; 0: none */
	uint64_t deadline_ns;	/* after this the request has failed */
	/*
	 * To measure the result: how many pages were requested (0: no request
	 * is pending), and the value at that time of what the request changes:
	 * pages of the guest's clean page cache, or nr_received.
	 */
	uint64_t nr_requested, value_at_request;
	unsigned int nr_failures;	/* failures in a row */
	uint64_t retry_ns;	/* no new request before this time */
};

/*
 * Requests to the guest, and their results: guest-requests.c.  The engine's
 * thread only.
 */
struct guest_requests {
	struct guest_request cache, free;
	uint64_t cache_epoch;	/* the agent's epoch at the cache request */
	/*
	 * Pages of clean page cache, and the agent's epoch, both as of the last
	 * scan: this scan's counts by class were made later, so they include
	 * whatever these reports show.
	 */
	uint64_t last_clean, last_epoch;
	uint64_t nr_received;	/* pages discarded from the host's RAM; total */
	bool balloon_is_busy;	/* so the pending request is not sent yet */
	/* Total refaults at the last scan: the engine's, and the guest's. */
	uint64_t last_refaults, last_guest_refaults;
	bool has_guest_refaults;	/* last_guest_refaults is valid */
	struct anon_file_balance balance; /* of refaults */
};

/*
 * What a scan observes: bitmaps by frame.  Only the engine's thread uses them,
 * so reading residency, harvesting and evicting need no lock.
 */
struct engine_scan {
	uint64_t nr_frames;	/* in each bitmap; constant, for any thread */
	uint64_t *resident, *swapped;	/* owned, as all bitmaps below */
	/* Accessed since the last scan that aged; overwritten by rechecks. */
	uint64_t *young;
	uint64_t *observed;	/* of these, what the source saw accessed */
	/*
	 * As the two above, of all harvests since frames were last aged; the
	 * next scan moves them there.
	 */
	uint64_t *pending_young, *pending_observed;
	uint64_t *harvested;	/* by the source, in the last harvest */
	uint64_t *assumed;	/* in the last harvest, by ops->assumed() */
	uint64_t *huge;		/* in huge pages; NULL: these cannot occur */
	uint64_t *huge_mapped;	/* of these, mapped as such now; likewise */
	uint64_t nr_young;	/* bits set in `young` when frames are aged */
	uint64_t harvest_start_ns, harvest_end_ns;
	unsigned int nr_begun;	/* scans, failed ones included */
};

/* A frame's class, by the reverse map.  Under the view's lock. */
static inline enum frame_class engine_class_of(struct view *view, gfn_t gfn)
{
	return frame_class_of(rmap_page_flags(view_map(view), gfn.v));
}

/*
 * Whether the frame must stay: because of the guest (mlock, kernel memory), or
 * because our devices have pinned it.  Checks all mappings, which costs
 * LOCK_HOLD_WALK.  Under the view's lock.
 */
static inline bool engine_is_unevictable(const struct engine_config *c,
					 gfn_t gfn)
{
	return rmap_page_unevictable(view_map(c->view), gfn.v) ||
	       guest_mem_is_pinned(c->mem, gfn);
}

static inline uint64_t engine_scan_nr_resident(const struct engine_scan *scan)
{
	return bitmap_count(scan->resident, 0, scan->nr_frames);
}

/* Counts that a scan makes while aging: ages.c.  The engine's thread only. */
struct engine_census {
	/* By age: resident frames; 2 MiB blocks, by their youngest frame. */
	uint64_t ages[ENGINE_AGES], ages_2m[ENGINE_AGES];
	uint64_t classes[NR_FRAME_CLASSES];	/* resident frames */
	uint64_t nr_idle_clean, nr_protected;	/* as in engine.h */
	uint64_t block_2m;	/* the current one; UINT64_MAX: none */
	unsigned int block_age;	/* of the youngest of its frames */
	struct wss_counter wss_counter;
	struct wss_pages wss_pages;
};

/*
 * What is remembered of frames from scan to scan.  Only the engine's thread
 * changes it, under the lock, so that thread may read it without the lock.
 */
struct engine_history {
	uint32_t scan_nr;	/* number of the last scan that ages frames */
	struct frame_table frames;
	struct price_table prices;	/* learned by learn-prices.c */
	struct block_table blocks;	/* unused if scan.huge is NULL */
	/* As of when the 64 frames of a word were last aged; owned. */
	uint64_t *resident_when_aged, *swapped_when_aged;
	struct word_classes *word_classes;	/* by word */
	struct proactive proactive;
	struct wss_clock wss_clock;
	struct wss_pages wss_pages;	/* of the last good scan */
	uint64_t wss_granule;		/* frames; constant */
	/*
	 * Bit by granule: all its frames have one observed age.  Owned; NULL: a
	 * granule is one frame.
	 */
	uint64_t *wss_has_one_age;
};

/*
 * One pass of reclaim, at the end of a scan: reclaim.c.  The engine's thread
 * only.
 */
struct engine_pass {
	uint32_t *candidates;	/* gfns, sorted; ENGINE_BATCH; owned */
	struct gfn_range *ranges;	/* of candidates; ENGINE_BATCH; owned */
	/* Before huge pages are completed; owned; NULL if scan.huge is. */
	uint32_t *chosen;
	uint64_t *refused;	/* bitmap of what the sink refused; owned */
	uint64_t *tried;	/* bitmap of what has been a candidate; owned */
	uint64_t *resident;	/* after a failed call of the sink; owned */
	size_t batch;		/* candidates in a batch; <= ENGINE_BATCH */
	uint64_t cpu_limit_ns;	/* no new batch after this engine_cpu_ns() */
	uint64_t nr_evicted, nr_refused;	/* pages */
	bool sink_is_full;	/* no further call of the sink in this pass */
	unsigned int min_idle;	/* scans for which a candidate must be idle */
	/* Clean page cache: the guest drops it on request. */
	bool cache_is_left_to_guest;
	/* How candidates are chosen: candidates.c. */
	enum reclaim_effort effort;
	struct choice choice;
	uint64_t block;		/* the huge page last examined; UINT64_MAX: none */
	unsigned int block_idle;	/* pages of it that are idle */
	unsigned int nr_sweeps;	/* through memory, begun with this effort */
	uint64_t sweep_frames_left;	/* to be visited by this sweep */
	uint64_t clock_hand;	/* next gfn of a sweep; kept across scans */
};

/*
 * How much to evict, by the host's state in this scan: goal.c.  The engine's
 * thread only.
 */
struct engine_goal {
	bool psi_high;		/* pressure is above the policy's limit */
	bool below_low;		/* available memory fell below low, and has
				 * not reached high since */
	bool above_high;	/* available memory is at high or above */
	uint64_t wanted_by_host;	/* pages, to reach high; or 0 */
	int64_t io_pages;	/* left of the I/O quota; kept across scans */
	uint64_t io_last_ns;		/* when the quota was last refilled */
};

struct engine {
	struct engine_config config;	/* constant */
	pthread_t thread;
	atomic_bool stopping;	/* set once; any thread reads it */

	/* The engine's thread only. */
	struct engine_scan scan;
	struct engine_census census;
	struct engine_pass pass;
	struct engine_goal goal;
	struct guest_requests requests;
	struct engine_policy scan_policy;	/* copied as a scan begins */
	unsigned int nr_failed;		/* failed scans in a row */
	unsigned int lock_hold_cost;	/* frames, since lock_hold_begin() */
	struct prefetch *prefetch;	/* owned; NULL until it is first used */
	struct nodes nodes;		/* .nr and .node are constant */
	struct log_limit limit;		/* of messages on errors */
	uint64_t error_logged_ns;	/* when an error was last logged */

	/* Guards the members up to callback_lock; taken before the view's. */
	struct fair_lock lock;
	pthread_cond_t wake;	/* for the thread: a setting has changed */
	struct engine_policy policy;
	/* Only the engine's thread changes these; it reads them unlocked. */
	struct engine_stats stats;
	struct engine_history history;
	bool paused;		/* see engine_pause() */
	bool was_paused;	/* and resumed, since the last good scan */
	bool in_sink_call;	/* see engine_begin_sink_call() */
	pthread_cond_t sink_idle;	/* signalled when in_sink_call ends */
	uint8_t *import;	/* ages of engine_set_ages(); owned; or NULL */

	pthread_mutex_t callback_lock;	/* of the two below; before `lock` */
	void (*on_scan)(const struct engine_stats *stats, void *arg);
	void *on_scan_arg;
};

/* --- engine-alloc.c ------------------------------------------------------- */
/*
 * A part is zeroed before its init, and destroyed also if that failed.  0,
 * -ENOMEM, or -EFBIG: more frames than a table can have.  huge: huge pages can
 * occur.
 */
int engine_scan_init(struct engine_scan *s, uint64_t nr_frames, bool huge);
void engine_scan_destroy(struct engine_scan *s);
int engine_history_init(struct engine_history *h, uint64_t nr_frames,
			uint64_t granule);
void engine_history_destroy(struct engine_history *h);
int engine_pass_init(struct engine_pass *p, uint64_t nr_frames, bool huge);
void engine_pass_destroy(struct engine_pass *p);

/* --- engine.c ------------------------------------------------------------- */
/*
 * Counts the error rc; keeps a text, of `what` and rc, for the statistics, and
 * logs it.  Takes the lock.
 */
void engine_set_error(struct engine *e, const char *what, int rc);

/*
 * Harvests a range into `harvested`, and adds what it found to `pending_young`
 * and `pending_observed`.  A harvest clears bits that nothing else remembers: they
 * stay pending until a scan has aged frames by them, whatever fails in between.
 * 0 or -errno.
 */
int engine_harvest(struct access_source *source, struct engine_scan *scan,
		   struct gfn_range range);

/* --- ages.c, ages-unchanged.c --------------------------------------------- */
/*
 * Ages all frames by what was observed; takes both locks, for a part at a time.
 * False: the engine is to stop, and not all frames were aged.
 */
bool engine_age_all(struct engine *e);

/* --- learn-prices.c ------------------------------------------------------- */
/* Counts which frames this scan found used, before they are aged. */
void engine_learn_prices(struct engine *e);

/* --- ages.c --------------------------------------------------------------- */
/* Counts nr resident frames of one 2 MiB block as being of that age. */
void ages_count(struct engine_census *c, gfn_t gfn, uint64_t nr,
		unsigned int age);
/*
 * Fast path: ages the 64 frames of word w, all of them RAM, if nothing else has
 * changed about them since the last scan; else returns false and changes
 * nothing.  Under both locks.
 */
bool ages_unchanged_word(struct engine *e, uint64_t w, unsigned int min_idle);

/* --- huge.c: huge pages --------------------------------------------------- */
/*
 * Finds the frames in huge pages, into scan.huge, before the source unmaps any.
 * 0, or -errno, already reported by engine_set_error().
 */
int engine_find_huge(struct engine *e);
/*
 * How many frames of the huge page that gfn is in may be evicted, by their age.
 * Both locks held.
 */
unsigned int engine_nr_idle_in_block(struct engine *e, gfn_t gfn);
/*
 * Removes those of the first nr candidates that are too small a part of a huge
 * page to be worth splitting it.  Returns how many are left.
 */
size_t engine_skip_huge_parts(struct engine *e, size_t nr);
/*
 * Splits the huge pages of which nr sorted frames are a part: the kernel, when it
 * is to evict a part of one that lies in a file, splits it and evicts nothing.
 */
void engine_split_parts(struct engine *e, const uint32_t *gfns, size_t nr);
/*
 * Counts the huge pages among nr sorted frames that were evicted, whole or in
 * part, by scan.resident; they are none any more.
 */
void engine_count_huge(struct engine *e, const uint32_t *gfns, size_t nr);

/* --- huge-blocks.c: which blocks are to be huge ---------------------------- */
/* In reclaim, when what is idle has gone: splits what is to be looked at. */
void engine_split_blocks(struct engine *e);
/*
 * After reclaim: judges blocks that were looked at, and collapses what is hot as
 * a whole.
 */
void engine_update_blocks(struct engine *e);

/* --- engine-lock.c -------------------------------------------------------- */
/*
 * CPU time that the engine has used, ns: of its thread, and of processes that
 * evict for the sink.  The engine's thread only.
 */
static inline uint64_t engine_cpu_ns(const struct engine *e)
{
	return clock_thread_cpu_ns() +
	       (e->config.sink ? e->config.sink->helper_cpu_ns : 0);
}

/*
 * The policy wants eviction, there is a sink, and the engine is neither paused
 * nor stopping.  Under the lock.
 */
bool engine_may_evict(const struct engine *e);
/*
 * Enclose each call of the sink that evicts pages or brings them back, and the
 * counting after it: whoever pauses the engine waits for the end.  evict: the
 * call evicts.  False: the call must not be made now, and there is nothing to
 * end.  Both take the lock.
 */
bool engine_begin_sink_call(struct engine *e, bool evict);
void engine_end_sink_call(struct engine *e);

/* --- goal.c: how much to evict ------------------------------------------- */
/* Reads the host's state; once a scan. */
void reclaim_goal_update(struct engine *e);
/* Resident pages above the target, if eviction is allowed now. */
uint64_t reclaim_nr_over_target(struct engine *e);
/* Pages to evict now for the target or for the host. */
uint64_t reclaim_nr_to_evict(struct engine *e);
/*
 * Idle for how many scans a page is evicted proactively; ENGINE_AGES: none is
 * evicted.
 */
unsigned int reclaim_proactive_idle(struct engine *e);
/* The number of pages, of max, that the I/O quota allows to evict now. */
size_t reclaim_io_quota(struct engine *e, size_t max);

/* --- guest-requests.c: memory that the guest can return by itself --------- */
/*
 * Requests some of the pages over the target from the guest, if it is worth it.
 * Returns how many have been requested and not returned yet: so many need not
 * be evicted (guest_request.nr_pages).
 */
uint64_t request_guest_memory(struct engine *e, uint64_t over);
/* Whether clean page cache is left to the guest, which drops it on request. */
bool engine_leaves_cache_to_guest(struct engine *e);

/* --- ages.c: ages changed from outside ------------------------------------ */
/*
 * After a pause: evicted pages that are resident again and not young were
 * brought back by another program, and do not count as refaults.
 */
void engine_discount_refaults(struct engine *e);
/* Takes over the ages of engine_set_ages(), if any. */
void engine_import_ages(struct engine *e);

/* --- reclaim.c ------------------------------------------------------------ */
/*
 * The second half of a scan: evicts down to the target, if the policy wants it.
 * 0, or -errno, already reported by engine_set_error().
 */
int engine_reclaim(struct engine *e);

#endif
