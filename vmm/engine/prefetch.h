/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages that are asked back before a fault does it.
 *
 * By neighbourhood: where a guest walks through memory that is away, refaults
 * have neighbours in the guest's own address space, not in its physical one.
 * So refaults of a scan are looked up in the reverse map and put in runs; a run
 * of n pages in a region is followed by as much again that is still away:
 *
 *	region   . . R R R R R R R . . . . . . . . .	R: came back in this scan
 *	             |<-- n --->|--- 2 n ---->|		asked for, up to a limit
 *
 * A page asked for that is then used counts as one of the run, so a walk goes
 * on.  The limit doubles while half of what was brought back is used, and is halved
 * while less than a quarter is, between a least one and the policy's.  A page that
 * the sink could not bring back counts as not asked for.
 *
 * By use: a sink whose pages stay usable (another NUMA node) gives no faults;
 * what a source saw used there is asked back.
 */
#ifndef VMM_ENGINE_PREFETCH_H
#define VMM_ENGINE_PREFETCH_H

struct engine;
struct prefetch;

/*
 * One call a scan, after the look and before ages change; takes the engine's
 * lock and the view's.  Failures are told by engine_set_error() and cost
 * nothing but time.
 */
void engine_prefetch(struct engine *e);
void prefetch_free(struct prefetch *p);

#endif
