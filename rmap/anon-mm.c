// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Anonymous pages, an alternative scheme, after Hugh Dickins' anonmm patches of
 * 2004: a page names a group of related processes, its index is the virtual
 * page number, and each process of the group is asked what it has there.
 *
 *	frame { group, 0x7f00 } -> group { parent, child, child } -> each: the
 *	                           VMA at 0x7f00, does its PTE name the frame?
 *
 * It stores nothing for a VMA, and a fork adds one member to a group.  The
 * price: a page is searched for in every process of the group, however few map
 * it; and one that is mapped at two addresses (mremap after fork) does not fit
 * and gets a chain of its PTEs (pte-chain.c).
 *
 * Groups found to share a frame are united: the one with fewer processes points
 * to the other, its parent, and frames that still name it are looked up through
 * it.  A group counts as references the frames and processes that name it, and
 * the groups that point to it.
 */
#include "rmap/anon-mm.h"

#include "rmap/object.h"

struct mm_group {
	struct object obj;
	struct mm_group *parent;	/* one reference; NULL: it is a root */
	struct rmap_mm *members;	/* only in a root; not owned */
	uint64_t nr_members;		/* of that list */
	uint64_t refs;
};

static struct mm_group *root_of(const struct mm_group *group)
{
	while (group->parent)
		group = group->parent;
	return (struct mm_group *)group;
}

static void group_put(struct rmap *map, struct mm_group *group)
{
	while (group && !--group->refs) {
		struct mm_group *parent = group->parent;

		object_free(map, &group->obj, sizeof(*group));
		group = parent;
	}
}

static void add_member(struct mm_group *root, struct rmap_mm *mm)
{
	mm->next_member = root->members;
	mm->pprev_member = &root->members;
	if (mm->next_member)
		mm->next_member->pprev_member = &mm->next_member;
	root->members = mm;
	root->nr_members++;
}

static void join(struct mm_group *root, struct rmap_mm *mm)
{
	mm->group = root;
	root->refs++;
	add_member(root, mm);
}

static int group_new(struct rmap *map, struct rmap_mm *mm)
{
	struct mm_group *group;
	int rc;

	group = (void *)object_new(map, OBJECT_ANON_MM, sizeof(*group), &rc);
	if (group)
		join(group, mm);
	return rc;
}

static void unite(struct mm_group *a, struct mm_group *b)
{
	struct mm_group *into = a->nr_members >= b->nr_members ? a : b;
	struct mm_group *from = into == a ? b : a;
	struct rmap_mm *mm, *next;

	for (mm = from->members; mm; mm = next) {
		next = mm->next_member;
		add_member(into, mm);
	}
	from->members = NULL;
	from->nr_members = 0;
	from->parent = into;
	into->refs++;
}

static uint64_t mapping_vpn(const struct mapping *m)
{
	return (uint64_t)m->vma->mm_node.start + m->off;
}

/* All mappings of a page are at one address, whose page number has 44 bits. */
static enum object_fit anon_mm_fit(struct rmap *map, const struct mapping *m)
{
	uint64_t vpn = mapping_vpn(m);
	bool fits = m->page->object ? vpn == page_index(m->page) :
				      vpn < RMAP_INDEX_END;

	return fits ? OBJECT_FITS : OBJECT_UNFIT;
}

static int anon_mm_add(struct rmap *map, const struct mapping *m)
{
	struct rmap_mm *mm = m->vma->mm;
	struct mm_group *group;
	int rc;

	if (m->page->object) {
		group = root_of(page_object(map, m->page));
		if (!mm->group)
			join(group, mm);
		else if (root_of(mm->group) != group)
			unite(root_of(mm->group), group);
		return 0;
	}
	rc = mm->group ? 0 : group_new(map, mm);
	if (rc)
		return rc;
	group = root_of(mm->group);
	group->refs++;
	page_set_object(m->page, group->obj.id, true);
	page_set_index(m->page, mapping_vpn(m));
	return 0;
}

static void anon_mm_leave(struct rmap *map, const struct page *page,
			  const struct mapping_list *list)
{
	group_put(map, page_object(map, page));
}

static void anon_mm_del(struct rmap *map, const struct mapping *m)
{
	if (m->page->count == 1)
		group_put(map, page_object(map, m->page));
}

void anon_mm_remove_member(struct rmap *map, struct rmap_mm *mm)
{
	if (!mm->group)
		return;
	*mm->pprev_member = mm->next_member;
	if (mm->next_member)
		mm->next_member->pprev_member = mm->pprev_member;
	root_of(mm->group)->nr_members--;
	group_put(map, mm->group);
	mm->group = NULL;
}

static bool anon_mm_has_one_candidate(const struct rmap *map,
				      const struct page *page)
{
	return root_of(page_object(map, page))->nr_members == 1;
}

static bool anon_mm_visit(const struct rmap *map, const struct page *page,
			  candidate_fn fn, void *arg)
{
	const struct mm_group *root = root_of(page_object(map, page));
	int64_t vpn = (int64_t)page_index(page);

	for (const struct rmap_mm *mm = root->members; mm;
	     mm = mm->next_member) {
		struct rmap_vma *vma = mm_first_vma(mm, vpn, vpn);
		uint64_t off = vma ? (uint64_t)(vpn - vma->mm_node.start) : 0;

		if (!fn(vma, off, arg))
			return false;
	}
	return true;
}

/* Other VMAs that map the page would have it at another address than this. */
static bool anon_mm_fits_at(const struct page *page, uint64_t vpn)
{
	return page->count == 1 && vpn < RMAP_INDEX_END;
}

const struct object_ops anon_mm_ops = {
	.fit = anon_mm_fit,
	.add = anon_mm_add,
	.del = anon_mm_del,
	.visit = anon_mm_visit,
	.has_one_candidate = anon_mm_has_one_candidate,
	.fits_at = anon_mm_fits_at,
	.leave = anon_mm_leave,
};
