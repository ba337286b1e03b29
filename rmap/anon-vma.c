// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Anonymous pages: from a frame to the VMAs that share it.
 *
 * An anon_vma is a set of frames; a link says that a VMA has some of them, and
 * at which offset between index and virtual page.  An interval tree keeps the
 * links by the indexes they can hold:
 *
 *	              fork          child writes page 1
 *	parent  A0    A0 A0 A0      A0 A0 A0	   parent  --link 3--> A0
 *	child         A0 A0 A0      A0 C1 A0	   child   --link 2--> A0
 *	                                           child   --link 1--> C1
 *
 * Five rules make it flat where many children share one ancestor, and where an
 * agent says that a page is in a thousand places:
 *
 * 1. A page faulted in a VMA goes to an anon_vma which no other VMA is linked
 *    to (its active one); after a fork the old one is shared, so both sides
 *    start another at their next fault.  A page broken off by copy-on-write is
 *    found through one link, in the child and in the parent alike.
 * 2. A link counts the pages it stands for and goes with the last of them: an
 *    anon_vma's tree has no VMA that has broken off all its pages.
 * 3. A fork copies the parent's links.  A parent that forks and writes in turn
 *    would have a set of pages, and a link, for each child; from LINKS_MAX on it
 *    goes on with a shared anon_vma, whose pages are then looked for in more
 *    VMAs than have them.
 * 4. An agent sees no forks, only that a frame of one VMA turns up in another.
 *    Such a page leaves the anon_vma that is its VMA's alone for a second one
 *    (the shared), so that what the VMA has for itself is found in one step.
 * 5. A walk visits the links whose interval has the page's index, in the worst
 *    case all.  A page whose next place needs one more link leaves for an
 *    anon_vma of its own when the pages that stay would be looked for in more
 *    than WASTE times as many places as they have: with p pages and l links
 *
 *		l * p  <=  WASTE * (mappings of the p pages)
 *
 *    All pages together are then found in time that is linear in the number of
 *    mappings told, and a page at many places burdens itself alone.
 *
 * The offset is of the link, not of the VMA: frames that turn out to be shared
 * by regions with unrelated offsets (agents can't see forks; mremap moves a
 * region in one process only) join by one more link, and the linear address
 *
 *	vm_start + ((index - link start) << PAGE_SHIFT)
 *
 * holds for it.  Regions whose offsets are unknown (nonlinear) link with the
 * interval of all indexes and are searched.
 */
#include <errno.h>

#include "rmap/internal.h"

#define START_NONLINEAR INT64_MIN
#define LINKS_MAX	32
#define WASTE		4
#define LINKS_FREE	8	/* so many links are nobody's burden */

static uint64_t link_hash(const struct rmap_vma *vma, const struct anon_vma *av,
			  int64_t start)
{
	uint64_t hash = hash_mix(0, (uintptr_t)vma);

	hash = hash_mix(hash, av->obj.id);
	return hash_final(hash_mix(hash, (uint64_t)start));
}

struct anon_link *anon_link_find(const struct rmap *map,
				 const struct rmap_vma *vma,
				 const struct anon_vma *av, int64_t start)
{
	struct anon_link *link = vma->links;
	uint64_t hash;

	if (link && link->av == av && link->node.start == start)
		return link;
	hash = link_hash(vma, av, start);
	for (struct hash_node *n = hash_chain(&map->links, hash); n;
	     n = n->next) {
		link = container_of(n, struct anon_link, hash);
		if (n->hash == hash && link->vma == vma && link->av == av &&
		    link->node.start == start)
			return link;
	}
	return NULL;
}

static int anon_vma_new(struct rmap *map, struct anon_vma **avp)
{
	struct anon_vma *av = rmap_alloc(map, sizeof(*av));
	int rc;

	if (!av)
		return -ENOMEM;
	rc = rmap_object_add(map, av, &av->obj.id);
	if (rc) {
		rmap_release(map, av, sizeof(*av));
		return rc;
	}
	av->obj.kind = OBJECT_ANON_VMA;
	map->stats.nr_anon_vmas++;
	*avp = av;
	return 0;
}

