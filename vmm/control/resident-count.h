/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much of a guest's memory is resident, where no engine keeps count.
 *
 * To find out means to look at every page, 26 ms for 1 GiB of a memfd.  So a
 * thread of its own does it, only when somebody asks and the last figure is too
 * old, and all who ask share what it found:
 *
 *   asked --figure old?--> thread counts, RESIDENT_SLICE pages at a time
 *     |                       |
 *     +-- waits, limited  <---+ figure is new; rests before the next count
 *
 * The rest is a second, or nine times the CPU time of the count where that is
 * more: it takes at most a tenth of a CPU, however large the guest is and
 * however many ask.
 *
 * Locking: one mutex inside, not held while pages are looked at.
 */
#ifndef VMM_CONTROL_RESIDENT_COUNT_H
#define VMM_CONTROL_RESIDENT_COUNT_H

#include <stdint.h>

#include "vmm/mem/guest-mem.h"

#define RESIDENT_SLICE	 (UINT64_C(1) << 14)	/* pages: 64 MiB */
#define RESIDENT_REST_NS UINT64_C(1000000000)	/* the least */
#define RESIDENT_WAIT_NS UINT64_C(100000000)	/* for an answer's sake */

struct resident_count;

struct resident_figure {
	uint64_t nr_resident, nr_swapped;	/* pages */
};

/* mem is not owned.  0 or -errno. */
int resident_count_new(struct resident_count **countp,
		       const struct guest_mem *mem);
/* Ends a count that is under way.  NULL: nothing. */
void resident_count_free(struct resident_count *count);

/*
 * The last figure; any thread.  Where it is old this starts a count, and waits
 * for its end up to wait_ns; who comes while one is under way does not wait.
 * Until the first count has ended the figure is what it has found so far.
 */
void resident_count_get(struct resident_count *count, uint64_t wait_ns,
			struct resident_figure *figure);

#endif
