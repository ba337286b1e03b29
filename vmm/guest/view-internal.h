/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of vmm/guest; not for others. */
#ifndef VMM_GUEST_VIEW_INTERNAL_H
#define VMM_GUEST_VIEW_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "guest-agent/protocol.h"
#include "vmm/guest/guest-walk.h"
#include "vmm/guest/record.h"
#include "vmm/guest/view.h"

struct view_mm {		/* one process; the table is sorted by pid */
	struct rmap_mm *mm;	/* owned by the map */
	uint64_t look;		/* the last that reported it */
	uint64_t nr_vmas, nr_mapped;
	uint32_t pid;
	char comm[16];
};

struct view {
	pthread_rwlock_t lock;	/* guards all below; writers first */
	struct guest_mem *mem;	/* not owned */
	struct rmap *map;	/* owned */
	/*
	 * A bit for 64 frames: flags of theirs have changed.  Owned; cleared
	 * by the one that asks, under any lock.
	 */
	uint64_t *changed;
	struct view_mm *mms;	/* owned; entries: by view_mm_at() */
	uint64_t nr_mms, cap_mms, max_mms, max_mappings;
	/*
	 * While those that have ended are taken out, one after the other: so
	 * many places of mms, from this index on, are no entries.  Else 0.
	 */
	uint64_t gap, gap_at;
	struct guest_walk walk;	/* the map's PTE provider */
	struct view_stats stats;
	struct record *record;	/* owned; NULL: none is made */

	/* What the stream is at; only the server's thread uses it. */
	uint64_t epoch;
	/* Epochs of all connections: the numbers of each start again. */
	uint64_t look;
	bool full;
	uint32_t pid;		/* of the section, 0: one that is ignored */
	struct rmap_vma *vma;	/* NULL: runs are ignored */
	uint64_t nr_dropped;	/* facts beyond the bounds, in this epoch */
	uint64_t work;		/* rmap_work() when the lock was last taken */
	bool telling;		/* flags, in this epoch: rmap_flags_begin() */
	bool has_flags;		/* some were told, ever */

	/* Set by any thread: what is being applied need not be to the end. */
	atomic_bool stop;
};

/* The i-th process, by pid. */
static inline struct view_mm *view_mm_at(const struct view *view, uint64_t i)
{
	return &view->mms[i < view->gap_at ? i : i + view->gap];
}

/* First entry with a pid >= pid: its index, or nr_mms. */
uint64_t view_mm_index(const struct view *view, uint32_t pid);

/* A connection begins: the decoder will insist on a full picture. */
void view_apply_reset(struct view *view);
/*
 * Applies one decoded message.  Takes the write lock itself, in batches of a
 * few thousand pages or as much other work.  What the bounds don't allow is
 * dropped and counted.
 */
void view_apply(struct view *view, const struct protocol_message *msg);

/*
 * Under the write lock, after each page of a message: lets readers in when a
 * batch is done; a page can be the work of thousands.  False: no more, the
 * service ends.
 */
bool view_breathe(struct view *view, uint64_t *nr_pages);
/* What the frame is may be another thing than before: readers count again. */
void view_note_flags(struct view *view, uint64_t gfn, uint32_t before);

/* apply-flags.c; under the write lock. */
void view_apply_flags(struct view *view, const struct protocol_message *msg);
/* The look at flags is over, by the end of its epoch or of the connection. */
void view_end_flags(struct view *view);
/* An agent that can't tell flags will never say that the last one's are old. */
void view_forget_flags(struct view *view);

/*
 * From now on messages are applied no further than to the next batch: one can
 * tell of all frames a thousand times.  For the end of the service; of any
 * thread, without the lock.
 */
void view_apply_stop(struct view *view);

#endif
