/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine: the loop that harvests accessed bits from a source
 * (access/source.h), ages frames, looks them up in the reverse map of the
 * host's view of the guest (guest/view.h) and has cold ones evicted by a sink
 * (sink/sink.h).  Nothing else uses source, view and sink together.
 *
 * Locking: the engine has one thread.  The functions below may be called from
 * any thread, unless they say otherwise, and take the engine's lock themselves;
 * the order is engine -> view.
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
 * Requests to the guest, made by the engine's thread with its lock held.  Each
 * returns at once: 0 if the request was sent, or -errno; the result shows in
 * later scans.  A function may be NULL: the guest takes no such requests.
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
	/* Pointers: not owned; what they point to outlives the engine. */
	struct guest_mem *mem;
	struct view *view;
	struct access_source *source;
	struct reclaim_sink *sink;	/* NULL: nothing can be evicted */
	const struct engine_guest *guest;	/* NULL: takes no requests */
	const struct guest_numa *numa;		/* NULL: guest has no nodes */
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
 * -EINVAL with why: a value is out of range, a node with a target does not
 * exist, or the policy is to evict and there is no sink.  A policy that evicts
 * nothing also stops eviction by the current scan, after at most 16 MiB more.
 */
int engine_set_policy(struct engine *engine, const struct engine_policy *policy,
		      char *why, size_t len);

#define ENGINE_AGES 256		/* idle age in scans, saturating at 255 */

struct engine_node {
	uint64_t nr_resident, nr_swapped;	/* pages */
};

/*
 * Each comment gives meaning, unit and behaviour of a counter: "total" counts
 * since engine_new() and only grows; "last scan" is as of the last good scan
 * (one whose harvest did not fail), 0 before the first; "now" is the current
 * value.  A page is 4 KiB.
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
	/* From the start of one scan to that of the next, by period, CPU quota
	 * and backoff after failures; ns; now. */
	uint64_t period_ns;
	/* Found accessed since the previous scan; pages; last scan. */
	uint64_t nr_young;
	/* The most work done in one hold of the lock, in frames examined
	 * (engine-lock.h); frames; maximum since engine_new(). */
	unsigned int max_lock_cost;
	/* The last error's text, until a scan ends well; or "". */
	char last_error[128];
};

/* The guest's memory. */
struct engine_memory_stats {
	/* RAM of the guest; pages; constant. */
	uint64_t nr_pages;
	/* In the host's RAM; and not there, but in swap or where the sink
	 * stores pages; pages; last scan. */
	uint64_t nr_resident, nr_swapped;
	/* In transparent huge pages; pages of 4 KiB; last scan. */
	uint64_t nr_huge;
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
	/* Idle for min_idle_scans, but not for as long as they must be since
	 * they refaulted early (frames.h); pages; last scan. */
	uint64_t nr_protected;
	/* Resident, by idle age in scans; pages; last scan. */
	uint64_t age_pages[ENGINE_AGES];
	/* Aligned blocks of 2 MiB with resident pages, by the age of the
	 * youngest of these pages; blocks; last scan. */
	uint64_t age_2m[ENGINE_AGES];
};

