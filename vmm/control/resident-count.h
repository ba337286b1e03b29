/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much of a guest's memory is resident, where no engine counts it.
 *
 * Counting means checking every page, 26 ms for 1 GiB of a memfd.  So a
 * separate thread does it, only on request and if the last result is too old,
 * and all requests share the result:
 *
 *   request --result old?--> thread counts, RESIDENT_SLICE pages at a time
 *     |                       |
 *     +-- waits, limited  <---+ result is new; pause before the next count
 *
 * The pause is a second, or nine times the CPU time of the count where that is
 * more: counting takes at most a tenth of a CPU, however large the guest is and
 * however many requests there are.
 *
 * Locking: one mutex inside, not held while pages are checked.
 */
#ifndef VMM_CONTROL_RESIDENT_COUNT_H
#define VMM_CONTROL_RESIDENT_COUNT_H

#include <stdint.h>

#include "vmm/mem/guest-mem.h"

#define RESIDENT_SLICE	 (UINT64_C(1) << 14)	/* pages: 64 MiB */
#define RESIDENT_PAUSE_NS UINT64_C(1000000000)	/* minimum */
#define RESIDENT_WAIT_NS  UINT64_C(100000000)	/* timeout of a request */

struct resident_count;

struct resident_figure {
	uint64_t nr_resident, nr_swapped;	/* pages */
};

/* mem is not owned.  0 or -errno. */
int resident_count_new(struct resident_count **countp,
		       const struct guest_mem *mem);
/* Ends a count in progress.  NULL: nothing. */
void resident_count_free(struct resident_count *count);

/*
 * The last result; any thread.  If it is too old this starts a count, and waits
 * up to wait_ns for the end of that; a call during a count does not wait.
 * Until the first count has ended the result is what it has found so far.
 */
void resident_count_get(struct resident_count *count, uint64_t wait_ns,
			struct resident_figure *figure);

#endif
