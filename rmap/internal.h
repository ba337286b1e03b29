/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of librmap share.  docs/internals-rmap.md has the pictures.
 *
 *	frame record --object--> anon_vma ---itree of links---> VMA -> mm
 *	             \-------> address_space ---itree---------> VMA -> mm
 *
 * Offsets "off" are in pages from a VMA's start; they index its snapshot.
 */
#ifndef RMAP_INTERNAL_H
#define RMAP_INTERNAL_H

#include "rmap/rmap.h"

#include "rmap/hash.h"
#include "rmap/ids.h"
#include "rmap/itree.h"
#include "rmap/snapshot.h"

#define RMAP_INDEX_BITS 44	/* all of a 57-bit user half */
#define RMAP_INDEX_END	(UINT64_C(1) << RMAP_INDEX_BITS)
#define RMAP_OBJECT_BITS (ID_BITS + 1)	/* id << 1 | PAGE_MAPPING_ANON */
#define RMAP_COUNT_MAX	((1u << 24) - 1)
#define PAGE_MAPPING_ANON 1u

/*
 * The record of one frame, 12 bytes; its flags are two more in an array of
 * their own.  All zero is a frame that is not mapped, so that records of
 * frames never told of are untouched zero pages.
 */
struct page {
	uint32_t object : RMAP_OBJECT_BITS;	/* "mapping", tagged; 0: NULL */
	uint32_t index_hi : 4;
	uint32_t index_lo;
	uint32_t count : 24;			/* _mapcount + 1 */
	uint32_t index_mid : 8;
};

_Static_assert(sizeof(struct page) == 12, "a frame's record is 12 bytes");

/* What a frame's object is: the first member of each. */
enum object_kind {
	OBJECT_FILE,		/* struct address_space */
	OBJECT_ANON_VMA,	/* struct anon_vma */
	OBJECT_MM_GROUP,	/* struct mm_group */
	OBJECT_CHAIN,		/* struct pte_chain */
};

struct object {
	uint32_t id;
	enum object_kind kind;
};

struct anon_vma {
	struct object obj;
	uint64_t nr_links;
	uint64_t nr_pages;		/* frames whose object it is */
	uint64_t nr_mapped;		/* their mappings: the sum of links' nr */
	struct itree_node *links;	/* by index */
};

struct address_space {
	struct object obj;
	struct hash_node hash;
	struct rmap_file_id key;
	uint64_t nr_vmas, nr_nonlinear;	/* the latter are some of the former */
	struct itree_node *vmas;	/* by file window */
};

/*
 * "nr pages of this VMA belong to that anon_vma": page with index i is at
 * page offset i - node.start of the VMA.  It exists while nr > 0.
 */
struct anon_link {
	struct itree_node node;		/* in av->links; a walk reads */
	struct rmap_vma *vma;		/* these two: 64 bytes together */
	struct hash_node hash;		/* by (vma, av, node.start) */
	struct anon_vma *av;
	struct anon_link *next, **pprev;	/* in vma->links */
	uint64_t nr;
};

struct rmap_vma {
	struct rmap_mm *mm;
	struct rmap_vma_desc desc;
	uint64_t pgoff;			/* as used for indexes */
	struct address_space *file;	/* NULL: all pages go to anon_vmas */
	struct itree_node mm_node;	/* by virtual page number */
	struct itree_node file_node;
	struct anon_link *links;
	uint64_t nr_links;
	/* Of `links`, NULL: none.  For pages faulted from now on, and for those
	 * of them that turn out to be mapped elsewhere as well. */
	struct anon_link *active, *shared;
	uint32_t id;			/* in chains; else 0 */
	struct snapshot snap;
};

struct rmap_mm {
	struct hash_node hash;
	uint32_t id;
	uint64_t pgd;
	struct itree_node *vmas;
	/* anon_mm only: one reference of group, and the list of its root */
	struct mm_group *group;
	struct rmap_mm *next_member, **pprev_member;
};

struct rmap {
	struct rmap_config config;
	struct page *pages;
	uint16_t *flags;
	uint64_t *outdated;		/* bits: mapped or unmapped since told */
	bool any_outdated, telling;	/* by page.c */
	uint64_t work;			/* rmap_work() */
	struct id_table ids;
	struct hash_table mms, files, links;
	const struct rmap_pte_ops *ops;
	void *ops_ctx;
	struct rmap_stats stats;
};

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

