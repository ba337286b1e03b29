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
 * The stages of choosing candidates, in this order.  Each goes through the
 * inactive list, from its tail to its head, for frames of some classes
 * (policy/class.h).  A stage of pages that the guest returns itself is skipped.
 */
enum reclaim_stage {
	RECLAIM_FREE,	/* free in the guest; skipped if requested from it */
	RECLAIM_ANON,	/* anonymous, or of unknown class */
	RECLAIM_DIRTY,	/* page cache that the guest has yet to write */
	RECLAIM_CLEAN,	/* clean page cache; skipped if the guest drops it */
	NR_RECLAIM_STAGES,	/* no stage is left */
};

/* What a hard target does not evict: less in each round of the clock hand. */
enum reclaim_protection {
	PROTECT_YOUNG,	/* used, or assumed used, since the last scan */
	PROTECT_OBSERVED,	/* only what the source saw accessed */
	PROTECT_NONE,		/* only unevictable pages stay */
};

/*
 * The result of a batch: none of its pages was evicted, but another batch may
 * be.  Outside the range of -errno: a source or a sink can fail with any errno,
 * and a failure must end the pass.
 */
#define RECLAIM_NONE_EVICTED (-4096)

/* --- candidates.c ---------------------------------------------------------- */
/* Begins that stage, or the next that is not skipped, at the list's tail. */
void candidates_begin(struct engine *e, enum reclaim_stage stage);
/*
 * Puts candidates, at most max, into engine_pass.candidates, sorted; continues
 * where the last call ended, and in the next stage at the end of one.  Frames
 * that may not be evicted leave the tail of the list.  Returns how many
 * candidates there are; SIZE_MAX: there were some, but none of them may be
 * evicted.  Completing huge pages may make it more than max: ENGINE_BATCH at
 * most.
 */
size_t candidates_choose(struct engine *e, size_t max);
/*
 * The same for a hard target, when nothing is idle: pages that this scan
 * did not find used, and then any page (enum reclaim_protection), in order of
 * frame numbers like a clock hand, so that all pages stay in memory for equally
 * long.  A page in use is faulted in again at once; another stays evicted.
 * Returns how many.
 */
size_t candidates_choose_hard(struct engine *e, size_t max);

/* --- evict.c --------------------------------------------------------------- */
/*
 * The recheck: harvests the first nr candidates once more, with frames between
 * them.  Candidates that were accessed become active; what else was found young
 * is remembered for the next scan.  Returns how many candidates are left, or
 * -errno, already reported: then none may be evicted.
 */
ssize_t evict_recheck_accessed(struct engine *e, size_t nr);
/*
 * Lets the sink evict the first nr candidates, which are sorted.  Returns how
 * many were evicted, RECLAIM_NONE_EVICTED, 0 where another batch would be
 * useless or must not be tried, or -errno, already reported.
 */
ssize_t evict_candidates(struct engine *e, size_t nr);

#endif
