/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long must memory be idle, so that taking it costs no more than a budget?
 *
 * Each access to a page that had been idle for `a` scans would have been a page
 * to bring back (a promotion), if pages went after `a` scans or fewer.  Counted by
 * age, they say what each threshold would have cost; the lowest that keeps to the
 * budget is taken.  After Lagar-Cavilla et al., "Software-defined far memory in
 * warehouse-scale computers" (ASPLOS 2019), section 4, whose budget is 0.2 % of
 * the working set a minute.
 *
 * Counts are kept for a minute, in windows of ten seconds; at the end of each the
 * threshold is found anew.  The highest of the last six is in force, so that a
 * burst is remembered for a minute.  Pages that really came back count like the
 * others, and once they alone exceed the budget of the minute nothing more goes.
 *
 * Pure; the caller serialises, and tells the time.
 */
#ifndef VMM_POLICY_PROACTIVE_H
#define VMM_POLICY_PROACTIVE_H

#include <stdbool.h>
#include <stdint.h>

#define PROACTIVE_AGES	    256	/* as idle ages: scans, saturating */
#define PROACTIVE_WINDOWS   6
#define PROACTIVE_WINDOW_NS UINT64_C(10000000000)
#define PROACTIVE_NEVER	    PROACTIVE_AGES	/* no threshold is cheap enough */

struct proactive {	/* all zero: a new one */
	uint64_t window_start_ns;	/* of the current one; 0: none yet */
	uint32_t touched[PROACTIVE_WINDOWS][PROACTIVE_AGES];
	uint32_t refaults[PROACTIVE_WINDOWS];
	unsigned int best[PROACTIVE_WINDOWS];
	unsigned int current, nr_full;	/* windows */
	uint64_t budget;		/* pages a minute */
};

/* A page idle for `age` scans was accessed; came_back: it had been evicted. */
void proactive_count(struct proactive *p, unsigned int age, bool came_back);

/*
 * At the end of a scan, of a guest whose working set (the last minute's) is so
 * many pages; ppm: the budget, millionths of it a minute.
 */
void proactive_tick(struct proactive *p, uint64_t now_ns, uint64_t wss_pages,
		    unsigned int ppm, unsigned int min_idle);

/* Pages idle for so many scans may go; PROACTIVE_NEVER: none. */
unsigned int proactive_threshold(const struct proactive *p);
/* Pages that came back in the last minute. */
uint64_t proactive_refaults(const struct proactive *p);
/* Pages that would have, for that threshold. */
uint64_t proactive_promotions(const struct proactive *p, unsigned int age);

#endif
