/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * librmap: object-based reverse mapping.
 *
 * Answers: this page frame, which virtual pages of which processes map it,
 * and have they used it?  A page is tied to a memory object (an anon_vma, or
 * the address_space of a file) and through it to the regions (VMAs) that may
 * map it, as in Linux's mm/rmap.c.  Keys are frame numbers ("gfn").
 *
 * Pure: no I/O, no system calls, no logging, no threads of its own.
 *
 * Locking: functions that take a const struct rmap * (and rmap_walk,
 * rmap_page_referenced) are readers, all others writers; any number of readers
 * or one writer at a time, by a lock of the caller's.
 *
 * Errors: 0 or -errno.  An operation that fails leaves the map and its
 * out-parameters as they were, to the byte of rmap_get_stats().
 *
 * Time: a page is mapped and unmapped in O(log n) amortised, however many
 * places it has.  Tables double now and then, and move their nodes a few at a
 * time.  A page that turns out to be shared may have up to RMAP_WALK_MAX places
 * moved, once.  Walks look at RMAP_WALK_MAX places at most.  What takes longer
 * says so.
 */
#ifndef RMAP_RMAP_H
#define RMAP_RMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RMAP_PAGE_SHIFT 12
#define RMAP_PAGE_SIZE	(UINT64_C(1) << RMAP_PAGE_SHIFT)
#define RMAP_NO_PGD	UINT64_MAX

/* Places at which a walk looks at most, also such as turn out not to map it. */
#define RMAP_WALK_MAX 1024u

/* VMA flags (vm_flags). */
#define RMAP_VM_READ	0x01u
#define RMAP_VM_WRITE	0x02u
#define RMAP_VM_EXEC	0x04u
#define RMAP_VM_SHARED	0x08u
#define RMAP_VM_LOCKED	0x10u
#define RMAP_VM_STACK	0x20u
#define RMAP_VM_HEAP	0x40u
#define RMAP_VM_NONLINEAR 0x80u	/* offsets unknown: PTEs must be searched */

/* Page flags, set by the caller from what it knows of the frame. */
#define RMAP_PG_LOCKED	 0x0001u	/* unevictable in the guest */
#define RMAP_PG_RESERVED 0x0002u	/* never touch: firmware, kernel text */
#define RMAP_PG_FREE	 0x0004u	/* in the guest's buddy allocator */
#define RMAP_PG_SLAB	 0x0008u
#define RMAP_PG_PGTABLE	 0x0010u
#define RMAP_PG_ANON	 0x0020u
#define RMAP_PG_FILE	 0x0040u
#define RMAP_PG_DIRTY	 0x0080u
#define RMAP_PG_KSM	 0x0100u
#define RMAP_PG_HUGE	 0x0200u
#define RMAP_PG_SWAPBACKED 0x0400u

struct rmap;
struct rmap_mm;			/* a guest process' address space */
struct rmap_vma;

/*
 * How an anonymous page finds its regions; the answers are the same, the costs
 * are not (docs/internals-rmap.md compares them).
 */
enum rmap_scheme {
	RMAP_ANON_VMA,	/* page -> anon_vma -> VMAs with pages of it */
	RMAP_ANON_MM,	/* page -> related processes, asked at one address */
	RMAP_PTE_CHAIN,	/* page -> list of its PTEs; for file pages too */
};

struct rmap_config {
	uint64_t nr_frames;	/* frames are 0 .. nr_frames - 1; < 2^32 */

	/*
	 * Bound of stats.bytes_other; what would pass it fails with -ENOMEM.
	 * 0: none.  Against an agent that invents mappings without end.
	 */
	uint64_t max_bytes;

	enum rmap_scheme scheme;	/* the default, 0, is the best one */

	/* NULL: calloc() and free().  zalloc returns zeroed memory or NULL. */
	void *(*zalloc)(size_t size, void *ctx);
	void (*release)(void *ptr, size_t size, void *ctx);
	void *alloc_ctx;
};

