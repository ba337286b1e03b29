// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Applies the agent's messages to the reverse map.  The decoder has checked
 * each message by itself; here it is checked against the current map.  What
 * does not match, such as a region that the host does not know, is ignored
 * until the next full report corrects it.  What would exceed the view's limits
 * is ignored too.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/util/clock.h"
#include "vmm/guest/view-internal.h"
#include "vmm/util/bitmap.h"

/* How much is done until the lock is released for a moment: well below 1 ms. */
#define BATCH	   4096		/* pages, regions or frames */
#define BATCH_WORK 16384	/* steps: see rmap_work() */

_Static_assert(PROTOCOL_VM_ALL == (RMAP_VM_READ | RMAP_VM_WRITE |
	RMAP_VM_EXEC | RMAP_VM_SHARED | RMAP_VM_LOCKED | RMAP_VM_STACK |
	RMAP_VM_HEAP), "region flags are passed on as they are");
_Static_assert(PROTOCOL_PG_FREE == RMAP_PG_FREE &&
	       PROTOCOL_PG_ANON == RMAP_PG_ANON &&
	       PROTOCOL_PG_SWAPBACKED == RMAP_PG_SWAPBACKED &&
	       PROTOCOL_NO_PGD == RMAP_NO_PGD,
	       "page flags are passed on as they are");

bool view_yield_write_lock(struct view *view, uint64_t *nr_done)
{
	if (++*nr_done % BATCH &&
	    rmap_work(view->map) - view->work_at_lock < BATCH_WORK)
		return true;
	view_unlock(view);
	view_wrlock(view);
	view->work_at_lock = rmap_work(view->map);
	return !atomic_load(&view->stop);
}

void view_apply_stop(struct view *view)
{
	atomic_store(&view->stop, true);
}

void view_note_flags(struct view *view, gfn_t gfn, uint32_t before)
{
	if (rmap_page_flags(view->map, gfn.v) != before)
		bitmap_set(view->changed, gfn.v / 64);
}

static int unmap_page(struct view *view, struct rmap_vma *vma, uint64_t addr,
		      uint64_t gfn)
{
	uint32_t before = rmap_page_flags(view->map, gfn);
	int rc = rmap_unmap_page(view->map, vma, addr);

	view_note_flags(view, GFN(gfn), before);
	return rc;
}

/*
 * Unmaps page by page first, since a region may have too many pages to remove
 * them all without releasing the lock.  False: stopped before the end.
 */
static bool remove_vma(struct view *view, struct view_mm *m,
		       struct rmap_vma *vma, uint64_t *nr_done)
{
	struct rmap_vma_desc desc;
	uint64_t addr = 0, gfn;

	for (; rmap_vma_next_page(view->map, vma, &addr, &gfn);
	     addr += RMAP_PAGE_SIZE) {
		if (unmap_page(view, vma, addr, gfn))
			break;
		m->nr_mapped--;
		if (!view_yield_write_lock(view, nr_done))
			return false;
	}
	m->nr_vmas--;
	rmap_vma_describe(vma, &desc);
	record_munmap(view->record, m->pid, desc.start);
	rmap_vma_remove(view->map, vma);
	return view_yield_write_lock(view, nr_done);
}

static bool remove_all_vmas(struct view *view, struct view_mm *m,
			    uint64_t *nr_done)
{
	struct rmap_vma *vma;

	while ((vma = rmap_vma_next(m->mm, 0)))
		if (!remove_vma(view, m, vma, nr_done))
			return false;
	return true;
}

/*
 * Removes a process, but not its entry in view->mms.  False: stopped before the
 * end, and the entry is still valid.
 */
static bool remove_mm(struct view *view, struct view_mm *m, uint64_t *nr_done)
{
	if (!remove_all_vmas(view, m, nr_done))
		return false;
	record_exit(view->record, m->pid);
	rmap_mm_remove(view->map, m->mm);
	view->nr_mms--;
	return true;
}

static void forget(struct view *view, uint32_t pid)
{
	struct view_mm *m = view_find_mm(view, pid);
	uint64_t nr_done = 0;

	if (m && remove_mm(view, m, &nr_done))
		memmove(m, m + 1,
			(view->mms + view->nr_mms - m) * sizeof(*m));
}

/*
 * Removes the processes that are not in a full report.  Each remaining entry is
 * moved once, over the gap that removed entries have left.  When the lock is
 * released in between, readers find a valid table, with the gap in it.  False:
 * stopped before the end.
 *
 *	| remain | gap | not checked yet |
 *	         gap_at
 */
