/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits for walks of the guest's page tables while a thread holds the view's
 * lock.  One frame may be mapped at 1,024 places, each behind four or five
 * tables, none of them cached; and what the host's kernel has swapped out is
 * swapped in by whoever reads it.
 *
 * In one hold of the lock a thread causes at most WALK_PAGE_INS page-ins (major
 * faults); after that tables count as not known until it takes the lock again.
 * That misses little: the processor has not walked a table since it was
 * evicted.  Bits that were set before are seen when it is back.
 *
 * A thread that makes many walks checks between two of them whether to release
 * the lock.
 *
 * The counts are the thread's own; no lock, no memory.
 */
#ifndef VMM_GUEST_WALK_LIMIT_H
#define VMM_GUEST_WALK_LIMIT_H

#include <stdbool.h>

#define WALK_PAGE_INS	64
/* Lookups, of up to five tables each, between two counts of page-ins. */
#define WALK_CHECKS_EACH 8
/* Lookups in a hold, before it should end: below a millisecond. */
#define WALK_CHECKS	1024

/* The thread has just taken the view's lock. */
void walk_limit_begin(void);
/* Before a lookup: whether it is allowed. */
bool walk_limit_allows(void);
/*
 * Between two walks: this hold has used up its lookups, or its page-ins.
 * Releasing the lock and taking it again begins another hold.
 */
bool walk_limit_reached(void);

#endif
