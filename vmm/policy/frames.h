/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine remembers of each frame, in thirteen bytes: idle age, state,
 * the links of the list that it is on, and how often it went and came back.
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
 * again, it is active.  A frame used through several mappings, or as code, goes
 * to the active list at once.
 *
 * A frame that was evicted is on no list: its `next` link holds the scan in
 * which it went, and `prev` its shadow entry (rmap/workingset.h).  One that comes
 * back soon is protected: it must be idle for twice as long the next time; and it
 * is active, as one is whose refault distance is short.
 *
 * A frame can be taken for used though no source saw it used: because it came,
 * because a scan failed, because a source could not look.  Its age begins anew
 * then; its proven age goes on from when it was last seen.
 */
#ifndef VMM_POLICY_FRAMES_H
#define VMM_POLICY_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "rmap/workingset.h"

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
	uint8_t *age;			/* scans since last taken for used */
	uint8_t *state;
	/* Proven age less age; bytes that cost nothing until they differ. */
	uint8_t *lag;
	/* In its life, saturating; bytes that cost nothing until one is. */
	uint8_t *nr_evictions, *nr_refaults;
	uint32_t *next, *prev;		/* towards the tail, towards the head */
	uint64_t *busy;			/* bits: active or unevictable */
	struct rmap_workingset ws;
	uint32_t head[FRAME_NR_LISTS], tail[FRAME_NR_LISTS];
	uint64_t count[FRAME_NR_LISTS];
	/*
	 * How far somebody is who goes through the inactive list, from the tail:
	 * the next frame, or FRAME_NIL.  When that one leaves its place, it is
	 * the one after it.
	 */
	uint32_t cursor;
};

/* Untouched frames cost no memory.  0, -EFBIG or -ENOMEM. */
int frame_table_init(struct frame_table *t, uint64_t nr_frames);
void frame_table_destroy(struct frame_table *t);

enum frame_list frame_list_of(const struct frame_table *t, uint64_t gfn);
/* Moves to the head; FRAME_NONE takes it off. */
void frame_move(struct frame_table *t, uint64_t gfn, enum frame_list to);

/* What one scan saw of a frame. */
struct frame_look {
	bool resident, swapped, young;
	bool proven;		/* young because a source saw an access */
	/*
	 * By the reverse map, of a young frame on the inactive list: how many
	 * mappings used it (0: not known), and whether one of them is code.
	 */
	unsigned int nr_referenced;
	bool exec;
};

enum frame_event { FRAME_SAME, FRAME_NEW, FRAME_REFAULT, FRAME_GONE };

/* Ages the frame and moves it between lists. */
enum frame_event frame_observe(struct frame_table *t, uint64_t gfn,
			       const struct frame_look *look, uint32_t scan,
			       unsigned int min_idle);

/*
 * Whether to observe 64 frames, from 64 * w on, would change nothing but ages, if
 * none of them is young, has come or gone: none is active, unevictable, marked or
 * protected.
 */
bool frames_are_quiet(const struct frame_table *t, uint64_t w);

/* Found used between two scans, the last of which aged it. */
void frame_touch(struct frame_table *t, uint64_t gfn, bool proven);

/*
 * Scans since it was last taken for used, and since it was last seen used, up
 * to FRAME_AGE_MAX.  Frames in swap age on; scan: the last one.
 */
unsigned int frame_age(const struct frame_table *t, uint64_t gfn,
		       uint32_t scan);
unsigned int frame_proven_age(const struct frame_table *t, uint64_t gfn,
			      uint32_t scan);

/* It has been evicted in this scan. */
void frame_set_evicted(struct frame_table *t, uint64_t gfn, uint32_t scan);
/* It is being brought back unasked: its return will be no refault. */
void frame_set_fetched(struct frame_table *t, uint64_t gfn);
bool frame_is_evicted(const struct frame_table *t, uint64_t gfn);

/* Scans that this frame must be idle for, with its protection. */
unsigned int frame_min_idle(const struct frame_table *t, uint64_t gfn,
			    unsigned int min_idle);

#endif
