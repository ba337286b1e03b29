// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Anonymous pages, the default scheme: anon_vmas, after Linux's mm/rmap.c.
 *
 * An anon_vma is a set of frames; a link says that a VMA maps some of them, and
 * with which offset between a frame's index and its page in the VMA.  An
 * interval tree has the links by the indexes that their pages can have (A0, C1:
 * the anon_vma of each of three pages; "link 3": with three pages):
 *
 *	              fork          child writes page 1
 *	parent  A0    A0 A0 A0      A0 A0 A0	   parent  --link 3--> A0
 *	child         A0 A0 A0      A0 C1 A0	   child   --link 2--> A0
 *	                                           child   --link 1--> C1
 *
 * Linux gives each child an anon_vma of its own and chains of links to those
 * of its ancestors, because a thousand children of one parent made every search
 * visit a thousand VMAs.  Here five rules keep searches short, also where the
 * mappings come from an agent that sees frames but no forks, and may report a
 * page in a thousand VMAs:
 *
 * 1. A page faulted in a VMA joins an anon_vma to which no other VMA is linked
 *    (the VMA's active one).  After a fork the old one is shared, so both sides
 *    start another at their next fault.  A page broken off by copy-on-write is
 *    found through one link, in the child and in the parent alike.
 * 2. A link counts the pages it stands for and goes with the last of them: an
 *    anon_vma's tree has no VMA that has broken off all its pages.
 * 3. A fork copies the parent's links.  A parent that forks and writes in turn
 *    would have a set of pages, and a link, for each child; from VMA_LINKS_MAX
 *    links on it stays with a shared anon_vma, whose pages are then searched
 *    for in more VMAs than map them.
 * 4. An agent reports no fork, only that a frame of one VMA is mapped by
 *    another too.  If the page's anon_vma is its VMA's alone, the page is moved
 *    to a second one (the VMA's shared one), so that the pages that the VMA has
 *    for itself are still found in one step.
 * 5. A walk visits the links whose interval has the page's index, in the worst
 *    case all.  A page whose next mapping needs one more link is moved to an
 *    anon_vma of its own when the pages that stay would have more than
 *    CANDIDATES_PER_MAPPING candidates for each of their mappings: with p pages
 *    and l links, links are added as long as
 *
 *		l * p  <=  CANDIDATES_PER_MAPPING * (mappings of the p pages)
 *
 *    All pages together are so found in time linear in the number of mappings,
 *    and a page with many mappings slows down walks to itself alone.
 *
 * The offset belongs to the link, not to the VMA.  If a frame turns out to be
 * shared by VMAs with unrelated offsets (no fork was reported; mremap moved a
 * VMA in one process only), one more link joins the VMA to the anon_vma, and
 * the virtual address
 *
 *	vm_start + ((index - link start) << PAGE_SHIFT)
 *
 * is right for each link.  Links of nonlinear VMAs have the interval of all
 * indexes, and the VMA is searched.
 */
#include "rmap/anon-vma.h"

#include <errno.h>

#include "rmap/object.h"

#define START_NONLINEAR INT64_MIN
#define VMA_LINKS_MAX	32		/* of a VMA: see rule 3 */
#define CANDIDATES_PER_MAPPING 4
#define MIN_LINKS_CROWDED	8	/* rule 5 applies from so many on */

static uint64_t link_hash(const struct rmap_vma *vma, const struct anon_vma *av,
			  int64_t start)
{
	uint64_t hash = hash_mix(0, (uintptr_t)vma);

	hash = hash_mix(hash, av->obj.id);
	return hash_final(hash_mix(hash, (uint64_t)start));
}

static struct anon_link *link_find(const struct rmap *map,
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

static struct anon_vma *anon_vma_new(struct rmap *map, int *rcp)
{
	return (void *)object_new(map, OBJECT_ANON_VMA,
				  sizeof(struct anon_vma), rcp);
}

static void anon_vma_free(struct rmap *map, struct anon_vma *av)
{
	object_free(map, &av->obj, sizeof(*av));
}

/*
 * Counts nr more pages of av in the VMA, in a new link if it has none with that
 * start.  0, or -ENOMEM with nothing changed.
 */
static int link_get(struct rmap *map, struct rmap_vma *vma,
		    struct anon_vma *av, int64_t start, uint64_t nr)
{
	struct anon_link *link = link_find(map, vma, av, start);

	if (link) {
		link->nr += nr;
		av->nr_mapped += nr;
		return 0;
	}
	link = rmap_mem_alloc(&map->mem, sizeof(*link));
	if (!link)
		return -ENOMEM;
	link->av = av;
	link->vma = vma;
	link->nr = nr;
	map->mem.work++;
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

/* nr pages fewer.  Frees a link without pages, an anon_vma without links. */
static void link_put(struct rmap *map, struct anon_link *link, uint64_t nr)
{
	struct anon_vma *av = link->av;

	map->mem.work++;
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
	rmap_mem_free(&map->mem, link, sizeof(*link));
	if (!--av->nr_links)
		anon_vma_free(map, av);
}

/* node.start of the VMA's link for a page at off that has this index. */
static int64_t link_start(const struct rmap_vma *vma, uint64_t off,
			  uint64_t index)
{
	return vma_is_nonlinear(vma) ? START_NONLINEAR
				     : (int64_t)index - (int64_t)off;
}

/* The first mapping of a frame. */
static int add_first(struct rmap *map, const struct mapping *m)
{
	struct rmap_vma *vma = m->vma;
	uint64_t index = vma->pgoff + m->off;
	int64_t start = link_start(vma, m->off, index);
	struct anon_vma *av = vma->active ? vma->active->av : NULL;
	bool made = false;
	int rc;

	if (!av || (av->nr_links > 1 && vma->nr_links < VMA_LINKS_MAX)) {
		av = anon_vma_new(map, &rc);
		if (!av)
			return rc;
		made = true;
	}
	rc = link_get(map, vma, av, start, 1);
	if (rc) {
		if (made)
			anon_vma_free(map, av);
		return rc;
	}
	vma->active = link_find(map, vma, av, start);
	av->nr_pages++;
	page_set_object(m->page, av->obj.id, true);
	page_set_index(m->page, index);
	return 0;
}

/* Rule 5: with one more link the pages of av would have too many candidates. */
static bool is_crowded(const struct anon_vma *av)
{
	return av->nr_links >= MIN_LINKS_CROWDED &&
	       (av->nr_links + 1) * av->nr_pages >
		       CANDIDATES_PER_MAPPING * (av->nr_mapped + 1);
}

/* Rule 4: only one VMA has pages of av, and this page is mapped once. */
static bool is_private(const struct anon_vma *av, const struct page *page)
{
	return av->nr_links == 1 && page->count == 1;
}

static enum object_fit anon_vma_fit(struct rmap *map, const struct mapping *m)
{
	struct anon_vma *av;

	if (!m->page->object || m->copy)
		return OBJECT_FITS;
	av = page_object(map, m->page);
	if (av->nr_pages > 1 && (is_private(av, m->page) || is_crowded(av)) &&
	    !link_find(map, m->vma, av,
		       link_start(m->vma, m->off, page_index(m->page))))
		return OBJECT_FITS_BADLY;
	return OBJECT_FITS;
}

static int anon_vma_add(struct rmap *map, const struct mapping *m)
{
	if (!m->page->object)
		return add_first(map, m);
	return link_get(map, m->vma, page_object(map, m->page),
			link_start(m->vma, m->off, page_index(m->page)), 1);
}

static void anon_vma_del(struct rmap *map, const struct mapping *m)
{
	int64_t start = link_start(m->vma, m->off, page_index(m->page));
	struct anon_vma *av = page_object(map, m->page);

	if (m->page->count == 1)
		av->nr_pages--;
	link_put(map, link_find(map, m->vma, av, start), 1);
}

struct visit {
	uint64_t index;
	candidate_fn fn;
	void *arg;
};

static bool visit_link(struct itree_node *node, void *arg)
{
	struct anon_link *link = container_of(node, struct anon_link, node);
	struct visit *v = arg;

	if (node->start == START_NONLINEAR)
		return v->fn(link->vma, OFF_UNKNOWN, v->arg);
	return v->fn(link->vma, (uint64_t)((int64_t)v->index - node->start),
		     v->arg);
}

static bool anon_vma_visit(const struct rmap *map, const struct page *page,
			   candidate_fn fn, void *arg)
{
	const struct anon_vma *av = page_object(map, page);
	struct visit v = { page_index(page), fn, arg };

	return itree_visit(av->links, (int64_t)v.index, (int64_t)v.index,
			   visit_link, &v);
}

static bool anon_vma_has_one_candidate(const struct rmap *map,
				       const struct page *page)
{
	const struct anon_vma *av = page_object(map, page);

	return av->nr_links == 1;
}

/* --- a page moves to another anon_vma ------------------------------------- */

/* The link of mapping i of the list, or NULL. */
static struct anon_link *list_link(const struct rmap *map,
				   const struct mapping_list *list,
				   unsigned int i, const struct anon_vma *av,
				   uint64_t index)
{
	const struct rmap_vma *vma = list->at[i].vma;

	return link_find(map, vma, av,
			 link_start(vma, list->at[i].off, index));
}

/*
 * Rule 4: the anon_vma in which the VMA of the list's first mapping already
 * shares pages, if the second mapping fits there; else a new one.
 */
static struct anon_vma *shared_or_new(struct rmap *map,
				      const struct mapping_list *list,
				      uint64_t index, int *rcp)
{
	const struct rmap_vma *first = list->at[0].vma;
	const struct anon_link *link = first->shared;

	if (link &&
	    link->node.start == link_start(first, list->at[0].off, index) &&
	    (!is_crowded(link->av) ||
	     list_link(map, list, 1, link->av, index)))
		return link->av;
	return anon_vma_new(map, rcp);
}

static int anon_vma_create(struct rmap *map, const struct page *page,
			   const struct mapping_list *list,
			   struct object **objectp)
{
	bool becomes_shared = list->nr == 2 && page_is_anon(page);
	uint64_t index = page_index(page);
	struct anon_vma *av;
	unsigned int i;
	int rc;

	av = becomes_shared ? shared_or_new(map, list, index, &rc) :
			      anon_vma_new(map, &rc);
	if (!av)
		return rc;
	for (i = 0; i < list->nr; i++) {
		struct rmap_vma *vma = list->at[i].vma;

		rc = link_get(map, vma, av,
			      link_start(vma, list->at[i].off, index), 1);
		if (rc)
			goto undo;
	}
	if (becomes_shared)
		list->at[0].vma->shared = list_link(map, list, 0, av, index);
	av->nr_pages++;
	*objectp = &av->obj;
	return 0;

undo:
	if (!av->nr_links)
		anon_vma_free(map, av);
	while (i--)	/* a new anon_vma is freed with its last link */
		link_put(map, list_link(map, list, i, av, index), 1);
	return rc;
}

static void anon_vma_leave(struct rmap *map, const struct page *page,
			   const struct mapping_list *list)
{
	struct anon_vma *av = page_object(map, page);
	uint64_t index = page_index(page);

	av->nr_pages--;
	for (unsigned int i = 0; i < list->nr; i++)
		link_put(map, list_link(map, list, i, av, index), 1);
}

const struct object_ops anon_vma_ops = {
	.fit = anon_vma_fit,
	.add = anon_vma_add,
	.del = anon_vma_del,
	.visit = anon_vma_visit,
	.has_one_candidate = anon_vma_has_one_candidate,
	.create = anon_vma_create,
	.leave = anon_vma_leave,
};

/* --- all pages of a VMA --------------------------------------------------- */

int anon_vma_copy_links(struct rmap *map, struct rmap_vma *vma,
			const struct rmap_vma *from)
{
	int rc = 0;

	for (const struct anon_link *l = from->links; l && !rc; l = l->next)
		rc = link_get(map, vma, l->av, l->node.start, l->nr);
	if (rc)
		anon_vma_drop_links(map, vma);
	return rc;
}

void anon_vma_drop_links(struct rmap *map, struct rmap_vma *vma)
{
	while (vma->links)
		link_put(map, vma->links, vma->links->nr);
}

void anon_vma_resize_links(struct rmap_vma *vma, int64_t delta)
{
	if (vma_is_nonlinear(vma))
		return;
	for (struct anon_link *l = vma->links; l; l = l->next) {
		itree_remove(&l->av->links, &l->node);
		l->node.last += delta;
		itree_insert(&l->av->links, &l->node);
	}
}
