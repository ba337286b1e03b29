/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine's state, shared by its loop (engine.c) and reclaim.c. */
#ifndef VMM_POLICY_ENGINE_INTERNAL_H
#define VMM_POLICY_ENGINE_INTERNAL_H

#include <pthread.h>

#include "vmm/policy/engine.h"
#include "vmm/policy/frames.h"
#include "vmm/policy/wss.h"
#include "vmm/util/log.h"

/* Frames judged and evicted in one go. */
/* Candidates at a time; a quarter where a last look costs little a call. */
#define ENGINE_BATCH 16384

/* What the agent says of a frame that must stay where it is. */
#define ENGINE_NEVER_EVICT \
	(RMAP_PG_LOCKED | RMAP_PG_RESERVED | RMAP_PG_PGTABLE | RMAP_PG_SLAB)

struct engine {
	struct engine_config config;
	uint64_t nr_frames;
	pthread_t thread;

	/* The thread's alone. */
	uint64_t *resident, *swapped, *young;	/* of this scan; owned */
	uint64_t *looked;	/* young, and not aged by yet; owned */
	uint64_t *saw;		/* of these, those that a source saw; owned */
	uint64_t *proven;	/* of young, the same; owned */
	uint64_t *assumed;	/* by the source, not seen; owned */
	uint64_t *refused;	/* by the sink, in this scan; owned */
	uint64_t *huge;		/* in huge pages; NULL: can't be any; owned */
	uint32_t *chosen;	/* ENGINE_BATCH; NULL as huge is; owned */
	uint64_t nr_gone, nr_refused;	/* in this scan */
	size_t batch;		/* candidates at a time; <= ENGINE_BATCH */
	uint64_t reclaim_until_ns;	/* CPU time of the thread; this scan */
	uint32_t *candidates;	/* ENGINE_BATCH; owned */
	struct gfn_range *ranges;	/* ENGINE_BATCH; owned */
	uint32_t scan;			/* written under the lock */
	uint64_t nr_young;
	unsigned int nr_failed;	/* scans in a row */
	struct prefetch *prefetch;	/* owned; NULL until it is wanted */
	bool no_free;		/* no candidate of this scan is free */
	uint64_t ages[ENGINE_AGES], ages_2m[ENGINE_AGES];
	uint64_t block_2m;	/* the one under way, UINT64_MAX: none */
	unsigned int block_age;	/* of the youngest of its frames */
	struct wss_counter wss_counter;
	struct wss_pages wss_next;	/* of the scan under way */
	uint64_t look_start_ns, look_end_ns;
	struct log_limit limit;

	pthread_mutex_t lock;	/* of all below; taken before the view's */
	pthread_cond_t wake;
	bool stopping;
	struct engine_policy policy;
	struct engine_stats stats;
	struct frame_table frames;
	struct wss_clock wss_clock;
	struct wss_pages wss_pages;	/* of the last good scan */
	uint64_t wss_granule;		/* frames; constant */
	uint64_t *wss_alike;		/* by granule; NULL for 1; owned */

	pthread_mutex_t callback_lock;	/* of the two below; before `lock` */
	void (*on_scan)(const struct engine_stats *stats, void *arg);
	void *on_scan_arg;
};

/* -EINVAL with why: a value is out of range. */
int engine_check_policy(const struct engine_policy *p, char *why, size_t len);

/* Counts an error, keeps its text for the statistics and logs it. */
void engine_set_error(struct engine *e, const char *what, int rc);

/*
 * Harvests a range into `young`, and adds to `looked`.  A harvest clears bits
 * that nothing else remembers: they stay in `looked` until a scan has aged by
 * them, whatever fails between.  0 or -errno.
 */
int engine_harvest(struct engine *e, struct gfn_range range);

/* Ages all frames by what was looked at; takes the locks, a part at a time. */
void engine_age_all(struct engine *e);

/* Which frames are in huge pages now, into `huge`.  0 or -errno, told. */
int engine_find_huge(struct engine *e);
/*
 * Takes those of the first nr candidates away that are too small a part of a
 * huge page to split it for.  Returns how many are left.
 */
size_t engine_spare_huge(struct engine *e, size_t nr);
/* Counts huge pages that went, of nr candidates, by `resident`; locked. */
void engine_count_huge(struct engine *e, size_t nr);

/*
 * The second half of a scan: down to the target, if the policy wants it.
 * 0 or -errno, told by engine_set_error().
 */
int engine_reclaim(struct engine *e);

#endif
