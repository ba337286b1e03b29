/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A budget of work that grows at a constant rate, up to a bound (a token
 * bucket).  All of it may be spent at once; spending more makes a debt, which
 * has to be waited for.  Pure; the caller serialises, and passes the time.
 */
#ifndef VMM_GUEST_WORK_BUDGET_H
#define VMM_GUEST_WORK_BUDGET_H

#include <stdint.h>

struct work_budget {
	double left;		/* negative: a debt */
	double rate;		/* growth a second; above 0 */
	double burst;		/* `left` at most */
	uint64_t last_ns;	/* the time for which `left` holds */
};

/* Begins with a full budget. */
void work_budget_init(struct work_budget *b, uint64_t rate, uint64_t burst,
		      uint64_t now_ns);
void work_budget_spend(struct work_budget *b, uint64_t work);
/* Brings the budget up to now; the time until `least` is left, 0: it is. */
uint64_t work_budget_wait_ns(struct work_budget *b, double least,
			     uint64_t now_ns);

#endif
