// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Chains of page table entries, after the pte_chains of Linux 2.6.0, which
 * object-based reverse mapping replaced: every page lists its PTEs.
 *
 *	count 1:  record = { VMA, offset }		nothing else
 *	count n:  record -> chain head (5 entries) -> block (7) -> block (7) ...
 *
 * An entry is one word: the VMA's id and the page offset in it, 37 bits.  Head
 * and blocks are a cache line each.  New entries go to the newest block, which
 * is first; deleting one searches for it and fills the gap with the newest.
 * A walk visits nothing but the page's mappings, but each mapping of a shared
 * page costs 8 bytes more, each fork a visit to all pages, each unmap a search.
 *
 * The anon_mm scheme has such chains for pages mapped at several addresses.
 */
#include "rmap/pte-chain.h"

#include <errno.h>

#include "rmap/object.h"

#define HEAD_ENTRIES  5
#define BLOCK_ENTRIES 7

struct chain_block {
	struct chain_block *next;
	uint64_t entry[BLOCK_ENTRIES];
};

struct pte_chain {
	struct object obj;
	uint64_t nr;
	struct chain_block *blocks;	/* newest first; owned */
	uint64_t entry[HEAD_ENTRIES];
};

_Static_assert(sizeof(struct pte_chain) == 64, "a chain head is a cache line");
_Static_assert(sizeof(struct chain_block) == 64, "a block is a cache line");

static uint64_t entry_of(const struct rmap_vma *vma, uint64_t off)
{
	return (uint64_t)vma->id << PTE_OFF_BITS | off;
}

static struct rmap_vma *entry_vma(const struct rmap *map, uint64_t entry)
{
	return ids_get(&map->ids, (uint32_t)(entry >> PTE_OFF_BITS));
}

static uint64_t entry_off(uint64_t entry)
{
	return entry & ((UINT64_C(1) << PTE_OFF_BITS) - 1);
}

static struct pte_chain *chain_new(struct rmap *map, int *rcp)
{
	return (void *)object_new(map, OBJECT_PTE_CHAIN,
				  sizeof(struct pte_chain), rcp);
}

static void chain_free(struct rmap *map, struct pte_chain *chain)
{
	while (chain->blocks) {
		struct chain_block *next = chain->blocks->next;

		rmap_mem_free(&map->mem, chain->blocks, sizeof(*next));
		chain->blocks = next;
	}
	object_free(map, &chain->obj, sizeof(*chain));
}

/* The newest entry; nr > 0. */
static uint64_t *newest(struct pte_chain *chain)
{
	if (chain->nr <= HEAD_ENTRIES)
		return &chain->entry[chain->nr - 1];
	return &chain->blocks->entry[(chain->nr - HEAD_ENTRIES - 1) %
				     BLOCK_ENTRIES];
}

static int chain_push(struct rmap *map, struct pte_chain *chain, uint64_t entry)
{
	struct chain_block *block;

	if (chain->nr >= HEAD_ENTRIES &&
	    !((chain->nr - HEAD_ENTRIES) % BLOCK_ENTRIES)) {
		block = rmap_mem_alloc(&map->mem, sizeof(*block));
		if (!block)
			return -ENOMEM;
		block->next = chain->blocks;
		chain->blocks = block;
	}
	chain->nr++;
	*newest(chain) = entry;
	return 0;
}

static uint64_t *chain_find(struct rmap *map, struct pte_chain *chain,
			    uint64_t entry)
{
	for (struct chain_block *b = chain->blocks; b; b = b->next) {
		map->mem.work++;
		for (unsigned int i = 0; i < BLOCK_ENTRIES; i++) {
			if (b->entry[i] == entry)
				return &b->entry[i];
		}
	}
	for (unsigned int i = 0; i < HEAD_ENTRIES; i++) {
		if (chain->entry[i] == entry)
			return &chain->entry[i];
	}
	return NULL;
}

static void chain_remove(struct rmap *map, struct pte_chain *chain,
			 uint64_t entry)
{
	uint64_t *at = chain_find(map, chain, entry), *last = newest(chain);
	struct chain_block *block = chain->blocks;

	*at = *last;
	*last = 0;	/* no entry: VMA ids start at 1 */
	chain->nr--;
	if (block && chain->nr >= HEAD_ENTRIES &&
	    !((chain->nr - HEAD_ENTRIES) % BLOCK_ENTRIES)) {
		chain->blocks = block->next;
		rmap_mem_free(&map->mem, block, sizeof(*block));
	}
}

static bool visit_entries(const struct rmap *map, const uint64_t *entry,
			  unsigned int nr, candidate_fn fn, void *arg)
{
	for (unsigned int i = 0; i < nr && entry[i]; i++) {
		if (!fn(entry_vma(map, entry[i]), entry_off(entry[i]), arg))
			return false;
	}
	return true;
}

static bool chain_visit(const struct rmap *map, const struct pte_chain *chain,
			candidate_fn fn, void *arg)
{
	for (const struct chain_block *b = chain->blocks; b; b = b->next) {
		if (!visit_entries(map, b->entry, BLOCK_ENTRIES, fn, arg))
			return false;
	}
	return visit_entries(map, chain->entry, HEAD_ENTRIES, fn, arg);
}

/* --- chains as objects ---------------------------------------------------- */

static int pte_chain_add(struct rmap *map, const struct mapping *m)
{
	return chain_push(map, page_object(map, m->page),
			  entry_of(m->vma, m->off));
}

