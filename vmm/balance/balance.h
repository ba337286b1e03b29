/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who gets how much of a host's memory: one decision.  Pure; no clock, no
 * sockets (guests.h has these).
 *
 * A guest of x pages loses m(x) refaults a second (curve.h), each of c
 * nanoseconds as measured.  What a slice of q pages is worth to it, in
 * nanoseconds of waiting a second, by its shares w:
 *
 *	to lose it:   loss(x) = w * c * (m(x - q) - m(x))
 *	to get it:    gain(x) = w * c * (m(x) - m(x + q))
 *
 * The waiting of all is least where no move of a slice from the guest of the
 * least loss to the one of the greatest gain helps.  So, in slices:
 *
 *	1. over the total: from whoever has the least loss
 *	2. under it:       to whoever has the greatest gain
 *	3. at it:          from least loss to greatest gain, at most `step`
 *
 * Prices that are alike are not told apart: then shares decide alone.  Each
 * guest's part by shares is w / (sum of w) of the total, what its limits refuse
 * going to the others; memory comes from who is farthest above its part and
 * goes to who is farthest below.
 *
 * It does not swing: a gain must be greater than a loss by a quarter and by a
 * least amount, and by twice as much to undo a recent move.
 */
#ifndef VMM_BALANCE_BALANCE_H
#define VMM_BALANCE_BALANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/balance/curve.h"

struct balance_guest {
	/* What was asked for it; pages. */
	double shares;			/* > 0 */
	uint64_t min, max;		/* 0: no limit */

	/* What it is like now; pages. */
	bool fixed;			/* can't be changed: as it is */
	uint64_t memory;		/* that it has in all */
	uint64_t resident, swapped;
	uint64_t ages[BALANCE_AGES];	/* resident, by idle scans */
	uint64_t period_ns;		/* of a scan */
	double refaults_per_s, refault_ns;

	/* Decided; what was before goes in. */
	uint64_t target;		/* 0: has none yet */
	int direction;			/* of the last move: 1 it got, -1 lost */
	unsigned int since_move;	/* decisions */

	/* Of the last decision, to be shown. */
	uint64_t part;			/* by shares */
	double loss, gain;

	/* Scratch of a decision. */
	struct balance_curve curve;
	uint64_t lowest, highest;
	bool limited;
};

struct balance_result {
	uint64_t moved;		/* pages from one guest to another */
	uint64_t sum;		/* of all targets, and what fixed guests have */
	bool minima_cut;	/* total too small for the minima: all were cut */
};

/*
 * total: pages for all guests.  Afterwards sum <= total, unless fixed guests
 * alone have more: then the others are at 0.  Every target is within its
 * guest's limits, unless minima_cut: then at most its minimum.
 */
void balance_decide(struct balance_guest *guests, size_t nr, uint64_t total,
		    struct balance_result *result);

#endif
