/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prefetch: brings pages back before the guest faults on them.
 *
 * By neighbourhood: where a guest walks through evicted memory, refaults have
 * neighbours in the guest's virtual address space, not in its physical one.
 * So refaults of a scan are looked up in the reverse map and grouped into runs;
 * after a run of n pages in a region (a VMA of a process), evicted pages among
 * the next 2 n are requested; if there are none, among those before the run:
 *
 *	region   . . R R R R R R R . . . . . . . . .	R: refault in this scan
 *	             |<-- n --->|--- 2 n ---->|		requested, up to a limit
 *
 * A prefetched page that is then used counts like a refault, so the run goes on
 * in the next scan.  The limit of pages in a scan doubles while half of what
 * was brought back is used, and is halved while less than a quarter is, between
 * a minimum and the policy's limit.  A page that the sink could not bring back
 * counts as not requested.
 *
 * By use: a sink whose pages stay accessible (another NUMA node) causes no
 * faults; evicted pages that the source saw accessed are brought back.
 */
#ifndef VMM_ENGINE_PREFETCH_H
#define VMM_ENGINE_PREFETCH_H

#include "vmm/mem/addr.h"

struct engine;
struct prefetch;

/*
 * Called once a scan, after the harvest and before ages change; takes the
 * engine's lock and the view's.  Failures are reported by engine_set_error()
 * and cost nothing but time.
 */
void engine_prefetch(struct engine *e);
/* The frame has been evicted: its next use is a refault.  NULL is allowed. */
void prefetch_forget(struct prefetch *p, gfn_t gfn);
/* NULL is allowed. */
void prefetch_free(struct prefetch *p);

#endif
