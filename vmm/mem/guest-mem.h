/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory: which guest frames exist and where the host has them.
 *
 * The guest's physical memory is a few slots, each a contiguous run of frames
 * backed by a contiguous run of host virtual addresses.  On x86 RAM lies below
 * 3 GiB and, when there is more, from 4 GiB up.  Everything that keeps an
 * array or bitmap by frame indexes it with the gfn itself and sizes it with
 * guest_mem_nr_frames(); the hole costs untouched zero pages only.
 *
 * The host virtual addresses belong to the process guest_mem_pid(): ourselves
 * for `vmm run`, QEMU for `vmm attach`.  guest_mem_ptr(), _read() and _write()
 * work only on our own memory.
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
	 * The same in pages of the host's pool, 2 MiB or 1 GiB, all of them
	 * taken at once.  They stay: the kernel can't swap them, and giving one
	 * back would only put it into the pool.
	 */
	GUEST_MEM_HUGETLB,
	GUEST_MEM_HUGETLB_1G,
};

/*
 * Allocates nr_bytes of memory (a multiple of 2 MiB is rounded up to) in the
 * layout above.  Errors: -EINVAL (0 bytes; for pages of 1 GiB no multiple of
 * these), -ENOMEM, -ENOSPC, -EMFILE, -ENOENT (no such pages on this host).
 */
int guest_mem_new(struct guest_mem **memp, uint64_t nr_bytes,
		  enum guest_mem_backing backing);
/* Why that failed with rc, in one sentence, with the remedy. */
void guest_mem_explain(int rc, uint64_t nr_bytes,
		       enum guest_mem_backing backing, char *why, size_t len);
void guest_mem_free(struct guest_mem *mem);

#define GUEST_MEM_MAX_SLOTS 64

/*
 * The memory that another process has for its guest, as slots in rising order
 * of frames that don't overlap; copied.  What of it is a mapped file is opened,
 * so that its pages can be asked for; nothing of it is touched, and nothing
 * changes for the process.  backing tells how the pages are had; GUEST_MEM_MEMFD
 * is for a file of any kind that is shared.
 *
 * Such memory has no guest_mem_ptr(), and can neither be discarded nor unmapped.
 * Needs what ptrace needs, and for a file CAP_SYS_ADMIN.  -EINVAL (no slots, too
 * many, not in order), -ESRCH, -EACCES, -ENOENT (not mapped there), ...
 */
int guest_mem_attach(struct guest_mem **memp, pid_t pid,
		     const struct guest_memslot *slots, unsigned int nr,
		     enum guest_mem_backing backing);
/*
 * For a sink: takes out of RAM the pages of a remote file that are resident and
 * mapped by nobody; a hint.
 */
void guest_mem_page_out_unmapped(const struct guest_mem *mem,
				 struct gfn_range range);
enum guest_mem_backing guest_mem_backing(const struct guest_mem *mem);
/* Frames of the largest page that this backing can have. */
uint64_t guest_mem_leaf_pages(const struct guest_mem *mem);
/* In pages of the host's pool, of either size. */
bool guest_mem_is_hugetlb(const struct guest_mem *mem);

/*
 * Memory that devices work with all the time, such as the rings of a virtqueue, or
 * that the kernel is about to write to, as it reads a file into it: held once more
 * for each call, until as many releases.  It is not reclaimed.
 * [gpa, gpa + len) is guest RAM; what is not is left out.
 *
 * A guest may name one page in all buffers that it gives us, so all our devices
 * together hold a page at most GUEST_MEM_MAX_HOLDS times at once.
 */
#define GUEST_MEM_MAX_HOLDS 32768
void guest_mem_hold(struct guest_mem *mem, gpa_t gpa, uint64_t len);
void guest_mem_release(struct guest_mem *mem, gpa_t gpa, uint64_t len);
bool guest_mem_is_held(const struct guest_mem *mem, gfn_t gfn);

