// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>

#include "vmm/guest/guest-harvest.h"
#include "vmm/guest/view-internal.h"
#include "vmm/guest/walk-limit.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/stop-flag.h"

/* Entries walked: those of page tables an eighth as large as guest memory. */
#define ENTRIES_PER_FRAME 64
/* The cost of a reverse-map walk of one frame, in table entries. */
#define WALK_COST 64

/* Before the lock is released once: pages of regions; frames looked up. */
#define PIECE	     16384
#define VMA_COST     16		/* of a region, in pages */
#define PIECE_FRAMES 32

struct harvest {
	struct view *view;
	struct gfn_range range;
	uint64_t *young, *examined;
	uint64_t budget;	/* for guest_walk_harvest() */
	uint64_t pgd_nr;	/* view->pgd_nr when the walk began */
	const atomic_bool *stopping;	/* or NULL */
};

static bool is_in(const struct harvest *h, uint64_t gfn)
{
	return gfn >= h->range.start.v && gfn - h->range.start.v < h->range.nr;
}

/* A leaf of a live page table.  A huge one covers all of its frames. */
static void leaf(void *arg, gfn_t gfn, uint64_t nr, bool accessed)
{
	struct harvest *h = arg;
	uint64_t start = h->range.start.v, end = start + h->range.nr;

	if (gfn.v >= end || gfn.v + nr <= start)
		return;
	if (gfn.v > start)
		start = gfn.v;
	if (gfn.v + nr < end)
		end = gfn.v + nr;
	bitmap_set_range(h->examined, start, end);
	if (accessed)
		bitmap_set_range(h->young, start, end);
}

/*
 * For a process whose page tables are not walked: its frames do not count as
 * examined.  Does one part, from address *from on.  False: that was the last.
 */
static bool clear_examined(struct harvest *h, const struct rmap_mm *mm,
			   uint64_t *from)
{
	const struct rmap *map = h->view->map;
	const struct rmap_vma *vma = rmap_vma_next(mm, *from);
	unsigned int nr = 0;

	for (; vma; vma = rmap_vma_next(mm, *from)) {
		struct rmap_vma_desc d;
		uint64_t gfn;

		rmap_vma_describe(vma, &d);
		if (*from < d.start)
			*from = d.start;
		while (rmap_vma_next_page(map, vma, from, &gfn)) {
			if (is_in(h, gfn))
				bitmap_clear(h->examined, gfn);
			*from += RMAP_PAGE_SIZE;
			if (++nr >= PIECE)
				return true;
		}
		*from = d.end;
		nr += VMA_COST;
		if (nr >= PIECE)
			return true;
	}
	return false;
}

/* A process, harvested a part at a time; the lock is released in between. */
struct process {
	uint32_t pid;		/* the current one, or the last one done */
	uint64_t pgd_nr;	/* which PGD it had: see struct view_mm */
	uint64_t from;		/* where its next part begins */
	bool more;		/* it is not finished */
};

/*
 * The page tables of processes are walked in the first pass, all that are known
 * when it begins.  The second pass clears the frames of all other processes
 * from `examined`: of those without a known PGD, and of those that are new or
 * have another PGD since, whether or not the first pass came to them.
 */
static bool is_walked(const struct harvest *h, const struct view_mm *m)
{
	return rmap_mm_pgd(m->mm) != RMAP_NO_PGD && m->pgd_nr <= h->pgd_nr;
}

/*
 * Does one part of the process, if it belongs to this pass.  False: some tables
 * could not be read.
 */
static bool harvest_part(struct harvest *h, struct process *p,
			 const struct view_mm *m, bool first_pass)
{
	int rc = 0;

	/* Its page tables were replaced: the part done so far is void. */
	if (p->from && m->pgd_nr != p->pgd_nr) {
		p->more = false;
		return false;
	}
	p->pgd_nr = m->pgd_nr;
	if (is_walked(h, m) && first_pass)
		rc = guest_walk_harvest(&h->view->walk, m->mm, &p->from,
					&h->budget, leaf, h);
	else if (!is_walked(h, m) && !first_pass)
		rc = clear_examined(h, m->mm, &p->from);
	p->more = rc > 0;
	return rc >= 0;
}

/*
 * Does one part of the current process, or of the next one, as harvest_part().
 * False: there is no other process.  *complete becomes false if some tables
 * could not be read.
 */
static bool harvest_next_part(struct harvest *h, struct process *p,
			      bool first_pass, bool *complete)
{
	const struct view_mm *m;
	struct view_process next;
	bool found;

	view_rdlock(h->view);
	if (!p->more) {
		found = view_next_process(h->view, p->pid, &next);
		*p = (struct process){ .pid = found ? next.pid : 0 };
	}
	p->more = false;
	m = p->pid ? view_find_mm(h->view, p->pid) : NULL;
	/* A process that has ended meanwhile maps nothing. */
	if (m)
		*complete &= harvest_part(h, p, m, first_pass);
	view_unlock(h->view);
	return p->pid;
}

static void walk_all(struct harvest *h)
{
	struct process p = { 0 }, q = { 0 };
	bool complete = true;

	view_rdlock(h->view);
	h->pgd_nr = h->view->pgd_nr;
	view_unlock(h->view);
	while (!stop_flag_is_set(h->stopping) &&
	       harvest_next_part(h, &p, true, &complete))
		;
	while (!stop_flag_is_set(h->stopping) &&
	       harvest_next_part(h, &q, false, &complete))
		;
	if (!complete)
		bitmap_clear_range(h->examined, h->range.start.v,
				   h->range.start.v + h->range.nr);
}

struct one_frame {
	unsigned int nr, nr_known;
};

static void count_mapping(const struct rmap_vma *vma, uint64_t addr,
			  bool accessed, void *arg)
{
	struct one_frame *f = arg;

	f->nr++;
	f->nr_known += rmap_mm_pgd(rmap_vma_mm(vma)) != RMAP_NO_PGD;
}

static void query_each_frame(struct harvest *h)
{
	uint64_t end = h->range.start.v + h->range.nr;

	view_rdlock(h->view);
	for (uint64_t g = h->range.start.v;
	     g < end && !stop_flag_is_set(h->stopping); g++) {
		struct one_frame f = { 0 };
		struct rmap_referenced r;

		if (g % PIECE_FRAMES == 0 || walk_limit_reached()) {
			view_unlock(h->view);
			view_rdlock(h->view);
		}

		if (rmap_page_referenced_by(h->view->map, g, count_mapping, &f,
					    &r))
			continue;
		if (r.has_accessed_bits && f.nr == f.nr_known && !r.partial)
			bitmap_set(h->examined, g);
		if (r.nr_referenced)
			bitmap_set(h->young, g);
	}
	view_unlock(h->view);
}

int guest_harvest(void *ctx, struct gfn_range range, uint64_t *young,
		  uint64_t *examined, const atomic_bool *stopping)
{
	struct view *view = ctx;
	uint64_t frames = guest_mem_nr_frames(view->mem);
	struct harvest h = {
		.view = view, .range = range, .young = young,
		.examined = examined, .budget = frames * ENTRIES_PER_FRAME,
		.stopping = stopping,
	};

	if (range.nr < frames / WALK_COST)
		query_each_frame(&h);
	else
		walk_all(&h);
	return stop_flag_is_set(stopping) ? -ECANCELED : 0;
}