static void pte_chain_del(struct rmap *map, const struct mapping *m)
{
	struct pte_chain *chain = page_object(map, m->page);

	chain_remove(map, chain, entry_of(m->vma, m->off));
	if (!chain->nr)
		chain_free(map, chain);
}

static bool pte_chain_visit(const struct rmap *map, const struct page *page,
			    candidate_fn fn, void *arg)
{
	return chain_visit(map, page_object(map, page), fn, arg);
}

static bool pte_chain_has_one_candidate(const struct rmap *map,
					const struct page *page)
{
	return false;	/* almost always right, and a safe answer */
}

static int pte_chain_create(struct rmap *map, const struct page *page,
			    const struct mapping_list *list,
			    struct object **objectp)
{
	int rc;
	struct pte_chain *chain = chain_new(map, &rc);

	if (!chain)
		return rc;
	for (unsigned int i = 0; i < list->nr; i++) {
		rc = chain_push(map, chain,
				entry_of(list->at[i].vma, list->at[i].off));
		if (rc) {
			chain_free(map, chain);
			return rc;
		}
	}
	*objectp = &chain->obj;
	return 0;
}

static void pte_chain_discard(struct rmap *map, struct object *object)
{
	chain_free(map, container_of(object, struct pte_chain, obj));
}

const struct object_ops pte_chain_ops = {
	.add = pte_chain_add,
	.del = pte_chain_del,
	.visit = pte_chain_visit,
	.has_one_candidate = pte_chain_has_one_candidate,
	.create = pte_chain_create,
	.discard = pte_chain_discard,
};

/* --- the pte_chain scheme ------------------------------------------------- */

static bool is_nonlinear(struct rmap_vma *vma, uint64_t off, void *arg)
{
	return vma_is_nonlinear(vma);
}

/*
 * The record of a file page with a chain has the page's index in the file.  A
 * page reported at two indexes, or in two files, becomes an anonymous one, as
 * in the other schemes.
 */
static void check_index(const struct mapping *m,
			const struct address_space *file, bool index_unknown)
{
	uint64_t index = m->vma->pgoff + m->off;

	if (m->vma->file != file)
		m->page->object |= PAGE_MAPPING_ANON;
	else if (vma_is_nonlinear(m->vma) || page_index(m->page) == index)
		return;
	else if (index_unknown)
		page_set_index(m->page, index);
	else
		m->page->object |= PAGE_MAPPING_ANON;
}

/* The second mapping: the entry in the record moves into a chain. */
static struct pte_chain *record_to_chain(struct rmap *map, struct page *page,
					 int *rcp)
{
	struct rmap_vma *first = page_object(map, page);
	uint64_t off = page_index(page);
	struct pte_chain *chain = chain_new(map, rcp);

	if (!chain)
		return NULL;
	chain_push(map, chain, entry_of(first, off));	/* the head has room */
	page_set_index(page, first->pgoff + off);
	page_set_object(page, chain->obj.id, page_is_anon(page));
	return chain;
}

static int pte_add(struct rmap *map, const struct mapping *m)
{
	struct page *page = m->page;
	struct pte_chain *chain;
	bool index_unknown;
	int rc;

	if (!page->count) {
		page_set_object(page, m->vma->id, m->anon);
		page_set_index(page, m->off);
		return 0;
	}
	chain = page->count == 1 ? record_to_chain(map, page, &rc) :
				   page_object(map, page);
	if (!chain)
		return rc;
	index_unknown = !page_is_anon(page) &&
			chain_visit(map, chain, is_nonlinear, NULL);
	rc = chain_push(map, chain, entry_of(m->vma, m->off));
	if (!rc && !page_is_anon(page))
		check_index(m, entry_vma(map, chain->entry[0])->file,
			    index_unknown);
	return rc;
}

static void pte_del(struct rmap *map, const struct mapping *m)
{
	struct page *page = m->page;
	struct pte_chain *chain;

	if (page->count == 1)
		return;
	chain = page_object(map, page);
	chain_remove(map, chain, entry_of(m->vma, m->off));
	if (chain->nr > 1)
		return;
	page_set_object(page, (uint32_t)(chain->entry[0] >> PTE_OFF_BITS),
			page_is_anon(page));
	page_set_index(page, entry_off(chain->entry[0]));
	chain_free(map, chain);
}

static bool pte_visit(const struct rmap *map, const struct page *page,
		      candidate_fn fn, void *arg)
{
	if (page->count == 1)
		return fn(page_object(map, page), page_index(page), arg);
	return chain_visit(map, page_object(map, page), fn, arg);
}

static bool pte_has_one_candidate(const struct rmap *map,
				  const struct page *page)
{
	return page->count == 1;
}

/* The file is not in the record: it is that of the first VMA visited. */
static bool describe_first(struct rmap_vma *vma, uint64_t off, void *arg)
{
	struct rmap_page_info *info = arg;

	if (!info->mapcount)
		info->index = vma->pgoff + off;
	if (!info->anon)
		info->file = vma->desc.file;
	return false;
}

static void pte_describe(const struct rmap *map, const struct page *page,
			 struct rmap_page_info *info)
{
	pte_visit(map, page, describe_first, info);
}

const struct object_ops pte_ops = {
	.add = pte_add,
	.del = pte_del,
	.visit = pte_visit,
	.has_one_candidate = pte_has_one_candidate,
	.describe = pte_describe,
};