/*
 * For a thread that others wait for, as it holds a lock: a frame that can be read
 * without waiting for the device of a sink.  *page points to it, and no sink takes
 * it to such a device until guest_mem_release_page(); where there is no such sink
 * both cost nothing.  -EFAULT: it is not RAM of ours; -EAGAIN: a sink has it, or
 * it is lost.
 *
 * What can still take a while is a frame that a sink watches and does not have: one
 * that was discarded is filled with zeros at the first touch, and a write to one
 * that is being evicted ends that.  Both are quick, but done by the thread that
 * serves the sink's faults, after those that came before: for each of them it may
 * have to read a page first, which takes no longer than the timeout of the store
 * (store.h), and is refused at once when the device is known to be stalled.  And
 * what the host's kernel has swapped out, the kernel brings back: whoever reads
 * many pages under a lock has to bound that (vmm/guest/walk-limit.h).
 */
int guest_mem_hold_page(struct guest_mem *mem, gfn_t gfn, void **page);
void guest_mem_release_page(struct guest_mem *mem, gfn_t gfn);

/*
 * The one checked translator.  Our pointer to [gpa, gpa + len), or NULL unless
 * all of it is guest RAM inside one slot.  len 0 is refused too.
 */
void *guest_mem_ptr(const struct guest_mem *mem, gpa_t gpa, size_t len);

/* Copies; may cross slots that touch.  0 or -EFAULT (nothing copied). */
int guest_mem_read(const struct guest_mem *mem, gpa_t gpa, void *buf,
		   size_t len);
int guest_mem_write(struct guest_mem *mem, gpa_t gpa, const void *buf,
		    size_t len);

/* Highest gfn + 1: the size of arrays indexed by gfn. */
uint64_t guest_mem_nr_frames(const struct guest_mem *mem);
/* Frames that are RAM. */
uint64_t guest_mem_nr_pages(const struct guest_mem *mem);
const struct guest_memslot *guest_mem_slots(const struct guest_mem *mem,
					    unsigned int *nr);
pid_t guest_mem_pid(const struct guest_mem *mem);

/* False where the frame is not RAM. */
bool guest_mem_gfn_to_hva(const struct guest_mem *mem, gfn_t gfn,
			  uint64_t *hva);
bool guest_mem_hva_to_gfn(const struct guest_mem *mem, uint64_t hva,
			  gfn_t *gfn);
/* Of one frame or more, and all of them. */
bool guest_mem_is_ram(const struct guest_mem *mem, struct gfn_range range);

/*
 * Sets the bit of each frame of range that is resident in host RAM and, unless
 * NULL, in `swapped` of each frame that is in host swap; clears the others.
 * Bitmaps are indexed by gfn.  0 or -errno.
 */
int guest_mem_residency(const struct guest_mem *mem, struct gfn_range range,
			uint64_t *resident, uint64_t *swapped);

/*
 * Sets the bit of each frame that is in a transparent huge page mapped whole,
 * and clears the others of range.  0, -EOPNOTSUPP (before Linux 6.7) or -errno.
 */
int guest_mem_huge(const struct guest_mem *mem, struct gfn_range range,
		   uint64_t *huge);

/*
 * The same for all frames, and cheaper, for who asks again and again: the bitmaps
 * are as the last call left them, with what the caller has found out since.
 * `turn` counts the calls.  Exact, but where the kernel by itself takes pages of
 * a memfd that are not mapped, or brings them back before they are touched: that
 * is seen within 64 calls, and in the next one when it is much.  One thread.
 *
 * -ECANCELED soon after *stopping was set (it may be NULL): the bitmaps are partly
 * new.  It is looked at every GUEST_MEM_LOOK_PAGES; but to find what of a memfd is in
 * swap, the kernel may walk all of its pages in one go.
 */
#define GUEST_MEM_LOOK_PAGES (UINT64_C(1) << 16)
int guest_mem_residency_update(struct guest_mem *mem, uint64_t *resident,
			       uint64_t *swapped, unsigned int turn,
			       const atomic_bool *stopping);
