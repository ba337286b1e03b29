/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The types that the files of librmap share, and their inline accessors.
 *
 *	page --object--> anon_vma ------itree of links---> VMA -> mm
 *	            \--> address_space --itree-----------> VMA -> mm
 *
 * The library is in layers: docs/internals-rmap.md ("Files") says which file
 * may use which.  A file that offers functions to higher layers declares them
 * in a header of its own name, and includes only headers of lower layers.
 *
 * Names used throughout:
 *
 *	off		a page offset: pages from the start of a VMA
 *	index		a page offset in the object (page->index in Linux)
 *	candidate	a (VMA, off) where the page's object says that the page
 *			may be mapped
 *	recorded	a mapping that was reported to the map: the VMA's
 *			snapshot has the frame at that offset
 */
#ifndef RMAP_INTERNAL_H
#define RMAP_INTERNAL_H

#include "rmap/rmap.h"

#include "rmap/hash.h"
#include "rmap/ids.h"
#include "rmap/itree.h"
#include "rmap/memory.h"
#include "rmap/snapshot.h"

#define RMAP_INDEX_BITS 44	/* all of a 57-bit user address space */
#define RMAP_INDEX_END	(UINT64_C(1) << RMAP_INDEX_BITS)
#define RMAP_OBJECT_BITS (ID_BITS + 1)	/* id << 1 | PAGE_MAPPING_ANON */
#define RMAP_COUNT_MAX	((1u << 24) - 1)
#define PAGE_MAPPING_ANON 1u

/*
 * The record of one frame, 12 bytes; its flags are two more bytes in an array
 * of their own.  A frame that is not mapped is all zero, so that the records of
 * frames that were never reported stay untouched zero pages of the host.
 */
struct page {
	uint32_t object : RMAP_OBJECT_BITS;	/* page->mapping; 0: NULL */
	uint32_t index_hi : 4;
	uint32_t index_lo;
	uint32_t count : 24;			/* _mapcount + 1 */
	uint32_t index_mid : 8;
};

_Static_assert(sizeof(struct page) == 12, "a frame's record is 12 bytes");

/* --- objects -------------------------------------------------------------- */

enum object_kind {
	OBJECT_FILE,		/* struct address_space */
	OBJECT_ANON_VMA,	/* struct anon_vma */
	OBJECT_ANON_MM,		/* struct mm_group */
	OBJECT_PTE_CHAIN,	/* struct pte_chain */
	NR_OBJECT_KINDS,
};

/* First member of each object. */
struct object {
	uint32_t id;		/* in map->ids */
	enum object_kind kind;
};

/* A mapping (one page table entry) that is being added or deleted. */
struct mapping {
	struct rmap_vma *vma;
	uint64_t off;
	uint64_t gfn;
	struct page *page;	/* of gfn */
	/* When adding: a page without an object becomes an anonymous one. */
	bool anon;
	/*
	 * When adding: vma takes over a part of another VMA, or is its copy
	 * after fork, and maps the page at the same index, so the page keeps
	 * its object.
	 */
	bool copy;
};

/*
 * Called with each candidate.  off is OFF_UNKNOWN for a nonlinear VMA, where
 * the page may be anywhere.  vma is NULL where a process was searched and has
 * no VMA at the address: this only counts towards a walk's bound.  Returns
 * false to end the visit.
 */
typedef bool (*candidate_fn)(struct rmap_vma *vma, uint64_t off, void *arg);

#define OFF_UNKNOWN UINT64_MAX

/* All recorded mappings of a page, and one more. */
struct mapping_list {
	unsigned int nr;
	struct {
		struct rmap_vma *vma;
		uint64_t off;
	} at[RMAP_WALK_MAX + 1];
};

enum object_fit {
	OBJECT_FITS,
	OBJECT_FITS_BADLY,	/* better moved to another object */
	OBJECT_UNFIT,		/* the object cannot represent the mapping */
};

/*
 * What each kind of object does.  Kinds do not know each other: where an object
 * cannot hold a mapping, fit() says so, and reassign.c gives the page an object
 * of the scheme's fallback kind.
 *
 * A page whose `object` is 0 has no mapping yet; add() gives it an object of
 * the kind that its first mapping needs.
 */
struct object_ops {
	/* Whether m->page's object can hold m; NULL: always. */
	enum object_fit (*fit)(struct rmap *map, const struct mapping *m);
	/* Adds m, which fits.  0, or -ENOMEM, -ENOSPC with nothing changed. */
	int (*add)(struct rmap *map, const struct mapping *m);
	/* Deletes m; page->count still includes it.  NULL: nothing to do. */
	void (*del)(struct rmap *map, const struct mapping *m);
	/* Calls fn for each candidate of the page; false if fn ended it. */
	bool (*visit)(const struct rmap *map, const struct page *page,
		      candidate_fn fn, void *arg);
	/*
	 * Whether visit() is known to find one candidate only (or only one
	 * nonlinear VMA).
	 */
	bool (*has_one_candidate)(const struct rmap *map,
				  const struct page *page);
	/*
	 * Sets what the record does not have: info->file, in some kinds
	 * info->index; or NULL.
	 */
	void (*describe)(const struct rmap *map, const struct page *page,
			 struct rmap_page_info *info);

	/*
	 * Whether the object can still hold the page when the VMA that maps it
	 * moves, so that the page is at the virtual page number vpn, which
	 * becomes its index.  NULL: objects of this kind do not depend on
	 * addresses.
	 */
	bool (*fits_at)(const struct page *page, uint64_t vpn);

