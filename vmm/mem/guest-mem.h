/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory: which guest frames exist, and their host addresses.
 *
 * The guest's physical memory is a few slots, each a contiguous run of frames
 * backed by a contiguous run of host virtual addresses.  On x86 RAM lies below
 * 3 GiB and, when there is more, from 4 GiB up.  Everything that keeps an
 * array or bitmap by frame indexes it with the gfn itself and sizes it with
 * guest_mem_nr_frames(); the hole costs untouched zero pages only.
 *
 * The host virtual addresses belong to the process guest_mem_pid(): ourselves
 * for `vmm run`, QEMU for `vmm attach`.  guest_mem_ptr() and
 * guest_mem_write() work only on our own memory.
 *
 * Locking: slots are fixed once guest_mem_new() returned; every function is
 * safe from any thread.  The bytes themselves are shared with a running,
 * hostile guest: read what you check into a local copy first.
 */
#ifndef VMM_MEM_GUEST_MEM_H
#define VMM_MEM_GUEST_MEM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/mem/addr.h"

struct guest_mem;

struct guest_memslot {
	gfn_t base;
	uint64_t nr_pages;
	uint64_t hva;		/* in the process guest_mem_pid() */
};

enum guest_mem_backing {
	GUEST_MEM_ANON,		/* private anonymous memory in 4 KiB pages */
	GUEST_MEM_THP,		/* the same in transparent huge pages */
	GUEST_MEM_MEMFD,	/* a shared memfd in 4 KiB pages: see _unmap() */
	/*
	 * A memfd in hugetlb pages of 2 MiB or 1 GiB, all allocated at the
	 * start.  They stay resident: the kernel can't swap them, and freeing
	 * one would only return it to the hugetlb pool.
	 */
	GUEST_MEM_HUGETLB,
	GUEST_MEM_HUGETLB_1G,
};

/*
 * Allocates nr_bytes of memory (rounded up to a multiple of 2 MiB) in the
 * layout above.  Errors: -EINVAL (0 bytes; with pages of 1 GiB, not a multiple
 * of 1 GiB), -ENOMEM, -ENOSPC, -EMFILE, -ENOENT (no pages of this size on this
 * host).
 */
int guest_mem_new(struct guest_mem **memp, uint64_t nr_bytes,
		  enum guest_mem_backing backing);
/*
 * Explains in one sentence why guest_mem_new() failed with rc, with the remedy.
 */
void guest_mem_explain(int rc, uint64_t nr_bytes,
		       enum guest_mem_backing backing, char *why, size_t len);
void guest_mem_free(struct guest_mem *mem);

#define GUEST_MEM_MAX_SLOTS 64

/*
 * The guest memory of another process, as slots that don't overlap, in rising
 * order of frames; copied.  Files mapped there are opened, so that the
 * residency of their pages can be queried; no page is touched, and nothing
 * changes for the process. backing says how the pages are allocated;
 * GUEST_MEM_MEMFD stands for a shared file of any kind.
 *
 * Such memory has no guest_mem_ptr(), and can neither be discarded nor unmapped.
 * Needs the permissions of ptrace, and for a file CAP_SYS_ADMIN.  -EINVAL (no
 * slots, too many, not in order), -ESRCH, -EACCES, -ENOENT (not mapped there),
 * ...
 */
int guest_mem_attach(struct guest_mem **memp, pid_t pid,
		     const struct guest_memslot *slots, unsigned int nr,
		     enum guest_mem_backing backing);
/*
 * For a sink: pages out the resident pages of a remote file that no process
 * maps; a hint.
 */
void guest_mem_page_out_unmapped(const struct guest_mem *mem,
				 struct gfn_range range);
enum guest_mem_backing guest_mem_backing(const struct guest_mem *mem);
/* Frames of the largest page of this backing. */
uint64_t guest_mem_leaf_pages(const struct guest_mem *mem);
/* Whether memory is in hugetlb pages, of either size. */
bool guest_mem_is_hugetlb(const struct guest_mem *mem);

/*
 * Holds memory that devices use all the time, such as the rings of a virtqueue,
 * or that the kernel is about to write to while it reads a file: each call adds
 * a hold, each release removes one.  Held memory is not reclaimed.  Parts of
 * [gpa, gpa + len) that are not guest RAM are left out.
 *
 * A guest may name the same page in all its buffers; even then all our devices
 * together hold a page at most GUEST_MEM_MAX_PINS times at once.
 */
