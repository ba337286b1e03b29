/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * librmap: object-based reverse mapping.
 *
 * Finds which virtual pages of which processes map a page frame, and whether
 * they have accessed it.  A page belongs to a memory object (an anon_vma, or
 * the address_space of a file), which leads to the VMAs that may map it, as in
 * Linux's mm/rmap.c.  The library does not observe the machine: its user
 * reports processes, VMAs and mappings when they are created and removed
 * ("reported" below), and may provide access to live page tables.
 *
 * Units: frames have numbers ("gfn", guest frame number) below nr_frames.
 * Addresses are virtual addresses in bytes; ends are exclusive.  Pages are
 * RMAP_PAGE_SIZE bytes; page offsets, "pgoff" and "index" count pages.
 *
 * Pure: no I/O, no system calls, no logging, no threads, no locks of its own.
 *
 * Locking: functions that take the map, process or VMA by a const pointer are
 * readers, all others are writers.  Any number of readers may run at once, or
 * one writer alone, under one lock of the caller's for the whole map.
 * rmap_page_referenced() and rmap_page_referenced_by() are readers: they clear
 * bits in page tables, through the PTE provider, and change nothing in the map.
 *
 * Lifetime: the map owns every rmap_mm and rmap_vma.  A struct rmap_mm * is
 * valid until rmap_mm_remove() of it, a struct rmap_vma * until its removal, by
 * rmap_vma_remove(), rmap_vma_merge() as the upper VMA or the removal of its
 * mm; both until rmap_free() at most.  They may be kept across other
 * operations, and while the lock is released if no writer can remove them
 * meanwhile.  Structures passed in are copied, except struct rmap_pte_ops.
 *
 * Callbacks (of walks, and of the PTE provider) run while the caller of the
 * walk holds its lock.  They may call readers, also another walk, but no
 * writers, and must not release the lock.  Allocation callbacks may not call
 * the library.
 *
 * Errors: functions that return an int return 0 (rmap_walk() also 1) or -errno;
 * each names its errors below.  An operation that fails leaves the map and its
 * out-parameters as they were, also the bytes in rmap_get_stats().  -ENOMEM is
 * also returned where max_bytes would be exceeded, -ENOSPC where the map
 * already has 2^27 objects: anon_vmas, files, and in the other schemes also
 * groups, chains or VMAs.  Pointers must be valid: they are not checked.
 *
 * Time: mapping and unmapping a page is O(log n) amortised, however many
 * mappings it has (but see RMAP_PTE_CHAIN).  Hash tables that are full double
 * in size and move their entries a few at a time.  Once in the life of a page
 * that turns out to be shared, up to RMAP_WALK_MAX of its mappings may be moved
 * to another object.  Walks visit at most RMAP_WALK_MAX candidates, or what the
 * caller of rmap_walk() chooses.  Functions that take longer are documented as
 * such.
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

/*
 * How many candidates a walk visits at most.  A candidate is a page of a VMA
 * where, by the frame's object, the frame may be mapped; it need not be.
 */
#define RMAP_WALK_MAX 1024u

/* VMA flags (vm_flags). */
#define RMAP_VM_READ	0x01u
#define RMAP_VM_WRITE	0x02u
#define RMAP_VM_EXEC	0x04u
#define RMAP_VM_SHARED	0x08u
#define RMAP_VM_LOCKED	0x10u
#define RMAP_VM_STACK	0x20u
#define RMAP_VM_HEAP	0x40u
/* It may map its object's pages in any order: all its PTEs are searched. */
#define RMAP_VM_NONLINEAR 0x80u

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
struct rmap_mm;			/* the address space of a process */
struct rmap_vma;		/* a region of an rmap_mm */

/*
 * How the VMAs of an anonymous page are found; the results are the same, the
 * costs are not (docs/internals-rmap.md compares them).
 */
enum rmap_scheme {
	/* page -> anon_vma -> VMAs with pages of it: Linux since 2.6.7 */
	RMAP_ANON_VMA,
	/*
	 * page -> group of related processes, each searched at one address: the
	 * anonmm patches of 2004
	 */
	RMAP_ANON_MM,
	/*
	 * page -> list of its PTEs, for file pages too: Linux 2.6.0.  Unmapping
	 * takes time linear in the page's mappings.
	 */
	RMAP_PTE_CHAIN,
};

