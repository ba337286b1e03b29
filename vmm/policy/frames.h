/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine remembers of each frame, in thirteen bytes: idle age, state,
 * the links of its list, and how often it was evicted and refaulted.
 * Pure; the engine locks.
 *
 *               new, old refault             used twice, by several, or code
 *     absent ---------------------> inactive ----------------------------> active
 *      ^  |                          |   ^                                   |
 *      |  | early refault            |   +---- idle for min_idle scans ------+
 *      |  +--------------------------|------------------------------------> (active)
 *      +---- evicted, discarded -----+
 *
 *     locked or reserved: unevictable, until it no longer is
 *
 * Second chance as in Linux's mm/vmscan.c, folio_check_references(): a frame on
 * the inactive list that is found accessed once is only marked; found accessed
 * again, it becomes active.  A frame used through several mappings, or as code,
 * becomes active at once.
 *
 * A frame that was evicted is on no list: its `next` link holds the scan that
 * evicted it, and `prev` its shadow entry (rmap/workingset.h).  One that
 * refaults early is protected: it must be idle for twice as long the next time;
 * it becomes active, as does one whose refault distance is short.
 *
 * A frame can be assumed to be used though no source saw an access: because it
 * became resident, because a scan failed, because a source could not observe
 * it.  Its age begins anew then; its proven age still counts from when an
 * access was last seen.
 */
#ifndef VMM_POLICY_FRAMES_H
#define VMM_POLICY_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "rmap/workingset.h"
#include "vmm/mem/addr.h"

enum frame_list {
	FRAME_NONE,
	FRAME_ACTIVE,
	FRAME_INACTIVE,
	FRAME_UNEVICTABLE,
	FRAME_NR_LISTS,
};

#define FRAME_AGE_MAX	255
#define FRAME_COUNT_MAX 255
#define FRAME_NIL	UINT32_MAX

struct frame_table {
	uint64_t nr;			/* frames are 0 .. nr - 1, < 2^32 - 1 */
	uint8_t *age;			/* scans since last assumed used */
	uint8_t *state;
	/* Proven age minus age; no memory is used until they differ. */
	uint8_t *age_gap;
	/* Ever, saturating; no memory is used until there is one. */
	uint8_t *nr_evictions, *nr_refaults;
	uint32_t *next, *prev;		/* towards the tail, towards the head */
	uint64_t *busy;			/* bits: active or unevictable */
	struct rmap_workingset ws;
	uint32_t head[FRAME_NR_LISTS], tail[FRAME_NR_LISTS];
	uint64_t count[FRAME_NR_LISTS];
	/*
	 * The position of a walk through the inactive list, from the tail: the
	 * next frame, or FRAME_NIL.  When that frame leaves its place, the one
	 * after it becomes the cursor.
	 */
	uint32_t cursor;
};

/* Untouched frames cost no memory.  0, -EFBIG or -ENOMEM. */
int frame_table_init(struct frame_table *t, uint64_t nr_frames);
void frame_table_destroy(struct frame_table *t);

enum frame_list frame_list_of(const struct frame_table *t, gfn_t gfn);
/* Moves it to the head of a list; FRAME_NONE takes it off its list. */
void frame_move(struct frame_table *t, gfn_t gfn, enum frame_list to);

/* What one scan observed of a frame. */
struct frame_observation {
	bool resident, swapped, young;
	bool observed;		/* young because a source saw an access */
	/*
	 * From the reverse map, for a young frame on the inactive list: through
	 * how many mappings it was used (0: not known), and whether one of them
	 * is code.
	 */
	unsigned int nr_referenced;
	bool exec;
};

enum frame_event { FRAME_SAME, FRAME_NEW, FRAME_REFAULT, FRAME_GONE };

/* Ages the frame and moves it between lists. */
enum frame_event frame_observe(struct frame_table *t, gfn_t gfn,
			       const struct frame_observation *seen,
			       uint32_t scan, unsigned int min_idle);

/*
 * Whether observing 64 frames, from 64 * w on, would change nothing but ages,
 * if none of them is young or has changed residency: none is active,
 * unevictable, marked or protected.
 */
bool frames_are_quiet(const struct frame_table *t, uint64_t w);

/* Found used after the last scan aged it, and before the next. */
void frame_touch(struct frame_table *t, gfn_t gfn, bool observed);

/*
 * Scans since it was last assumed used, and since it was last seen used, up to
 * FRAME_AGE_MAX.  Frames in swap age, too; scan: the last one.
 */
unsigned int frame_age(const struct frame_table *t, gfn_t gfn,
		       uint32_t scan);
unsigned int frame_observed_age(const struct frame_table *t, gfn_t gfn,
				uint32_t scan);

/* It has been evicted in this scan. */
void frame_set_evicted(struct frame_table *t, gfn_t gfn, uint32_t scan);
/* It is being prefetched: its return will be no refault. */
void frame_set_fetched(struct frame_table *t, gfn_t gfn);
bool frame_is_evicted(const struct frame_table *t, gfn_t gfn);

/* Scans for which this frame must be idle, with its protection. */
unsigned int frame_min_idle(const struct frame_table *t, gfn_t gfn,
			    unsigned int min_idle);

#endif
