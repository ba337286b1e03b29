/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For sources with a cost for each scanned page: memory that is not used is
 * scanned less often, so that the cost depends on how much is in use.
 *
 * A block (2 MiB of the guest) in which nothing was young in BACKOFF_AFTER
 * harvests is skipped in every second harvest, after as many more in three of
 * four, and so on; after one young page it is scanned in each harvest again.
 * Accessed bits stay set until they are cleared: accesses to a skipped block
 * are found at its next scan, less than BACKOFF_MAX harvests late.  Scans of
 * idle blocks are spread evenly over the harvests.
 *
 * This applies only while reclaim is at rest (access_source.at_rest); otherwise
 * nothing is skipped.
 *
 * Locking: the source's thread.
 */
#ifndef VMM_ACCESS_BACKOFF_H
#define VMM_ACCESS_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/mem/addr.h"

#define BACKOFF_BLOCK 512	/* frames */
#define BACKOFF_AFTER 4		/* idle scans for each step */
#define BACKOFF_MAX   32	/* at least one scan in so many harvests */

struct backoff;

/* For frames 0 to nr_frames - 1; NULL: out of memory. */
struct backoff *backoff_new(uint64_t nr_frames);
void backoff_free(struct backoff *b);

/*
 * A harvest of range begins.  Calls skip() for each part of it that need not be
 * scanned; for none when not at rest.
 */
void backoff_begin(struct backoff *b, struct gfn_range range, bool at_rest,
		   void (*skip)(void *arg, struct gfn_range part), void *arg);
/*
 * The harvest ended; `young` holds its young frames, also those of skipped
 * blocks, if the source came upon any.
 */
void backoff_end(struct backoff *b, struct gfn_range range,
		 const uint64_t *young);

#endif
