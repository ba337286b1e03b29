// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The one walker, and page_referenced on it.
 *
 *	frame -> object -> links or file windows that hold its index
 *	      -> linear address in each VMA -> PTE -> does it name the frame?
 *
 * The object says only where the frame may be.  Each place counts after the
 * PTE there named the frame, so a stale or lying picture (mremap under us, a
 * COW break not told yet) costs hits and never makes a wrong one.  Snapshots
 * are what the map was told, as _mapcount is: a page with one mapping and one
 * place where it can be is there, and its snapshot, which is not in a cache
 * when frames are looked up at random, need not be read to know it.
 *
 * A walk has a bound.  A page at more places than that (a page of the library
 * that all processes use) is found in some of them, and the caller is told.
 *
 * Readers change nothing in the map: any number may walk at once.
 */
#include <errno.h>

#include "rmap/internal.h"

void rmap_set_pte_provider(struct rmap *map, const struct rmap_pte_ops *ops,
			   void *ctx)
{
	map->ops = ops;
	map->ops_ctx = ctx;
}

static bool live_lookup(const struct rmap *map, const struct rmap_mm *mm,
			uint64_t addr, struct rmap_pte *pte)
{
	struct rmap_pte found = { 0 };

	if (!map->ops || map->ops->lookup(map->ops_ctx, mm, addr, &found))
		return false;
	*pte = found;
	return true;
}

int rmap_pte_lookup(const struct rmap *map, const struct rmap_mm *mm,
		    uint64_t addr, struct rmap_pte *pte)
{
	const struct rmap_vma *vma;
	uint64_t gfn;

	if (live_lookup(map, mm, addr, pte))
		return 0;
	vma = rmap_vma_find(mm, addr);
	if (!vma)
		return -ENOENT;
	gfn = snapshot_get(&vma->snap,
			   (addr - vma->desc.start) >> RMAP_PAGE_SHIFT);
	if (gfn == SNAPSHOT_NONE)
		return -ENOENT;
	*pte = (struct rmap_pte){ .present = true, .level = 1, .gfn = gfn };
	return 0;
}

/* How a mapping was confirmed. */
enum proof {
	BY_SNAPSHOT,
	BY_PTE,			/* the provider's, with accessed bits */
	BY_ACCESSED_PTE,
};

typedef bool (*walk_fn)(struct rmap_vma *vma, uint64_t addr, enum proof proof,
			void *arg);

struct walk {
	const struct rmap *map;
	uint64_t gfn;
	uint64_t left;		/* known mappings not met yet */
	uint32_t places;	/* that may be looked at */
	uint32_t visited;
	uint64_t pages;		/* of nonlinear regions, that still may */
	bool partial;
	bool sole;		/* where it may be it is, by what was told */
	walk_fn fn;
	bool (*skip)(const struct rmap_vma *vma, void *arg);
	void *arg;
};

/* False ends the walk. */
static bool try_place(struct walk *w, struct rmap_vma *vma, uint64_t off)
{
	uint64_t addr = vma_addr(vma, off);
	enum proof proof = BY_SNAPSHOT;
	struct rmap_pte pte;

	if (live_lookup(w->map, vma->mm, addr, &pte)) {
		if (!pte.present || pte.gfn != w->gfn)
			return true;
		proof = pte.accessed ? BY_ACCESSED_PTE : BY_PTE;
	} else if (!w->sole && snapshot_get(&vma->snap, off) != w->gfn) {
		return true;
	}
	/*
	 * Without a provider the snapshots are all there is, and _mapcount
	 * says when the last was met; a provider may know more than that.
	 */
	w->left--;
	return w->fn(vma, addr, proof, w->arg) && (w->left || w->map->ops);
}

/*
 * PTE by PTE in the provider where the bound allows; else only where the
 * snapshot has the frame, and no further than the bound: other regions are
 * still looked at.
 */
static bool search(struct walk *w, struct rmap_vma *vma)
{
	uint64_t nr = vma_nr_pages(vma), frame;

	w->sole = false;
	if (w->map->ops && nr <= w->pages) {
		w->pages -= nr;
		for (uint64_t off = 0; off < nr; off++) {
			if (!try_place(w, vma, off))
				return false;
		}
		return true;
	}
	for (uint64_t off = 0;
	     (off = snapshot_next(&vma->snap, off, &frame)) != SNAPSHOT_NONE;
	     off++) {
		if (!w->pages) {
			w->partial = true;
			return true;
		}
		w->pages--;
		if (frame == w->gfn && !try_place(w, vma, off))
			return false;
	}
	return true;
}

