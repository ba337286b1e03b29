/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access sources: they report which guest frames were accessed.
 *
 * A source reads and clears the accessed bits of the second-level page tables
 * (EPT, NPT, or KVM's shadow tables), or detects accesses in another way.  All
 * sources have the same semantics:
 *
 *   harvest(range, young) sets in `young` the bit of every frame of the range
 *   that was accessed since that frame was last harvested (or armed), clears
 *   its accessed bit, and leaves the other bits of the range clear.
 *
 *        arm             harvest            harvest
 *   ------|----- window 1 --|---- window 2 ----|--->  time
 *
 * Locking: a source belongs to one thread (the engine's) after open.
 */
#ifndef VMM_ACCESS_SOURCE_H
#define VMM_ACCESS_SOURCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/mem/guest-mem.h"
#include "vmm/util/stop-flag.h"

/* The guest's own page tables, for processes whose page table root is known. */
struct access_guest {
	/*
	 * Sets in `young` the frames of the range that a process has accessed
	 * since the last call, and in `examined` those of which all known
	 * mappings could be scanned; the caller clears both for the range
	 * before.  Bits outside the range are unchanged.  0, -ECANCELED as
	 * soon as *stopping is set (NULL: never), or -errno.
	 */
	int (*harvest)(void *ctx, struct gfn_range range, uint64_t *young,
		       uint64_t *examined, const atomic_bool *stopping);
	void *ctx;
};

/* The guest to scan.  Must outlive the source. */
struct access_target {
	struct guest_mem *mem;
	int vm_fd;		/* KVM VM, or -1 if unknown */
	const struct access_guest *guest;	/* NULL: there is no agent */
	const char *options;	/* after the comma of "NAME,OPTIONS", or NULL */
};

enum access_cost {		/* order of magnitude per 4 KiB page */
	ACCESS_COST_WALK,	/* ~10 ns: reads page table entries */
	ACCESS_COST_RMAP,	/* ~1 us: a host reverse-map walk per page */
	ACCESS_COST_FAULT,	/* ~10 us: a fault per page */
};

struct access_source;

struct access_source_ops {
	const char *name;	/* as in --abits NAME */
	const char *what;	/* one-line description */
	enum guest_mem_backing backing;	/* required backing; ANON: any */
	bool lru_only;		/* sees pages on LRU lists only: no hugetlb */
	bool protects;		/* by userfaultfd: no sink may serve faults */
	/*
	 * Whether the OPTIONS of --abits NAME,OPTIONS are valid for open(). 0
	 * or -errno with why.  NULL: the source has no options.
	 */
	int (*check_options)(const char *options, char *why, size_t len);
	const char *by_name_only;	/* why "auto" skips it, or NULL */

	/*
	 * Whether this source works on this host.  0, or -errno with one
	 * sentence in why that names the obstacle and its remedy.  No side
	 * effects.
	 */
	int (*probe)(const struct access_target *target, char *why, size_t len);
	/* 0 or -errno (why as for probe). */
	int (*open)(struct access_source **srcp,
		    const struct access_target *target, char *why, size_t len);
	/* Starts a window: discards all accesses until now.  0 or -errno. */
	int (*arm)(struct access_source *src, struct gfn_range range);
	/*
	 * 0 or -errno; on error `young` is undefined for the range, and any of
	 * its accessed bits may have been cleared.  The range may be all memory
	 * of a large guest, and take minutes.  So a source works in pieces of
	 * bounded time, some 0.1 s on an idle machine, and before each returns
	 * -ECANCELED if access_is_stopping().
	 */
	int (*harvest)(struct access_source *src, struct gfn_range range,
		       uint64_t *young);
	/*
	 * For a range just harvested: sets in `assumed` the bit of every frame
	 * that the source could not scan, so that its result is a guess, and
	 * clears the range's other bits.  NULL: the source scans every frame.
	 */
	void (*assumed)(struct access_source *src, struct gfn_range range,
			uint64_t *assumed);
	void (*close)(struct access_source *src);
};

/* Must come first in every source's own struct. */
struct access_source {
	const struct access_source_ops *ops;
	unsigned int granule_pages;	/* smallest unit it can resolve */
	bool lossy;	/* no TLB flush: a page in use may look idle */
	/*
	 * A frame that is only assumed to be accessed is mapped at least: if it
	 * was evicted, which unmaps it, it has been accessed since.
	 */
	bool assumed_are_mapped;
	enum access_cost cost;
	/*
	 * Set by the engine for the harvest of a scan: reclaim is on and has
	 * reached its target, so a source that slows down the guest may scan
	 * less.  Clear in rechecks: candidates are just what it would skip.
	 */
	bool at_rest;
	/* Set by the engine once, before the first harvest, or NULL. */
	const atomic_bool *stopping;
};

/* Whether the harvest in progress is to be cancelled. */
static inline bool access_is_stopping(const struct access_source *src)
{
	return stop_flag_is_set(src->stopping);
}

/* Best first; ends with NULL. */
extern const struct access_source_ops *const access_sources[];

/* Kinds of memory that some sources do not support: a set of flags. */
enum access_memory {
	ACCESS_MEMORY_PLAIN = 0,
	ACCESS_MEMORY_HUGETLB = 1,	/* in hugetlb pages */
	ACCESS_MEMORY_SERVED = 2,	/* a sink serves its page faults */
};

/*
 * Runs access_selftest() on each source, best first, and passes each result,
 * err 0 or -errno with why, to tried(), until that returns false.  *opsp is the
 * first source that passed.  0, or -ENODEV: none did.
 */
typedef bool access_tried_fn(const struct access_source_ops *ops, int err,
			     const char *why, void *arg);
int access_survey(const struct access_source_ops **opsp,
		  enum access_memory memory, access_tried_fn *tried, void *arg);

/*
 * Finds the source for "auto": the first that passes access_selftest().  The
 * caller needs no VM yet, so that guest memory can then be allocated with
 * ops->backing.  0 or -ENODEV with why filled in: the reason of each source,
 * separated by "; ".
 */
int access_choose(const struct access_source_ops **opsp,
		  enum access_memory memory, char *why, size_t len);

/*
 * Finds the source of "NAME" or "NAME,OPTIONS" and checks the options.  0 or
 * -EINVAL with why filled in.
 */
int access_find(const struct access_source_ops **opsp, const char *name,
		char *why, size_t len);

/*
 * Opens the source called `name`, with options after a comma if it has any, or
 * for "auto" the one that access_choose() returns.  0 or -errno with why filled
 * in.
 */
int access_open(struct access_source **srcp, const char *name,
		const struct access_target *target, char *why, size_t len);
void access_close(struct access_source *src);

/*
 * For sources whose harvest first looks up the host pages that back the range:
 * calls part() for one piece of the range after the other.  0, -ECANCELED (see
 * harvest), or the first nonzero result of part().
 */
int access_in_pieces(struct access_source *src, struct gfn_range range,
		     uint64_t *young,
		     int (*part)(struct access_source *src,
				 struct gfn_range piece, uint64_t *young));

/*
 * Runs a tiny VM whose guest touches two pages, and then only one of them, and
 * checks that the source reports this one as young and the other as idle.  0,
 * -ENODATA (it does not; why has what it reported) or -errno.
 */
int access_selftest(const struct access_source_ops *ops, char *why,
		    size_t len);

#endif
