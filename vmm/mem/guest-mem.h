/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory: which guest frames exist, and their host addresses.
 *
 * The guest's physical memory is a few slots, each a contiguous run of frames
 * backed by a contiguous run of host virtual addresses.  guest_mem_new() puts
 * RAM below 3 GiB and, when there is more, from 4 GiB up.  Arrays and bitmaps
 * by frame are indexed with the gfn itself and have guest_mem_nr_frames()
 * elements; for the hole below 4 GiB these are untouched zero pages.
 *
 * The host virtual addresses belong to the process guest_mem_pid(): this one
 * for `vmm run`, QEMU for `vmm attach`.  "Our" memory is memory of this
 * process; guest_mem_ptr() and guest_mem_write() work on nothing else.
 *
 * Locking: slots do not change after guest_mem_new() or guest_mem_attach().
 * Every function may be called from any thread unless it says otherwise.  The
 * bytes themselves are shared with a running, hostile guest: copy what has to
 * be checked, and check the copy.
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
	GUEST_MEM_MEMFD,	/* a shared memfd in 4 KiB pages */
	GUEST_MEM_MEMFD_THP,	/* a shared file in transparent huge pages */
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
 * layout above.  0, -EINVAL (0 bytes; with pages of 1 GiB, not a multiple
 * of 1 GiB), -ENOMEM, -ENOSPC, -EMFILE, -ENOENT (no pages of this size on this
 * host) or another -errno.
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
 * changes for the process.  backing says how the pages are allocated;
 * GUEST_MEM_MEMFD stands for a shared file of any kind.
 *
 * For such memory guest_mem_ptr() returns NULL, and it can neither be discarded
 * nor unmapped.  Needs the permissions of ptrace, and for a file CAP_SYS_ADMIN.
 * 0, -EINVAL (no slots, too many, not in order; or a file does not cover its
 * slot), -ESRCH, -EACCES, -ENOENT (nothing is mapped there) or another -errno.
 */
int guest_mem_attach(struct guest_mem **memp, pid_t pid,
		     const struct guest_memslot *slots, unsigned int nr,
		     enum guest_mem_backing backing);
/*
 * For a sink, with memory of another process in files: pages out those resident
 * pages of nr ranges that no process maps.  A hint: failures are not reported.
 */
void guest_mem_page_out_unmapped(const struct guest_mem *mem,
				 const struct gfn_range *ranges, size_t nr);
enum guest_mem_backing guest_mem_backing(const struct guest_mem *mem);
/* The largest page of this backing, in frames. */
uint64_t guest_mem_leaf_pages(const struct guest_mem *mem);
/* Whether memory is in hugetlb pages, of either size. */
bool guest_mem_is_hugetlb(const struct guest_mem *mem);
/* Whether memory is in a shared file, of pages that can be swapped. */
bool guest_mem_is_shared(const struct guest_mem *mem);
/*
 * Whether pages can be transparent huge ones: aligned blocks of 2 MiB that the
 * kernel splits when a part of them is evicted or discarded.
 */
bool guest_mem_has_thp(const struct guest_mem *mem);

/*
 * Pins memory that devices use all the time, such as the rings of a virtqueue,
 * or that the kernel is about to write to while it reads a file: pinned memory
 * is not reclaimed.  Pins are counted for each frame: guest_mem_pin() adds one,
 * guest_mem_unpin() removes one.  Parts of [gpa, gpa + len) that are not guest
 * RAM do no harm.
 *
 * A guest may name the same page in all its buffers; even then all devices
 * together pin a page at most GUEST_MEM_MAX_PINS times at once.
 */
#define GUEST_MEM_MAX_PINS 32768
void guest_mem_pin(struct guest_mem *mem, gpa_t gpa, uint64_t len);
void guest_mem_unpin(struct guest_mem *mem, gpa_t gpa, uint64_t len);
bool guest_mem_is_pinned(const struct guest_mem *mem, gfn_t gfn);

/*
 * For a thread that holds a lock others wait for: pins a frame if it can be
 * accessed without waiting for a sink's device.  0, and *page points to it, and
 * no sink evicts it to such a device until guest_mem_unpin_page(); without such
 * a sink both cost nothing.  -EFAULT: not RAM of ours; -EAGAIN: a sink has
 * evicted it, or its contents are lost.
 *
 * Two kinds of frame in watched memory can still take a while: a discarded one
 * is filled with zeros at the first touch, and a write to one that is being
 * evicted cancels the eviction.  Both are quick, but are done by the thread
 * that serves the sink's faults, after the faults queued before: for each of
 * these it may have to read a page, which takes at most the timeout of the
 * store (store.h), and fails at once while the device is known to be stalled.
 * And a page that the host kernel has swapped out is read from swap: a thread
 * that reads many pages under a lock has to bound that
 * (vmm/guest/walk-limit.h).
 */
