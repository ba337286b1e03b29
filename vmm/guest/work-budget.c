// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include "vmm/guest/work-budget.h"
#include "vmm/util/clock.h"

void work_budget_init(struct work_budget *b, uint64_t rate, uint64_t burst,
		      uint64_t now_ns)
{
	*b = (struct work_budget){ .left = burst, .rate = rate, .burst = burst,
				   .last_ns = now_ns };
}

void work_budget_spend(struct work_budget *b, uint64_t work)
{
	b->left -= work;
}

uint64_t work_budget_wait_ns(struct work_budget *b, double least,
			     uint64_t now_ns)
{
	b->left += b->rate * (now_ns - b->last_ns) / NSEC_PER_SEC;
	if (b->left > b->burst)
		b->left = b->burst;
	b->last_ns = now_ns;
	if (b->left >= least)
		return 0;
	return 1 + (least - b->left) / b->rate * NSEC_PER_SEC;
}
