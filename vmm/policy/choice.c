// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include "vmm/policy/choice.h"

void choice_count(struct choice *c, unsigned int rank)
{
	c->nr_of_rank[rank]++;
}

uint64_t choice_set_limit(struct choice *c, uint64_t nr)
{
	uint64_t sum = 0;

	for (c->limit = 0; c->limit < PRICE_RANKS; c->limit++) {
		if (nr - sum <= c->nr_of_rank[c->limit]) {
			c->nr_at_limit = nr - sum;
			return nr;
		}
		sum += c->nr_of_rank[c->limit];
	}
	c->nr_at_limit = 0;
	return sum;
}

bool choice_take(struct choice *c, unsigned int rank)
{
	if (rank != c->limit || !c->nr_at_limit)
		return rank < c->limit;
	c->nr_at_limit--;
	return true;
}