static bool visit(struct rmap_vma *vma, uint64_t off, void *arg)
{
	struct walk *w = arg;

	if (w->visited == w->places) {
		w->partial = true;
		return false;
	}
	w->visited++;
	if (!vma)
		return true;
	if (w->skip && w->skip(vma, w->arg))
		return true;
	return off == OFF_SEARCH ? search(w, vma) : try_place(w, vma, off);
}

static int walk_page(struct walk *w)
{
	const struct page *page;

	if (w->gfn >= w->map->config.nr_frames)
		return -ERANGE;
	page = &w->map->pages[w->gfn];
	w->left = page->count;
	w->pages = SEARCH_MAX_PAGES;
	if (!w->places)
		w->places = RMAP_WALK_MAX;
	w->sole = page->count == 1 && mapping_has_one_place(w->map, page);
	if (page->object)
		mapping_visit(w->map, page, visit, w);
	return w->partial;
}

struct public_walk {
	const struct rmap *map;
	uint64_t gfn;
	const struct rmap_walk_control *rwc;
};

static bool public_one(struct rmap_vma *vma, uint64_t addr, enum proof proof,
		       void *arg)
{
	struct public_walk *p = arg;
	const struct rmap_walk_control *rwc = p->rwc;

	return rwc->rmap_one(p->map, p->gfn, vma, addr, rwc->arg) &&
	       !(rwc->done && rwc->done(p->gfn, rwc->arg));
}

static bool public_skip(const struct rmap_vma *vma, void *arg)
{
	struct public_walk *p = arg;

	return p->rwc->invalid_vma && p->rwc->invalid_vma(vma, p->rwc->arg);
}

int rmap_walk(const struct rmap *map, uint64_t gfn,
	      const struct rmap_walk_control *rwc)
{
	struct public_walk p = { map, gfn, rwc };
	struct walk w = { .map = map, .gfn = gfn, .fn = public_one,
			  .skip = public_skip, .arg = &p,
			  .places = rwc->max_places };

	return walk_page(&w);
}

struct referenced {
	const struct rmap *map;
	uint64_t gfn;
	void (*one)(const struct rmap_vma *vma, uint64_t addr, bool accessed,
		    void *arg);
	void *arg;
	struct rmap_referenced sum;
};

static bool referenced_one(struct rmap_vma *vma, uint64_t addr,
			   enum proof proof, void *arg)
{
	struct referenced *r = arg;
	const struct rmap_pte_ops *ops = r->map->ops;
	bool accessed = false;

	r->sum.nr_mappings++;
	r->sum.vm_flags |= vma->desc.flags;
	if (proof != BY_SNAPSHOT && ops->clear_accessed) {
		r->sum.has_accessed_bits = true;
		accessed = proof == BY_ACCESSED_PTE &&
			   ops->clear_accessed(r->map->ops_ctx, vma->mm, addr,
					       r->gfn) > 0;
	}
	r->sum.nr_referenced += accessed;
	if (r->one)
		r->one(vma, addr, accessed, r->arg);
	return true;
}

int rmap_page_referenced_by(struct rmap *map, uint64_t gfn,
			    void (*one)(const struct rmap_vma *vma,
					uint64_t addr, bool accessed,
					void *arg),
			    void *arg, struct rmap_referenced *out)
{
	struct referenced r = { .map = map, .gfn = gfn, .one = one,
				.arg = arg };
	struct walk w = { .map = map, .gfn = gfn, .fn = referenced_one,
			  .arg = &r };
	int rc = walk_page(&w);

	if (rc < 0)
		return rc;
	*out = r.sum;
	out->partial = w.partial;
	out->nr_visited = w.visited;
	return 0;
}

int rmap_page_referenced(struct rmap *map, uint64_t gfn,
			 struct rmap_referenced *out)
{
	return rmap_page_referenced_by(map, gfn, NULL, NULL, out);
}

static bool locked_one(struct rmap_vma *vma, uint64_t addr, enum proof proof,
		       void *arg)
{
	bool *locked = arg;

	*locked = vma->desc.flags & RMAP_VM_LOCKED;
	return !*locked;
}

bool rmap_page_unevictable(const struct rmap *map, uint64_t gfn)
{
	const uint32_t never = RMAP_PG_LOCKED | RMAP_PG_RESERVED |
			       RMAP_PG_SLAB | RMAP_PG_PGTABLE;
	bool locked = false;
	struct walk w = { .map = map, .gfn = gfn, .fn = locked_one,
			  .arg = &locked };

	return (rmap_page_flags(map, gfn) & never) || walk_page(&w) < 0 ||
	       locked;
}