static void anon_vma_free(struct rmap *map, struct anon_vma *av)
{
	rmap_object_del(map, av->obj.id);
	map->stats.nr_anon_vmas--;
	rmap_release(map, av, sizeof(*av));
}

int anon_link_get(struct rmap *map, struct rmap_vma *vma, struct anon_vma *av,
		  int64_t start, uint64_t nr)
{
	struct anon_link *link = anon_link_find(map, vma, av, start);

	if (link) {
		link->nr += nr;
		av->nr_mapped += nr;
		return 0;
	}
	link = rmap_alloc(map, sizeof(*link));
	if (!link)
		return -ENOMEM;
	link->av = av;
	link->vma = vma;
	link->nr = nr;
	map->work++;
	link->hash.hash = link_hash(vma, av, start);
	hash_insert(&map->links, &link->hash);
	link->node.start = start;
	link->node.last = start == START_NONLINEAR ?
				INT64_MAX :
				start + (int64_t)vma_nr_pages(vma) - 1;
	itree_insert(&av->links, &link->node);
	av->nr_links++;
	av->nr_mapped += nr;
	link->next = vma->links;
	link->pprev = &vma->links;
	if (link->next)
		link->next->pprev = &link->next;
	vma->links = link;
	vma->nr_links++;
	return 0;
}

void anon_link_put(struct rmap *map, struct anon_link *link, uint64_t nr)
{
	struct anon_vma *av = link->av;

	map->work++;
	link->nr -= nr;
	av->nr_mapped -= nr;
	if (link->nr)
		return;
	link->vma->nr_links--;
	*link->pprev = link->next;
	if (link->next)
		link->next->pprev = link->pprev;
	itree_remove(&av->links, &link->node);
	hash_remove(&map->links, &link->hash);
	if (link->vma->active == link)
		link->vma->active = NULL;
	if (link->vma->shared == link)
		link->vma->shared = NULL;
	rmap_release(map, link, sizeof(*link));
	if (!--av->nr_links)
		anon_vma_free(map, av);
}

int64_t anon_link_start(const struct rmap_vma *vma, uint64_t off,
			uint64_t index)
{
	return vma_is_nonlinear(vma) ? START_NONLINEAR
				     : (int64_t)index - (int64_t)off;
}

/* The first mapping of a frame. */
static int anon_fault(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		      struct page *page)
{
	uint64_t index = vma->pgoff + off;
	int64_t start = anon_link_start(vma, off, index);
	struct anon_vma *av = vma->active ? vma->active->av : NULL;
	bool made = false;
	int rc;

	if (!av || (av->nr_links > 1 && vma->nr_links < LINKS_MAX)) {
		rc = anon_vma_new(map, &av);
		if (rc)
			return rc;
		made = true;
	}
	rc = anon_link_get(map, vma, av, start, 1);
	if (rc) {
		if (made)
			anon_vma_free(map, av);
		return rc;
	}
	vma->active = anon_link_find(map, vma, av, start);
	av->nr_pages++;
	page->object = av->obj.id << 1 | PAGE_MAPPING_ANON;
	page_set_index(page, index);
	return 0;
}

/* Whether one more link would be a burden for too many pages. */
static bool is_crowded(const struct anon_vma *av)
{
	return av->nr_links >= LINKS_FREE &&
	       (av->nr_links + 1) * av->nr_pages >
		       WASTE * (av->nr_mapped + 1);
}

/* No other VMA has a page of it, and this one is in one place. */
static bool is_private(const struct anon_vma *av, const struct page *page)
{
	return av->nr_links == 1 && page->count == 1;
}

int anon_add(struct rmap *map, struct rmap_vma *vma, uint64_t off,
	     struct page *page, uint64_t gfn, bool copy)
{
	struct anon_vma *av;
	int64_t start;
	int rc;

	if (!page->object)
		return anon_fault(map, vma, off, page);
	av = page_object(map, page);
	start = anon_link_start(vma, off, page_index(page));
	if (!copy && av->nr_pages > 1 &&
	    (is_private(av, page) || is_crowded(av)) &&
	    !anon_link_find(map, vma, av, start)) {
		rc = anon_rehome(map, vma, off, page, gfn);
		if (rc != -EOVERFLOW)
			return rc;
		/* It is in very many places: these bear the burden. */
	}
	return anon_link_get(map, vma, av, start, 1);
}