#define GUEST_MEM_MAX_PINS 32768
void guest_mem_pin(struct guest_mem *mem, gpa_t gpa, uint64_t len);
void guest_mem_unpin(struct guest_mem *mem, gpa_t gpa, uint64_t len);
bool guest_mem_is_pinned(const struct guest_mem *mem, gfn_t gfn);

/*
 * For a thread that holds a lock others wait for: a frame that can be read
 * without waiting for a sink's device.  *page points to it, and no sink evicts
 * it to such a device until guest_mem_unpin_page(); without such a sink both
 * cost nothing.  -EFAULT: not RAM of ours; -EAGAIN: a sink has evicted it, or
 * it is lost.
 *
 * Two kinds of frame in watched memory can still take a while: a discarded one
 * is filled with zeros at the first touch, and a write to one that is being
 * evicted cancels the eviction.  Both are quick, but are done by the thread
 * that serves the sink's faults, after the faults queued before: for each of
 * these it may have to read a page, which takes at most the timeout of the
 * store (store.h), and fails at once while the device is known to be stalled.
 * And a page that the host kernel has swapped out is read from swap: whoever
 * reads many pages under a lock has to bound that (vmm/guest/walk-limit.h).
 */
int guest_mem_pin_page(struct guest_mem *mem, gfn_t gfn, void **page);
void guest_mem_unpin_page(struct guest_mem *mem, gfn_t gfn);

/*
 * The only translation from guest addresses to pointers, fully checked.  Our
 * pointer to [gpa, gpa + len), or NULL unless all of it is guest RAM inside one
 * slot.  NULL also for len 0.
 */
void *guest_mem_ptr(const struct guest_mem *mem, gpa_t gpa, size_t len);

/* Copies into guest RAM.  0 or -EFAULT (nothing copied). */
int guest_mem_write(struct guest_mem *mem, gpa_t gpa, const void *buf,
		    size_t len);

/* Highest gfn + 1: the size of arrays indexed by gfn. */
uint64_t guest_mem_nr_frames(const struct guest_mem *mem);
/* Frames that are RAM. */
uint64_t guest_mem_nr_pages(const struct guest_mem *mem);
const struct guest_memslot *guest_mem_slots(const struct guest_mem *mem,
					    unsigned int *nr);
pid_t guest_mem_pid(const struct guest_mem *mem);

/* False if the frame is not RAM. */
bool guest_mem_gfn_to_hva(const struct guest_mem *mem, gfn_t gfn,
			  uint64_t *hva);
bool guest_mem_hva_to_gfn(const struct guest_mem *mem, uint64_t hva,
			  gfn_t *gfn);
/* Whether the range has at least one frame, and all are RAM. */
bool guest_mem_is_ram(const struct guest_mem *mem, struct gfn_range range);

/*
 * Sets the bit of each frame of range that is resident in host RAM and, unless
 * NULL, in `swapped` of each frame that is in host swap; clears the others.
 * Bitmaps are indexed by gfn.  0 or -errno.
 */
int guest_mem_residency(const struct guest_mem *mem, struct gfn_range range,
			uint64_t *resident, uint64_t *swapped);

/*
 * Sets the bit of each frame in a transparent huge page that is mapped as a
 * whole, and clears the range's other bits.  0, -EOPNOTSUPP (before Linux 6.7)
 * or -errno.
 */
int guest_mem_huge(const struct guest_mem *mem, struct gfn_range range,
		   uint64_t *huge);

/*
 * As guest_mem_residency() for all frames, and cheaper for repeated calls: the
 * bitmaps must be as the last call left them, updated with evictions that the
 * caller knows of.  call_nr counts these calls.  Exact, except when the kernel
 * by itself evicts unmapped pages of a memfd, or reads them in before they are
 * touched: this is noticed within 64 calls, or in the next one if many pages
 * are affected.  One thread.
 *
 * -ECANCELED soon after *stopping was set (it may be NULL): the bitmaps are
 * partly updated.  The flag is checked every GUEST_MEM_CHUNK_PAGES; but to find
 * the pages of a memfd that are in swap, the kernel may walk all of its pages
 * in one call.
 */
#define GUEST_MEM_CHUNK_PAGES (UINT64_C(1) << 16)
int guest_mem_residency_update(struct guest_mem *mem, uint64_t *resident,
			       uint64_t *swapped, unsigned int call_nr,
			       const atomic_bool *stopping);
/*
 * Notes that these frames may have been evicted or made resident; any thread.
 */
void guest_mem_residency_stale(struct guest_mem *mem, struct gfn_range range);

