/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PTE provider of live guest page tables (Intel SDM vol. 3, chapter 4;
 * AMD64 vol. 2, chapter 5): 4 and 5 levels, leaves of 4 KiB, 2 MiB and 1 GiB.
 *
 * The guest runs meanwhile and may write anything there: every table is looked
 * up through guest_mem_hold_page(), every entry is read once, and the walk is as
 * deep as there are levels.  Readers hold the view's lock, and the engine its
 * own, too: so a table that a sink has is never waited for, however long its
 * device takes; what is left is said in guest-mem.h.  Of those that the host's
 * kernel has swapped out a few are read in each hold of the lock (walk-limit.h); the
 * others are not known until the next.  A piece of a harvest reads some 40 tables
 * at most, and is not cut.
 *
 * The guest's TLB may hold an entry whose accessed bit is cleared here; the page
 * then looks cold for a round, as with Linux on x86.
 */
#ifndef VMM_GUEST_GUEST_WALK_H
#define VMM_GUEST_GUEST_WALK_H

#include <stdbool.h>

#include "rmap/rmap.h"

struct guest_mem;

/*
 * The context of guest_walk_ops.  levels is 4 or 5: what the guest's CR4.LA57
 * says, by way of the agent.
 *
 * A PGD can be stale: its process ended and its tables are somebody's data now.
 * Reading those is harmless, since an entry must name the frame to count.  But
 * with flags_known (the agent tells what frames are) a bit is cleared only in
 * a frame that is called a page table (RMAP_PG_PGTABLE in map), never in what
 * may be data.  A set bit there still counts as an access: a new table is not
 * flagged yet, and to take a hot page for a cold one is the worse mistake.
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
 * lookup: -ENOENT where tables are not known: no PGD, or one of them lies
 * outside RAM, or a sink has it, or no more may be paged in; then the map's own
 * word counts.  "Not present" is an answer, also for entries with reserved bits,
 * at which the processor would fault.
 */
extern const struct rmap_pte_ops guest_walk_ops;

/* Entries looked at in one call, but for the rest of a table: 512 more. */
#define GUEST_WALK_PIECE 16384

/*
 * The leaves of the user half of mm's tables, from address *from on (0 to begin
 * with): clears their accessed bits, by the rule above, and calls fn with the
 * frames that each maps.  *budget counts down: an entry costs 1, a huge leaf up
 * to 4096 more.  What is below a table that a sink has is left out: nobody used
 * it since the table went, and what was before is seen when it is back.
 *
 * 1: that was a piece, and *from is where the next one begins; a lock may be let
 * go before.  0: that was all.  -ENOSPC: the budget was not enough; -ENOENT: a
 * table lies outside RAM.
 */
int guest_walk_harvest(const struct guest_walk *walk, const struct rmap_mm *mm,
		       uint64_t *from, uint64_t *budget,
		       void (*fn)(void *arg, uint64_t gfn, uint64_t nr,
				  bool accessed), void *arg);

/* An entry for people to look at, also one that maps nothing. */
struct guest_walk_entry {
	struct rmap_pte pte;	/* level also where it is not present */
	bool swapped;		/* not present; by Linux: in swap, or moving */
	bool no_access;		/* not present; by Linux: PROT_NONE */
	uint64_t end;		/* the first address that it says nothing of */
};

/* 0, or -ENOENT as lookup. */
int guest_walk_look(const struct guest_walk *walk, const struct rmap_mm *mm,
		    uint64_t addr, struct guest_walk_entry *entry);

#endif