void anon_del(struct rmap *map, struct rmap_vma *vma, uint64_t off,
	      const struct page *page)
{
	int64_t start = anon_link_start(vma, off, page_index(page));
	struct anon_vma *av = page_object(map, page);

	if (page->count == 1)
		av->nr_pages--;
	anon_link_put(map, anon_link_find(map, vma, av, start), 1);
}

struct visit {
	uint64_t index;
	mapping_fn fn;
	void *arg;
};

static bool visit_link(struct itree_node *node, void *arg)
{
	struct anon_link *link = container_of(node, struct anon_link, node);
	struct visit *v = arg;

	if (node->start == START_NONLINEAR)
		return v->fn(link->vma, OFF_SEARCH, v->arg);
	return v->fn(link->vma, (uint64_t)((int64_t)v->index - node->start),
		     v->arg);
}

bool anon_visit(const struct anon_vma *av, uint64_t index, mapping_fn fn,
		void *arg)
{
	struct visit v = { index, fn, arg };

	return itree_visit(av->links, (int64_t)index, (int64_t)index,
			   visit_link, &v);
}

struct place {
	struct rmap_vma *vma;
	uint64_t off;
};

struct places {
	unsigned int nr;
	struct place at[RMAP_WALK_MAX + 1];	/* known ones, and the new */
};

static bool note_place(struct rmap_vma *vma, uint64_t off, void *arg)
{
	struct places *p = arg;

	p->at[p->nr++] = (struct place){ vma, off };
	return true;
}

static int link_place(struct rmap *map, const struct place *p,
		      struct anon_vma *av, uint64_t index)
{
	return anon_link_get(map, p->vma, av,
			     anon_link_start(p->vma, p->off, index), 1);
}

static void unlink_place(struct rmap *map, const struct place *p,
			 struct anon_vma *av, uint64_t index)
{
	int64_t start = anon_link_start(p->vma, p->off, index);

	anon_link_put(map, anon_link_find(map, p->vma, av, start), 1);
}

/*
 * The anon_vma in which the VMA at `first` shares pages already, where the one
 * more place in `other` fits; else a new one.
 */
static int find_home(struct rmap *map, const struct place *first,
		     const struct place *other, uint64_t index,
		     struct anon_vma **avp)
{
	const struct anon_link *link = first->vma->shared;

	if (link &&
	    link->node.start == anon_link_start(first->vma, first->off,
						index) &&
	    (!is_crowded(link->av) ||
	     anon_link_find(map, other->vma, link->av,
			    anon_link_start(other->vma, other->off, index)))) {
		*avp = link->av;
		return 0;
	}
	return anon_vma_new(map, avp);
}

int anon_rehome(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		struct page *page, uint64_t gfn)
{
	struct anon_vma *from = page_is_anon(page) ? page_object(map, page) :
						     NULL;
	struct anon_vma *to;
	uint64_t index = page_index(page);
	struct places p;
	unsigned int nr = 0;
	int rc;

	p.nr = 0;
	rc = mapping_visit_all(map, page, gfn, note_place, &p);
	if (rc < 0)
		return rc;
	note_place(vma, off, &p);
	rc = p.nr == 2 && from ? find_home(map, &p.at[0], &p.at[1], index, &to) :
				 anon_vma_new(map, &to);
	if (rc)
		return rc;
	while (nr < p.nr && !(rc = link_place(map, &p.at[nr], to, index)))
		nr++;
	if (rc) {
		if (!to->nr_links)
			anon_vma_free(map, to);
		while (nr--)	/* the last one takes a new anon_vma with it */
			unlink_place(map, &p.at[nr], to, index);
		return rc;
	}
	if (p.nr == 2 && from)
		p.at[0].vma->shared = anon_link_find(map, p.at[0].vma, to,
			anon_link_start(p.at[0].vma, p.at[0].off, index));
	if (from)
		from->nr_pages--;
	for (nr = 0; from && nr < p.nr - 1; nr++)
		unlink_place(map, &p.at[nr], from, index);
	to->nr_pages++;
	page->object = to->obj.id << 1 | PAGE_MAPPING_ANON;
	return 0;
}