/*
 * Mapped: a page table entry of our process points to the frame.  Anonymous
 * memory that is resident is mapped.  The pages of a memfd stay in RAM when
 * they are unmapped; the next touch, the guest's or our own, finds and maps
 * them by a minor fault.  KVM maps a frame for the guest only if it is mapped
 * here.
 */

/*
 * Whether page faults of this memory are served (faults.h).  All of a memfd is
 * registered then, so the kernel does no fault-around.
 */
bool guest_mem_has_faults(const struct guest_mem *mem);

/* As guest_mem_residency(): sets the bit of each frame that is mapped. */
int guest_mem_mapped(const struct guest_mem *mem, struct gfn_range range,
		     uint64_t *mapped);

/*
 * As guest_mem_residency(), for memory of ours that a userfaultfd has
 * registered for read-write protection: sets the bit of each frame that was
 * touched since it was protected, or allocated since.  -EOPNOTSUPP: before
 * Linux 7.3.
 */
int guest_mem_accessed(const struct guest_mem *mem, struct gfn_range range,
		       uint64_t *accessed);

/*
 * Unmaps frames of a memfd from our page tables, and by KVM's MMU notifier from
 * the guest's; their contents are kept.  -EINVAL: another backing, which would
 * lose them, or part of a hugetlb page.  -EFAULT: not all of the range is RAM
 * of one slot.
 */
int guest_mem_unmap(struct guest_mem *mem, struct gfn_range range);
/*
 * The same for many ranges, of which each is in one slot, with as few flushes of
 * the TLB as the kernel can do: one for 512 ranges from Linux 6.16 on.  A range
 * that the kernel refuses, as it is locked, stays mapped.
 */
int guest_mem_unmap_many(struct guest_mem *mem, const struct gfn_range *ranges,
			 size_t nr);
/* Maps the frames; those that are not resident become so.  Errors as above. */
int guest_mem_map(struct guest_mem *mem, struct gfn_range range);

/*
 * The memfd behind memory of ours, not owned, for another process to map; -1:
 * there is none.
 */
int guest_mem_file(const struct guest_mem *mem);
/* A frame's page in that file.  False if the frame is not RAM. */
bool guest_mem_file_page(const struct guest_mem *mem, gfn_t gfn,
			 uint64_t *page);

/*
 * Gives frames back to the host: they read as zeros afterwards.  For the
 * balloon and free page reporting.  Frames outside RAM: -EFAULT, nothing done.
 * -EOPNOTSUPP: hugetlb pages.
 */
int guest_mem_discard(struct guest_mem *mem, struct gfn_range range);

/*
 * Drops the pages, and nothing else: for the owner below, which decides whether
 * they may be dropped.  Errors as above.
 */
int guest_mem_drop(struct guest_mem *mem, struct gfn_range range);

/*
 * For a sink that stores pages itself: it becomes the owner of discards.
 * guest_mem_discard() calls it, in the caller's thread, with a range that is
 * RAM of one slot, and does nothing more: the owner drops its copies of the
 * range and calls guest_mem_drop(), both under the lock it evicts under, so
 * that no eviction in between stores discarded pages.  0 or -errno.  One owner
 * at a time; NULL removes it.  Set and removed while nobody discards.
 */
void guest_mem_set_owner(struct guest_mem *mem,
			 int (*discard)(void *arg, struct gfn_range range),
			 void *arg);
/*
 * Marks a page as evicted by a sink: it counts as swapped in
 * guest_mem_residency().  A sink that has to read pages back sets the mark
 * first, then checks whether the page is held, and drops it only if not: see
 * guest_mem_pin_page().  -ENOMEM, in the first call only.
 */
int guest_mem_set_evicted(struct guest_mem *mem, gfn_t gfn, bool evicted);
bool guest_mem_is_evicted(const struct guest_mem *mem, gfn_t gfn);
/*
 * Marks a page as lost, so that an access is a memory error.  For the sink that
 * has called guest_mem_set_evicted(): it sets this mark before it clears the
 * other.
 */
void guest_mem_set_lost(struct guest_mem *mem, gfn_t gfn, bool lost);
bool guest_mem_is_lost(const struct guest_mem *mem, gfn_t gfn);
/*
 * With `stays`, pages marked as evicted are still in RAM, but on the wrong
 * node: they do not count as resident.
 */
void guest_mem_set_accessible_in_place(struct guest_mem *mem, bool stays);

/* Pages discarded since the start, by guest_mem_discard(). */
uint64_t guest_mem_nr_discarded(const struct guest_mem *mem);

#endif
