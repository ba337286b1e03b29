// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include "vmm/policy/anon-file-balance.h"

void anon_file_balance_add(struct anon_file_balance *b, uint64_t anon,
			   uint64_t file, uint64_t nr_pages)
{
	b->anon_cost += anon;
	b->file_cost += file;
	/* Costs fade: they are halved once they exceed a quarter of memory. */
	while (b->anon_cost + b->file_cost > nr_pages / 4.0 &&
	       b->anon_cost + b->file_cost > 1) {
		b->anon_cost /= 2;
		b->file_cost /= 2;
	}
}

double anon_file_balance_share(const struct anon_file_balance *b)
{
	double total = b->anon_cost + b->file_cost;
	double anon, file;

	if (b->file_cost < 1)
		return 1;
	/*
	 * As in Linux: no kind's pressure is more than twice the other's.
	 */
	anon = (total + 1) / (total + b->anon_cost + 1);
	file = (total + 1) / (total + b->file_cost + 1);
	return file / (anon + file);
}
