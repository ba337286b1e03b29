/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The idle age at which pages can be evicted proactively, at a cost in refaults
 * that stays within a budget.
 *
 * Each access to a page that had been idle for `a` scans would have been a
 * refault (a promotion), if pages were evicted after `a` scans or fewer.
 * Counted by age, these accesses give the cost of each threshold; the lowest
 * threshold within the budget is used.  After Lagar-Cavilla et al.,
 * "Software-defined far memory in warehouse-scale computers" (ASPLOS 2019),
 * section 4, whose budget is 0.2 % of the working set a minute.
 *
 * Counts are kept for a minute, in windows of ten seconds; at the end of each
 * the threshold is computed anew.  The highest of the last six is in force, so
 * that a burst is remembered for a minute.  Real refaults count like accesses
 * that would have been refaults; once real ones alone exceed the budget of the
 * minute, nothing more is evicted.
 *
 * Pure; the caller serialises, and passes the time.
 */
#ifndef VMM_POLICY_PROACTIVE_H
#define VMM_POLICY_PROACTIVE_H

#include <stdbool.h>
#include <stdint.h>

#define PROACTIVE_AGES	    256	/* idle ages in scans, saturating */
#define PROACTIVE_WINDOWS   6
#define PROACTIVE_WINDOW_NS UINT64_C(10000000000)
#define PROACTIVE_NEVER	    PROACTIVE_AGES	/* none is within the budget */

struct proactive {	/* all zero: a new one */
	uint64_t window_start_ns;	/* of the current window; 0: none yet */
	/* By window: accesses to pages by their idle age, refaults included. */
	uint32_t accesses[PROACTIVE_WINDOWS][PROACTIVE_AGES];
	uint32_t refaults[PROACTIVE_WINDOWS];	/* real ones */
	unsigned int threshold[PROACTIVE_WINDOWS]; /* at its end */
	unsigned int current, nr_ended; /* index; windows that have ended */
	uint64_t budget;		/* refaults a minute, at the last end */
};

/* Counts an access, or a refault, of a page that was idle for `age` scans. */
void proactive_count(struct proactive *p, unsigned int age, bool is_refault);

/*
 * Called once a scan, when its accesses are counted.  wss_pages: the guest's
 * working set of the last minute; ppm: the budget, in millionths of wss_pages a
 * minute; min_idle: the lowest threshold allowed.
 */
void proactive_tick(struct proactive *p, uint64_t now_ns, uint64_t wss_pages,
		    unsigned int ppm, unsigned int min_idle);

/* Pages idle for this many scans may be evicted; PROACTIVE_NEVER: none. */
unsigned int proactive_threshold(const struct proactive *p);
/* Refaults of the last minute. */
uint64_t proactive_refaults(const struct proactive *p);

#endif