struct rmap_config {
	uint64_t nr_frames;	/* 1 to 2^32 - 1 */

	/*
	 * Limit of rmap_stats.bytes_other; 0: none.  It protects the caller
	 * from a guest that reports mappings without end.
	 */
	uint64_t max_bytes;

	enum rmap_scheme scheme;	/* the default, 0, is the best one */

	/*
	 * NULL: calloc() and free().  zalloc returns zeroed memory, aligned as
	 * by malloc(), or NULL; release gets the size that was allocated.
	 */
	void *(*zalloc)(size_t size, void *ctx);
	void (*release)(void *ptr, size_t size, void *ctx);
	void *alloc_ctx;	/* the caller's; outlives the map */
};

/*
 * Makes an empty map, which the caller owns and frees with rmap_free().
 * -EINVAL (nr_frames, scheme, only one of zalloc and release), -ENOMEM.
 */
int rmap_new(struct rmap **mapp, const struct rmap_config *config);
/* Frees the map with all its processes and VMAs; NULL is allowed. */
void rmap_free(struct rmap *map);

/* --- processes ------------------------------------------------------------ */

/*
 * A process without VMAs.  id is the caller's number for it (a pid), unique
 * among those in the map.  pgd is the guest physical address in bytes of its
 * top page table, for the PTE provider, or RMAP_NO_PGD.  -EEXIST, -ENOMEM.
 */
int rmap_mm_add(struct rmap *map, uint32_t id, uint64_t pgd,
		struct rmap_mm **mmp);
/*
 * fork: a process with copies of all of the parent's VMAs and mappings, in time
 * linear in these.  -EEXIST, -ENOMEM, -ENOSPC, -EOVERFLOW (a page has 2^24 - 1
 * mappings).
 */
int rmap_mm_fork(struct rmap *map, struct rmap_mm *parent, uint32_t id,
		 uint64_t pgd, struct rmap_mm **mmp);
/*
 * exit: removes the process with its VMAs and mappings, in time linear in
 * these.  A caller that has to release its lock in between unmaps the pages one
 * by one first.
 */
void rmap_mm_remove(struct rmap *map, struct rmap_mm *mm);
/* The process with that id, or NULL. */
struct rmap_mm *rmap_mm_find(const struct rmap *map, uint32_t id);
uint32_t rmap_mm_id(const struct rmap_mm *mm);
uint64_t rmap_mm_pgd(const struct rmap_mm *mm);
void rmap_mm_set_pgd(struct rmap_mm *mm, uint64_t pgd);

/* --- VMAs ----------------------------------------------------------------- */

/* Identity of a mapped file in the guest; ino 0: anonymous memory. */
struct rmap_file_id {
	uint64_t dev;
	uint64_t ino;
};

struct rmap_vma_desc {
	uint64_t start, end;	/* page-aligned, start < end */
	uint64_t pgoff;		/* offset of start in the object, in pages */
	uint32_t flags;		/* RMAP_VM_* */
	struct rmap_file_id file;
};

/*
 * mmap: a VMA without mappings, in time independent of its size.  The pgoff of
 * anonymous memory is arbitrary: two VMAs that share frames need not agree.
 *
 * -EINVAL (start, end, or too many pages: above 2^44 in RMAP_ANON_VMA, 2^37 - 1
 * in the other schemes), -EEXIST (overlaps a VMA of the mm), -EOVERFLOW (pgoff
 * of the last page is above 2^64 - 1), -ENOMEM, -ENOSPC.
 */
int rmap_vma_add(struct rmap *map, struct rmap_mm *mm,
		 const struct rmap_vma_desc *desc, struct rmap_vma **vmap);
/* munmap: removes the VMA with its mappings, in time linear in these. */
void rmap_vma_remove(struct rmap *map, struct rmap_vma *vma);

