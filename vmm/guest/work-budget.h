/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * So much work a second, on average: what was saved up, to a bound, may be spent
 * at once; what is spent beyond that is a debt, and has to be waited for.  Pure;
 * the caller serialises, and tells the time.
 */
#ifndef VMM_GUEST_WORK_BUDGET_H
#define VMM_GUEST_WORK_BUDGET_H

#include <stdint.h>

struct work_budget {
	double left;		/* negative: a debt */
	double rate;		/* a second; above 0 */
	double burst;		/* saved up at most */
	uint64_t last_ns;	/* `left` is of then */
};

/* Full. */
void work_budget_init(struct work_budget *b, uint64_t rate, uint64_t burst,
		      uint64_t now_ns);
void work_budget_spend(struct work_budget *b, uint64_t work);
/* Until so much is left; 0: it is. */
uint64_t work_budget_wait_ns(struct work_budget *b, double least,
			     uint64_t now_ns);

#endif
