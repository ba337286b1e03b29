/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What walks of the guest's page tables may cost while a thread holds the view's
 * lock.  One frame may be at 1,024 places, each of them behind four tables or
 * five, in no cache; and what the host's kernel has swapped out is brought back
 * by whoever reads it.
 *
 * In one hold of the lock a thread causes so many page-ins (major faults) and no
 * more; after that tables count as not known until it takes the lock again.  What
 * that leaves out is little: the processor did not go through a table either,
 * since it went.  Bits that were set before are seen when it is back.
 *
 * Who makes many walks looks between two of them whether to let the lock go.
 *
 * The counts are the thread's own; no lock, no memory.
 */
#ifndef VMM_GUEST_WALK_LIMIT_H
#define VMM_GUEST_WALK_LIMIT_H

#include <stdbool.h>

#define WALK_PAGE_INS	64
/* Looks of up to five tables each, until page-ins are counted again. */
#define WALK_LOOKS_EACH 8
/* Looks in a hold, before it should end: below a millisecond. */
#define WALK_LOOKS	1024

/* The thread has just got the view's lock. */
void walk_limit_begin(void);
/* Before a look into tables: whether it may be. */
bool walk_limit_allows(void);
/*
 * Between two walks: this hold has had its share of looks, or of page-ins.  To let
 * the lock go and take it again begins another.
 */
bool walk_limit_reached(void);

#endif
