/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What it is worth to keep a page: the uses to expect of it, for each scan that
 * it stays in memory.  The pages of the lowest price go first.
 *
 * What to expect is learned from the guest itself.  Pages of one kind of
 * history (use-history.h) and one idle age are alike, so in each scan it is
 * counted how many such pages there are, resident or evicted, and how many of
 * them were used: that is the hazard h of a use in the next scan.  With
 *
 *     s(n)  that the page is not used in the next n scans: the product of
 *           1 - h over the ages that it will have
 *
 *                         1 - s(n)              uses within n scans
 *     price = max  -------------------------- = ------------------------
 *              n   s(0) + s(1) + ... + s(n-1)   scans for which it stays
 *
 * Where the hazard falls with age, as mostly, this is the hazard of the next
 * scan; where it rises, as of pages that are read round and round, a page close
 * to its use is worth more than one that has just been used.  Recency and
 * frequency are weighted as the guest's own uses teach: where hot pages stay
 * hot, their history counts; where the working set moves, pages with much
 * history and some age are soon found unused, and are worth nothing.
 *
 * After the hit density of Beckmann, Chen and Cidon, "LHD: Improving cache hit
 * rate by maximizing hit density" (NSDI 2018), and Gittins' index.
 *
 * Pure; the caller serialises.
 */
#ifndef VMM_POLICY_PRICE_H
#define VMM_POLICY_PRICE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/policy/use-history.h"

#define PRICE_AGES 16	/* steps of idle age, about half octaves */

/* Prices as small numbers that can be compared; 16 steps double a price. */
#define PRICE_RANKS  256
#define PRICE_RANKS_TO_DOUBLE 16

struct price_table {	/* all zero: nothing is learned yet */
	/* By kind and age: pages counted, and how many of these were used. */
	float nr_pages[USE_HISTORY_KINDS][PRICE_AGES];
	float nr_used[USE_HISTORY_KINDS][PRICE_AGES];
	uint8_t rank[USE_HISTORY_KINDS][PRICE_AGES];
	bool is_current;	/* rank[] is of what was counted */
};

/*
 * A page of this history, last used `age` scans before the last scan, was used
 * in the last scan, or was not.
 */
void price_count(struct price_table *p, uint16_t history, unsigned int age,
		 bool used);

/* Computes ranks anew, if anything was counted since. */
void price_update(struct price_table *p);

/* The rank of so many uses to expect in a scan. */
unsigned int price_rank_of(double price);

/*
 * The rank of a page that was last used `age` scans before the last scan, 0: in
 * it.  price_update() must have been called.
 */
unsigned int price_rank(const struct price_table *p, uint16_t history,
			unsigned int age);

#endif