	/*
	 * Moving a page from one object to another (reassign.c): create() adds
	 * the mappings of the list to an object that can hold them, usually a
	 * new one; 0, or -ENOMEM, -ENOSPC with nothing changed.  discard()
	 * frees a new object that is not used after all.  leave() takes the
	 * page with all its mappings, the list, out of the object it had; list
	 * may be NULL for kinds that have fits_at.  discard and leave may be
	 * NULL: nothing to do.
	 */
	int (*create)(struct rmap *map, const struct page *page,
		      const struct mapping_list *list, struct object **objectp);
	void (*discard)(struct rmap *map, struct object *object);
	void (*leave)(struct rmap *map, const struct page *page,
		      const struct mapping_list *list);
};

/* What an rmap_scheme is made of: kinds.c. */
struct scheme {
	/*
	 * If not NULL: the operations of every mapped page.  page->object may
	 * then be the id of a VMA instead of an object's.
	 */
	const struct object_ops *every_page;
	enum object_kind anon;	/* the kind of a new anonymous page's object */
	enum object_kind fallback;	/* holds any set of mappings */
	bool vma_ids;		/* VMAs have ids, as chains name them by id */
	/*
	 * For fork: vma is a copy of `from` with the same pages.  copy_vma adds
	 * all mappings of vma to the pages' objects at once (0, or -ENOMEM with
	 * nothing changed), uncopy_vma deletes them again.  NULL: pages are
	 * added one by one.
	 */
	int (*copy_vma)(struct rmap *map, struct rmap_vma *vma,
			const struct rmap_vma *from);
	void (*uncopy_vma)(struct rmap *map, struct rmap_vma *vma);
};

/* --- VMAs, processes, the map --------------------------------------------- */

struct anon_link;

struct address_space {
	struct object obj;
	struct hash_node hash;		/* in map->files, by key */
	struct rmap_file_id key;
	uint64_t nr_vmas, nr_nonlinear;	/* all; of these, nonlinear ones */
	struct itree_node *vmas;	/* by the range of the file they map */
};

struct rmap_vma {
	struct rmap_mm *mm;
	struct rmap_vma_desc desc;
	uint64_t pgoff;			/* desc.pgoff; 0 if above 44 bits */
	/* one reference; NULL: all pages have anonymous objects */
	struct address_space *file;
	struct itree_node mm_node;	/* in mm->vmas, by page number */
	struct itree_node file_node;	/* in file->vmas */
	struct anon_link *links;	/* owned; anon-vma.c */
	uint64_t nr_links;
	/*
	 * Two of `links`, each may be NULL: to the anon_vma that new pages
	 * join, and to the one for pages that turn out to be mapped by other
	 * VMAs too (rules 1 and 4 in anon-vma.c).
	 */
	struct anon_link *active, *shared;
	uint32_t id;			/* in map->ids; 0 without vma_ids */
	struct snapshot snap;		/* the PTEs last reported */
};

struct rmap_mm {
	struct hash_node hash;		/* in map->mms, by id */
	uint32_t id;
	uint64_t pgd;
	struct itree_node *vmas;	/* owned; by virtual page number */
	/* anon-mm.c: one reference; and the list of the root group's members */
	struct mm_group *group;
	struct rmap_mm *next_member, **pprev_member;
};

struct rmap {
	struct rmap_memory mem;
	uint64_t nr_frames;
	const struct scheme *scheme;
	struct page *pages;		/* owned; by gfn */
	/* Page flags: page-flags.c. */
	uint16_t *flags;		/* owned; by gfn */
	uint64_t *stale_flags;		/* owned; one bit for each frame */
	bool any_stale_flags, in_flags_scan;
	struct id_table ids;		/* objects, and VMAs with an id */
	struct hash_table mms, files, links;
	const struct rmap_pte_ops *pte_ops;	/* or NULL */
	void *pte_ctx;
	struct rmap_stats stats;	/* bytes_other is in mem */
};

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

/*
 * Grows each hash table that needs it by some steps.  Called only after an
 * operation has succeeded: one that fails leaves the tables as they were.
 */
static inline void rmap_grow_tables(struct rmap *map)
{
	hash_grow_step(&map->mem, &map->mms);
	hash_grow_step(&map->mem, &map->files);
	hash_grow_step(&map->mem, &map->links);
}

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

/* The object of a mapped page; with scheme->every_page it may be a VMA. */
static inline void *page_object(const struct rmap *map,
				const struct page *page)
{
	return ids_get(&map->ids, page->object >> 1);
}

static inline void page_set_object(struct page *page, uint32_t id, bool anon)
{
	page->object = id << 1 | (anon ? PAGE_MAPPING_ANON : 0);
}

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

/* The virtual page number: 52 bits, so never negative. */
static inline int64_t addr_vpn(uint64_t addr)
{
	return (int64_t)(addr >> RMAP_PAGE_SHIFT);
}

/* The lowest VMA with a virtual page number in [first, last], or NULL. */
static inline struct rmap_vma *mm_first_vma(const struct rmap_mm *mm,
					    int64_t first, int64_t last)
{
	struct itree_node *node = itree_first(mm->vmas, first, last);

	return node ? container_of(node, struct rmap_vma, mm_node) : NULL;
}

#endif