/* -EINVAL (nr_frames, scheme, only one of zalloc and release), -ENOMEM. */
int rmap_new(struct rmap **mapp, const struct rmap_config *config);
void rmap_free(struct rmap *map);

/*
 * Address spaces.  id is the caller's name for it (a pid), unique: -EEXIST.
 * pgd is the guest physical address of the top page table or RMAP_NO_PGD.
 */
int rmap_mm_add(struct rmap *map, uint32_t id, uint64_t pgd,
		struct rmap_mm **mmp);
/*
 * Child with copies of all of the parent's VMAs and page mappings, in time
 * linear in these.  -EEXIST, -ENOMEM, -EOVERFLOW.
 */
int rmap_mm_fork(struct rmap *map, struct rmap_mm *parent, uint32_t id,
		 uint64_t pgd, struct rmap_mm **mmp);
/*
 * Exit: all its VMAs and mappings go, in time linear in these; to let readers
 * in meanwhile, unmap the pages one by one before.
 */
void rmap_mm_remove(struct rmap *map, struct rmap_mm *mm);
struct rmap_mm *rmap_mm_find(const struct rmap *map, uint32_t id);
uint32_t rmap_mm_id(const struct rmap_mm *mm);
uint64_t rmap_mm_pgd(const struct rmap_mm *mm);
void rmap_mm_set_pgd(struct rmap_mm *mm, uint64_t pgd);

/* Identity of a mapped file in the guest; ino 0: anonymous memory. */
struct rmap_file_id {
	uint64_t dev;
	uint64_t ino;
};

struct rmap_vma_desc {
	uint64_t start, end;	/* linear addresses, page-aligned, start < end */
	uint64_t pgoff;		/* of start in the object, in pages */
	uint32_t flags;		/* RMAP_VM_* */
	struct rmap_file_id file;
};

/*
 * -EINVAL (shape), -EEXIST (overlaps a VMA of the mm), -EOVERFLOW (pgoff of the
 * last page is above 2^64 - 1), -ENOMEM.  The pgoff of anonymous memory is free:
 * two regions that share frames need not agree.  Costs nothing by the size of
 * the region.
 */
int rmap_vma_add(struct rmap *map, struct rmap_mm *mm,
		 const struct rmap_vma_desc *desc, struct rmap_vma **vmap);
void rmap_vma_remove(struct rmap *map, struct rmap_vma *vma);
/*
 * Regions that change; in time linear in the pages concerned, but a move.
 * -ENOMEM; -EOVERFLOW (a page has no room for one more mapping, for a moment,
 * or the region would end beyond what pgoff can name: 2^44 pages of an object
 * that has an index, else 2^64).
 *
 * split: vma keeps what is below addr, *upper gets the rest; -EINVAL unless
 * addr is aligned and inside.  Unmapping a part is two splits and a remove.
 * merge: lower takes over upper, which is gone; -EINVAL unless they touch and
 * agree in process, flags, file and (for files) offsets.
 * resize: the end moves; pages beyond a nearer one are unmapped; -EEXIST when
 * a farther one meets another region.
 * move (mremap): all pages at the same offsets from new_start; *vmap is the
 * region from now on; -EINVAL (not aligned, or the end is above 2^64), -EEXIST
 * where a region is, also vma itself.  Anon_mm: linear in the pages.
 * set_flags (mprotect, mlock): -EINVAL to change RMAP_VM_NONLINEAR.
 */
int rmap_vma_split(struct rmap *map, struct rmap_vma *vma, uint64_t addr,
		   struct rmap_vma **upper);
int rmap_vma_merge(struct rmap *map, struct rmap_vma *lower,
		   struct rmap_vma *upper);
int rmap_vma_resize(struct rmap *map, struct rmap_vma *vma, uint64_t end);
int rmap_vma_move(struct rmap *map, struct rmap_vma *vma, uint64_t new_start,
		  struct rmap_vma **vmap);
int rmap_vma_set_flags(struct rmap *map, struct rmap_vma *vma, uint32_t flags);