/*
 * Changes of a VMA.  They take time linear in the pages concerned, except that
 * set_flags and move take constant time (a move in RMAP_ANON_MM: linear, too).
 * All but set_flags may fail with -ENOMEM, -ENOSPC and -EOVERFLOW, which means:
 * a page has 2^24 - 1 mappings and needs one more temporarily; or the VMA would
 * end beyond the highest pgoff, 2^44 where pages have an index in an object,
 * else 2^64.
 */

/*
 * vma keeps what is below addr; *upper is a new VMA with the rest.  Unmapping a
 * part of a VMA is two splits and a remove.  -EINVAL: addr is not aligned or
 * not inside.
 */
int rmap_vma_split(struct rmap *map, struct rmap_vma *vma, uint64_t addr,
		   struct rmap_vma **upper);
/*
 * lower takes over upper, which is freed.  -EINVAL: they are not adjacent or
 * differ in process, flags, file or (for files) offset, or are too long.
 */
int rmap_vma_merge(struct rmap *map, struct rmap_vma *lower,
		   struct rmap_vma *upper);
/*
 * Sets the end; pages beyond a lower end are unmapped.  -EINVAL: end is not
 * aligned, not above the start or too high; -EEXIST: another VMA is there.
 */
int rmap_vma_resize(struct rmap *map, struct rmap_vma *vma, uint64_t end);
/*
 * mremap: the VMA begins at new_start, and its pages keep their offsets.  *vmap
 * is the VMA from now on; if it differs from vma, vma is no longer valid.
 * -EINVAL: new_start is not aligned, or the end would be 2^64 or above;
 * -EEXIST: a VMA is there, which may be vma itself.
 */
int rmap_vma_move(struct rmap *map, struct rmap_vma *vma, uint64_t new_start,
		  struct rmap_vma **vmap);
/* mprotect, mlock.  -EINVAL: would change RMAP_VM_NONLINEAR. */
int rmap_vma_set_flags(struct rmap *map, struct rmap_vma *vma, uint32_t flags);

/* The VMA that contains addr, or NULL. */
struct rmap_vma *rmap_vma_find(const struct rmap_mm *mm, uint64_t addr);
/* The first VMA that ends above addr, or NULL: to iterate over an mm. */
struct rmap_vma *rmap_vma_next(const struct rmap_mm *mm, uint64_t addr);
void rmap_vma_describe(const struct rmap_vma *vma, struct rmap_vma_desc *desc);
struct rmap_mm *rmap_vma_mm(const struct rmap_vma *vma);

/* --- mappings ------------------------------------------------------------- */

/*
 * Maps frame gfn at addr of the VMA.  If another frame was mapped there, it is
 * replaced (copy-on-write break); if gfn is mapped there already, nothing
 * changes.
 *
 * A frame mapped for the first time becomes an anonymous page if the VMA is
 * anonymous, if the frame's flags say RMAP_PG_ANON (set them first), or if it
 * replaces another frame in a private file VMA and its flags do not say
 * RMAP_PG_FILE; else it becomes a page of the file.  With further mappings it
 * stays what it is, except that a page of a file becomes anonymous when it is
 * also mapped elsewhere than at its offset in that file.
 *
 * -EINVAL (addr is not aligned or outside), -ERANGE (gfn), -ENOMEM, -ENOSPC,
 * -EOVERFLOW: the frame has 2^24 - 1 mappings; or its object (a file, or in
 * RMAP_ANON_MM a group of processes) cannot represent this one, and its other
 * mappings are not all found among RMAP_WALK_MAX candidates, so that it cannot
 * get another object.  Callers should ignore such a mapping.
 */
int rmap_map_page(struct rmap *map, struct rmap_vma *vma, uint64_t addr,
		  uint64_t gfn);
/* Unmaps the page at addr.  -EINVAL (as above), -ENOENT (none is mapped). */
int rmap_unmap_page(struct rmap *map, struct rmap_vma *vma, uint64_t addr);

/*
 * Iterates over the mappings of a VMA: finds the first mapped page at or above
 * *addr, and stores its address and frame.  False: there is none, and nothing
 * is stored.
 */
