/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Working set detection: does a page that comes back after eviction belong to
 * those that are needed again and again?
 *
 * The caller keeps two lists, as in Linux's mm/workingset.c, which this is
 * after: new pages enter the inactive list, are activated when they are used
 * again there, and are evicted from its tail.  For an evicted page it keeps the
 * shadow entry it gets here, a 32-bit word that is never 0, wherever it likes:
 * the place of the page's list links is free by then.
 *
 * Why the distance decides: each eviction and each activation moves the whole
 * inactive list by one place.  Between a page's eviction (E) and its refault
 * (R) the list moved R - E places, and it takes NR_inactive places to pass
 * through it before that.  The page would not have been evicted if the list
 * had been longer by R - E; the most it could grow is by what the active pages
 * take.  So
 *
 *	R - E <= NR_active	it competes with the active pages: activate
 *	R - E >  NR_active	memory is too small to hold it in any case
 *
 * Pure; the caller serialises.
 */
#ifndef RMAP_WORKINGSET_H
#define RMAP_WORKINGSET_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Shadows tell ages apart modulo 2^30 moves, 4 TiB of evictions. */
#define RMAP_WORKINGSET_AGE_BITS 30

struct rmap_workingset {	/* all zero: a new one */
	uint64_t age;		/* evictions and activations so far */
	uint64_t nr_refaults, nr_activated, nr_restored;
};

/* A page moved from the inactive to the active list. */
void rmap_workingset_activate(struct rmap_workingset *ws);

/*
 * A page is evicted.  workingset: it was active, or came back as such before.
 * Returns its shadow.
 */
uint32_t rmap_workingset_evict(struct rmap_workingset *ws, bool workingset);

struct rmap_refault {
	uint64_t distance;	/* R - E */
	bool activate;		/* put it on the active list */
	bool restored;		/* it had been there: memory is thrashing */
};

/* The page of that shadow is back.  -EINVAL: 0, which is no shadow. */
int rmap_workingset_refault(struct rmap_workingset *ws, uint32_t shadow,
			    uint64_t nr_active, struct rmap_refault *out);

#ifdef __cplusplus
}
#endif

#endif
