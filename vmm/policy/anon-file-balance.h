/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether to take from the guest's page cache or from the rest: from where the
 * pages that were taken are missed less.  Pure.
 *
 * After Linux' mm/vmscan.c, get_scan_count(), and mm/swap.c, lru_note_cost():
 * each page that had to come back is a cost to its kind; costs fade as memory
 * is turned over; pressure goes to each kind by the inverse of its cost, and
 * neither is left out wholly, for costs are only learned where one takes.
 */
#ifndef VMM_POLICY_ANON_FILE_BALANCE_H
#define VMM_POLICY_ANON_FILE_BALANCE_H

#include <stdint.h>

struct balance {	/* all zero: nothing is known */
	double anon_cost, file_cost;	/* pages */
};

/* Pages that came back since the last call, of so many resident ones. */
void balance_note(struct balance *b, uint64_t anon, uint64_t file,
		  uint64_t nr_resident);

/*
 * The share, 0 to 1, of what is to be taken that the page cache should give.  As
 * long as nothing of it is missed, all: it costs no write, and no room.
 */
double balance_file_share(const struct balance *b);

#endif