/* The VMA that contains addr, or NULL. */
struct rmap_vma *rmap_vma_find(const struct rmap_mm *mm, uint64_t addr);
/* The first VMA that ends above addr, or NULL: to iterate over an mm. */
struct rmap_vma *rmap_vma_next(const struct rmap_mm *mm, uint64_t addr);
void rmap_vma_describe(const struct rmap_vma *vma, struct rmap_vma_desc *desc);
struct rmap_mm *rmap_vma_mm(const struct rmap_vma *vma);

/*
 * The virtual page at addr of the vma maps frame gfn now / no longer.
 * Mapping where another frame was mapped replaces it (copy-on-write break).
 *
 * A frame mapped for the first time becomes anonymous in anonymous regions,
 * where its flags say RMAP_PG_ANON (set them first), or where it replaces
 * another in a private file region; else it is a page of the file.  Mapped
 * again it joins the object it has; a frame told to be in two places of files
 * is kept as an anonymous one.
 *
 * -EINVAL (addr outside or unaligned), -ERANGE (gfn), -ENOMEM, -EOVERFLOW
 * (2^24 - 1 mappings; or a page of a file, or of the anon_mm scheme, is told
 * to be where its object can't have it, and its other places are not found
 * within RMAP_WALK_MAX: a fact to be dropped); unmap: -ENOENT where nothing is
 * mapped.
 */
int rmap_map_page(struct rmap *map, struct rmap_vma *vma, uint64_t addr,
		  uint64_t gfn);
int rmap_unmap_page(struct rmap *map, struct rmap_vma *vma, uint64_t addr);

/*
 * Iterates over the pages of a VMA: finds the first mapped page at or above
 * *addr, stores its address and frame.  False (nothing stored) at the end.
 */
bool rmap_vma_next_page(const struct rmap *map, const struct rmap_vma *vma,
			uint64_t *addr, uint64_t *gfn);
/*
 * As above, of those below end: a large region with little in it is not gone
 * through to its end.
 */
bool rmap_vma_next_page_below(const struct rmap *map,
			      const struct rmap_vma *vma, uint64_t end,
			      uint64_t *addr, uint64_t *gfn);

/* One frame's record, decoded. */
struct rmap_page_info {
	int32_t mapcount;	/* -1: not mapped; n: mapped n + 1 times */
	bool anon;		/* mapping is an anon_vma */
	bool has_object;	/* mapping is not NULL */
	uint64_t index;		/* page offset in the object */
	uint32_t flags;		/* RMAP_PG_*, as rmap_page_flags() */
	struct rmap_file_id file;	/* when mapping is an address_space */
};

/* -ERANGE for a frame beyond nr_frames. */
int rmap_page_info(const struct rmap *map, uint64_t gfn,
		   struct rmap_page_info *info);
/* Also -EINVAL: unknown flags. */
int rmap_page_set_flags(struct rmap *map, uint64_t gfn, uint32_t flags);
/*
 * What was told, as far as it still holds; 0 is unknown.  A frame that is
 * mapped is never FREE, SLAB or PGTABLE; flags told before it was mapped, or
 * before its last mapping went, no longer count.  FILE (with DIRTY) does, unless
 * the frame is mapped as anonymous: page cache has mappings or not.
 */
uint32_t rmap_page_flags(const struct rmap *map, uint64_t gfn);
/*
 * One look at the flags of all frames begins: what is not told again is as it
 * was last told.  Mappings told from now until the end are of the same look, or
 * younger, and outdate only flags that they contradict.
 */
void rmap_flags_begin(struct rmap *map);
void rmap_flags_end(struct rmap *map);

/* A page table entry as a provider found it. */
struct rmap_pte {
	bool present;
	bool accessed;
	bool dirty;
	unsigned int level;	/* 1: 4K, 2: 2M, 3: 1G */
	uint64_t gfn;		/* of addr itself, also inside a huge leaf */
};

/*
 * Where PTEs come from: live guest page tables or a snapshot.  lookup returns
 * 0, or -ENOENT (nothing known).  clear_accessed is called where lookup has just
 * found the bit set: it clears it if the entry still names gfn and returns 1 if
 * it was still set, else 0; NULL where the provider has no accessed bits.
 */
