/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine: the loop that harvests accessed bits from a source
 * (access/source.h), ages frames, looks them up in the reverse map of the
 * host's view of the guest (guest/view.h) and has cold ones evicted by a sink
 * (sink/sink.h).  Nothing else uses all three.
 *
 * Locking: the engine has one thread and one mutex; every function below may
 * be called from any thread.  Lock order: engine -> view.
 */
#ifndef VMM_ENGINE_ENGINE_H
#define VMM_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/access/source.h"
#include "vmm/guest/view.h"
#include "vmm/mem/numa.h"
#include "vmm/policy/class.h"
#include "vmm/policy/policy.h"
#include "vmm/policy/wss.h"
#include "vmm/sink/sink.h"

struct engine;

/*
 * Requests to the guest, made by the engine's thread.  Each returns at once: 0
 * if the request was sent, or -errno; the result shows in later scans.  A
 * member may be NULL.
 */
struct engine_guest {
	/* Drop this much clean page cache. */
	int (*drop_cache)(void *ctx, uint64_t nr_bytes);
	/* Return this much free memory to the host, through the balloon. */
	int (*give_free)(void *ctx, uint64_t nr_bytes);
	void *ctx;
};

struct engine_stats;

struct engine_config {
	struct guest_mem *mem;		/* all not owned, outlive the engine */
	struct view *view;
	struct access_source *source;
	struct reclaim_sink *sink;	/* NULL: nothing can be evicted */
	const struct engine_guest *guest;	/* NULL: it takes no requests */
	const struct guest_numa *numa;		/* NULL: it has no nodes */
	struct engine_policy policy;
	/* As engine_on_scan(), from the first scan on; or NULL. */
	void (*on_scan)(const struct engine_stats *stats, void *arg);
	void *on_scan_arg;
	/*
	 * Without a thread: scans are made by engine_scan_now(), so that their
	 * time is the caller's.
	 */
	bool is_stepped;
};

/* Starts the thread.  0; -EINVAL (policy), -EFBIG, -ENOMEM or -errno. */
int engine_new(struct engine **enginep, const struct engine_config *config);
/* Stops the thread and joins it; NULL is allowed. */
void engine_free(struct engine *engine);
/* One scan, in the caller's thread, of an engine that is_stepped. */
void engine_scan_now(struct engine *engine);

/* -EINVAL with why: a value is out of range. */
int engine_check_policy(const struct engine_policy *policy, char *why,
			size_t len);
void engine_get_policy(struct engine *engine, struct engine_policy *policy);
/*
 * -EINVAL with why: a value is out of range, or the policy is to evict and
 * there is no sink.  A policy that evicts nothing also stops eviction by the
 * current scan, after at most 16 MiB more.
 */
int engine_set_policy(struct engine *engine, const struct engine_policy *policy,
		      char *why, size_t len);

#define ENGINE_AGES 256		/* idle age in scans, saturating at 255 */

struct engine_node {
	uint64_t nr_resident, nr_swapped;	/* pages */
};

/*
 * How each counter behaves: "total" counts since engine_new() and only grows;
 * "last scan" is as of the last good scan, 0 before the first; "now" is the
 * current value.  A page is 4 KiB.
 */

/* The scans themselves. */
struct engine_scan_stats {
	/* Scans that aged all frames; scans; total. */
	uint64_t nr_scans;
	/* Failures of any part of a scan; errors; total. */
	uint64_t nr_scan_errors;
	/* From the start of a scan to its end; ns; last scan, good or bad. */
	uint64_t last_scan_ns;
	/* CPU time of the engine's thread in scans; ns; total. */
	uint64_t scan_cpu_ns_total;
	/* From one scan to the next, by CPU quota and backoff; ns; now. */
	uint64_t period_ns;
	/* Found accessed since the previous scan; pages; last scan. */
	uint64_t nr_young;
	/* The most work done in one hold of the lock, as a number of frames
	 * (engine-lock.h); frames; maximum. */
	unsigned int max_lock_cost;
	/* The last error's text, until a scan has none; or "". */
	char last_error[128];
};

