/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine remembers of each frame, in fifteen bytes: idle age, state,
 * the links of its list, the history of its uses, and how often it was evicted
 * and refaulted.  Pure; the caller locks.
 *
 *               new, late refault         used twice, shared, or as code
 *     absent -------------------> inactive ---------------------> active
 *      ^  |                        |   ^                            |
 *      |  | early refault          |   +-- idle for min_idle scans -+
 *      |  +------------------------|--------------------------> (active)
 *      +--- evicted, discarded ----+
 *
 *     locked or reserved in the guest, or pinned: unevictable meanwhile
 *
 * Second chance as in Linux's mm/vmscan.c, folio_check_references(): a frame on
 * the inactive list that is found accessed once is only marked; found accessed
 * again, it becomes active.  A frame used through several mappings, or as code,
 * becomes active at once.
 *
 * A frame that was evicted is on no list: its `next` link holds the scan that
 * evicted it, and `prev` its shadow entry (rmap/workingset.h).  One that
 * refaults early, soon after its eviction, is protected: the next time it must
 * be idle for twice as long.  It becomes active, as does one whose refault
 * distance (rmap/workingset.h) is short.
 *
 * A frame can be assumed to be used although no access was observed: because it
 * became resident, because a scan failed, or because the source could not
 * observe it.  This sets its age to 0, but not its observed age, which counts
 * the scans since an access was last observed.
 */
#ifndef VMM_POLICY_FRAMES_H
#define VMM_POLICY_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "rmap/workingset.h"
#include "vmm/mem/addr.h"

enum frame_list {
	FRAME_NONE,		/* not resident as of the last scan */
	FRAME_ACTIVE,
	FRAME_INACTIVE,
	FRAME_UNEVICTABLE,
	FRAME_NR_LISTS,
};

#define FRAME_AGE_MAX	255
#define FRAME_COUNT_MAX 255
#define FRAME_NIL	UINT32_MAX

struct frame_table {	/* pointers: owned arrays, by frame number */
	uint64_t nr;			/* frames are 0 .. nr - 1, < 2^32 - 1 */
	uint8_t *age;			/* see frame_age() */
	uint8_t *state;			/* list, and marks: frames.c */
	/* Observed age minus age; no memory is used until they differ. */
	uint8_t *age_gap;
	/* In all, saturating at FRAME_COUNT_MAX; likewise no memory while 0. */
	uint8_t *nr_evictions, *nr_refaults;
	/* use-history.h; kept while it is evicted, not when it is discarded. */
	uint16_t *history;
	uint32_t *next, *prev;		/* towards the tail, towards the head */
	uint64_t *active_or_unevictable; /* bitmap */
	struct rmap_workingset ws;
	/* Of each list; frames enter at the head, so the tail is the oldest. */
	uint32_t head[FRAME_NR_LISTS], tail[FRAME_NR_LISTS];
	uint64_t count[FRAME_NR_LISTS];		/* frames on each list */
};

/* Memory is used only for what is written.  0, -EFBIG or -ENOMEM. */
int frame_table_init(struct frame_table *t, uint64_t nr_frames);
void frame_table_destroy(struct frame_table *t);

enum frame_list frame_list_of(const struct frame_table *t, gfn_t gfn);
/* To the head of that list; FRAME_NONE: only removes it from its list. */
void frame_move(struct frame_table *t, gfn_t gfn, enum frame_list to);

/* What one scan observed of a frame. */
struct frame_observation {
	bool resident, swapped, young;
	bool observed;		/* young because an access was observed */
	/* Young, and mapped: accessed since it was evicted, if it was. */
	bool mapped;
	/*
	 * From the reverse map, for a young frame on the inactive list: through
	 * how many mappings it was used (0: not known), and whether one of them
	 * is code.
	 */
	unsigned int nr_referenced;
	bool exec;
};

/*
 * SAME: resident in both scans, or in neither; NEW, REFAULT: became resident;
 * GONE: is no longer resident, though it was not evicted by us.
 */
enum frame_event { FRAME_SAME, FRAME_NEW, FRAME_REFAULT, FRAME_GONE };

/*
 * Ages the frame and moves it between lists, by what was seen of it in the scan
 * with number `scan`.  min_idle: scans after which an idle frame is inactive.
 */
enum frame_event frame_observe(struct frame_table *t, gfn_t gfn,
			       const struct frame_observation *seen,
			       uint32_t scan, unsigned int min_idle);

/*
 * Whether frame_observe() would change nothing but ages for each of the 64
 * frames from 64 * w on, provided that none is young or has changed residency:
 * none of them is active, unevictable, marked as accessed once, or protected.
 */
bool frames_would_only_age(const struct frame_table *t, uint64_t w);

/*
 * The frame was found accessed between two scans.  observed: as in struct
 * frame_observation.
 */
void frame_record_use(struct frame_table *t, gfn_t gfn, bool observed);

/*
 * Age: scans since it was last used, or assumed to be.  Observed age: scans
 * since an access was last observed.  Both up to FRAME_AGE_MAX.  Frames in swap
 * age, too.  scan: the number of the last scan.
 */
unsigned int frame_age(const struct frame_table *t, gfn_t gfn,
		       uint32_t scan);
unsigned int frame_observed_age(const struct frame_table *t, gfn_t gfn,
				uint32_t scan);

/*
 * Its history for prices (price.h).  A frame that was neither seen used nor seen
 * idle since, as the source has not looked at it, is taken for one used once.
 */
uint16_t frame_history(const struct frame_table *t, gfn_t gfn);

/* The engine has evicted the frame, in the scan of that number. */
void frame_set_evicted(struct frame_table *t, gfn_t gfn, uint32_t scan);
/*
 * When the frame becomes resident, that is no refault of the guest: it is being
 * prefetched, or another program has brought it back.
 */
void frame_clear_evicted(struct frame_table *t, gfn_t gfn);
/* By the engine: until a scan sees it resident again, or discarded. */
bool frame_is_evicted(const struct frame_table *t, gfn_t gfn);

/* Scans for which this frame must be idle, with its protection. */
unsigned int frame_min_idle(const struct frame_table *t, gfn_t gfn,
			    unsigned int min_idle);

#endif
