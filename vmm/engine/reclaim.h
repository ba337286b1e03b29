/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The steps of a pass of reclaim, which reclaim.c calls in the engine's thread.
 * None is called with a lock held; their common state is struct engine_pass.
 */
#ifndef VMM_ENGINE_RECLAIM_H
#define VMM_ENGINE_RECLAIM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct engine;

/*
 * The stages in which candidates are taken, in this order; each begins at the
 * tail of the inactive list, and ends at its head.  A stage that the guest
 * takes care of itself is skipped.
 */
enum reclaim_stage {
	RECLAIM_FREE,	/* free in the guest; skipped: it is giving these */
	RECLAIM_ANON,	/* only in memory, or not known */
	RECLAIM_DIRTY,	/* the guest will write it to its disk by itself */
	RECLAIM_CLEAN,	/* clean page cache; skipped: the guest drops it */
	NR_RECLAIM_STAGES,	/* nothing is left */
};

/* What a hard target spares; less in each round of its clock hand. */
enum reclaim_protection {
	PROTECT_YOUNG,	/* used, or assumed used, since the last scan */
	PROTECT_OBSERVED,	/* only what a source saw accessed */
	PROTECT_NONE,
};

/*
 * The result of a batch: no page was evicted, but others may be.  Not an errno,
 * as a source or a sink can fail with any of these, and would then be called
 * again and again in one scan.
 */
#define RECLAIM_NONE_EVICTED (-4096)

/* --- candidates.c ---------------------------------------------------------- */
/* Begins that stage, at its oldest frames. */
void candidates_begin(struct engine *e, enum reclaim_stage stage);
/*
 * Puts candidates, at most max, into e->pass.candidates, sorted, from where the
 * last call ended; those that must stay leave the tail of the list.  Returns
 * how many; SIZE_MAX: there were some, but none of them may be evicted.  Whole
 * huge pages may make it more than max, up to ENGINE_BATCH.
 */
size_t candidates_choose(struct engine *e, size_t max);
/*
 * For a hard target, when nothing is idle: what has not been used since the
 * last scan, and then any page, in order of frame numbers, so that each page
 * stays for as long as the others.  A page in use is back at once, for the
 * price of a fault; one that is not stays evicted.
 */
size_t candidates_choose_hard(struct engine *e, size_t max);

/* --- evict.c --------------------------------------------------------------- */
/*
 * Harvests the surroundings of the first nr candidates.  Those that were
 * touched become active; what else was found young is kept for the next scan.
 * Returns how many candidates are left, or -errno, already reported: then none
 * may be evicted.
 */
ssize_t evict_recheck_accessed(struct engine *e, size_t nr);
/*
 * Hands the first nr candidates, sorted, to the sink.  Returns how many were
 * evicted, RECLAIM_NONE_EVICTED, 0 when going on is useless, or -errno, already
 * reported.
 */
ssize_t evict_candidates(struct engine *e, size_t nr);

#endif