/* What reclaim evicted, and what it did not evict, and why. */
struct engine_reclaim_stats {
	/* Evicted by the sink; pages; total. */
	uint64_t nr_evicted;
	/* The same by class in the reverse map; pages; total. */
	uint64_t nr_evicted_of_class[NR_FRAME_CLASSES];
	/* Evicted proactively, not for a target; pages; total. */
	uint64_t nr_proactive;
	/* Evicted and then used again by the guest; pages; total. */
	uint64_t nr_refaults;
	/* Refaults whose distance was at most the number of active pages
	 * (rmap/workingset.h), so the page became active; pages; total. */
	uint64_t nr_activated;
	/* Of these, pages that were protected because of an early refault
	 * before; pages; total. */
	uint64_t nr_restored;
	/* Candidates found accessed by the recheck just before their eviction,
	 * which is a harvest or done by the sink; pages; total. */
	uint64_t nr_saved_by_recheck;
	/* Candidates not evicted, as an accessed bit was set in the guest's
	 * page tables; pages; total. */
	uint64_t nr_rejected_referenced;
	/* Passed to the sink and not evicted by it; pages; total. */
	uint64_t nr_kept;
	/* Huge pages evicted whole, or in part; huge pages; total. */
	uint64_t nr_huge_evicted, nr_huge_split;
	/* Huge pages kept as too little of them was idle (blocks.h), counted
	 * again in each scan; huge pages; total. */
	uint64_t nr_huge_kept;
	/* Huge pages in use that were split to be looked at, and blocks of
	 * small pages that were made huge; huge pages; total. */
	uint64_t nr_huge_looked_at, nr_huge_collapsed;
	/* Still to be evicted after the scan, for the target or for the host's
	 * low watermark, as when too few pages are idle for long enough; pages;
	 * last scan. */
	uint64_t nr_over_target;
	/* Not evicted yet because of the I/O quota; pages; summed over all
	 * batches, so a page may count more than once. */
	uint64_t nr_io_delayed;
	/* Page cache that the guest was asked to drop; pages; total. */
	uint64_t nr_cache_requested;
	/* Free memory that the guest was asked to return through the balloon;
	 * pages; total. */
	uint64_t nr_free_requested;
	/* Idle age at which pages are evicted proactively; ENGINE_AGES: none
	 * is; scans; last scan. */
	unsigned int proactive_scans;
	/* Refaults of the last minute; pages; last scan. */
	uint64_t nr_recent_refaults;
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

/* Evicted pages brought back without a fault: prefetch.h. */
struct engine_prefetch_stats {
	/* Brought back before they were used, or requested from the kernel's
	 * swap, which may not comply; pages; total. */
	uint64_t nr_prefetched;
	/* Of these, used later; pages; total. */
	uint64_t nr_prefetch_hits;
	/* Moved back, as they were used where the sink had moved them (another
	 * NUMA node); pages; total. */
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

/* A frame as of the last scan. */
struct engine_page {
	/* ram: always true; swapped: the engine has evicted it. */
	bool ram, resident, swapped;
	/* In scans since its last use; if not resident, as of its eviction. */
	uint8_t age;
	const char *list;		/* "active", "inactive", "unevictable", "none" */
	unsigned int nr_evictions, nr_refaults;	/* in all, up to 255 */
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
/* The source's `lossy`, see struct access_source. */
bool engine_source_is_lossy(const struct engine *engine);

/* When a frame was last used, as of the last scan. */
struct engine_use {
	bool resident;
	/* In scans; both also grow while the frame is in swap: frames.h. */
	uint8_t age;
	uint8_t observed_age;
	/* The age is the frame's own, not only its granule's: the frames of the
	 * granule differ in observed age, or the frame is the only one. */
	bool own_age;
};

/* Of any frames, into uses[0..nr-1]; zeroed for those that are not RAM. */
void engine_get_uses(struct engine *engine, const gfn_t *gfns, size_t nr,
		     struct engine_use *uses);

/*
 * Pauses the engine or resumes it.  While it is paused no scan begins: this is
 * for times when another program reads or writes all of the guest's memory, as
 * in a migration, and swaps in pages, which is no refault of the guest.  In the
 * first scan after that, a period later, only pages that the guest has used
 * count as refaults.  A scan that is running continues to its end, but evicts
 * and prefetches nothing more: the call waits until the sink has finished its
 * current call, which evicts or brings back 16 MiB at most.  Not from the
 * engine's thread.
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
 * Registers a callback that the engine's thread runs after each scan, without
 * the engine's lock; for GET /events.  NULL: none.  Waits until a call of the
 * previous callback has ended, so it must not be called from a callback.
 */
void engine_on_scan(struct engine *engine,
		    void (*fn)(const struct engine_stats *stats, void *arg),
		    void *arg);

#endif
