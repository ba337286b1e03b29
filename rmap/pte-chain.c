// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The scheme that objects replaced: every page lists its page table entries.
 *
 *	count 1:  record = { VMA, offset }		nothing else
 *	count n:  record -> chain head (5) -> block (7) -> block (7) ...
 *
 * An entry is one word: the VMA's id and the page offset in it, 37 bits.  Head
 * and blocks are a cache line.  New entries go to the newest block, which is
 * first; deleting one searches for it and fills the gap with the newest.
 * Nothing is ever visited in vain, but each mapping of a shared page costs
 * 8 bytes more, each fork a walk over all pages, and each unmap a search.
 *
 * The anon_mm scheme keeps such chains for pages that are not at one address.
 */
#include <errno.h>

#include "rmap/internal.h"

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
	return (uint64_t)vma->id << CHAIN_OFF_BITS | off;
}

static struct rmap_vma *entry_vma(const struct rmap *map, uint64_t entry)
{
	return ids_get(&map->ids, (uint32_t)(entry >> CHAIN_OFF_BITS));
}

static uint64_t entry_off(uint64_t entry)
{
	return entry & ((UINT64_C(1) << CHAIN_OFF_BITS) - 1);
}

static int chain_new(struct rmap *map, struct pte_chain **chainp)
{
	struct pte_chain *chain = rmap_alloc(map, sizeof(*chain));
	int rc;

	if (!chain)
		return -ENOMEM;
	rc = rmap_object_add(map, chain, &chain->obj.id);
	if (rc) {
		rmap_release(map, chain, sizeof(*chain));
		return rc;
	}
	chain->obj.kind = OBJECT_CHAIN;
	map->stats.nr_anon_vmas++;
	*chainp = chain;
	return 0;
}

void chain_free(struct rmap *map, struct pte_chain *chain)
{
	while (chain->blocks) {
		struct chain_block *next = chain->blocks->next;

		rmap_release(map, chain->blocks, sizeof(*next));
		chain->blocks = next;
	}
	rmap_object_del(map, chain->obj.id);
	map->stats.nr_anon_vmas--;
	rmap_release(map, chain, sizeof(*chain));
}

/* Place of the newest entry; nr > 0. */
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
		block = rmap_alloc(map, sizeof(*block));
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
		map->work++;
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
		rmap_release(map, block, sizeof(*block));
	}
}

int chain_add(struct rmap *map, struct rmap_vma *vma, uint64_t off,
	      struct page *page)
{
	return chain_push(map, page_object(map, page), entry_of(vma, off));
}

void chain_del(struct rmap *map, struct rmap_vma *vma, uint64_t off,
	       struct page *page)
{
	struct pte_chain *chain = page_object(map, page);

	chain_remove(map, chain, entry_of(vma, off));
	if (!chain->nr)
		chain_free(map, chain);
}

struct adoption {
	struct rmap *map;
	struct pte_chain *chain;
	int rc;
};

static bool adopt_one(struct rmap_vma *vma, uint64_t off, void *arg)
{
	struct adoption *a = arg;

	a->rc = chain_push(a->map, a->chain, entry_of(vma, off));
	return !a->rc;
}

int chain_collect(struct rmap *map, const struct page *page, uint64_t gfn,
		  struct pte_chain **chainp)
{
	struct adoption a = { .map = map };
	int rc = chain_new(map, &a.chain);

	if (rc)
		return rc;
	rc = page->object ? mapping_visit_all(map, page, gfn, adopt_one, &a) : 1;
	if (rc <= 0) {
		chain_free(map, a.chain);
		return rc ? rc : a.rc;
	}
	*chainp = a.chain;
	return 0;
}

void chain_install(struct rmap *map, struct page *page, struct pte_chain *chain)
{
	if (page_is_anon(page))
		group_release_page(map, page);
	page->object = chain->obj.id << 1 | PAGE_MAPPING_ANON;
}

int chain_adopt(struct rmap *map, struct page *page, uint64_t gfn,
		struct rmap_vma *vma, uint64_t off)
{
	struct pte_chain *chain;
	int rc = chain_collect(map, page, gfn, &chain);

