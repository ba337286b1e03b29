/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A budget of work: so much a second, on average.  What was saved up, to a
 * bound, may be spent at once; what is spent beyond that is a debt, and has to
 * be waited for.  Pure; the caller serialises, and passes the time.
 */
#ifndef VMM_GUEST_WORK_BUDGET_H
#define VMM_GUEST_WORK_BUDGET_H

#include <stdint.h>

struct work_budget {
	double left;		/* negative: a debt */
	double rate;		/* a second; above 0 */
	double burst;		/* saved up at most */
	uint64_t last_ns;	/* the time for which `left` holds */
};

/* Begins with a full budget. */
void work_budget_init(struct work_budget *b, uint64_t rate, uint64_t burst,
		      uint64_t now_ns);
void work_budget_spend(struct work_budget *b, uint64_t work);
/* Time until `least` is left; 0: it is. */
uint64_t work_budget_wait_ns(struct work_budget *b, double least,
			     uint64_t now_ns);

#endif
