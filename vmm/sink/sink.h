/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sinks take cold pages away and bring them back.  Partial success is normal:
 * the result counts what happened to every page.
 *
 * Locking: one thread (the engine's).  The guest runs meanwhile and may touch
 * a page at any instant; a sink never loses a write.
 */
#ifndef VMM_SINK_SINK_H
#define VMM_SINK_SINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/mem/guest-mem.h"
#include "vmm/store/store.h"
#include "vmm/util/histogram.h"

struct reclaim_sink;

/* In pages; tried = evicted + absent + kept. */
struct reclaim_result {
	uint64_t tried;
	uint64_t evicted;	/* resident before, not now */
	uint64_t absent;	/* were not resident to begin with */
	uint64_t kept;		/* still resident: pinned, dirty, no swap */
};

struct reclaim_sink_stats {
	struct store_stats store;
	uint64_t nr_faults;		/* pages brought back on a touch */
	uint64_t nr_zero_faults;	/* first touches of watched memory */
	uint64_t nr_cancelled;		/* written to while being evicted */
	uint64_t nr_waiting;	/* now: touched, and can't be read */
	uint64_t nr_poisoned;	/* damaged: to touch them is a memory error */
	uint64_t fault_ns_total;	/* from the handler's start to the wake */
	/* Of that: to get the page from the store; to put it in place, and wake. */
	uint64_t fault_read_ns_total, fault_copy_ns_total;
	uint64_t fault_log2_ns[32];	/* faults by time, [i]: < 2^(i+1) ns */
	uint64_t fault_times[HISTOGRAM_BUCKETS];	/* likewise; ns */
	uint64_t last_fault_start_ns, last_fault_end_ns; /* clock_now_ns() */
	/*
	 * What failed last, a sentence without a full stop, and when, by
	 * clock_now_ns(): a page that could not be stored or read back.  It
	 * stays after that is over.  "" and 0: nothing has failed.
	 */
	uint64_t last_error_ns;
	char last_error[128];
};

struct reclaim_sink_ops {
	const char *name;
	/*
	 * It looks at the accessed bit of each page itself, the moment before
	 * it would take it: what it keeps was accessed.
	 */
	bool looks;
	/*
	 * What is away can be used as before, so no fault brings it back: the
	 * engine asks for what was used, by prefetch.
	 */
	bool stays_usable;
	/* It serves page faults of the memory (vmm/mem/faults.h). */
	bool serves_faults;
	/*
	 * Whether options could be given to open(), on whatever host.  0 or
	 * -errno with why.  NULL: it has no options.
	 */
	int (*check_options)(const char *options, char *why, size_t len);
	/* As in access_source_ops. */
	int (*probe)(const struct guest_mem *mem, char *why, size_t len);
	/*
	 * options: "NAME=VALUE,..." of this sink, or NULL.  Before the guest
	 * runs, and before the access source opens.
	 */
	int (*open)(struct reclaim_sink **sinkp, struct guest_mem *mem,
		    const char *options, char *why, size_t len);
	/*
	 * Before each scan: finds what is away already, as a sink before this one
	 * took it; once that is done it costs nothing.  0, -ECANCELED
	 * (sink->stopping was set; the next call goes on from there) or -errno.
	 * NULL: there can't be such pages.
	 */
	int (*find_away)(struct reclaim_sink *sink);
	/*
	 * Adds to *res.  0, -ECANCELED (sink->stopping was set), or -errno when
	 * the sink as a whole failed.
	 */
	int (*evict)(struct reclaim_sink *sink, const struct gfn_range *ranges,
		     size_t nr, struct reclaim_result *res);
	/* Asks for the pages to be brought back; a hint.  0 or -errno. */
	int (*prefetch)(struct reclaim_sink *sink,
			const struct gfn_range *ranges, size_t nr);
	/* What it has, and how its faults went; from any thread.  Or NULL. */
	void (*get_stats)(struct reclaim_sink *sink,
			  struct reclaim_sink_stats *stats);
	/* After vCPUs and devices have ended: what is away is lost. */
	void (*close)(struct reclaim_sink *sink);
};

/* Must come first in every sink's own struct. */
struct reclaim_sink {
	const struct reclaim_sink_ops *ops;
	/* Set by the engine: nobody waits for an eviction any more; or NULL. */
	const atomic_bool *stopping;
};

extern const struct reclaim_sink_ops sink_swap, sink_store, sink_damon,
				     sink_numa;

/*
 * For sinks whose result the residency tells, that before an eviction and that
 * after it.  Bitmaps by gfn, of the ranges of the last call only.
 */
struct sink_census {
	struct guest_mem *mem;		/* not owned */
	uint64_t *before, *after;	/* owned */
};

/* 0 or -ENOMEM; freed in both cases. */
int sink_census_init(struct sink_census *c, struct guest_mem *mem);
void sink_census_free(struct sink_census *c);
/* 0 or -errno; -EFAULT: a range is not RAM, and nothing was looked at. */
int sink_census_before(struct sink_census *c, const struct gfn_range *ranges,
		       size_t nr);
/* Adds to *res.  0 or -errno. */
int sink_census_after(struct sink_census *c, const struct gfn_range *ranges,
		      size_t nr, struct reclaim_result *res);

/*
 * "swap", "damon", "store[,OPTION=VALUE...]" or "numa,to=NODE": the sink of that
 * name, and in *options what follows it, which was checked.  -EINVAL with why.
 */
int sink_find(const struct reclaim_sink_ops **ops, const char *text,
	      const char **options, char *why, size_t len);

/* options may be NULL.  0 or -errno with why. */
int sink_check_options(const struct reclaim_sink_ops *ops, const char *options,
		       char *why, size_t len);

#define SINK_SELFTEST_PAGES 512

/*
 * Opens the sink, with options or NULL, for 2 MiB of our own memory, has it evict
 * all of it, and reads every byte again.  The number of pages that went and
 * came back whole, or -errno with why: -ENOSPC (not one went), -EIO (a page
 * came back different).
 */
int sink_selftest(const struct reclaim_sink_ops *ops, const char *options,
		  char *why, size_t len);

#endif
