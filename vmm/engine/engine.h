/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine: the loop that harvests accessed bits, ages frames, judges them
 * with the reverse map and sends cold ones to the sink.  It alone sees source,
 * view and sink.
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
 * What the engine may ask of the guest, in its own thread.  Each returns at once:
 * 0, the guest was asked, or -errno; what comes of it shows in later scans.  A
 * member may be NULL.
 */
struct engine_guest {
	/* Drop so much clean page cache. */
	int (*drop_cache)(void *ctx, uint64_t nr_bytes);
	/* Give so much of its free memory to the host, by the balloon. */
	int (*take_free)(void *ctx, uint64_t nr_bytes);
	void *ctx;
};

struct engine_config {
	struct guest_mem *mem;		/* all not owned, outlive the engine */
	struct view *view;
	struct access_source *source;
	struct reclaim_sink *sink;
	const struct engine_guest *guest;	/* NULL: it can't be asked */
	const struct guest_numa *numa;		/* NULL: it has no nodes */
	struct engine_policy policy;
};

int engine_new(struct engine **enginep, const struct engine_config *config);
/* Stops the thread and joins it. */
void engine_free(struct engine *engine);

void engine_get_policy(struct engine *engine, struct engine_policy *policy);
/*
 * -EINVAL: values out of range; why says which.  One that evicts nothing ends that of
 * the scan under way, too, after at most 16 MiB.
 */
int engine_set_policy(struct engine *engine, const struct engine_policy *policy,
		      char *why, size_t len);

#define ENGINE_AGES 256		/* idle age in scans, saturating at 255 */

struct engine_node {
	uint64_t nr_resident, nr_swapped;
};

struct engine_stats {
	uint64_t nr_scans, nr_scan_errors;
	uint64_t last_scan_ns, scan_cpu_ns_total;
	uint64_t nr_pages, nr_resident, nr_swapped;
	uint64_t nr_young;			/* last scan */
	unsigned int nr_nodes;			/* of the guest */
	struct engine_node nodes[GUEST_NUMA_NODES];
	uint64_t nr_active, nr_inactive, nr_unevictable;
	uint64_t nr_evicted, nr_refaults, nr_saved_by_last_look;
	uint64_t nr_kept, nr_rejected_referenced;
	/* Huge pages that went whole, in part, and not at all for a part. */
	uint64_t nr_huge_evicted, nr_huge_split, nr_huge_kept;
	uint64_t nr_over_target;	/* pages too many that are not idle */
	uint64_t period_ns;		/* between scans, as the quota allows */
	uint64_t nr_discarded;			/* given back by the guest */
	uint64_t nr_prefetched;		/* brought back before they were used */
	uint64_t nr_prefetch_hits;	/* of these, used then */
	uint64_t nr_promoted;		/* used where they were, and so asked back */
	uint64_t nr_taken[NR_FRAME_CLASSES];	/* evicted, by what it was */
	uint64_t nr_of_class[NR_FRAME_CLASSES];	/* resident, last scan */
	uint64_t nr_idle_clean;		/* clean page cache idle for long enough */
	uint64_t nr_protected;	/* idle, but came back too soon the last time */
	uint64_t nr_proactive;		/* evicted for being idle, not for a target */
	uint64_t nr_cache_asked, nr_free_asked;	/* pages asked of the guest */
	/* Pages wanted that the I/O quota put off, of all scans. */
	uint64_t nr_io_delayed;
	unsigned int proactive_scans;	/* threshold; ENGINE_AGES: none goes */
	uint64_t nr_promotions;		/* refaults of the last minute */
	/* Refaults soon enough, by distance, to be active at once; again. */
	uint64_t nr_activated, nr_restored;
	double file_share;		/* of what is wanted, of page cache */
	bool held_by_psi, below_low, above_high;
	uint64_t age_pages[ENGINE_AGES];	/* resident pages by idle age */
	/* Aligned 2 MiB with resident pages, by the age of the youngest. */
	uint64_t age_2m[ENGINE_AGES];
	/* The dearest hold of the engine's lock, in frames: lock-hold.h. */
	unsigned int most_spent;
	char source[32], sink[32];
	unsigned int source_granule_pages;
	char last_error[128];
};

void engine_get_stats(struct engine *engine, struct engine_stats *stats);

struct engine_page {
	bool ram, resident, swapped;
	uint8_t age;			/* scans since last seen accessed */
	const char *list;		/* "active", "inactive", "unevictable", "none" */
	unsigned int nr_evictions, nr_refaults;	/* of its life, up to 255 */
};

/* -ERANGE: no such frame. */
int engine_get_page(struct engine *engine, gfn_t gfn, struct engine_page *page);

/*
 * The working set within a window that ends with the last scan.  -EAGAIN: none
 * has been made yet.
 */
int engine_get_wss(struct engine *engine, uint64_t window_ns,
		   struct wss_estimate *est);
/* Frames that the source can't tell apart; a power of two. */
uint64_t engine_wss_granule(const struct engine *engine);
/* See struct access_source. */
bool engine_source_is_lossy(const struct engine *engine);

struct engine_use {
	bool scanned;		/* resident in the last scan, else see below */
	uint8_t age;		/* of one in swap too; as wss_pages has it */
	uint8_t proven_age;
	bool apart;		/* seen apart from the frames of its granule */
};

/* Any frames, into uses[0..nr-1]; of those that are not RAM all is 0. */
void engine_get_uses(struct engine *engine, const uint64_t *gfns, size_t nr,
		     struct engine_use *uses);

/*
 * While held there are no scans: somebody else reads or writes all of the guest's
 * memory, and what comes back from swap thereby is not for the guest's sake.
 * Afterwards, a period later, only what the guest has used is a refault.  A scan
 * under way goes to its end, but evicts and prefetches nothing more: the call waits
 * for what the sink is at, at most 16 MiB.  Not in the engine's thread.
 */
void engine_hold(struct engine *engine, bool held);

/* Ages of frames [range), in swap too, into ages[0..nr-1]; 0 where nothing is. */
int engine_get_ages(struct engine *engine, struct gfn_range range,
		    uint8_t *ages);

/*
 * Ages that another process, or another host, had of the frames: by gfn, nr of
 * them, taken over in the next scan by frames that are resident and not found
 * young, or in swap.  Copied.  0 or -ENOMEM.
 */
int engine_set_ages(struct engine *engine, const uint8_t *ages, uint64_t nr);

/*
 * Registers a callback run after each scan in the engine's thread, without
 * the engine's lock; for GET /events.
 */
void engine_on_scan(struct engine *engine,
		    void (*fn)(const struct engine_stats *stats, void *arg),
		    void *arg);

#endif
