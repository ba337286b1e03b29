/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The steps of a pass of reclaim, in the engine's thread: reclaim.c makes them.
 * None is called with a lock held; what a pass needs is in struct engine_pass.
 */
#ifndef VMM_ENGINE_RECLAIM_H
#define VMM_ENGINE_RECLAIM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct engine;

/*
 * What candidates are taken from, one after the other; each begins at the tail
 * of the inactive list, and ends at its head.  A stage that the guest sees to
 * itself is left out.
 */
enum reclaim_stage {
	RECLAIM_FREE,	/* free in the guest; left out: it is giving these */
	RECLAIM_ANON,	/* only in memory, or not known */
	RECLAIM_DIRTY,	/* the guest will write it to its disk by itself */
	RECLAIM_CLEAN,	/* clean page cache; left out: the guest drops it */
	NR_RECLAIM_STAGES,	/* nothing is left */
};

/* What a hard target spares, in turn, as its clock hand goes round. */
enum reclaim_spare {
	SPARE_YOUNG,	/* what has been used since the last scan, or may be */
	SPARE_OBSERVED,	/* only what a source saw used */
	SPARE_NOTHING,
};

/*
 * Of a batch: nothing went, and others may.  Not an errno, as a source or a sink
 * can fail with each of these, and would be asked again and again in one scan.
 */
#define RECLAIM_NONE_WENT (-4096)

/* --- candidates.c ---------------------------------------------------------- */
/* Goes to that stage, and to its oldest frames. */
void candidates_begin(struct engine *e, enum reclaim_stage stage);
/*
 * Candidates, at most max, into e->pass.candidates, sorted, from where the last
 * call ended; those that must stay leave the tail of the list.  Returns how many;
 * SIZE_MAX: there were some, and none of them may go.  Whole huge pages may make
 * it more than max, up to ENGINE_BATCH.
 */
size_t candidates_choose(struct engine *e, size_t max);
/*
 * For a hard target, when nothing is idle: what has not been used since the last
 * scan, and then whatever comes, in turn, so that each page stays for as long as
 * the others.  A page that is in use is back at once, for the price of a fault;
 * one that is not stays away.
 */
size_t candidates_choose_hard(struct engine *e, size_t max);

/* --- evict.c --------------------------------------------------------------- */
/*
 * Harvests the surroundings of the first nr candidates.  Those that were touched
 * go back; what else was found young is kept for the next scan.  Returns how many
 * candidates are left, or -errno, told: then none may be evicted.
 */
ssize_t evict_last_look(struct engine *e, size_t nr);
/*
 * Hands the first nr candidates, sorted, to the sink.  Returns how many went,
 * RECLAIM_NONE_WENT, 0 when it is no use going on, or -errno, told.
 */
ssize_t evict_candidates(struct engine *e, size_t nr);

#endif
