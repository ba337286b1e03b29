// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rival: an anonymous page names a group of related processes, its index
 * is the virtual page number, and each process of the group is asked what it
 * has at that address.
 *
 *	frame { group, 0x7f00 } -> group { parent, child, child } -> each: the
 *	                           VMA at 0x7f00, does its PTE name the frame?
 *
 * It keeps nothing a VMA, and a fork adds one member.  The price: a page is
 * looked for in every process of the group, however few have it; and one that
 * is at two addresses (mremap after fork) does not fit and gets a chain of its
 * PTEs (pte-chain.c).
 *
 * Groups found to share a frame are united, by size: the loser points to the
 * winner, and frames that still name the loser go over it.  A group counts
 * the frames and processes that name it and the losers that point to it.
 */
#include <errno.h>

#include "rmap/internal.h"

struct mm_group {
	struct object obj;
	struct mm_group *parent;	/* NULL: a root */
	struct rmap_mm *members;	/* of a root */
	uint64_t nr_members;
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

		rmap_object_del(map, group->obj.id);
		map->stats.nr_anon_vmas--;
		rmap_release(map, group, sizeof(*group));
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
	struct mm_group *group = rmap_alloc(map, sizeof(*group));
	int rc;

	if (!group)
		return -ENOMEM;
	rc = rmap_object_add(map, group, &group->obj.id);
	if (rc) {
		rmap_release(map, group, sizeof(*group));
		return rc;
	}
	group->obj.kind = OBJECT_MM_GROUP;
	map->stats.nr_anon_vmas++;
	join(group, mm);
	return 0;
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

int group_add(struct rmap *map, struct rmap_vma *vma, uint64_t off,
	      struct page *page, uint64_t gfn)
{
	uint64_t index = (uint64_t)vma->mm_node.start + off;
	struct rmap_mm *mm = vma->mm;
	struct mm_group *group;
	int rc;

	/* At two addresses, or in the upper half: no index for it. */
	if (page->object ? index != page_index(page) : index >= RMAP_INDEX_END)
		return chain_adopt(map, page, gfn, vma, off);
	if (page->object) {
		group = root_of(page_object(map, page));
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
	page->object = group->obj.id << 1 | PAGE_MAPPING_ANON;
	page_set_index(page, index);
	return 0;
}

void group_release_page(struct rmap *map, const struct page *page)
{
	group_put(map, page_object(map, page));
}

void group_release_mm(struct rmap *map, struct rmap_mm *mm)
{
	*mm->pprev_member = mm->next_member;
	if (mm->next_member)
		mm->next_member->pprev_member = mm->pprev_member;
	root_of(mm->group)->nr_members--;
	group_put(map, mm->group);
	mm->group = NULL;
}

bool group_has_one_member(const struct object *obj)
{
	return root_of((const struct mm_group *)obj)->nr_members == 1;
}

bool group_visit(const struct object *obj, uint64_t index, mapping_fn fn,
		 void *arg)
{
	const struct mm_group *root = root_of((const struct mm_group *)obj);
	uint64_t addr = index << RMAP_PAGE_SHIFT;

	for (const struct rmap_mm *mm = root->members; mm;
	     mm = mm->next_member) {
		struct rmap_vma *vma = rmap_vma_find(mm, addr);
		uint64_t off = vma ? (addr - vma->desc.start) >>
					     RMAP_PAGE_SHIFT : 0;

		if (!fn(vma, off, arg))
			return false;
	}
	return true;
}

/*
 * The index of a page is its virtual page number: one that only this VMA has
 * gets another, one that others have as well is at two addresses from now on.
 * Chains are made first, and wait in the order of the pages.
 */
static bool needs_chain(const struct rmap *map, const struct page *page,
			uint64_t index)
{
	const struct object *obj = page_object(map, page);

	return obj->kind == OBJECT_MM_GROUP &&
	       (page->count > 1 || index >= RMAP_INDEX_END);
}

static int make_chains(struct rmap *map, const struct rmap_vma *vma,
		       uint64_t start, struct pte_chain **chains)
{
	uint64_t gfn, nr = 0;
	int rc;

	for (uint64_t off = 0; (off = snapshot_next(&vma->snap, off, &gfn)) !=
			       SNAPSHOT_NONE; off++) {
		if (!needs_chain(map, &map->pages[gfn], start + off))
			continue;
		rc = chain_collect(map, &map->pages[gfn], gfn, &chains[nr]);
		if (!rc) {
			nr++;
			continue;
		}
		while (nr--)
			chain_free(map, chains[nr]);
		return rc;
	}
	return 0;
}

static void install_chains(struct rmap *map, const struct rmap_vma *vma,
			   uint64_t start, struct pte_chain **chains)
{
	uint64_t gfn;

	for (uint64_t off = 0; (off = snapshot_next(&vma->snap, off, &gfn)) !=
			       SNAPSHOT_NONE; off++) {
		struct page *page = &map->pages[gfn];
		const struct object *obj = page_object(map, page);

		if (needs_chain(map, page, start + off))
			chain_install(map, page, *chains++);
		else if (obj->kind == OBJECT_MM_GROUP)
			page_set_index(page, start + off);
	}
}

int group_move_vma(struct rmap *map, struct rmap_vma *vma, uint64_t start)
{
	size_t size = vma->snap.nr * sizeof(struct pte_chain *);
	struct pte_chain **chains;
	int rc;

	if (!size)
		return 0;
	chains = rmap_alloc(map, size);
	if (!chains)
		return -ENOMEM;
	rc = make_chains(map, vma, start, chains);
	if (!rc)
		install_chains(map, vma, start, chains);
	rmap_release(map, chains, size);
	return rc;
}
