/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When an aligned block of 2 MiB is to be a huge page, and when not.
 *
 *              memory is wanted, and          the look is over, and
 *              others are not cheaper         enough of it is idle
 *        HUGE ----------------------> LOOKED ---------------------> SMALL
 *         ^                              |                            |
 *         |   too little of it is idle   |                            |
 *         +------------------------------+                            |
 *         +-----------------------------------------------------------+
 *             nearly all of it is resident and hot
 *
 * A huge page has one accessed bit, in the second-level page tables as in the
 * host's.  While no memory is wanted nobody needs to know more.  When the guest
 * is over its target and too little of it is idle, huge pages that are in use
 * are split, the cheapest first, only to be looked at: after `idle` scans more
 * it is known which of the small pages are idle.  How many that were in the
 * last such blocks tells how many are to be split for what is wanted.
 *
 * A small page in use costs walks through longer page tables, as much as a part
 * of a refault each scan.  With c idle pages and 512 - c others,
 *
 *     price of an idle page  +=  WALK_COST * (512 - c) / c	uses a scan
 *
 * which is nothing for a block all of which is idle, and more than any page is
 * worth for one with few idle pages: these wait for others to become idle.
 *
 * A block that was looked at in vain is left alone, for twice as long each
 * time.  Pure; the caller serialises.
 */
#ifndef VMM_POLICY_BLOCKS_H
#define VMM_POLICY_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#define BLOCK_PAGES 512u

/* Of a block's pages, so many must be idle to be worth more than it. */
#define BLOCK_MIN_IDLE (BLOCK_PAGES / 8)

struct block {
	uint32_t since;		/* scan of the last split or collapse; 0: none */
	uint8_t vain;		/* looks in a row that found too little */
	bool looked_at;		/* split to be looked at, and not judged yet */
	/*
	 * Was split, or found in parts, and not made huge since: for kernels
	 * that do not tell which pages are huge.
	 */
	bool small;
};

struct block_table {
	uint64_t nr;
	struct block *blocks;	/* owned; by frame number / BLOCK_PAGES */
	double gain;		/* mean idle pages of blocks looked at */
	uint64_t nr_looked_at;
	uint32_t wait_until;	/* a scan: see block_should_wait() */
};

/* 0 or -ENOMEM. */
int block_table_init(struct block_table *t, uint64_t nr_frames);
void block_table_destroy(struct block_table *t);

/* Whether a huge page in use may be split now, to be looked at. */
bool block_may_split(const struct block_table *t, uint64_t block,
		     uint32_t scan);
/* How many of nr huge pages in use to split for so many pages wanted. */
uint64_t block_nr_to_split(const struct block_table *t, uint64_t nr,
			   uint64_t wanted);
void block_set_split(struct block_table *t, uint64_t block, uint32_t scan,
		     unsigned int min_idle);
/*
 * Whether huge pages are looked at for the first time now, so that what is known
 * of pages in use will soon be more.  Never for long: each has but one first
 * time.
 */
bool block_should_wait(const struct block_table *t, uint32_t scan);
bool block_is_looked_at(const struct block_table *t, uint64_t block);
/* Whether a look that began when it was split is over. */
bool block_look_is_over(const struct block_table *t, uint64_t block,
			uint32_t scan, unsigned int min_idle);
/*
 * The look is over, and so many pages are idle.  True: the block is worth more
 * as a huge page.
 */
bool block_judge(struct block_table *t, uint64_t block, unsigned int nr_idle);
/* It became huge: by a collapse. */
void block_set_huge(struct block_table *t, uint64_t block, uint32_t scan);
/* The kernel could not split or collapse it now: not to be tried at once. */
void block_set_failed(struct block_table *t, uint64_t block, uint32_t scan);

/*
 * Whether a block of small pages is to become huge: with so many of its pages
 * resident, and so many of these hot.  wanted: memory is being reclaimed, so
 * that what is not resident has been found cold.
 */
bool block_is_hot(const struct block_table *t, uint64_t block, uint32_t scan,
		  unsigned int nr_resident, unsigned int nr_hot, bool wanted);

/*
 * By how many ranks (price.h) the idle pages of a huge page become dearer, if so
 * many are idle; and whether they are ever worth it.
 */
bool block_is_worth_splitting(unsigned int nr_idle);
unsigned int block_split_rank(unsigned int nr_idle);

#endif
