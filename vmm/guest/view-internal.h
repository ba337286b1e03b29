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
	uint64_t report_nr;	/* the last report that named it */
	uint64_t nr_vmas, nr_mapped;
	uint64_t pgd_nr;	/* view->pgd_nr when it got its current PGD */
	uint32_t pid;
	char comm[16];
};

struct view {
	pthread_rwlock_t lock;	/* guards all below; prefers writers */
	struct guest_mem *mem;	/* not owned */
	struct rmap *map;	/* owned */
	/*
	 * Owned.  One bit for every 64 frames: flags of some of them have
	 * changed.  Set under the write lock; cleared by the one thread that
	 * calls view_test_and_clear_changed(), under either lock.
	 */
	uint64_t *changed;
	struct view_mm *mms;	/* owned; entries: by view_mm_at() */
	uint64_t nr_mms, cap_mms, max_mms, max_mappings;
	/*
	 * While forget_missing() removes processes: the `gap` elements of mms
	 * from gap_at on are not entries.  Else both are 0.
	 */
	uint64_t gap, gap_at;
	/* Counts PGDs: those of new processes, and changes of PGDs. */
	uint64_t pgd_nr;
	struct guest_walk walk;	/* the map's PTE provider */
	struct view_stats stats;
	struct record *record;	/* owned; NULL: no recording */

	/* The state of the stream; only the server's thread uses it. */
	uint64_t epoch;
	/* Counts epochs of all connections, as each numbers its own anew. */
	uint64_t report_nr;
	bool full;
	uint32_t pid;		/* of the current section; 0: section ignored */
	struct rmap_vma *vma;	/* NULL: runs are ignored */
	uint64_t nr_dropped;	/* records of this epoch ignored: see apply.c */
	uint64_t work_at_lock;	/* rmap_work() when the lock was last taken */
	bool receiving_flags;	/* since the first FLAGS of this epoch */
	bool has_flags;		/* flags were reported at some time */

	/* Set by any thread: the current message may be left unfinished. */
	atomic_bool stop;
};

/* The i-th process, by pid. */
static inline struct view_mm *view_mm_at(const struct view *view, uint64_t i)
{
	return &view->mms[i < view->gap_at ? i : i + view->gap];
}

/* First entry with a pid >= pid: its index, or nr_mms. */
uint64_t view_mm_index(const struct view *view, uint32_t pid);
/* The process, or NULL. */
struct view_mm *view_find_mm(const struct view *view, uint32_t pid);

/* A connection begins: the decoder will require a full report. */
void view_apply_reset(struct view *view);
/*
 * Applies one decoded message.  Takes the write lock itself, in batches of a
 * few thousand pages or as much other work.  What exceeds the limits is dropped
 * and counted.
 */
void view_apply(struct view *view, const struct protocol_message *msg);

/*
 * Called under the write lock after each page or region of a message, which it
 * counts in *nr_done.  When a batch is done, by this count or by rmap_work()
 * (one page can cost as much as thousands), it releases the lock for a moment
 * to let readers in.  False: the service is stopping, so apply no more.
 */
bool view_yield_write_lock(struct view *view, uint64_t *nr_done);
/*
 * To be called after a change that may affect gfn's flags; before: its
 * rmap_page_flags() until then.  Sets the bit in `changed` if they differ.
 */
void view_note_flags(struct view *view, gfn_t gfn, uint32_t before);

/* apply-flags.c; under the write lock. */
void view_apply_flags(struct view *view, const struct protocol_message *msg);
/* Ends the scan of flags, at the end of its epoch. */
void view_end_flags(struct view *view);
/* Ends it with the connection: flags not received yet are unknown. */
void view_cancel_flags(struct view *view);
/* For an agent that cannot report flags, and so never updates old ones. */
void view_forget_flags(struct view *view);

/*
 * For the end of the service: the message being applied is not applied beyond
 * its current batch, since one message can name all frames a thousand times.
 * From any thread, without the lock.
 */
void view_apply_stop(struct view *view);

#endif
