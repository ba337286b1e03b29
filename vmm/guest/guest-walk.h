/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PTE provider of live guest page tables (Intel SDM vol. 3, chapter 4;
 * AMD64 vol. 2, chapter 5): 4 and 5 levels, leaves of 4 KiB, 2 MiB and 1 GiB.
 *
 * The guest runs meanwhile and may write anything there: every table is
 * accessed through guest_mem_pin_page(), every entry is read once, and the
 * number of levels bounds the walk.  Callers hold the view's lock, and the
 * engine its own, too.  So a table that a sink has evicted is never waited for,
 * however long the sink's device takes; the short waits that remain are
 * described in guest-mem.h.  Of tables that the host's kernel has swapped out,
 * lookups read a few each time the lock is taken (walk-limit.h); until it is
 * taken again, the others count as not known.  A part of a harvest is not
 * limited this way: it reads some 40 tables at most.
 *
 * The guest's TLB may hold an entry whose accessed bit is cleared here; the
 * page then looks cold for one scan, as with Linux on x86.
 */
#ifndef VMM_GUEST_GUEST_WALK_H
#define VMM_GUEST_GUEST_WALK_H

#include <stdbool.h>

#include "rmap/rmap.h"
#include "vmm/mem/addr.h"

struct guest_mem;

/*
 * The context of guest_walk_ops.  levels is 4 or 5: the guest's CR4.LA57, as
 * the agent reports it.
 *
 * A PGD can be stale: its process has ended and its tables have been reused for
 * data.  Reading those is harmless, since only an entry that names the frame
 * counts.  But with flags_known (the agent reports flags of frames) a bit is
 * cleared only in a frame that is flagged as a page table (RMAP_PG_PGTABLE in
 * map), never in what may be data.  A set bit elsewhere still counts as an
 * access: a new table is not flagged yet, and taking a hot page for a cold one
 * is the worse mistake.
 *
 * Locking: the fields change under the lock that guards the map for writing.
 */
struct guest_walk {
	struct guest_mem *mem;		/* not owned */
	const struct rmap *map;		/* not owned */
	unsigned int levels;
	bool flags_known;
};

/*
 * lookup: -ENOENT where tables are not known: there is no PGD, a table lies
 * outside RAM, a sink has evicted it, or the thread has reached its limit of
 * page-ins (walk-limit.h).  Then the mappings that were reported count.  "Not
 * present" is an answer, also for entries with reserved bits, at which the
 * processor would fault.
 */
extern const struct rmap_pte_ops guest_walk_ops;

/* Entries visited in one call, and up to 512 more to complete a table. */
#define GUEST_WALK_PIECE 16384

/*
 * Visits the leaves in the user half of the page tables of mm, whose PGD must
 * be known, from address *from on (initially 0): clears their accessed bits, by
 * the rule above, and calls fn with the frames that each maps.  *budget counts
 * down: an entry costs 1, a huge leaf up to 4096 more.  What is below an
 * evicted table is left out: the processor has not walked it since the
 * eviction, and earlier accesses are seen once the table is back.
 *
 * 1: one part is done, and *from is where the next begins; the view's lock may
 * be released in between.  0: all is done.  -ENOSPC: the budget was not enough;
 * -ENOENT: a table lies outside RAM.
 */
int guest_walk_harvest(const struct guest_walk *walk, const struct rmap_mm *mm,
		       uint64_t *from, uint64_t *budget,
		       void (*fn)(void *arg, gfn_t gfn, uint64_t nr,
				  bool accessed), void *arg);

/* An entry to be shown to users, also one that maps nothing. */
struct guest_walk_entry {
	struct rmap_pte pte;	/* level also where it is not present */
	bool swapped;		/* not present; Linux: in swap, or migrating */
	bool no_access;		/* not present; Linux: PROT_NONE */
	uint64_t end;		/* the first address that it does not cover */
};

/* 0, or -ENOENT as lookup. */
int guest_walk_lookup_entry(const struct guest_walk *walk,
			    const struct rmap_mm *mm, uint64_t addr,
			    struct guest_walk_entry *entry);

#endif