bool rmap_vma_next_page(const struct rmap *map, const struct rmap_vma *vma,
			uint64_t *addr, uint64_t *gfn);
/*
 * The same for pages below the address end.  It does not search beyond, so that
 * a large VMA with few pages can be searched in parts.
 */
bool rmap_vma_next_page_below(const struct rmap *map,
			      const struct rmap_vma *vma, uint64_t end,
			      uint64_t *addr, uint64_t *gfn);

/* --- frames --------------------------------------------------------------- */

/* The record of one frame, decoded: Linux's struct page. */
struct rmap_page_info {
	int32_t mapcount;	/* -1: not mapped; n: mapped n + 1 times */
	bool anon;		/* the object is not a file */
	bool has_object;	/* page->mapping is not NULL: it is mapped */
	/*
	 * Page offset in the object; in RMAP_ANON_MM the virtual page number of
	 * an anonymous page.
	 */
	uint64_t index;
	uint32_t flags;		/* RMAP_PG_*, as from rmap_page_flags() */
	struct rmap_file_id file;	/* if has_object and not anon, else 0 */
};

/* -ERANGE: gfn. */
int rmap_page_info(const struct rmap *map, uint64_t gfn,
		   struct rmap_page_info *info);
/* Reports a frame's RMAP_PG_* flags.  -ERANGE: gfn; -EINVAL: unknown flags. */
int rmap_page_set_flags(struct rmap *map, uint64_t gfn, uint32_t flags);
/*
 * The flags reported, as far as they are still valid; 0: unknown.  A frame
 * that is mapped is never FREE, SLAB or PGTABLE.  Flags reported before the
 * frame was mapped, or before its last mapping was removed, are not valid,
 * except FILE (and with it DIRTY) unless the frame is mapped as anonymous: the
 * page cache has pages with and without mappings.
 */
uint32_t rmap_page_flags(const struct rmap *map, uint64_t gfn);
/*
 * Begin and end one scan of the flags of all frames.  Only frames whose flags
 * differ from the last scan need to be reported: for the others the flags of
 * that scan are valid again.  Mappings reported during the scan were read when
 * the flags were, or later, and invalidate only flags that they contradict.
 */
void rmap_flags_begin(struct rmap *map);
void rmap_flags_end(struct rmap *map);
/*
 * Ends a scan whose reports are not complete: until the next scan all flags
 * count as reported before the frame was mapped.  Without a scan: nothing.
 */
void rmap_flags_cancel(struct rmap *map);

/* --- page table entries --------------------------------------------------- */

/* A page table entry as a provider found it. */
struct rmap_pte {
	bool present;
	bool accessed;
	bool dirty;
	unsigned int level;	/* 1: 4 KiB, 2: 2 MiB, 3: 1 GiB */
	uint64_t gfn;		/* of addr itself, also inside a huge page */
};

/*
 * The PTE provider: access to live page tables.  Both functions are called by
 * readers, several at once, also for one PTE: clear_accessed must be atomic.
 * See "Callbacks" above.
 */
struct rmap_pte_ops {
	/*
	 * 0; or -ENOENT, *pte unchanged: the provider does not know the entry,
	 * and the last report is used instead.
	 */
	int (*lookup)(void *ctx, const struct rmap_mm *mm, uint64_t addr,
		      struct rmap_pte *pte);
	/*
	 * Called where lookup has just found the bit set: clears it if the
	 * entry still names gfn, and returns 1 if it was still set, else 0.
	 * NULL where the provider has no accessed bits.
	 */
	int (*clear_accessed)(void *ctx, const struct rmap_mm *mm,
			      uint64_t addr, uint64_t gfn);
};

/*
 * ops and ctx must stay valid until the next call, or until the map is freed.
 * ops may be NULL, which is the default: every mapping reported counts as
 * present, and there are no accessed bits.
 */
void rmap_set_pte_provider(struct rmap *map, const struct rmap_pte_ops *ops,
			   void *ctx);

/*
 * The entry for addr from the provider; if it knows none, the mapping reported
 * there (present, of 4 KiB, not accessed, not dirty).  -ENOENT: there is none
 * either.
 */
