/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much to reclaim from the guest's page cache and how much from the rest:
 * more from the kind with fewer refaults.  Pure; the caller locks.
 *
 * After Linux' mm/vmscan.c, get_scan_count(), and mm/swap.c, lru_note_cost():
 * each refault is a cost to its kind; costs fade as memory is turned over;
 * pressure on each kind is by the inverse of its cost, and neither is left out
 * wholly, as the cost of a kind is only learned by reclaiming from it.
 */
#ifndef VMM_POLICY_ANON_FILE_BALANCE_H
#define VMM_POLICY_ANON_FILE_BALANCE_H

#include <stdint.h>

struct anon_file_balance {		/* all zero: nothing is known */
	double anon_cost, file_cost;	/* refaulted pages, fading */
};

/*
 * anon, file: pages refaulted since the last call.  nr_pages: of memory,
 * of which costs keep below a quarter.
 */
void anon_file_balance_add(struct anon_file_balance *b, uint64_t anon,
			   uint64_t file, uint64_t nr_pages);

/*
 * The share, 0 to 1, of reclaim that the page cache should give.  1 as long as
 * it has no refaults: dropping it costs neither writes nor space.
 */
double anon_file_balance_share(const struct anon_file_balance *b);

#endif
