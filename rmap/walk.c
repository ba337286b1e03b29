// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The walk over the mappings of a frame, which all queries use.
 *
 *	frame -> object -> links, or VMAs of the file, that hold its index
 *	      -> virtual address in each VMA -> PTE -> does it name the frame?
 *
 * The object says only where the frame may be mapped.  A candidate counts only
 * if its PTE names the frame, so that stale or false reports (an mremap
 * meanwhile, a copy-on-write break not reported yet) can hide a mapping, but
 * never make up one.
 *
 * Without a live PTE, the VMA's snapshot (snapshot.h) shows what was reported.
 * _mapcount counts the same reports: a page with one mapping and one candidate
 * is mapped there, and the snapshot, which is not in the cache when frames are
 * looked up at random, need not be read.
 *
 * A walk has a bound.  Of a page with more candidates (a page of the C library,
 * which all processes map) only some are visited, and the result says so.
 *
 * Readers change nothing in the map: any number may walk at once.
 */
#include <errno.h>

#include "rmap/kinds.h"
#include "rmap/recorded.h"

void rmap_set_pte_provider(struct rmap *map, const struct rmap_pte_ops *ops,
			   void *ctx)
{
	map->pte_ops = ops;
	map->pte_ctx = ctx;
}

static bool live_lookup(const struct rmap *map, const struct rmap_mm *mm,
			uint64_t addr, struct rmap_pte *pte)
{
	struct rmap_pte found = { 0 };

	if (!map->pte_ops ||
	    map->pte_ops->lookup(map->pte_ctx, mm, addr, &found))
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

/* What confirmed a mapping. */
enum proof {
	BY_SNAPSHOT,
	BY_PTE,			/* the provider's, accessed bit clear */
	BY_ACCESSED_PTE,	/* the same, set */
};

typedef bool (*walk_fn)(struct rmap_vma *vma, uint64_t addr, enum proof proof,
			void *arg);

struct walk {
	const struct rmap *map;
	uint64_t gfn;
	uint64_t left;		/* recorded mappings not found yet */
	uint32_t max_candidates;
	uint32_t visited;	/* candidates */
	uint64_t entries;	/* PTEs of nonlinear VMAs still allowed */
	bool partial;		/* as in struct rmap_referenced */
	bool sole;		/* one mapping, one candidate: it is there */
	walk_fn fn;		/* for each mapping; false ends the walk */
	bool (*skip)(const struct rmap_vma *vma, void *arg);
	void *arg;
};

/* False ends the walk. */
static bool try_candidate(struct walk *w, struct rmap_vma *vma, uint64_t off)
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
	 * Without a provider there are only reported mappings, and _mapcount
	 * says when the last one was found; live page tables may have more.
	 */
	w->left--;
	return w->fn(vma, addr, proof, w->arg) && (w->left || w->map->pte_ops);
}

/*
 * Searches a nonlinear VMA: all of its PTEs, if there is a provider and the
 * bound allows it; else only where the snapshot has the frame, up to the bound.
 * False: fn ended the walk.
 */
static bool search_nonlinear(struct walk *w, struct rmap_vma *vma)
{
	uint64_t nr = vma_nr_pages(vma), frame;

	w->sole = false;
	if (w->map->pte_ops && nr <= w->entries) {
		w->entries -= nr;
		for (uint64_t off = 0; off < nr; off++) {
			if (!try_candidate(w, vma, off))
				return false;
		}
		return true;
	}
	for (uint64_t off = 0;
	     (off = snapshot_next(&vma->snap, off, &frame)) != SNAPSHOT_NONE;
	     off++) {
		if (!w->entries) {
			w->partial = true;
			return true;
		}
		w->entries--;
		if (frame == w->gfn && !try_candidate(w, vma, off))
			return false;
	}
	return true;
}

/* A candidate_fn. */
static bool visit(struct rmap_vma *vma, uint64_t off, void *arg)
{
	struct walk *w = arg;

	if (w->visited == w->max_candidates) {
		w->partial = true;
		return false;
	}
	w->visited++;
	if (!vma)
		return true;
	if (w->skip && w->skip(vma, w->arg))
		return true;
	return off == OFF_UNKNOWN ? search_nonlinear(w, vma) :
				    try_candidate(w, vma, off);
}

static int walk_page(struct walk *w)
{
	const struct page *page;

	if (w->gfn >= w->map->nr_frames)
		return -ERANGE;
	page = &w->map->pages[w->gfn];
	w->left = page->count;
	w->entries = NONLINEAR_SEARCH_MAX;
	if (!w->max_candidates)
		w->max_candidates = RMAP_WALK_MAX;
	w->sole = page->count == 1 &&
		  page_ops(w->map, page)->has_one_candidate(w->map, page);
	if (page->object)
		page_ops(w->map, page)->visit(w->map, page, visit, w);
	return w->partial;
}

struct user_walk {
	const struct rmap *map;
	uint64_t gfn;
	const struct rmap_walk_control *rwc;
};

static bool user_one(struct rmap_vma *vma, uint64_t addr, enum proof proof,
		       void *arg)
{
	struct user_walk *p = arg;
	const struct rmap_walk_control *rwc = p->rwc;

	return rwc->rmap_one(p->map, p->gfn, vma, addr, rwc->arg) &&
	       !(rwc->done && rwc->done(p->gfn, rwc->arg));
}

static bool user_skip(const struct rmap_vma *vma, void *arg)
{
	struct user_walk *p = arg;

	return p->rwc->invalid_vma && p->rwc->invalid_vma(vma, p->rwc->arg);
}

int rmap_walk(const struct rmap *map, uint64_t gfn,
	      const struct rmap_walk_control *rwc)
{
	struct user_walk p = { map, gfn, rwc };
	struct walk w = { .map = map, .gfn = gfn, .fn = user_one,
			  .skip = user_skip, .arg = &p,
			  .max_candidates = rwc->max_candidates };

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
	const struct rmap_pte_ops *ops = r->map->pte_ops;
	bool accessed = false;

	r->sum.nr_mappings++;
	r->sum.vm_flags |= vma->desc.flags;
	if (proof != BY_SNAPSHOT && ops->clear_accessed) {
		r->sum.has_accessed_bits = true;
		accessed = proof == BY_ACCESSED_PTE &&
			   ops->clear_accessed(r->map->pte_ctx, vma->mm, addr,
					       r->gfn) > 0;
	}
	r->sum.nr_referenced += accessed;
	if (r->one)
		r->one(vma, addr, accessed, r->arg);
	return true;
}

int rmap_page_referenced_by(const struct rmap *map, uint64_t gfn,
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

int rmap_page_referenced(const struct rmap *map, uint64_t gfn,
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