int rmap_pte_lookup(const struct rmap *map, const struct rmap_mm *mm,
		    uint64_t addr, struct rmap_pte *pte);

/* --- walks ---------------------------------------------------------------- */

/* After Linux's struct rmap_walk_control.  See "Callbacks" above. */
struct rmap_walk_control {
	void *arg;	/* passed to the callbacks */
	/*
	 * Called for each mapping of the frame that its PTE (or without a
	 * provider the last report) confirms, in no particular order.  False
	 * ends the walk.
	 */
	bool (*rmap_one)(const struct rmap *map, uint64_t gfn,
			 const struct rmap_vma *vma, uint64_t addr, void *arg);
	/* After each rmap_one, or NULL: true ends the walk. */
	bool (*done)(uint64_t gfn, void *arg);
	/* Before the VMA's PTEs are read, or NULL: true skips the VMA. */
	bool (*invalid_vma)(const struct rmap_vma *vma, void *arg);
	/* Candidates to visit, at most; 0: RMAP_WALK_MAX. */
	uint32_t max_candidates;
};

/*
 * Calls rwc->rmap_one for each mapping of the frame.  The walk is bounded by
 * max_candidates and by 2^16 page table entries in nonlinear VMAs.
 *
 * 0: all mappings were found, or a callback ended the walk; 1: a bound was
 * reached first, and there may be more; -ERANGE: gfn, no callback was called.
 */
int rmap_walk(const struct rmap *map, uint64_t gfn,
	      const struct rmap_walk_control *rwc);

struct rmap_referenced {
	unsigned int nr_mappings;	/* found and confirmed */
	unsigned int nr_referenced;	/* had the accessed bit, now cleared */
	uint32_t vm_flags;		/* union over these mappings */
	bool has_accessed_bits;		/* a live PTE with one was read */
	/*
	 * A bound was reached: there may be more mappings.  The counts are of
	 * those that were visited.  Whether the frame was accessed through
	 * others is unknown here; the second-level page tables show it, as any
	 * access sets their accessed bit.  A frame must not be kept because it
	 * has many mappings, or a guest could keep all its memory that way.
	 */
	bool partial;
	unsigned int nr_visited;	/* candidates: the cost of the walk */
};

/*
 * Tests and clears the accessed bits of all mappings of the frame that are
 * among the first RMAP_WALK_MAX candidates: Linux's folio_referenced().  A
 * reader.  -ERANGE: gfn.
 */
int rmap_page_referenced(const struct rmap *map, uint64_t gfn,
			 struct rmap_referenced *out);

/*
 * The same, and calls one() for each mapping found, after its bit was cleared;
 * accessed: the bit was set.  A reader, too.
 */
int rmap_page_referenced_by(const struct rmap *map, uint64_t gfn,
			    void (*one)(const struct rmap_vma *vma,
					uint64_t addr, bool accessed,
					void *arg),
			    void *arg, struct rmap_referenced *out);

/*
 * Not to be reclaimed: gfn is out of range, its flags say LOCKED, RESERVED,
 * SLAB or PGTABLE, or a walk finds it mapped in an RMAP_VM_LOCKED VMA.
 */
bool rmap_page_unevictable(const struct rmap *map, uint64_t gfn);

/* --- statistics ----------------------------------------------------------- */

struct rmap_stats {
	uint64_t nr_mms, nr_vmas, nr_mappings, nr_files;
	uint64_t nr_anon_vmas;	/* in other schemes: groups and chains */
	uint64_t bytes_frames;	/* records and flags: fixed by nr_frames */
	uint64_t bytes_other;	/* VMAs, objects etc.: limited by max_bytes */
};

void rmap_get_stats(const struct rmap *map, struct rmap_stats *stats);

/*
 * Steps that writers took since the map was created: candidates visited, links
 * added and deleted, memory allocated and freed (two steps each).  It only
 * grows: a measure of how long a lock was held, and by which call.
 */
uint64_t rmap_work(const struct rmap *map);

#ifdef __cplusplus
}
#endif

#endif
