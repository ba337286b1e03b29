/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prefetch: brings pages back before the guest faults on them.
 *
 * By neighbourhood: where a guest walks through evicted memory, refaults have
 * neighbours in the guest's virtual address space, not in its physical one.
 * So refaults of a scan are looked up in the reverse map and grouped into runs;
 * after a run of n pages in a region, twice as many that are still evicted are
 * requested:
 *
 *	region   . . R R R R R R R . . . . . . . . .	R: refault in this scan
 *	             |<-- n --->|--- 2 n ---->|		requested, up to a limit
 *
 * A prefetched page that is then used counts as one of the run, so a walk goes
 * on.  The limit doubles while half of what was brought back is used, and is
 * halved while less than a quarter is, between a minimum and the policy's
 * limit.  A page that the sink could not bring back counts as not requested.
 *
 * By use: a sink whose pages stay accessible (another NUMA node) causes no
 * faults; pages that a source saw used there are brought back.
 */
#ifndef VMM_ENGINE_PREFETCH_H
#define VMM_ENGINE_PREFETCH_H

struct engine;
struct prefetch;

/*
 * Called once a scan, after the harvest and before ages change; takes the
 * engine's lock and the view's.  Failures are reported by engine_set_error()
 * and cost nothing but time.
 */
void engine_prefetch(struct engine *e);
void prefetch_free(struct prefetch *p);

#endif
