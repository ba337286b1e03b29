/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Working set detection: is a page that is faulted in again after its eviction
 * part of the working set?  Source: Linux's mm/workingset.c.
 *
 * The caller keeps two lists, as there: new pages enter the inactive list, are
 * activated when they are accessed again there, and are evicted from its tail.
 * For an evicted page the caller keeps the shadow entry it gets here, a 32-bit
 * word that is never 0, wherever it likes, for example where the page had its
 * list links.
 *
 * Why the refault distance decides: each eviction and each activation removes
 * one page from the inactive list, and so moves the pages on it one position
 * nearer to its tail.  `age` counts these: it is E when a page is evicted and R
 * when it is faulted in again.  With R - E more places on the list the page
 * would still be there; the list can grow by the number of active pages at
 * most.  So
 *
 *	R - E <= NR_active	it competes with the active pages: activate
 *	R - E >  NR_active	memory is too small to hold it in any case
 *
 * Units: pages.  Pure, without memory of its own: the caller owns the struct
 * and serialises all calls with it.
 */
#ifndef RMAP_WORKINGSET_H
#define RMAP_WORKINGSET_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A shadow entry has the age modulo 2^30: distances wrap after 4 TiB of evicted
 * and activated pages.
 */
#define RMAP_WORKINGSET_AGE_BITS 30

struct rmap_workingset {	/* all zero: a new one */
	uint64_t age;		/* evictions and activations so far */
	/* Refaults so far: all; those with `activate`; with `restored` */
	uint64_t nr_refaults, nr_activated, nr_restored;
};

/* A page moved from the inactive to the active list. */
void rmap_workingset_activate(struct rmap_workingset *ws);

/*
 * A page is evicted; returns its shadow entry.  workingset: it has been on the
 * active list (Linux's PG_workingset).
 */
uint32_t rmap_workingset_evict(struct rmap_workingset *ws, bool workingset);

struct rmap_refault {
	uint64_t distance;	/* R - E, in pages */
	bool activate;		/* put the page on the active list */
	bool restored;		/* and it was there before: thrashing */
};

/*
 * The page with that shadow entry is faulted in again; nr_active: pages on the
 * active list.  -EINVAL (not a shadow entry), with *out untouched.
 */
int rmap_workingset_refault(struct rmap_workingset *ws, uint32_t shadow,
			    uint64_t nr_active, struct rmap_refault *out);

#ifdef __cplusplus
}
#endif

#endif