static bool forget_missing(struct view *view)
{
	uint64_t nr_done = 0;
	bool go_on = true;

	while (go_on && view->gap_at < view->nr_mms) {
		struct view_mm *m = view_mm_at(view, view->gap_at);

		if (m->report_nr != view->report_nr) {
			go_on = remove_mm(view, m, &nr_done);
			view->gap += go_on;
		} else {
			view->mms[view->gap_at++] = *m;
		}
		go_on = go_on && view_yield_write_lock(view, &nr_done);
	}
	/* There are entries after the gap only if the view is stopping. */
	if (view->gap_at < view->nr_mms)
		memmove(&view->mms[view->gap_at],
			&view->mms[view->gap_at + view->gap],
			(view->nr_mms - view->gap_at) * sizeof(*view->mms));
	view->gap = view->gap_at = 0;
	return go_on;
}

static struct view_mm *add_mm(struct view *view, uint32_t pid, uint64_t pgd)
{
	uint64_t i = view_mm_index(view, pid);
	struct rmap_mm *mm;

	if (view->nr_mms == view->max_mms)
		return NULL;
	if (view->nr_mms == view->cap_mms) {
		uint64_t cap = view->cap_mms ? 2 * view->cap_mms : 64;
		void *mms = realloc(view->mms, cap * sizeof(*view->mms));

		if (!mms)
			return NULL;
		view->mms = mms;
		view->cap_mms = cap;
	}
	if (rmap_mm_add(view->map, pid, pgd, &mm))
		return NULL;
	record_mm(view->record, pid);
	memmove(&view->mms[i + 1], &view->mms[i],
		(view->nr_mms - i) * sizeof(*view->mms));
	view->nr_mms++;
	view->mms[i] = (struct view_mm){ .mm = mm, .pid = pid,
					 .pgd_nr = ++view->pgd_nr };
	return &view->mms[i];
}

/*
 * A process can choose its name.  Names are output in JSON, which must be
 * UTF-8, and on terminals, which execute control sequences: other characters
 * than printable ASCII become '?'.
 */
static void copy_comm(char to[16], const char from[16])
{
	for (int i = 0; i < 16; i++)
		to[i] = !from[i] || (from[i] >= ' ' && from[i] <= '~') ?
				from[i] : '?';
}

static void apply_mm(struct view *view, const struct protocol_mm *pm)
{
	struct view_mm *m = view_find_mm(view, pm->pid);
	bool delta = pm->flags & PROTOCOL_MM_DELTA;
	uint64_t nr_done = 0;

	view->pid = 0;
	view->vma = NULL;
	if (!m && !delta)
		m = add_mm(view, pm->pid, pm->pgd);
	if (!m) {
		view->nr_dropped++;
		return;
	}
	if (!delta && !remove_all_vmas(view, m, &nr_done))
		return;
	if (rmap_mm_pgd(m->mm) != pm->pgd)
		m->pgd_nr = ++view->pgd_nr;
	rmap_mm_set_pgd(m->mm, pm->pgd);
	copy_comm(m->comm, pm->comm);
	m->report_nr = view->report_nr;
	view->pid = pm->pid;
}

static void apply_vma(struct view *view, const struct protocol_vma *v)
{
	struct view_mm *m = view->pid ? view_find_mm(view, view->pid) : NULL;
	struct rmap_vma_desc desc = { v->start, v->end, v->pgoff, v->flags,
				      { v->dev, v->inode } };
	struct rmap_vma *vma;
	uint64_t nr_done = 0;

	view->vma = NULL;
	if (!m)
		return;
	if (v->op == PROTOCOL_VMA_NEW) {
		if (rmap_vma_add(view->map, m->mm, &desc, &view->vma)) {
			view->nr_dropped++;
			return;
		}
		m->nr_vmas++;
		record_mmap(view->record, m->pid, &desc);
		return;
	}
	vma = rmap_vma_find(m->mm, v->start);
	if (vma)
		rmap_vma_describe(vma, &desc);
	if (!vma || desc.start != v->start || desc.end != v->end)
		view->nr_dropped++;
	else if (v->op == PROTOCOL_VMA_KEEP)
		view->vma = vma;
	else
		remove_vma(view, m, vma, &nr_done);
}

static bool unmap_run(struct view *view, struct view_mm *m,
		      const struct protocol_run *r, uint64_t *nr_done)
{
	uint64_t end = r->vaddr + (uint64_t)r->count * RMAP_PAGE_SIZE;
	uint64_t addr = r->vaddr, gfn;

	while (rmap_vma_next_page_below(view->map, view->vma, end, &addr,
					&gfn)) {
		if (!unmap_page(view, view->vma, addr, gfn)) {
			m->nr_mapped--;
			record_unmap(view->record, m->pid, addr);
		}
		addr += RMAP_PAGE_SIZE;
		if (!view_yield_write_lock(view, nr_done))
			return false;
	}
	return true;
}

