// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include "vmm/util/bitmap.h"
#include "vmm/view/guest_harvest.h"
#include "vmm/view/view-internal.h"

/* Page tables that take an eighth of the guest's memory. */
#define ENTRIES_PER_FRAME 64
/* A reverse-map walk a frame costs as much as a look at so many entries. */
#define WALK_COST 64

struct harvest {
	struct view *view;
	struct gfn_range range;
	uint64_t *young, *looked;
	uint64_t budget;	/* of guest_walk_harvest() */
};

static bool is_in(const struct harvest *h, uint64_t gfn)
{
	return gfn >= h->range.start.v && gfn - h->range.start.v < h->range.nr;
}

/* A leaf of a live table.  Huge ones stand for all of their frames. */
static void leaf(void *arg, uint64_t gfn, uint64_t nr, bool accessed)
{
	struct harvest *h = arg;
	uint64_t start = h->range.start.v, end = start + h->range.nr;

	if (gfn >= end || gfn + nr <= start)
		return;
	if (gfn > start)
		start = gfn;
	if (gfn + nr < end)
		end = gfn + nr;
	bitmap_set_range(h->looked, start, end);
	if (accessed)
		bitmap_set_range(h->young, start, end);
}

/* Of a process whose tables are not known nobody can say what it used. */
static void not_looked(struct harvest *h, const struct rmap_mm *mm)
{
	const struct rmap *map = h->view->map;
	const struct rmap_vma *vma = rmap_vma_next(mm, 0);

	while (vma) {
		struct rmap_vma_desc d;
		uint64_t addr, gfn;

		rmap_vma_describe(vma, &d);
		for (addr = d.start; rmap_vma_next_page(map, vma, &addr, &gfn);
		     addr += RMAP_PAGE_SIZE)
			if (is_in(h, gfn))
				bitmap_clear(h->looked, gfn);
		vma = rmap_vma_next(mm, d.end);
	}
}

/* The process after `pid`; 0 at the end.  known: by whether its root is. */
static uint32_t one_process(struct harvest *h, uint32_t pid, bool known,
			    bool *complete)
{
	struct view_process p;
	struct rmap_mm *mm;
	bool has_pgd;

	view_rdlock(h->view);
	if (!view_next_process(h->view, pid, &p)) {
		view_unlock(h->view);
		return 0;
	}
	mm = rmap_mm_find(h->view->map, p.pid);
	has_pgd = mm && rmap_mm_pgd(mm) != RMAP_NO_PGD;
	if (mm && has_pgd && known)
		*complete &= guest_walk_harvest(&h->view->walk, mm,
						&h->budget, leaf, h);
	else if (mm && !has_pgd && !known)
		not_looked(h, mm);
	view_unlock(h->view);
	return p.pid;
}

static void walk_all(struct harvest *h)
{
	bool complete = true;
	uint32_t pid = 0;

	while ((pid = one_process(h, pid, true, &complete)))
		;
	while ((pid = one_process(h, pid, false, &complete)))
		;
	if (!complete)
		bitmap_clear_range(h->looked, h->range.start.v,
				   h->range.start.v + h->range.nr);
}

struct one_frame {
	unsigned int nr, nr_known;
};

static void mapping(const struct rmap_vma *vma, uint64_t addr, bool accessed,
		    void *arg)
{
	struct one_frame *f = arg;

	f->nr++;
	f->nr_known += rmap_mm_pgd(rmap_vma_mm(vma)) != RMAP_NO_PGD;
}

static void ask_each(struct harvest *h)
{
	uint64_t end = h->range.start.v + h->range.nr;

	view_rdlock(h->view);
	for (uint64_t g = h->range.start.v; g < end; g++) {
		struct one_frame f = { 0 };
		struct rmap_referenced r;

		if (rmap_page_referenced_by(h->view->map, g, mapping, &f, &r))
			continue;
		if (f.nr && f.nr == f.nr_known && !r.partial)
			bitmap_set(h->looked, g);
		if (r.nr_referenced)
			bitmap_set(h->young, g);
	}
	view_unlock(h->view);
}

int guest_harvest(void *ctx, struct gfn_range range, uint64_t *young,
		  uint64_t *looked)
{
	struct view *view = ctx;
	uint64_t frames = guest_mem_nr_frames(view->mem);
	struct harvest h = { view, range, young, looked,
			     frames * ENTRIES_PER_FRAME };

	if (range.nr < frames / WALK_COST)
		ask_each(&h);
	else
		walk_all(&h);
	return 0;
}
