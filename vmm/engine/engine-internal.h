/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine's state, in parts, and what its files do for each other.
 *
 * Locks, each taken along the arrow only:
 *
 *     callback_lock --> lock --> view lock
 *
 *   callback_lock  on_scan and its argument; held while it runs
 *   lock           what others read or set: policy, stats, history, and whether
 *                  the engine is held (lock-hold.h: how long it may be taken)
 *   none           scan, census, pass, goal, ask: the engine's thread alone
 */
#ifndef VMM_ENGINE_ENGINE_INTERNAL_H
#define VMM_ENGINE_ENGINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "vmm/engine/engine.h"
#include "vmm/engine/lock-hold.h"
#include "vmm/engine/nodes.h"
#include "vmm/engine/prefetch.h"
#include "vmm/engine/reclaim.h"
#include "vmm/policy/anon-file-balance.h"
#include "vmm/policy/frames.h"
#include "vmm/policy/proactive.h"
#include "vmm/policy/wss.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/fair-lock.h"
#include "vmm/util/log.h"

/* Candidates at a time; a quarter where a last look costs little a call. */
#define ENGINE_BATCH 16384

struct word_classes {		/* resident frames of 64, by class */
	uint8_t nr[NR_FRAME_CLASSES];
};

/* A request to the guest that may still be under way. */
struct asked {
	uint64_t nr_pages;	/* not yet seen to have gone; 0: none */
	uint64_t until_ns;	/* no longer waited for then */
	/*
	 * To judge by: pages that were asked for, and of what shows it, the
	 * guest's clean cache or what it has given, how many there were.
	 */
	uint64_t nr_asked, mark;
	unsigned int nr_vain;	/* times in a row that little came of it */
	uint64_t again_ns;	/* not before */
};

/* What the guest was asked for, and what came of it: ask.c.  The thread's alone. */
struct ask {
	struct asked cache, free;
	uint64_t cache_epoch;	/* of the agent, when it was asked */
	/*
	 * As they were in the last scan: what shows in them shows in this scan's
	 * classes as well.  Pages of clean cache.
	 */
	uint64_t last_clean, last_epoch;
	uint64_t nr_given;	/* pages that left memory, and are in no swap */
	bool balloon_is_busy;	/* what is waited for was not asked for yet */
	uint64_t last_refaults, last_guest_refaults;
	bool knows_guest;	/* the above has been read */
	struct balance balance; /* refaults of anonymous memory and of files */
};

/*
 * What a scan sees, by frame.  The engine's thread alone uses it, so that
 * residency, harvests and the sink need no lock.
 */
struct engine_scan {
	uint64_t nr_frames;	/* of each bitmap; constant, for any thread */
	uint64_t *resident, *swapped;	/* owned, as all below */
	uint64_t *young;	/* accessed since the last scan that aged */
	uint64_t *observed;	/* of these, those that a source saw accessed */
	/*
	 * As the two above, harvested since and not aged by yet: the next scan
	 * takes them over.
	 */
	uint64_t *pending_young, *pending_observed;
	uint64_t *assumed;	/* young by the last harvest, but not seen */
	uint64_t *huge;		/* in huge pages; NULL: there can't be any */
	uint64_t nr_young;
	uint64_t look_start_ns, look_end_ns;
	unsigned int turn;	/* scans begun, good and bad */
};

/* By the reverse map, under the view's lock. */
static inline enum frame_class engine_class_of(struct view *view, gfn_t gfn)
{
	return frame_class_of(rmap_page_flags(view_map(view), gfn.v));
}

static inline uint64_t engine_scan_nr_resident(const struct engine_scan *scan)
{
	return bitmap_count(scan->resident, 0, scan->nr_frames);
}