/* The guest's memory. */
struct engine_memory_stats {
	/* RAM of the guest; pages; constant. */
	uint64_t nr_pages;
	/* In the host's RAM; and evicted, to swap or to where the sink stores
	 * them; pages; last scan. */
	uint64_t nr_resident, nr_swapped;
	/* Discarded by balloon and free page reporting; pages; total. */
	uint64_t nr_discarded;
	/* Nodes of the guest; nodes; last scan. */
	unsigned int nr_nodes;
	/* Resident and swapped on each node, as above; pages; last scan. */
	struct engine_node nodes[GUEST_NUMA_NODES];
	/* On each list of frames; pages; now, as the last scan left them. */
	uint64_t nr_active, nr_inactive, nr_unevictable;
	/* Resident, by class in the reverse map; pages; last scan. */
	uint64_t nr_of_class[NR_FRAME_CLASSES];
	/* Clean page cache idle for min_idle_scans; pages; last scan. */
	uint64_t nr_idle_clean;
	/* Idle as long, but protected since they refaulted early (frames.h);
	 * pages; last scan. */
	uint64_t nr_protected;
	/* Resident, by idle age in scans; pages; last scan. */
	uint64_t age_pages[ENGINE_AGES];
	/* Aligned blocks of 2 MiB with resident pages, by the age of the
	 * youngest of these pages; blocks; last scan. */
	uint64_t age_2m[ENGINE_AGES];
};

/* What reclaim did, and what it left undone. */
struct engine_reclaim_stats {
	/* Evicted by the sink; pages; total. */
	uint64_t nr_evicted;
	/* Evicted, by class in the reverse map; pages; total. */
	uint64_t nr_evicted_of_class[NR_FRAME_CLASSES];
	/* Evicted proactively, not for a target; pages; total. */
	uint64_t nr_proactive;
	/* Evicted and then used again by the guest; pages; total. */
	uint64_t nr_refaults;
	/* Refaults so soon that the page became active; pages; total. */
	uint64_t nr_activated;
	/* Of these, pages that had refaulted early before; pages; total. */
	uint64_t nr_restored;
	/* Candidates found accessed by the recheck just before their eviction,
	 * a harvest or the sink's own; pages; total. */
	uint64_t nr_saved_by_recheck;
	/* Candidates not evicted, as an accessed bit was set in the guest's
	 * page tables; pages; total. */
	uint64_t nr_rejected_referenced;
	/* Passed to the sink and not evicted by it; pages; total. */
	uint64_t nr_kept;
	/* Huge pages evicted whole, or in part; huge pages; total. */
	uint64_t nr_huge_evicted, nr_huge_split;
	/* Huge pages kept as less than half was idle; huge pages; total. */
	uint64_t nr_huge_kept;
	/* Still above the target after the scan, as when too few pages are idle
	 * for long enough; pages; last scan. */
	uint64_t nr_over_target;
	/* Not evicted yet because of the I/O quota; pages; summed over all
	 * batches, so a page may count more than once. */
	uint64_t nr_io_delayed;
	/* Page cache that the guest was asked to drop; pages; total. */
	uint64_t nr_cache_requested;
	/* Free memory that the balloon was asked to take; pages; total. */
	uint64_t nr_free_requested;
	/* Idle age at which pages are evicted proactively, ENGINE_AGES: none
	 * are; scans; last scan. */
	unsigned int proactive_scans;
	/* Refaults of the last minute; pages; last scan. */
	uint64_t nr_promotions;
	/* Share of reclaim that page cache should give; 0 to 1; last scan. */
	double file_share;
	/* Pressure is above psi_limit; last scan. */
	bool throttled_by_psi;
	/* The host is short of memory: it had less than low_bytes, and has not
	 * had high_bytes since; last scan. */
	bool below_low;
	/* The host has high_bytes or more, so nothing is evicted; last scan. */
	bool above_high;
};