struct rmap_pte_ops {
	int (*lookup)(void *ctx, const struct rmap_mm *mm, uint64_t addr,
		      struct rmap_pte *pte);
	int (*clear_accessed)(void *ctx, const struct rmap_mm *mm,
			      uint64_t addr, uint64_t gfn);
};

/* NULL: every mapping the map knows counts as present, none has A bits. */
void rmap_set_pte_provider(struct rmap *map, const struct rmap_pte_ops *ops,
			   void *ctx);

/* Asks the provider; -ENOENT where it (or the map) knows nothing of addr. */
int rmap_pte_lookup(const struct rmap *map, const struct rmap_mm *mm,
		    uint64_t addr, struct rmap_pte *pte);

/*
 * The one walker.  rmap_one is called for each mapping (vma, linear address)
 * of the page that the provider confirms; false ends the walk.  invalid_vma
 * (may be NULL) true skips a region.  done (may be NULL) true ends the walk.
 *
 * A walk looks at max_candidates places at most (0: RMAP_WALK_MAX), found or not,
 * and at 2^16 pages of nonlinear regions.  1: there were more; 0: there were
 * not, or a callback ended it; -ERANGE.
 */
struct rmap_walk_control {
	void *arg;
	bool (*rmap_one)(const struct rmap *map, uint64_t gfn,
			 const struct rmap_vma *vma, uint64_t addr, void *arg);
	bool (*done)(uint64_t gfn, void *arg);
	bool (*invalid_vma)(const struct rmap_vma *vma, void *arg);
	uint32_t max_candidates;
};

int rmap_walk(const struct rmap *map, uint64_t gfn,
	      const struct rmap_walk_control *rwc);

struct rmap_referenced {
	unsigned int nr_mappings;	/* found and confirmed */
	unsigned int nr_referenced;	/* accessed bits found set (and cleared) */
	uint32_t vm_flags;		/* union over the mappings */
	bool has_accessed_bits;		/* a mapping had a live PTE to look at */
	/*
	 * There are places that were not looked at.  Bits found set are true;
	 * that others are not is unknown, and the second-level bit has to
	 * tell: it is set by whoever uses the frame.  A page is not kept for
	 * being at many places, or a guest could say so of all its memory.
	 */
	bool partial;
	unsigned int nr_visited;	/* places looked at: what it cost */
};

/*
 * Test and clear the accessed bit of every mapping of the page, of the first
 * RMAP_WALK_MAX places.
 */
int rmap_page_referenced(struct rmap *map, uint64_t gfn,
			 struct rmap_referenced *out);

/* As above, and calls one for each mapping found: who touched the page? */
int rmap_page_referenced_by(struct rmap *map, uint64_t gfn,
			    void (*one)(const struct rmap_vma *vma,
					uint64_t addr, bool accessed,
					void *arg),
			    void *arg, struct rmap_referenced *out);

/*
 * Not to be reclaimed: no such frame, RMAP_PG_LOCKED, _RESERVED, _SLAB or
 * _PGTABLE, or mapped by an RMAP_VM_LOCKED region, as far as a walk looks.
 */
bool rmap_page_unevictable(const struct rmap *map, uint64_t gfn);

struct rmap_stats {
	uint64_t nr_mms, nr_vmas, nr_mappings, nr_files;
	uint64_t nr_anon_vmas;	/* or groups of mms, or chains: the scheme's */
	uint64_t bytes_frames;	/* per-frame records */
	uint64_t bytes_other;	/* VMAs, trees, objects */
};

void rmap_get_stats(const struct rmap *map, struct rmap_stats *stats);

/*
 * Steps that writers took since the map was made: places looked at, links made
 * and taken away, memory taken and given back (two steps each).  It only grows:
 * to bound the time for which a lock is held, and to charge who caused them.
 */
uint64_t rmap_work(const struct rmap *map);

#ifdef __cplusplus
}
#endif

#endif
