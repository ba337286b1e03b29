/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cheapest of many frames, by rank (price.h), without sorting them: count
 * all, find the rank up to which they are enough, take those in a second walk.
 *
 *     frames |  _         limit: all of lower ranks go, and so many
 *     by rank| | |_  _    of that rank as are still needed
 *            | | | || |_
 *            +-----^-------> rank
 *                limit
 * Pure.
 */
#ifndef VMM_POLICY_CHOICE_H
#define VMM_POLICY_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/policy/price.h"

struct choice {	/* all zero: nothing was counted */
	uint64_t nr_of_rank[PRICE_RANKS];
	unsigned int limit;	/* a rank; see above */
	uint64_t nr_at_limit;	/* still to be taken of that rank */
};

void choice_count(struct choice *c, unsigned int rank);
/*
 * All frames have been counted; nr of them are wanted.  Returns how many there
 * are to take, at most nr.
 */
uint64_t choice_set_limit(struct choice *c, uint64_t nr);
/* In the second walk: whether a frame of this rank is one to take. */
bool choice_take(struct choice *c, unsigned int rank);

#endif