/* Pages brought back before a fault: prefetch.h. */
struct engine_prefetch_stats {
	/* Brought back before they were used; pages; total. */
	uint64_t nr_prefetched;
	/* Of these, used later; pages; total. */
	uint64_t nr_prefetch_hits;
	/* Used where the sink had moved them (another NUMA node), and so moved
	 * back; pages; total. */
	uint64_t nr_promoted;
};

struct engine_stats {
	struct engine_scan_stats scan;
	struct engine_memory_stats memory;
	struct engine_reclaim_stats reclaim;
	struct engine_prefetch_stats prefetch;
	char source[32], sink[32];		/* names; constant */
	unsigned int source_granule_pages;	/* see access/source.h; constant */
};

void engine_get_stats(struct engine *engine, struct engine_stats *stats);

struct engine_page {
	bool ram, resident, swapped;
	uint8_t age;			/* scans since last seen accessed */
	const char *list;		/* "active", "inactive", "unevictable", "none" */
	unsigned int nr_evictions, nr_refaults;	/* ever, up to 255 */
};

/* -ERANGE: no such frame. */
int engine_get_page(struct engine *engine, gfn_t gfn, struct engine_page *page);

/*
 * The working set within a window that ends with the last scan.  -EAGAIN: there
 * has been no scan yet.
 */
int engine_get_wss(struct engine *engine, uint64_t window_ns,
		   struct wss_estimate *est);
/* Frames in a granule, which the source cannot tell apart; a power of two. */
uint64_t engine_wss_granule(const struct engine *engine);
/* As in struct access_source. */
bool engine_source_is_lossy(const struct engine *engine);

/* When a frame was last used, as of the last scan. */
struct engine_use {
	bool resident;
	uint8_t age;		/* also of a frame in swap; as in wss_pages */
	uint8_t observed_age;	/* likewise; see vmm/policy/frames.h */
	/* An access was seen of this frame, not only of its granule: the frames
	 * of the granule differ in age, or it is the only one. */
	bool own_age;
};

/* Of any frames, into uses[0..nr-1]; all 0 for those that are not RAM. */
void engine_get_uses(struct engine *engine, const gfn_t *gfns, size_t nr,
		     struct engine_use *uses);

/*
 * Pauses the engine or resumes it.  While it is paused there are no scans: this
 * is for times when another program reads or writes all of the guest's memory,
 * as in a migration: pages that it swaps in are no refaults of the guest.
 * In the first scan after that, which is a period later, only pages that the
 * guest has used count as refaults.  A scan that is running continues to its
 * end, but evicts and prefetches nothing more: the call waits until the sink
 * has finished its current call, of at most 16 MiB.  Not from the engine's
 * thread.
 */
void engine_pause(struct engine *engine, bool paused);

/*
 * Ages of the range's frames, in RAM or swap, into ages[0..range.nr-1]; 0 for
 * others.  -ERANGE: the range ends beyond the guest's frames.
 */
int engine_get_ages(struct engine *engine, struct gfn_range range,
		    uint8_t *ages);

/*
 * Imports ages that another process, or another host, has recorded: nr of them,
 * by gfn.  The next scan assigns each that is higher than the frame's own age,
 * if the frame is in swap, or resident and not found young.  Copied.  0 or
 * -ENOMEM.
 */
int engine_set_ages(struct engine *engine, const uint8_t *ages, uint64_t nr);

/*
 * Registers a callback run after each scan in the engine's thread, without
 * the engine's lock; for GET /events.  NULL: none.  Waits for a call of the
 * previous one to end, so not to be called from a callback.
 */
void engine_on_scan(struct engine *engine,
		    void (*fn)(const struct engine_stats *stats, void *arg),
		    void *arg);

#endif
