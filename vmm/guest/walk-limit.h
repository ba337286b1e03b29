/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits for walks of the guest's page tables while a thread holds the view's
 * lock.  One frame may be mapped at 1,024 places, each behind four or five
 * tables, none of them cached; and what the host's kernel has swapped out is
 * swapped in by the thread that reads it.
 *
 * A "hold" is the time from taking the lock until releasing it.  In one hold a
 * thread causes about WALK_PAGE_INS page-ins (major faults) at most; after that
 * all tables count as not known until it takes the lock again.  That misses
 * little: the processor has not walked a table since it was swapped out.  Bits
 * that were set before are seen when the table is back.
 *
 * A thread that makes many walks checks between two of them whether to release
 * the lock.
 *
 * The counts are the thread's own: no lock is needed, no memory allocated.
 */
#ifndef VMM_GUEST_WALK_LIMIT_H
#define VMM_GUEST_WALK_LIMIT_H

#include <stdbool.h>

#define WALK_PAGE_INS	64
/* Lookups, of up to five tables each, between two counts of page-ins. */
#define WALK_LOOKUPS_PER_CHECK 8
/* Lookups after which a hold should end: they take less than a millisecond. */
#define WALK_LOOKUPS	1024

/* The thread has just taken the view's lock. */
void walk_limit_begin(void);
/* Before a lookup: whether it is allowed. */
bool walk_limit_allows(void);
/*
 * To be called between two walks: whether this hold has used up its lookups or
 * its page-ins.  Then release the lock and take it again.
 */
bool walk_limit_reached(void);

#endif