/* What one scan counts while it ages frames: ages.c.  The thread's alone. */
struct engine_census {
	/* Resident frames, and 2 MiB blocks by their youngest frame. */
	uint64_t ages[ENGINE_AGES], ages_2m[ENGINE_AGES];
	uint64_t classes[NR_FRAME_CLASSES];	/* resident frames */
	uint64_t nr_idle_clean, nr_protected;
	uint64_t block_2m;	/* the one under way, UINT64_MAX: none */
	unsigned int block_age;	/* of the youngest of its frames */
	struct wss_counter wss_counter;
	struct wss_pages wss_pages;
};

/*
 * What is remembered of frames from scan to scan.  Only the engine's thread
 * changes it, under the lock, so it alone may read it without.
 */
struct engine_history {
	uint32_t scan_nr;	/* of the last good scan */
	struct frame_table frames;
	/* By word of 64 frames, as each was last aged one by one; owned. */
	uint64_t *seen_resident, *seen_swapped;
	struct word_classes *word_classes;
	struct proactive proactive;
	struct wss_clock wss_clock;
	struct wss_pages wss_pages;	/* of the last good scan */
	uint64_t wss_granule;		/* frames; constant */
	uint64_t *wss_alike;		/* by granule; NULL for 1; owned */
};

/* One pass of reclaim, at the end of a scan: reclaim.c.  The thread's alone. */
struct engine_pass {
	uint32_t *candidates;	/* ENGINE_BATCH, sorted; owned */
	struct gfn_range *ranges;	/* of candidates; ENGINE_BATCH; owned */
	uint32_t *chosen;	/* ENGINE_BATCH; NULL as scan.huge is; owned */
	uint64_t *refused;	/* bitmap of what the sink refused; owned */
	size_t batch;		/* candidates at a time; <= ENGINE_BATCH */
	uint64_t cpu_limit_ns;	/* no further batch at this thread CPU time */
	uint64_t nr_gone, nr_refused;	/* pages */
	unsigned int min_idle;	/* scans that what goes must be idle for */
	enum reclaim_stage stage;
	bool may_drop;		/* the guest drops clean page cache */
	enum reclaim_spare spare;	/* of a hard target */
	uint64_t clock_hand;	/* gfn a hard target goes on from; lasts */
};

/* How much is to go, by the host's state in this scan: goal.c.  As above. */
struct engine_goal {
	bool psi_high;		/* above the policy's limit */
	bool pressing;		/* from below low until there is high */
	bool relaxed;		/* at high or above */
	uint64_t wanted_by_host;	/* pages */
	int64_t io_pages;		/* that may be evicted now; lasts */
	uint64_t io_last_ns;		/* when that was last refilled */
};

struct engine {
	struct engine_config config;	/* constant */
	pthread_t thread;
	atomic_bool stopping;	/* set once; any thread reads it */

	/* The thread's alone. */
	struct engine_scan scan;
	struct engine_census census;
	struct engine_pass pass;
	struct engine_goal goal;
	struct ask ask;
	struct engine_policy scan_policy;	/* copied as a scan begins */
	unsigned int nr_failed;		/* scans in a row */
	unsigned int hold_cost;		/* spent since hold_begin() */
	struct prefetch *prefetch;	/* owned; NULL until it is wanted */
	struct nodes nodes;		/* .nr and .of are constant */
	struct log_limit limit;
	uint64_t error_said_ns;		/* when an error was last logged */

	struct fair_lock lock;	/* of all below; taken before the view's */
	pthread_cond_t wake;
	struct engine_policy policy;
	/* The engine's thread alone changes these two, and reads them freely. */
	struct engine_stats stats;
	struct engine_history history;
	bool held, was_held;	/* since the last scan; see engine_hold() */
	bool moving;		/* the sink is at it; see engine_begin_move() */
	pthread_cond_t rests;	/* it is no more */
	uint8_t *import;	/* ages to take over, by gfn; owned; or NULL */

	pthread_mutex_t callback_lock;	/* of the two below; before `lock` */
	void (*on_scan)(const struct engine_stats *stats, void *arg);
	void *on_scan_arg;
};