/* rmap.c: zeroed memory, counted in stats.bytes_other. */
void *rmap_alloc(struct rmap *map, size_t size);
void rmap_release(struct rmap *map, void *ptr, size_t size);
/* Gives an object, or a VMA, an id (not 0); -ENOMEM, -ENOSPC. */
int rmap_object_add(struct rmap *map, void *object, uint32_t *id);
void rmap_object_del(struct rmap *map, uint32_t id);
/* An operation has succeeded: tables that are full grow. */
void rmap_settle(struct rmap *map);
/* As rmap_mm_add(), without that. */
int mm_new(struct rmap *map, uint32_t id, uint64_t pgd, struct rmap_mm **mmp);

/* page.c */
/* The frame was mapped for the first time, or is no longer: before it counts. */
void page_changes_hands(struct rmap *map, uint64_t gfn);

static inline uint64_t page_index(const struct page *page)
{
	return (uint64_t)page->index_hi << 40 |
	       (uint64_t)page->index_mid << 32 | page->index_lo;
}

static inline void page_set_index(struct page *page, uint64_t index)
{
	page->index_lo = (uint32_t)index;
	page->index_mid = index >> 32 & 0xff;
	page->index_hi = index >> 40 & 0xf;
}

static inline bool page_is_anon(const struct page *page)
{
	return page->object & PAGE_MAPPING_ANON;
}

static inline void *page_object(const struct rmap *map,
				const struct page *page)
{
	return ids_get(&map->ids, page->object >> 1);
}

/* vma.c */
static inline uint64_t vma_nr_pages(const struct rmap_vma *vma)
{
	return (vma->desc.end - vma->desc.start) >> RMAP_PAGE_SHIFT;
}

static inline bool vma_is_nonlinear(const struct rmap_vma *vma)
{
	return vma->desc.flags & RMAP_VM_NONLINEAR;
}

static inline uint64_t vma_addr(const struct rmap_vma *vma, uint64_t off)
{
	return vma->desc.start + (off << RMAP_PAGE_SHIFT);
}

/* A virtual page number, 52 bits: never negative. */
static inline int64_t page_nr(uint64_t addr)
{
	return (int64_t)(addr >> RMAP_PAGE_SHIFT);
}

/* Whether the object's page offsets are below 2^64 to the end. */
bool pgoff_fits(uint64_t pgoff, uint64_t start, uint64_t end);
bool mm_range_free(const struct rmap_mm *mm, uint64_t start, uint64_t end);
/* Linked into mm and file, without pages. */
int vma_new(struct rmap *map, struct rmap_mm *mm,
	    const struct rmap_vma_desc *desc, struct rmap_vma **vmap);
/* Without pages and links by now. */
void vma_free(struct rmap *map, struct rmap_vma *vma);

/*
 * Candidate mappings of a page: fn gets each place where the object says the
 * frame may be; false ends the visit.  vma is NULL for a process that was asked
 * and has nothing there: it counts as work, no more.
 */
typedef bool (*mapping_fn)(struct rmap_vma *vma, uint64_t off, void *arg);

/* anon-vma.c */
/* Where the VMA's link for a page at off with that index starts. */
int64_t anon_link_start(const struct rmap_vma *vma, uint64_t off,
			uint64_t index);
struct anon_link *anon_link_find(const struct rmap *map,
				 const struct rmap_vma *vma,
				 const struct anon_vma *av, int64_t start);
int anon_link_get(struct rmap *map, struct rmap_vma *vma, struct anon_vma *av,
		  int64_t start, uint64_t nr);
void anon_link_put(struct rmap *map, struct anon_link *link, uint64_t nr);
/*
 * Joins (vma, off) to the anon_vma of the page, or gives it one.  copy: it is
 * one more place of the same region's, for a moment; the page stays where it is.
 */
int anon_add(struct rmap *map, struct rmap_vma *vma, uint64_t off,
	     struct page *page, uint64_t gfn, bool copy);
void anon_del(struct rmap *map, struct rmap_vma *vma, uint64_t off,
	      const struct page *page);
bool anon_visit(const struct anon_vma *av, uint64_t index, mapping_fn fn,
		void *arg);
/*
 * Gives a page of a file, or of a crowded anon_vma, another anon_vma, which
 * holds all its known places and (vma, off).  -ENOMEM, -EOVERFLOW (it takes
 * more than RMAP_WALK_MAX to find them), with nothing changed.
 */
int anon_rehome(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		struct page *page, uint64_t gfn);

/* file.c */
int file_get(struct rmap *map, const struct rmap_file_id *key,
	     struct address_space **filep);
