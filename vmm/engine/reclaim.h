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

/* Which frames may be evicted, those of the lowest price first. */
enum reclaim_effort {
	EFFORT_IDLE,	/* those idle for engine_pass.min_idle scans or more */
	/*
	 * For a hard target: of any age, but those that are found accessed when
	 * they are checked stay.  Each is chosen once in a pass, as all of them
	 * may be in use.
	 */
	EFFORT_UNACCESSED,
	EFFORT_ANY,	/* any but unevictable ones, without a check */
};

/*
 * The result of a batch: none of its pages was evicted, but another batch may
 * be.  Outside the range of -errno: a source or a sink can fail with any errno,
 * and a failure must end the pass.
 */
#define RECLAIM_NONE_EVICTED (-4096)

/* --- candidates.c ---------------------------------------------------------- */
/* Begins to choose with this effort. */
void candidates_begin(struct engine *e, enum reclaim_effort effort);
/*
 * Puts candidates, at most max, into engine_pass.candidates, sorted; continues
 * where the last call ended.  wanted: pages to evict by this and later calls.
 * Returns how many candidates there are; SIZE_MAX: there were some, but none of
 * them may be evicted.  Completing huge pages may make it more than max:
 * ENGINE_BATCH at most.
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
 * Lets the sink evict the first nr candidates, which are sorted.  Returns how
 * many were evicted, RECLAIM_NONE_EVICTED, 0 where another batch would be
 * useless or must not be tried, or -errno, already reported.
 */
ssize_t evict_candidates(struct engine *e, size_t nr);

#endif