int guest_mem_pin_page(struct guest_mem *mem, gfn_t gfn, void **page);
void guest_mem_unpin_page(struct guest_mem *mem, gfn_t gfn);

/*
 * The only translation from guest addresses to pointers, fully checked.  A
 * pointer to [gpa, gpa + len); NULL unless all of it is RAM of ours in one
 * slot, and for len 0.
 */
void *guest_mem_ptr(const struct guest_mem *mem, gpa_t gpa, size_t len);

/* Copies into guest RAM.  0 or -EFAULT (nothing copied). */
int guest_mem_write(struct guest_mem *mem, gpa_t gpa, const void *buf,
		    size_t len);

/* Highest gfn + 1: the size of arrays indexed by gfn. */
uint64_t guest_mem_nr_frames(const struct guest_mem *mem);
/* The number of frames that are RAM. */
uint64_t guest_mem_nr_pages(const struct guest_mem *mem);
const struct guest_memslot *guest_mem_slots(const struct guest_mem *mem,
					    unsigned int *nr);
pid_t guest_mem_pid(const struct guest_mem *mem);

/* Both return false if the frame, or the address, is not guest RAM. */
bool guest_mem_gfn_to_hva(const struct guest_mem *mem, gfn_t gfn,
			  uint64_t *hva);
bool guest_mem_hva_to_gfn(const struct guest_mem *mem, uint64_t hva,
			  gfn_t *gfn);
/* Whether the range has at least one frame, and all are RAM. */
bool guest_mem_is_ram(const struct guest_mem *mem, struct gfn_range range);

/*
 * Sets in `resident` the bit of each frame of range that is in host RAM, and in
 * `swapped`, unless NULL, of each frame that is in host swap or evicted by a
 * sink; clears the range's other bits.  Bitmaps are indexed by gfn.  0 or
 * -errno.
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

#define GUEST_MEM_HUGE_PAGES 512u	/* frames of a transparent huge page */
#define GUEST_MEM_HUGE_BYTES (UINT64_C(2) << 20)

/*
 * Splits the huge page that begins at gfn into small pages, which stay
 * resident; those of a file are unmapped.  It stays huge if somebody else uses
 * it at this moment, or if it has just been allocated: guest_mem_huge() tells.
 * 0, -EINVAL (not an aligned block of our memory that can be huge) or -errno.
 */
int guest_mem_split_huge(struct guest_mem *mem, gfn_t gfn);
/*
 * Makes a huge page of the block that begins at gfn; pages that are not resident
 * become so, from swap or as zeros.  The kernel copies all of it.  0; -EINVAL,
 * as above, or the kernel does not know how (before Linux 6.1); -ENOMEM,
 * -EAGAIN, -EBUSY: not now; or another -errno.
 */
int guest_mem_collapse(struct guest_mem *mem, gfn_t gfn);

/*
 * Whether a part of the block at gfn has ever been discarded, so that what is not
 * resident may have been returned by the guest.
 */
bool guest_mem_has_holes(const struct guest_mem *mem, gfn_t gfn);

/*
 * At a read fault in a shared file the kernel maps pages around as well, up to
 * 64 KiB.  stop: no longer; in memory that can have huge pages, only in blocks
 * for which guest_mem_set_fault_around() says so, since it costs them the
 * ability to be huge.  0, -EINVAL (not our memory, or hugetlb pages) or -errno
 * (before Linux 5.19, or forbidden).  allow: ends it.  By one thread.
 */
int guest_mem_stop_fault_around(struct guest_mem *mem);
void guest_mem_allow_fault_around(struct guest_mem *mem);
/* For the block at gfn; without effect unless it was stopped.  0 or -errno. */
int guest_mem_set_fault_around(struct guest_mem *mem, gfn_t gfn, bool on);

/*
 * As guest_mem_residency() for all frames, and cheaper for repeated calls: the
 * bitmaps must be as the last call left them, updated with evictions that the
 * caller knows of.  call_nr counts these calls.  Exact, except when the kernel
 * by itself evicts unmapped pages of a memfd, or reads them in before they are
 * touched: this is noticed within 64 calls, or in the next one if many pages
 * are affected.  From one thread only.
 *
 * -ECANCELED soon after *stopping was set (stopping may be NULL): the bitmaps
 * are partly updated.  The flag is checked every GUEST_MEM_CHUNK_PAGES; but to
 * find the pages of a memfd that are in swap, the kernel may walk all of its
 * pages in one call.
 */
