/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For sources that pay for each page they look at: memory that is not used is
 * looked at less often, so that the cost falls with the share that is.
 *
 * A block (2 MiB of the guest) in which nothing was young in BACKOFF_AFTER
 * harvests is skipped every other time, after as many more three times of four,
 * and so on; one young page, and it is looked at each time again.  Accessed bits
 * wait: what was used in a block that is skipped is found when its turn comes,
 * late by less than BACKOFF_MAX harvests.  Blocks take turns, so that a harvest
 * costs about as much as the next.
 *
 * That is for times when nobody waits for the answer, access_source.at_rest;
 * else nothing is skipped.
 *
 * Locking: the source's thread.
 */
#ifndef VMM_ACCESS_BACKOFF_H
#define VMM_ACCESS_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/mem/addr.h"

#define BACKOFF_BLOCK 512	/* frames */
#define BACKOFF_AFTER 4		/* idle harvests for each step */
#define BACKOFF_MAX   32	/* harvests between two looks, at most */

struct backoff;

/* For frames 0 to nr_frames - 1; NULL without memory. */
struct backoff *backoff_new(uint64_t nr_frames);
void backoff_free(struct backoff *b);

/*
 * A harvest of range begins.  Calls skip() for each part of it that need not be
 * looked at; none when not at rest.
 */
void backoff_begin(struct backoff *b, struct gfn_range range, bool at_rest,
		   void (*skip)(void *arg, struct gfn_range part), void *arg);
/* It ended, and these are its young frames. */
void backoff_end(struct backoff *b, struct gfn_range range,
		 const uint64_t *young);

#endif