void file_put(struct rmap *map, struct address_space *file);
void file_link_vma(struct rmap_vma *vma);
void file_unlink_vma(struct rmap_vma *vma);
/* Joins (vma, off) to the file, or an anon_vma where the file does not fit. */
int file_add(struct rmap *map, struct rmap_vma *vma, uint64_t off,
	     struct page *page, uint64_t gfn);
bool file_visit(const struct address_space *file, uint64_t index,
		mapping_fn fn, void *arg);

/* anon-mm.c */
int group_add(struct rmap *map, struct rmap_vma *vma, uint64_t off,
	      struct page *page, uint64_t gfn);
/* The page's last mapping goes. */
void group_release_page(struct rmap *map, const struct page *page);
void group_release_mm(struct rmap *map, struct rmap_mm *mm);
bool group_has_one_member(const struct object *obj);
/*
 * All pages of the VMA will be at other addresses, from page `start` on.
 * -ENOMEM, -EOVERFLOW as chain_adopt(), with nothing changed.
 */
int group_move_vma(struct rmap *map, struct rmap_vma *vma, uint64_t start);
bool group_visit(const struct object *obj, uint64_t index, mapping_fn fn,
		 void *arg);

/* pte-chain.c */
struct pte_chain;
#define CHAIN_OFF_BITS 37	/* pages of a VMA when chains are in use */
int chain_add(struct rmap *map, struct rmap_vma *vma, uint64_t off,
	      struct page *page);
void chain_del(struct rmap *map, struct rmap_vma *vma, uint64_t off,
	       struct page *page);
/* A chain of all known places of the page: -ENOMEM, -EOVERFLOW. */
int chain_collect(struct rmap *map, const struct page *page, uint64_t gfn,
		  struct pte_chain **chainp);
/* The page's object from now on. */
void chain_install(struct rmap *map, struct page *page,
		   struct pte_chain *chain);
void chain_free(struct rmap *map, struct pte_chain *chain);
/* Gives a page a chain of all its known places and one more. */
int chain_adopt(struct rmap *map, struct page *page, uint64_t gfn,
		struct rmap_vma *vma, uint64_t off);
bool chain_visit(const struct rmap *map, const struct object *obj,
		 mapping_fn fn, void *arg);

/* The pte_chain scheme: one place is in the record itself, more in a chain. */
int pte_add(struct rmap *map, struct rmap_vma *vma, uint64_t off,
	    struct page *page, bool anon);
void pte_del(struct rmap *map, struct rmap_vma *vma, uint64_t off,
	     struct page *page);
bool pte_visit(const struct rmap *map, const struct page *page, mapping_fn fn,
	       void *arg);

/* mapping.c */
enum mapping_how {
	MAPPING_NEW,
	MAPPING_REPLACES,	/* where another frame was */
	MAPPING_COPY,		/* the same place in another VMA, for a moment */
};

/*
 * One more mapping, its snapshot entry is the caller's: -ENOMEM, -EOVERFLOW,
 * with nothing changed.
 */
int mapping_add(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		uint64_t gfn, enum mapping_how how);
/* rmap_map_page(), of a place in the VMA. */
int mapping_set(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		uint64_t gfn, enum mapping_how how);
void mapping_del(struct rmap *map, struct rmap_vma *vma, uint64_t off,
		 uint64_t gfn);
void mapping_del_all(struct rmap *map, struct rmap_vma *vma);
/* Candidates of the page, by its object. */
bool mapping_visit(const struct rmap *map, const struct page *page,
		   mapping_fn fn, void *arg);
/* There is one candidate, whatever the index, or a nonlinear region. */
bool mapping_has_one_place(const struct rmap *map, const struct page *page);
/*
 * Of these, what snapshots have: each mapping reported for the page.  1: all; 0: fn
 * has ended it; -EOVERFLOW: more than RMAP_WALK_MAX places were looked at.
 */
int mapping_visit_known(struct rmap *map, const struct page *page,
			uint64_t gfn, mapping_fn fn, void *arg);
/*
 * As above, for a caller that needs all or nothing: also -EOVERFLOW, before fn
 * is called, where the page has more than RMAP_WALK_MAX mappings (one nonlinear
 * region is one place to look at, and may hold them all).
 */
int mapping_visit_all(struct rmap *map, const struct page *page, uint64_t gfn,
		      mapping_fn fn, void *arg);

/*
 * What one visit may search in nonlinear regions, in page table entries: an
 * agent that calls everything nonlinear must not stop the scan.
 */
#define SEARCH_MAX_PAGES (UINT64_C(1) << 16)

/* The offset of a candidate that is anywhere in its VMA. */
#define OFF_SEARCH UINT64_MAX

#endif