/* Something was done that may bring these frames back, or take them; any thread. */
void guest_mem_residency_stale(struct guest_mem *mem, struct gfn_range range);

/*
 * Mapped: a page table entry of our process leads to the frame.  Anonymous
 * memory is mapped where it is resident.  The pages of a memfd stay in RAM when
 * they are unmapped; the next touch, the guest's or our own, finds and maps
 * them by a minor fault.  KVM maps nothing for a guest that is not mapped here.
 */

/*
 * Page faults of this memory are served (faults.h).  Of a memfd all is registered
 * then, so faults map nothing around them.
 */
bool guest_mem_has_faults(const struct guest_mem *mem);

/* As guest_mem_residency(): sets the bit of each frame that is mapped. */
int guest_mem_mapped(const struct guest_mem *mem, struct gfn_range range,
		     uint64_t *mapped);

/*
 * As guest_mem_residency(), of memory of ours that a userfaultfd has registered
 * for read-write protection: sets the bit of each frame that was touched since it
 * was protected, or came since.  -EOPNOTSUPP: before Linux 7.3.
 */
int guest_mem_accessed(const struct guest_mem *mem, struct gfn_range range,
		       uint64_t *accessed);

/*
 * Unmaps frames of a memfd from us, and by KVM's notifiers from the guest;
 * their contents stay.  -EINVAL: another backing, which would lose them, or
 * part of a page of the host's pool.  -EFAULT: not all of it is RAM of one slot.
 */
int guest_mem_unmap(struct guest_mem *mem, struct gfn_range range);
/* Maps the frames; those that are not resident become so.  Errors as above. */
int guest_mem_map(struct guest_mem *mem, struct gfn_range range);

/*
 * Gives frames back to the host: they read as zeros afterwards.  For the
 * balloon and free page reporting.  Frames outside RAM: -EFAULT, nothing done.
 * -EOPNOTSUPP: hugetlb pages.
 */
int guest_mem_discard(struct guest_mem *mem, struct gfn_range range);

/*
 * The drop itself, and nothing else: of the owner below, who decides whether
 * the page may go.  Errors as above.
 */
int guest_mem_drop(struct guest_mem *mem, struct gfn_range range);

/*
 * For a sink that keeps something of pages itself: it owns what becomes of
 * them.  guest_mem_discard() calls it, in its caller's thread, with a range that
 * is RAM of one slot, and does nothing more: the owner forgets what it has of
 * the range and calls guest_mem_drop(), both under the lock by which it evicts,
 * so that no eviction comes in between and stores what was given back.  0 or
 * -errno.  One owner at a time; NULL: none any more.  Set and removed while
 * nobody discards.
 */
void guest_mem_set_owner(struct guest_mem *mem,
			 int (*discard)(void *arg, struct gfn_range range),
			 void *arg);
/*
 * Such a page counts as swapped in guest_mem_residency().  A sink whose pages
 * must be fetched sets it first, then looks whether the page is held, and drops
 * it only if not: see guest_mem_hold_page().  -ENOMEM, and only the first time.
 */
int guest_mem_set_away(struct guest_mem *mem, gfn_t gfn, bool away);
bool guest_mem_is_away(const struct guest_mem *mem, gfn_t gfn);
/*
 * A page that can't be had any more, so that to touch it is a memory error.  By
 * the sink that has called guest_mem_set_away(): it says so before the page is no
 * longer away.
 */
void guest_mem_set_lost(struct guest_mem *mem, gfn_t gfn, bool lost);
bool guest_mem_is_lost(const struct guest_mem *mem, gfn_t gfn);
/*
 * Pages that are away are in RAM all the same, only not where they should be:
 * then they do not count as resident.
 */
void guest_mem_away_stays(struct guest_mem *mem, bool stays);

/* Pages discarded since the start, by guest_mem_discard(). */
uint64_t guest_mem_nr_discarded(const struct guest_mem *mem);

#endif