/* If the new frame cannot be mapped, the old one is unmapped nevertheless. */
static void map_page(struct view *view, struct view_mm *m, uint64_t addr,
		     uint64_t gfn)
{
	uint64_t at = addr, old = gfn;
	bool had = rmap_vma_next_page_below(view->map, view->vma, addr + 1,
					    &at, &old);
	uint32_t before = rmap_page_flags(view->map, gfn);
	uint32_t before_old = had ? rmap_page_flags(view->map, old) : 0;

	if (!rmap_map_page(view->map, view->vma, addr, gfn)) {
		m->nr_mapped += !had;
		record_map(view->record, m->pid, addr, GFN(gfn));
	} else {
		view->nr_dropped++;
		if (had && !rmap_unmap_page(view->map, view->vma, addr)) {
			m->nr_mapped--;
			record_unmap(view->record, m->pid, addr);
		}
	}
	view_note_flags(view, GFN(gfn), before);
	if (had)
		view_note_flags(view, GFN(old), before_old);
}

static bool map_run(struct view *view, struct view_mm *m,
		    const struct protocol_run *r, uint64_t *nr_done)
{
	struct rmap_stats stats;

	rmap_get_stats(view->map, &stats);
	if (stats.nr_mappings + r->count > view->max_mappings) {
		view->nr_dropped += r->count;
		return true;
	}
	for (uint32_t i = 0; i < r->count; i++) {
		map_page(view, m, r->vaddr + i * RMAP_PAGE_SIZE, r->gfn + i);
		if (!view_yield_write_lock(view, nr_done))
			return false;
	}
	return true;
}

static void apply_runs(struct view *view, const struct protocol_message *msg)
{
	struct view_mm *m = view->vma ? view_find_mm(view, view->pid) : NULL;
	uint64_t nr_done = 0;
	bool go_on = m;

	for (uint32_t i = 0; go_on && i < msg->nr; i++)
		go_on = msg->runs[i].flags & PROTOCOL_RUN_UNMAPPED ?
				unmap_run(view, m, &msg->runs[i], &nr_done) :
				map_run(view, m, &msg->runs[i], &nr_done);
}

static void end_epoch(struct view *view)
{
	if (view->full && !forget_missing(view))
		return;
	view_end_flags(view);
	record_sync(view->record);
	view->stats.epoch = view->epoch;
	view->stats.last_update_ns = clock_now_ns();
}

static void apply_pressure(struct view *view,
			   const struct protocol_pressure *p)
{
	view->stats.guest = (struct view_guest_info){
		.mem_total = p->mem_total,
		.mem_free = p->mem_free,
		.mem_available = p->mem_available,
		.cached = p->cached,
		.dirty = p->dirty,
		.psi_some_avg10 = p->some_avg10 / 100.0,
		.psi_full_avg10 = p->full_avg10 / 100.0,
		.clean_cache = p->clean_cache,
		.nr_refaults_file = p->nr_refaults_file,
		.nr_refaults_anon = p->nr_refaults_anon,
	};
}

void view_apply_reset(struct view *view)
{
	view->epoch = 0;
	view->pid = 0;
	view->vma = NULL;
	view_wrlock(view);
	view->stats.epoch = 0;
	view_cancel_flags(view);
	view_unlock(view);
}

void view_apply(struct view *view, const struct protocol_message *msg)
{
	view_wrlock(view);
	view->work_at_lock = rmap_work(view->map);
	switch (msg->type) {
	case PROTOCOL_HELLO:
		view->walk.levels =
			msg->hello.features & PROTOCOL_FEAT_LA57 ? 5 : 4;
		view->walk.flags_known =
			msg->hello.features & PROTOCOL_FEAT_FLAGS;
		view->stats.drops_cache =
			msg->hello.features & PROTOCOL_FEAT_CACHE;
		if (!view->walk.flags_known)
			view_forget_flags(view);
		break;
	case PROTOCOL_EPOCH_BEGIN:
		view->epoch = msg->epoch.number;
		view->report_nr++;
		view->full = msg->epoch.flags & PROTOCOL_EPOCH_FULL;
		view->nr_dropped = 0;
		break;
	case PROTOCOL_EPOCH_END: end_epoch(view); break;
	case PROTOCOL_MM: apply_mm(view, &msg->mm); break;
	case PROTOCOL_VMA: apply_vma(view, &msg->vma); break;
	case PROTOCOL_RUNS: apply_runs(view, msg); break;
	case PROTOCOL_FLAGS: view_apply_flags(view, msg); break;
	case PROTOCOL_PRESSURE: apply_pressure(view, &msg->pressure); break;
	case PROTOCOL_FORGET: forget(view, msg->pid); break;
	default: break;
	}
	/* Counted last: the lock may be released before all is applied. */
	view->stats.nr_messages++;
	view_unlock(view);
}