	if (rc)
		return rc;
	rc = chain_push(map, chain, entry_of(vma, off));
	if (rc) {
		chain_free(map, chain);
		return rc;
	}
	if (!page->object)
		page_set_index(page, vma->pgoff + off);
	chain_install(map, page, chain);
	return 0;
}

bool chain_visit(const struct rmap *map, const struct object *obj,
		 mapping_fn fn, void *arg)
{
	const struct pte_chain *chain = (const void *)obj;

	for (const struct chain_block *b = chain->blocks; b; b = b->next) {
		for (unsigned int i = 0; i < BLOCK_ENTRIES && b->entry[i]; i++) {
			if (!fn(entry_vma(map, b->entry[i]),
				entry_off(b->entry[i]), arg))
				return false;
		}
	}
	for (unsigned int i = 0; i < HEAD_ENTRIES && chain->entry[i]; i++) {
		if (!fn(entry_vma(map, chain->entry[i]),
			entry_off(chain->entry[i]), arg))
			return false;
	}
	return true;
}

static bool is_nonlinear(struct rmap_vma *vma, uint64_t off, void *arg)
{
	return vma_is_nonlinear(vma);
}

/*
 * A file page keeps its place in the file with the record once it has a chain;
 * one told to be at two places is anonymous, as in the other schemes.
 */
static void note_place(const struct rmap_vma *vma, uint64_t off,
		       struct page *page, const struct address_space *file,
		       bool place_unknown)
{
	uint64_t index = vma->pgoff + off;

	if (vma->file != file)
		page->object |= PAGE_MAPPING_ANON;
	else if (vma_is_nonlinear(vma) || page_index(page) == index)
		return;
	else if (place_unknown)
		page_set_index(page, index);
	else
		page->object |= PAGE_MAPPING_ANON;
}

/* The second mapping: what the record held moves into a chain. */
static int pte_spill(struct rmap *map, struct page *page,
		     struct pte_chain **chainp)
{
	struct rmap_vma *first = page_object(map, page);
	uint64_t off = page_index(page);
	int rc = chain_new(map, chainp);

	if (rc)
		return rc;
	chain_push(map, *chainp, entry_of(first, off));	/* into the head */
	page_set_index(page, first->pgoff + off);
	page->object = (*chainp)->obj.id << 1 |
		       (page->object & PAGE_MAPPING_ANON);
	return 0;
}

int pte_add(struct rmap *map, struct rmap_vma *vma, uint64_t off,
	    struct page *page, bool anon)
{
	struct pte_chain *chain;
	bool place_unknown;
	int rc = 0;

	if (!page->count) {
		page->object = vma->id << 1 | (anon ? PAGE_MAPPING_ANON : 0);
		page_set_index(page, off);
		return 0;
	}
	if (page->count == 1)
		rc = pte_spill(map, page, &chain);
	else
		chain = page_object(map, page);
	if (rc)
		return rc;
	place_unknown = !page_is_anon(page) &&
			chain_visit(map, &chain->obj, is_nonlinear, NULL);
	rc = chain_push(map, chain, entry_of(vma, off));
	if (!rc && !page_is_anon(page))
		note_place(vma, off, page,
			   entry_vma(map, chain->entry[0])->file,
			   place_unknown);
	return rc;
}

void pte_del(struct rmap *map, struct rmap_vma *vma, uint64_t off,
	     struct page *page)
{
	struct pte_chain *chain;

	if (page->count == 1)
		return;
	chain = page_object(map, page);
	chain_remove(map, chain, entry_of(vma, off));
	if (chain->nr > 1)
		return;
	page->object = (uint32_t)(chain->entry[0] >> CHAIN_OFF_BITS) << 1 |
		       (page->object & PAGE_MAPPING_ANON);
	page_set_index(page, entry_off(chain->entry[0]));
	chain_free(map, chain);
}

bool pte_visit(const struct rmap *map, const struct page *page, mapping_fn fn,
	       void *arg)
{
	if (page->count == 1)
		return fn(page_object(map, page), page_index(page), arg);
	return chain_visit(map, page_object(map, page), fn, arg);
}
