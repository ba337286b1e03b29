/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine's locks, and how long its thread may hold them.
 *
 * There are two: the engine's, and the view's, which guards the reverse map.
 *
 * The engine's thread walks lists and tables whose length grows with the
 * guest's memory.  Under the locks it does so a part at a time, and the cost of
 * a part is counted, in frames examined: after LOCK_HOLD_MAX both locks are
 * released, and threads that wait for one of them get it first.  A walk over a
 * frame's mappings counts as LOCK_HOLD_WALK frames: the reverse map bounds its
 * length (rmap.h).  A hold also ends when its walks have looked up as many
 * addresses in the guest's page tables as one hold may, or had as many pages
 * of these brought back from swap (walk-limit.h).
 *
 *     take both --[charge ... charge]-- release, take --[charge ... ]-- release
 *                 <= LOCK_HOLD_MAX                   <= LOCK_HOLD_MAX
 *
 * Between two parts other threads may change policy and reverse map.  They only
 * read the frame table and its lists, so a position in a list stays valid;
 * pointers into the map do not.
 */
#ifndef VMM_ENGINE_ENGINE_LOCK_H
#define VMM_ENGINE_ENGINE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

struct engine;

#define LOCK_HOLD_MAX  16384	/* frames in one hold: about a millisecond */
#define LOCK_HOLD_WALK 512	/* cost of one walk, in frames */

/* The engine's lock, for any thread. */
void engine_lock(struct engine *e);
void engine_unlock(struct engine *e);

/* --- the engine's thread -------------------------------------------------- */
/*
 * Takes both locks, after all threads that wait for them; or releases both.
 */
void lock_hold_begin(struct engine *e);
void lock_hold_end(struct engine *e);
/*
 * Call before work of this cost, at most LOCK_HOLD_MAX: releases the locks for
 * a moment where it would be too much for this hold.  False: the engine is to
 * stop; the locks are held all the same.
 */
bool lock_hold_charge(struct engine *e, unsigned int cost);

/* The engine is to stop; no lock needed. */
bool engine_is_stopping(struct engine *e);

#endif
