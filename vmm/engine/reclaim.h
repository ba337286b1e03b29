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

/* Which frames may be evicted, the cheapest of them first. */
enum reclaim_effort {
	EFFORT_IDLE,	/* those idle for engine_pass.min_idle scans or more */
	/*
	 * For a hard target: of any age, but what is accessed when it is
	 * checked stays.  Each is chosen once, as all of them may be in use.
	 */
	EFFORT_ONCE,
	EFFORT_LAST,	/* then any that are not unevictable, without checks */
};

/*
 * The result of a batch: no page was evicted, but others may be.  Not an errno,
 * as a source or a sink can fail with any of these, and would then be called
 * again and again in one scan.
 */
#define RECLAIM_NONE_EVICTED (-4096)

/* --- candidates.c ---------------------------------------------------------- */
/* Begins to choose with this effort. */
void candidates_begin(struct engine *e, enum reclaim_effort effort);
/*
 * Puts candidates, at most max, into engine_pass.candidates, sorted; continues
 * where the last call ended.  wanted: pages to evict by this and later calls.
 * Returns how many candidates; SIZE_MAX: there were some, but none of them may
 * be evicted.  Whole huge pages may make it more than max, up to ENGINE_BATCH.
 */
size_t candidates_choose(struct engine *e, uint64_t wanted, size_t max);

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