#define GUEST_MEM_CHUNK_PAGES (UINT64_C(1) << 16)
int guest_mem_residency_update(struct guest_mem *mem, uint64_t *resident,
			       uint64_t *swapped, unsigned int call_nr,
			       const atomic_bool *stopping);
/*
 * Notes for the next update that these frames may have been evicted or made
 * resident.
 */
void guest_mem_residency_stale(struct guest_mem *mem, struct gfn_range range);

/*
 * Mapped: a page table entry of the process guest_mem_pid() points to the
 * frame.  Anonymous memory that is resident is mapped.  The pages of a memfd
 * stay in RAM when they are unmapped; the next access, by the guest or by the
 * process, maps them by a minor fault.  KVM maps a frame for the guest only if
 * it is mapped in the process.
 */

/*
 * Whether page faults of this memory are served by a struct guest_faults
 * (faults.h).  All of a memfd is registered then, so the kernel does no
 * fault-around.
 */
bool guest_mem_has_faults(const struct guest_mem *mem);

/* As guest_mem_residency(): sets the bit of each frame that is mapped. */
int guest_mem_mapped(const struct guest_mem *mem, struct gfn_range range,
		     uint64_t *mapped);

/*
 * As guest_mem_residency(), for memory of ours that a userfaultfd has
 * registered for read-write protection: sets the bit of each frame that was
 * accessed or allocated since it was protected.  -EOPNOTSUPP: before Linux 7.3.
 */
int guest_mem_accessed(const struct guest_mem *mem, struct gfn_range range,
		       uint64_t *accessed);

/*
 * Unmaps frames of a memfd or of hugetlb pages from our page tables, and by
 * KVM's MMU notifier from the second-level ones; their contents are kept.
 * -EINVAL: another backing, which would lose them, memory of another process,
 * or part of a hugetlb page.  -EFAULT: not all of the range is RAM of one slot.
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
 * balloon and free page reporting.  0; -EFAULT with nothing done: not all of
 * the range is RAM of ours in one slot; -EOPNOTSUPP: hugetlb pages; or -errno.
 */
int guest_mem_discard(struct guest_mem *mem, struct gfn_range range);

/*
 * Drops the pages without asking the owner of discards (see below), for this
 * owner itself.  Errors as above.
 */
int guest_mem_drop(struct guest_mem *mem, struct gfn_range range);

/*
 * For a sink that stores pages itself: it becomes the owner of discards.
 * guest_mem_discard() calls its function, in the caller's thread, with a range
 * that is RAM of one slot, and drops nothing by itself.  The owner drops its
 * copies of the range and calls guest_mem_drop(), both under the lock under
 * which it evicts, so that no eviction in between stores discarded pages.  It
 * returns 0 or -errno.  One owner at a time; discard NULL removes it.  To be
 * called while no thread discards.
 */
void guest_mem_set_owner(struct guest_mem *mem,
			 int (*discard)(void *arg, struct gfn_range range),
			 void *arg);
/*
 * Marks a page as evicted by a sink: it counts as swapped in
 * guest_mem_residency().  A sink that has to read pages back sets the mark
 * first, then checks whether the page is pinned, and drops it only if not: see
 * guest_mem_pin_page().  0; -ENOMEM: from the first call only, which must be
 * made before there is a second thread.
 */
int guest_mem_set_evicted(struct guest_mem *mem, gfn_t gfn, bool evicted);
bool guest_mem_is_evicted(const struct guest_mem *mem, gfn_t gfn);
/*
 * Marks a page whose contents a sink has lost: an access is a memory error.
 * For a sink that has called guest_mem_set_evicted(): it sets this mark before
 * it clears the other one.
 */
void guest_mem_set_lost(struct guest_mem *mem, gfn_t gfn, bool lost);
bool guest_mem_is_lost(const struct guest_mem *mem, gfn_t gfn);
/*
 * stays: pages that the sink marks as evicted are still in RAM, on another NUMA
 * node, and can be accessed there.  They do not count as resident.
 */
void guest_mem_set_accessible_in_place(struct guest_mem *mem, bool stays);

/* Pages discarded since the start, by guest_mem_discard(). */
uint64_t guest_mem_nr_discarded(const struct guest_mem *mem);

#endif
