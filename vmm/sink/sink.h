/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sinks evict cold pages of a guest and load them back.  Partial success is
 * normal: the result counts what happened to every page.
 *
 * Locking: the operations below are called by one thread at a time (the
 * engine's, once it runs), except get_stats.  The guest runs meanwhile: it may
 * touch or discard a page at any instant, and a sink never loses a write.
 */
#ifndef VMM_SINK_SINK_H
#define VMM_SINK_SINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/mem/guest-mem.h"
#include "vmm/sink/evictor.h"
#include "vmm/store/store.h"
#include "vmm/util/histogram.h"

struct reclaim_sink;

/* In pages; tried = evicted + absent + kept. */
struct reclaim_result {
	uint64_t tried;
	uint64_t evicted;	/* resident before, not now */
	uint64_t absent;	/* not resident before */
	uint64_t kept;		/* still resident: pinned, in use, no swap */
	/*
	 * Bitmap by gfn of what is resident after the call.  The sink's, and
	 * valid for the ranges of the call, until the next one.  Only if the
	 * call succeeds; NULL: not known.
	 */
	const uint64_t *resident;
	/*
	 * Likewise: pages of other ranges that the call has unmapped.  Whether
	 * they were accessed cannot be seen any more.  NULL: none.
	 */
	const uint64_t *unmapped;
};

struct reclaim_sink_stats {
	struct store_stats store;
	uint64_t nr_faults;		/* pages loaded on a fault */
	uint64_t nr_zero_faults;	/* pages never written, or discarded */
	uint64_t nr_cancelled;		/* written to while being evicted */
	uint64_t nr_waiting;	/* pages touched that cannot be read; now */
	uint64_t nr_poisoned;	/* damaged pages: access is a memory error */
	uint64_t fault_ns_total;	/* handling nr_faults, until the wake */
	/*
	 * Parts of this time: reading the page from the store; copying it into
	 * place and waking.
	 */
	uint64_t fault_read_ns_total, fault_copy_ns_total;
	uint64_t fault_log2_ns[32];	/* faults by time, [i]: < 2^(i+1) ns */
	uint64_t fault_times[HISTOGRAM_BUCKETS];	/* likewise; ns */
	uint64_t last_fault_start_ns, last_fault_end_ns; /* clock_now_ns() */
	/*
	 * The last failure to store or read back a page, as a sentence without
	 * a full stop, and its time by clock_now_ns(); both are kept when the
	 * failure is over.  "" and 0: nothing has failed.
	 */
	uint64_t last_error_ns;
	char last_error[128];
	struct evictor_stats evictor;	/* of the swap sink */
};

struct reclaim_sink_ops {
	const char *name;
	/*
	 * The sink checks the accessed bit of each page itself, right before it
	 * would evict it: pages that it keeps were accessed.
	 */
	bool rechecks_accessed;
	/*
	 * Evicted pages stay accessible, so an access causes no fault: the
	 * engine prefetches evicted pages that were accessed.
	 */
	bool accessible_in_place;
	/* The sink serves page faults of guest memory (vmm/mem/faults.h). */
	bool serves_faults;
	/*
	 * Whether the options are valid for open(), on any host.  0 or -errno
	 * with why.  NULL: the sink has no options.
	 */
	int (*check_options)(const char *options, char *why, size_t len);
	/* Whether the sink works: as probe of struct access_source_ops. */
	int (*probe)(const struct guest_mem *mem, char *why, size_t len);
	/*
	 * options: "NAME=VALUE,..." of this sink, or NULL.  Before the guest
	 * runs, and before the access source opens.
	 */
	int (*open)(struct reclaim_sink **sinkp, struct guest_mem *mem,
		    const char *options, char *why, size_t len);
	/*
	 * Called before each scan: finds pages that a sink of an earlier
	 * process has evicted, and marks them (guest_mem_set_evicted()); does
	 * nothing once all are found.  0, -ECANCELED (sink->stopping was set;
	 * the next call continues from there) or -errno.  NULL: there can be no
	 * such pages.
	 */
	int (*find_evicted)(struct reclaim_sink *sink);
	/*
	 * Evicts the pages of nr ranges, which are sorted and disjoint, and
	 * adds to *res.  0, -ECANCELED (sink->stopping was set), -EFAULT (a
	 * range is not RAM), or -errno when the sink as a whole failed: some
	 * pages may have been evicted all the same, and *res may
	 * lack them.
	 */
	int (*evict)(struct reclaim_sink *sink, const struct gfn_range *ranges,
		     size_t nr, struct reclaim_result *res);
	/*
	 * Requests that the pages of such ranges be made resident again; a
	 * hint.  0 or -errno.
	 */
	int (*prefetch)(struct reclaim_sink *sink,
			const struct gfn_range *ranges, size_t nr);
	/*
	 * The pages that the sink stores, and its fault counters.  Any thread.
	 * NULL: it has none.
	 */
	void (*get_stats)(struct reclaim_sink *sink,
			  struct reclaim_sink_stats *stats);
	/*
	 * Closes and frees the sink, after vCPUs and devices have ended:
	 * evicted pages may be lost.
	 */
	void (*close)(struct reclaim_sink *sink);
};

/* Must come first in every sink's own struct. */
struct reclaim_sink {
	const struct reclaim_sink_ops *ops;
	/*
	 * CPU time that other processes have used for evict(), which counts as
	 * the engine's own.
	 */
	uint64_t helper_cpu_ns;
	/* The engine's; once set, calls may end by -ECANCELED; or NULL. */
	const atomic_bool *stopping;
};

extern const struct reclaim_sink_ops sink_swap, sink_store, sink_damon,
				     sink_numa;

/*
 * Joins ranges that follow each other, from *i on, where no more than max_gap
 * frames are between them, as one query of many frames is cheaper than many of
 * one.  Adds to *i how many those are.  The frames between may not be RAM.
 */
struct gfn_range sink_join_ranges(const struct gfn_range *ranges, size_t nr,
				  unsigned int max_gap, size_t *i);

/*
 * For sinks that compute their result from the residency of pages before and
 * after an eviction.  Bitmaps by gfn of resident pages, valid only for the
 * ranges of the last call.
 */
struct sink_census {
	struct guest_mem *mem;		/* not owned */
	uint64_t *before, *after;	/* owned */
};

/* 0 or -ENOMEM; call sink_census_free() in both cases. */
int sink_census_init(struct sink_census *c, struct guest_mem *mem);
void sink_census_free(struct sink_census *c);
/* 0 or -errno; -EFAULT: a range is not RAM, and nothing was queried. */
int sink_census_before(struct sink_census *c, const struct gfn_range *ranges,
		       size_t nr);
/* For the same ranges; adds to *res, and sets res->resident.  0 or -errno. */
int sink_census_after(struct sink_census *c, const struct gfn_range *ranges,
		      size_t nr, struct reclaim_result *res);

/*
 * "swap", "damon", "store[,OPTION=VALUE...]" or "numa,to=NODE": finds the sink
 * of that name, points *options into text behind the name (NULL: no options),
 * and checks them.  0 or -errno with why; *ops is set if the name is known.
 */
int sink_find(const struct reclaim_sink_ops **ops, const char *text,
	      const char **options, char *why, size_t len);

/* options may be NULL.  0 or -errno with why. */
int sink_check_options(const struct reclaim_sink_ops *ops, const char *options,
		       char *why, size_t len);

#define SINK_SELFTEST_PAGES 512

/*
 * Opens the sink, with options or NULL, for 2 MiB of memory of this process,
 * lets it evict all of it, reads every byte again, and closes it.  Returns how
 * many pages were evicted and loaded back intact, or -errno with why: -ENOSPC
 * (no page was evicted), -EIO (the contents of a page changed).
 */
int sink_selftest(const struct reclaim_sink_ops *ops, const char *options,
		  char *why, size_t len);

#endif
