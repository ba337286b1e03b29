/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Divides a host's memory among its guests: one decision.  Pure; no clock, no
 * sockets (see guests.h).
 *
 * A guest with x pages has m(x) refaults a second (curve.h), each costing c
 * nanoseconds as measured.  The value of a slice of q pages to it, in
 * nanoseconds of waiting a second, weighted by its shares w:
 *
 *	to lose it:   loss(x) = w * c * (m(x - q) - m(x))
 *	to get it:    gain(x) = w * c * (m(x) - m(x + q))
 *
 * The total waiting is minimal when moving a slice from the guest with the
 * least loss to the one with the greatest gain no longer helps.  So, in slices:
 *
 *	1. while the targets exceed the total:
 *	   take from the guest with the least loss
 *	2. while they are below it:
 *	   give to the guest with the greatest gain
 *	3. then a limited number of times:
 *	   move from the guest with the least loss to the one with the greatest
 *	   gain
 *
 * Losses and gains that are about equal are not compared: then shares alone
 * decide.  Each guest's part by shares is w / (sum of w) of the total; what its
 * limits exclude is divided among the others.  Memory is moved from the guest
 * farthest above its part to the one farthest below.
 *
 * It does not oscillate: a gain must exceed a loss by a quarter and by a least
 * amount, and by twice as much to undo a recent move.
 */
#ifndef VMM_BALANCE_BALANCE_H
#define VMM_BALANCE_BALANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/balance/curve.h"

struct balance_guest {
	/* Requested; pages. */
	double shares;			/* > 0 */
	uint64_t min, max;		/* 0: no limit */

	/* Current state; pages. */
	bool fixed;			/* can't be changed */
	uint64_t memory;		/* in total */
	uint64_t resident, swapped;
	uint64_t ages[BALANCE_AGES];	/* resident, by idle scans */
	uint64_t period_ns;		/* of scans */
	double refaults_per_s, refault_ns;

	/* The decision; the previous one is input. */
	uint64_t target;		/* 0: none yet */
	int direction;			/* of last move: 1 gained, -1 lost */
	unsigned int since_move;	/* decisions */

	/* Of the last decision, for display. */
	uint64_t part;			/* by shares */
	double loss, gain;

	/* Scratch of a decision. */
	struct balance_curve curve;
	uint64_t lowest, highest;
	bool limited;
};

struct balance_result {
	uint64_t moved;		/* pages from one guest to another */
	uint64_t sum;		/* of targets, and of what fixed guests use */
	bool minima_cut;	/* all minima were reduced to fit the total */
};

/*
 * total: pages for all guests.  Afterwards sum <= total, unless fixed guests
 * alone have more: then the others have 0.  Every target is within its guest's
 * limits, unless minima_cut: then at most its minimum.
 */
void balance_decide(struct balance_guest *guests, size_t nr, uint64_t total,
		    struct balance_result *result);

#endif
