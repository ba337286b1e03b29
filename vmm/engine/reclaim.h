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
 * The stages of choosing candidates, in this order: each goes through the
 * inactive list, from its tail to its head.  A stage of pages that the guest
 * returns itself is skipped.
 */
enum reclaim_stage {
	RECLAIM_FREE,	/* free in the guest; skipped while it returns these */
	RECLAIM_ANON,	/* anonymous, or of unknown class */
	RECLAIM_DIRTY,	/* page cache that the guest has yet to write */
	RECLAIM_CLEAN,	/* clean page cache; skipped if the guest drops it */
	NR_RECLAIM_STAGES,	/* no stage is left */
};

/* What a hard target does not evict: less in each round of the clock hand. */
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
/* Begins that stage, at the tail of the inactive list. */
void candidates_begin(struct engine *e, enum reclaim_stage stage);
/*
 * Puts candidates, at most max, into engine_pass.candidates, sorted; continues
 * where the last call ended.  Frames that may not be evicted leave the tail of
 * the list.  Returns how many candidates; SIZE_MAX: there were some, but none
 * of them may be evicted.  Whole huge pages may make it more than max, up to
 * ENGINE_BATCH.
 */
size_t candidates_choose(struct engine *e, size_t max);
/*
 * For a hard target, when nothing is idle: pages that have not been used since
 * the last scan, and then any page, in order of frame numbers (a clock), so
 * that all pages stay in memory for equally long.  A page in use is faulted in
 * again at once; one that is not stays evicted.
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
 * Lets the sink evict the first nr candidates, sorted.  Returns how many were
 * evicted, RECLAIM_NONE_EVICTED, 0 when another batch would be useless, or
 * -errno, already reported.
 */
ssize_t evict_candidates(struct engine *e, size_t nr);

#endif
