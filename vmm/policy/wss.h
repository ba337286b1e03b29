/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The size of the working set: the frames that were accessed within a window
 * of time that ends with the last scan.  Pure; the caller locks.
 *
 * A scan i observes every frame between its start s(i) and its end e(i).  A
 * frame of age a after scan n was seen accessed by scan n - a, and so was
 * accessed between its observations in scan n - a - 1 and in scan n - a:
 *
 *        s   e          s   e          s   e         s   e
 *     ---|n-3|----------|n-2|----------|n-1|---------| n |  T = e(n)
 *        <---- age 2 ------><-- ...
 *                                      <---- age 0 ----->
 *
 * A window [T - W, T] certainly includes frames whose interval begins in it:
 * s(n - a - 1) >= T - W; and it may include those whose interval ends in it:
 * e(n - a) >= T - W.  The estimate counts those whose middle is in it.
 *
 * Not every age is due to an observed access: a frame can be assumed to be
 * used.  Its observed age counts the scans since the source did observe an
 * access; see frames.h.  And a source whose granule (the smallest unit that it
 * can tell from others) has several frames, such as a huge page, does not show
 * which of them were used: at least one was.
 */
#ifndef VMM_POLICY_WSS_H
#define VMM_POLICY_WSS_H

#include <stdint.h>

#include "vmm/mem/addr.h"

#define WSS_AGES 256	/* in scans; the last one stands for all higher ones */

#define WSS_DEFAULT_WINDOW_NS UINT64_C(60000000000)
#define WSS_MAX_WINDOW_NS     UINT64_C(86400000000000)

/* When the last WSS_AGES scans were, by clock_now_ns(). */
struct wss_clock {
	uint64_t start_ns[WSS_AGES], end_ns[WSS_AGES];
	uint64_t nr;		/* scans ever; scan i is at [i % WSS_AGES] */
};

void wss_clock_add(struct wss_clock *clock, uint64_t start_ns,
		   uint64_t end_ns);

/*
 * A window in ages: a frame is in it when its age is below one of these limits:
 * certainly, by the estimate, or possibly.
 */
struct wss_window {
	unsigned int certain;	/* compared with the observed age */
	unsigned int likely, possible;
	uint64_t covered_ns;	/* of time, up to T, by ages below `likely` */
	uint64_t end_ns;	/* T, by clock_now_ns() */
};

/* No scan yet: all is 0. */
struct wss_window wss_window(const struct wss_clock *clock,
			     uint64_t window_ns);

/* Pages in host RAM or swap, by age. */
struct wss_pages {
	uint64_t by_age[WSS_AGES];
	uint64_t by_observed_age[WSS_AGES];
	/*
	 * By observed age, the fewest pages that can have been used: one of a
	 * granule whose frames all have one observed age.
	 */
	uint64_t min_by_observed_age[WSS_AGES];
};

/* Counts frames in ascending order into wss_pages. */
struct wss_counter {
	struct wss_pages *pages;
	uint64_t granule_frames; /* its size, in frames */
	uint64_t granule_nr;	 /* number of the granule counted last */
	unsigned int age;	/* observed age of its frames if all have one */
	uint64_t nr_same_age;	/* frames with that age; 0: the ages differ */
	uint64_t *has_one_age;	/* bit by granule: all have one age; or NULL */
};

/*
 * Clears *pages.  In the bitmap `has_one_age`, which may be NULL, only bits of
 * granules that have frames are written.  Both belong to the caller, and are
 * used until wss_count_end().
 */
void wss_count_begin(struct wss_counter *c, struct wss_pages *pages,
		     uint64_t granule, uint64_t *has_one_age);
void wss_count(struct wss_counter *c, gfn_t gfn, unsigned int age,
	       unsigned int observed_age);
/* nr neighbouring frames from gfn on, as if counted one by one. */
void wss_count_run(struct wss_counter *c, gfn_t gfn, uint64_t nr,
		   unsigned int age, unsigned int observed_age);
void wss_count_end(struct wss_counter *c);

/*
 * In pages; low <= pages <= high.  The components of the bounds:
 *
 *   low = pages - edge_low - assumed - unresolved
 *   high = pages + edge_high
 */
struct wss_estimate {
	uint64_t pages, low, high;
	uint64_t edge_low, edge_high;	/* used near the window's beginning */
	uint64_t assumed;	/* assumed used, but no access was seen */
	uint64_t unresolved;	/* in granules of which a part was used */
	struct wss_window window;
};

void wss_estimate(struct wss_estimate *est, const struct wss_pages *pages,
		  const struct wss_window *window);

#endif
