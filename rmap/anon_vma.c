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
 * Three rules make it flat where many children share one ancestor:
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

int anon_vma_new(struct rmap *map, struct anon_vma **avp)
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

void anon_vma_free(struct rmap *map, struct anon_vma *av)
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
		return 0;
	}
	link = rmap_alloc(map, sizeof(*link));
	if (!link)
		return -ENOMEM;
	link->av = av;
	link->vma = vma;
	link->nr = nr;
	link->hash.hash = link_hash(vma, av, start);
	hash_insert(map, &map->links, &link->hash);
	link->node.start = start;
	link->node.last = start == START_NONLINEAR ?
				INT64_MAX :
				start + (int64_t)vma_nr_pages(vma) - 1;
	itree_insert(&av->links, &link->node);
	av->nr_links++;
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

	link->nr -= nr;
	if (link->nr)
		return;
	link->vma->nr_links--;
	*link->pprev = link->next;
	if (link->next)
		link->next->pprev = link->pprev;
	itree_remove(&av->links, &link->node);
	hash_remove(&map->links, &link->hash);
	if (link->vma->active == av)
		link->vma->active = NULL;
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

int anon_add(struct rmap *map, struct rmap_vma *vma, uint64_t off,
	     struct page *page)
{
	uint64_t index = page->object ? page_index(page) : vma->pgoff + off;
	int64_t start = anon_link_start(vma, off, index);
	struct anon_vma *av = vma->active;
	bool made = false;
	int rc;

	if (page->object) {
		av = page_object(map, page);
	} else if (!av || (av->nr_links > 1 && vma->nr_links < LINKS_MAX)) {
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
	if (made)
		vma->active = av;
	if (!page->object) {
		page->object = av->obj.id << 1 | PAGE_MAPPING_ANON;
		page_set_index(page, index);
	}
	return 0;
}

void anon_del(struct rmap *map, struct rmap_vma *vma, uint64_t off,
	      const struct page *page)
{
	int64_t start = anon_link_start(vma, off, page_index(page));

	anon_link_put(map, anon_link_find(map, vma, page_object(map, page),
					  start), 1);
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

struct adoption {
	struct rmap *map;
	struct anon_vma *av;
	uint64_t index;
	uint64_t nr;		/* places joined so far, or to undo */
	int rc;
};

static bool adopt_one(struct rmap_vma *vma, uint64_t off, void *arg)
{
	struct adoption *a = arg;

	a->rc = anon_link_get(a->map, vma, a->av,
			      anon_link_start(vma, off, a->index), 1);
	if (a->rc)
		return false;
	a->nr++;
	return true;
}

static bool abandon_one(struct rmap_vma *vma, uint64_t off, void *arg)
{
	struct adoption *a = arg;
	int64_t start = anon_link_start(vma, off, a->index);

	if (!a->nr)
		return false;
	a->nr--;
	anon_link_put(a->map, anon_link_find(a->map, vma, a->av, start), 1);
	return true;
}

int anon_adopt(struct rmap *map, struct page *page, uint64_t gfn)
{
	struct adoption a = { .map = map, .index = page_index(page) };
	int rc = anon_vma_new(map, &a.av);

	if (rc)
		return rc;
	if (!mapping_visit_known(map, page, gfn, adopt_one, &a)) {
		if (a.nr)	/* the last one takes the anon_vma with it */
			mapping_visit_known(map, page, gfn, abandon_one, &a);
		else
			anon_vma_free(map, a.av);
		return a.rc;
	}
	page->object = a.av->obj.id << 1 | PAGE_MAPPING_ANON;
	return 0;
}