/* --- parts.c --------------------------------------------------------------- */
/*
 * Of zeroed parts: 0, -ENOMEM, or -EFBIG for more frames than a table takes.
 * Those that failed are destroyed, too.  huge: there can be huge pages.
 */
int engine_scan_init(struct engine_scan *s, uint64_t nr_frames, bool huge);
void engine_scan_destroy(struct engine_scan *s);
int engine_history_init(struct engine_history *h, uint64_t nr_frames,
			uint64_t granule);
void engine_history_destroy(struct engine_history *h);
int engine_pass_init(struct engine_pass *p, uint64_t nr_frames, bool huge);
void engine_pass_destroy(struct engine_pass *p);

/* -EINVAL with why: a value is out of range. */
int engine_check_policy(const struct engine_policy *p, char *why, size_t len);

/* Counts an error, keeps its text for the statistics and logs it. */
void engine_set_error(struct engine *e, const char *what, int rc);

/*
 * Harvests a range into `young`, and adds to `pending_young`.  A harvest clears
 * bits that nothing else remembers: they stay pending until a scan has aged by
 * them, whatever fails between.  0 or -errno.
 */
int engine_harvest(struct access_source *source, struct engine_scan *scan,
		   struct gfn_range range);

/*
 * Ages all frames by what was looked at; takes the locks, a part at a time.
 * False: not all of them, the engine is to stop.
 */
bool engine_age_all(struct engine *e);

/* Counts nr frames of one 2 MiB as that old. */
void ages_count(struct engine_census *c, uint64_t gfn, uint64_t nr,
		unsigned int age);
/*
 * Ages the 64 frames of word w, all of them RAM, if nothing else has happened to
 * them since the last scan; else false, and nothing is changed.  Under the locks.
 */
bool quiet_age(struct engine *e, uint64_t w, unsigned int min_idle);

/* Which frames are in huge pages now, into `huge`.  0 or -errno, told. */
int engine_find_huge(struct engine *e);
/*
 * Takes those of the first nr candidates away that are too small a part of a
 * huge page to split it for.  Returns how many are left.
 */
size_t engine_spare_huge(struct engine *e, size_t nr);
/* Counts huge pages that went, of nr sorted frames, by `resident`. */
void engine_count_huge(struct engine *e, const uint32_t *gfns, size_t nr);

/*
 * The policy wants eviction, and nobody holds or stops the engine.  Under the lock.
 */
bool engine_may_evict(const struct engine *e);
/*
 * Around each call of the sink that evicts pages or brings them back, until it is
 * counted: who holds the engine waits for that.  False: this may not be now, and
 * there is nothing to end.  Without the lock.
 */
bool engine_begin_move(struct engine *e, bool evict);
void engine_end_move(struct engine *e);

/* --- goal.c: how much is to go ------------------------------------------- */
/* Looks at the host; once a scan. */
void goal_look(struct engine *e);
/* Pages to take now for the target or the host's sake. */
uint64_t goal_excess(struct engine *e);
/* Scans that a page must be idle for to go anyway; ENGINE_AGES: none may. */
unsigned int goal_proactive(struct engine *e);
/* At most so many pages in a batch, by the I/O quota. */
size_t goal_io(struct engine *e, size_t max);

/* --- ask.c: what the guest can give by itself ---------------------------- */
/*
 * Asks the guest, where that pays, to give some of these pages.  Returns how
 * many it has been asked for and not given yet: nobody else's pages need to go
 * for these.
 */
uint64_t ask_guest(struct engine *e, uint64_t over);
/* Clean page cache is for the guest to drop, and it is told to. */
bool ask_may_drop(struct engine *e);

/* Of what came back while we were held: the rest is no refault. */
void engine_forgive(struct engine *e);
/* Takes over the ages of engine_set_ages(), where there are some. */
void engine_import_ages(struct engine *e);

/*
 * The second half of a scan: down to the target, if the policy wants it.
 * 0 or -errno, told by engine_set_error().
 */
int engine_reclaim(struct engine *e);

#endif
