// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which guest frames are resident, mapped or in swap.
 *
 *   anonymous   present in pagemap, and not the kernel's zero page: resident
 *               and mapped; swap entry: swapped
 *   memfd       present in pagemap: mapped; in the page cache (mincore):
 *               resident; data of the file (SEEK_DATA) that is not in the page
 *               cache: swapped
 *   hugetlb     present in pagemap: mapped; all of it is resident, always
 *
 * A page table entry that is both a swap entry and of a file is a page that the
 * kernel is moving to another frame (compaction, NUMA balancing): it is mapped.
 */
#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/mem/guest-mem-internal.h"
#include "vmm/mem/pagemap-scan.h"
#include "vmm/mem/zero-page.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/stop-flag.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21			/* Linux 5.4 */
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22		/* Linux 5.14 */
#endif

/* /proc/PID/pagemap; bits 61 to 63 need no privilege. */
#define PM_PRESENT (UINT64_C(1) << 63)
#define PM_SWAP	   (UINT64_C(1) << 62)
#define PM_FILE	   (UINT64_C(1) << 61)
#define PM_MOVING  (PM_SWAP | PM_FILE)
#define PM_BATCH   8192

#define SCAN_MOVING  (PAGE_IS_SWAPPED | PAGE_IS_FILE)
#define SCAN_REGIONS 256	/* returned by one ioctl at most */
#define CHUNK_BYTES   (GUEST_MEM_CHUNK_PAGES << VMM_PAGE_SHIFT)

#define OFF_MAX	    INT64_MAX
#define SMALL_SHIFT 4	/* less than a 16th of the memory is a small part */

/* A run of frames in one slot, and its file, if it has one (not owned). */
struct slot_part {
	uint64_t gfn, nr, hva;	/* first frame, frames, address of the first */
	uint8_t *map;		/* our mapping of these frames; NULL: no file */
	int fd;			/* -1: no file */
	off_t offset;		/* of the first frame in the file, bytes */
	const atomic_bool *stopping;	/* set to cancel the query; or NULL */
};

static void set_bit_to(uint64_t *map, uint64_t i, bool on)
{
	if (on)
		bitmap_set(map, i);
	else
		bitmap_clear(map, i);
}

/* A category of pages (PAGE_IS_*), and the bitmap in which to set them. */
struct wanted {
	uint64_t category;
	uint64_t *map;
};

/* A page that the kernel is moving counts as present only: see the top. */
static bool is_wanted(const struct wanted *w, uint64_t categories)
{
	if ((categories & SCAN_MOVING) == SCAN_MOVING)
		return w->category == PAGE_IS_PRESENT;
	return categories & w->category;
}

/* By PAGEMAP_SCAN.  Sets bits, clears none.  -EOPNOTSUPP: before Linux 6.7. */
static int run_scan(const struct guest_mem *mem, struct slot_part r,
		    const struct wanted *wanted, size_t nr_wanted)
{
	const uint64_t end = r.hva + (r.nr << VMM_PAGE_SHIFT);
	struct page_region regions[SCAN_REGIONS];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = r.hva,
		.vec = (uintptr_t)regions,
		.vec_len = SCAN_REGIONS,
		.category_inverted = PAGE_IS_PFNZERO,
		.category_mask = PAGE_IS_PFNZERO,
	};

	for (size_t k = 0; k < nr_wanted; k++)
		arg.category_anyof_mask |= wanted[k].category;
	if (arg.category_anyof_mask & PAGE_IS_PRESENT)
		arg.category_anyof_mask |= PAGE_IS_SWAPPED;
	arg.return_mask = arg.category_anyof_mask | PAGE_IS_FILE;
	while (arg.start < end) {
		int nr;

		if (stop_flag_is_set(r.stopping))
			return -ECANCELED;
		arg.end = end - arg.start < CHUNK_BYTES ? end :
			  arg.start + CHUNK_BYTES;
		nr = ioctl(mem->pagemap_fd, PAGEMAP_SCAN, &arg);
		if (nr < 0)
			return errno == ENOTTY || errno == EINVAL ?
				       -EOPNOTSUPP : -errno;
		for (size_t i = 0; i < nr * nr_wanted; i++) {
			const struct page_region *found =
				&regions[i / nr_wanted];
			const struct wanted *w = &wanted[i % nr_wanted];

			if (is_wanted(w, found->categories))
				bitmap_set_range(w->map, r.gfn +
					((found->start - r.hva) >>
					 VMM_PAGE_SHIFT), r.gfn +
					((found->end - r.hva) >>
					 VMM_PAGE_SHIFT));
		}
		/* The scan stops when the regions are full. */
		if (arg.walk_end <= arg.start)
			break;
		arg.start = arg.walk_end;
	}
	return 0;
}

/* By reading pagemap; with any kernel.  swapped may be NULL. */
static int run_read(const struct guest_mem *mem, struct slot_part r,
		    uint64_t *present, uint64_t *swapped)
{
	__cleanup_free uint64_t *entries = malloc(PM_BATCH * sizeof(*entries));
	const struct zero_page *zero = zero_page_find();
	uint64_t vpn = r.hva >> VMM_PAGE_SHIFT;
	ssize_t got;

	if (!entries)
		return -ENOMEM;
	while (r.nr) {
		uint64_t n = r.nr < PM_BATCH ? r.nr : PM_BATCH;

		if (stop_flag_is_set(r.stopping))
			return -ECANCELED;
		got = pread(mem->pagemap_fd, entries, n * sizeof(*entries),
			    vpn * sizeof(*entries));
		if (got < 0)
			return -errno;
		n = got / sizeof(*entries);
		/* The read returns 0 if the process has freed its memory. */
		if (!n)
			return mem->pid ? -ESRCH : -EIO;
		for (uint64_t i = 0; i < n; i++) {
			bool moving = (entries[i] & PM_MOVING) == PM_MOVING;

			set_bit_to(present, r.gfn + i, moving ||
				   (entries[i] & PM_PRESENT &&
				    !zero_page_is(zero, entries[i])));
			if (swapped)
				set_bit_to(swapped, r.gfn + i,
					   entries[i] & PM_SWAP && !moving);
		}
		vpn += n;
		r.gfn += n;
		r.nr -= n;
	}
	return 0;
}

/*
 * The bits of r must be clear before; swapped may be NULL.  run_scan() takes
 * 1/19 of the time of run_read() if no page is mapped, 1/4 if every tenth is,
 * none next to another, and 1/5 if all are (Linux 6.18).
 */
static int run_pagemap(const struct guest_mem *mem, struct slot_part r,
		       uint64_t *present, uint64_t *swapped)
{
	const struct wanted wanted[] = {
		{ PAGE_IS_PRESENT, present }, { PAGE_IS_SWAPPED, swapped },
	};
	int rc = mem->no_scan || !zero_page_find()->scan_identifies ?
			 -EOPNOTSUPP :
			 run_scan(mem, r, wanted, swapped ? 2 : 1);

	return rc == -EOPNOTSUPP ? run_read(mem, r, present, swapped) : rc;
}

/* Bytes in a file. */
static off_t offset(uint64_t nr_pages)
{
	return nr_pages << VMM_PAGE_SHIFT;
}

static int run_incore(struct slot_part r, uint64_t *resident)
{
	__cleanup_free uint8_t *incore = malloc(PM_BATCH);
	uint64_t n;

	if (!incore)
		return -ENOMEM;
	for (; r.nr; r.nr -= n) {
		n = r.nr < PM_BATCH ? r.nr : PM_BATCH;
		if (stop_flag_is_set(r.stopping))
			return -ECANCELED;
		if (mincore(r.map, n << VMM_PAGE_SHIFT, incore))
			return -errno;
		for (uint64_t i = 0; i < n; i++)
			set_bit_to(resident, r.gfn + i, incore[i] & 1);
		r.gfn += n;
		r.map += n << VMM_PAGE_SHIFT;
	}
	return 0;
}

/*
 * Where data (or a hole) begins, at or after `at`; OFF_MAX: nowhere before the
 * end of the file; or -errno.
 */
static off_t seek(int fd, off_t at, int whence)
{
	off_t found = lseek(fd, at, whence);

	return found >= 0 ? found : errno == ENXIO ? OFF_MAX : -errno;
}

/*
 * Sets the bits of frames that are data of the file but not resident.  To find
 * the end of the data the kernel walks all of it, which pays off only if r is a
 * large part of the memory; else each page that is not resident is queried.
 */
static int run_swapped(const struct guest_mem *mem, struct slot_part r,
		       const uint64_t *resident, uint64_t *swapped)
{
	bool small = r.nr < guest_mem_nr_pages(mem) >> SMALL_SHIFT;
	off_t start = r.offset, data;
	uint64_t g = r.gfn, end = r.gfn + r.nr, hole;

	while ((g = bitmap_next_zero(resident, g, end)) < end) {
		if (stop_flag_is_set(r.stopping))
			return -ECANCELED;
		data = seek(r.fd, start + offset(g - r.gfn), SEEK_DATA);
		if (data < 0)
			return data;
		if (data >= start + offset(r.nr))
			return 0;
		g = r.gfn + ((data - start) >> VMM_PAGE_SHIFT);
		hole = g + 1;
		if (!small) {
			data = seek(r.fd, data, SEEK_HOLE);
			if (data < 0)
				return data;
			if (data > start + offset(r.nr))
				data = start + offset(r.nr);
			hole = r.gfn + ((data - start) >> VMM_PAGE_SHIFT);
		}
		for (; g < hole; g++)
			if (!bitmap_test(resident, g))
				bitmap_set(swapped, g);
	}
	return 0;
}

static int run_residency(const struct guest_mem *mem, struct slot_part r,
			 uint64_t *resident, uint64_t *swapped)
{
	int rc;

	if (guest_mem_is_hugetlb(mem)) {
		bitmap_set_range(resident, r.gfn, r.gfn + r.nr);
		return 0;
	}
	if (!r.map)
		return run_pagemap(mem, r, resident, swapped);
	rc = run_incore(r, resident);
	return rc || !swapped ? rc : run_swapped(mem, r, resident, swapped);
}

/* Adds to r, a part of slot i, the file of the slot, if it has one. */
static struct slot_part add_slot_file(const struct guest_mem *mem, unsigned int i,
			    struct slot_part r)
{
	uint64_t at = r.hva - mem->slots[i].hva;

	r.fd = -1;
	if (mem->remote && mem->remote[i].map) {
		r.fd = mem->remote[i].fd;
		r.map = mem->remote[i].map + at;
		r.offset = mem->remote[i].offset + at;
	} else if (!mem->remote && guest_mem_is_shared(mem)) {
		r.fd = mem->fd;
		r.map = (uint8_t *)(uintptr_t)r.hva;
		r.offset = r.hva - mem->file_hva;
	}
	return r;
}

/* The part of the range that is in slot i; its nr is 0 if there is none. */
static struct slot_part slot_part_until(const struct guest_mem *mem,
					unsigned int i, struct gfn_range range,
					const atomic_bool *stopping)
{
	const struct guest_memslot *s = &mem->slots[i];
	uint64_t end = range.start.v + range.nr;
	uint64_t from = s->base.v, to = s->base.v + s->nr_pages;

	if (from < range.start.v)
		from = range.start.v;
	if (to > end)
		to = end;
	if (from >= to)
		return (struct slot_part){ 0 };
	return add_slot_file(mem, i, (struct slot_part){
		.gfn = from, .nr = to - from,
		.hva = s->hva + ((from - s->base.v) << VMM_PAGE_SHIFT),
		.stopping = stopping,
	});
}

static struct slot_part slot_part_of(const struct guest_mem *mem,
				     unsigned int i, struct gfn_range range)
{
	return slot_part_until(mem, i, range, NULL);
}

/*
 * Pages that a sink has marked as evicted count as swapped.  Those that are
 * accessible in place are in RAM, but do not count as resident.  swapped may be
 * NULL.
 */
static void add_evicted(const struct guest_mem *mem, struct gfn_range range,
			uint64_t *resident, uint64_t *swapped)
{
	uint64_t start = range.start.v, end = start + range.nr;

	for (uint64_t w = start / 64; start < end && w <= (end - 1) / 64; w++) {
		uint64_t evicted = bitmap_word_mask(w, start, end) &
			__atomic_load_n(&mem->evicted[w], __ATOMIC_RELAXED);

		if (swapped)
			swapped[w] |= evicted;
		if (mem->accessible_in_place)
			resident[w] &= ~evicted;
	}
}

int residency_until(const struct guest_mem *mem, struct gfn_range range,
		    uint64_t *resident, uint64_t *swapped,
		    const atomic_bool *stopping)
{
	uint64_t end = range.start.v + range.nr;
	int rc = 0;

	bitmap_clear_range(resident, range.start.v, end);
	if (swapped)
		bitmap_clear_range(swapped, range.start.v, end);
	for (unsigned int i = 0; !rc && i < mem->nr_slots; i++)
		rc = run_residency(mem,
				   slot_part_until(mem, i, range, stopping),
				   resident, swapped);
	if (mem->evicted)
		add_evicted(mem, range, resident, swapped);
	return rc;
}

int guest_mem_residency(const struct guest_mem *mem, struct gfn_range range,
			uint64_t *resident, uint64_t *swapped)
{
	return residency_until(mem, range, resident, swapped, NULL);
}

int mapped_until(const struct guest_mem *mem, struct gfn_range range,
		 uint64_t *mapped, const atomic_bool *stopping)
{
	int rc = 0;

	bitmap_clear_range(mapped, range.start.v, range.start.v + range.nr);
	for (unsigned int i = 0; !rc && i < mem->nr_slots; i++)
		rc = run_pagemap(mem, slot_part_until(mem, i, range, stopping),
				 mapped, NULL);
	return rc;
}

int guest_mem_mapped(const struct guest_mem *mem, struct gfn_range range,
		     uint64_t *mapped)
{
	return mapped_until(mem, range, mapped, NULL);
}

static int scan_one(const struct guest_mem *mem, struct gfn_range range,
		    const struct wanted *wanted)
{
	int rc = 0;

	bitmap_clear_range(wanted->map, range.start.v,
			   range.start.v + range.nr);
	for (unsigned int i = 0; !rc && i < mem->nr_slots; i++)
		rc = run_scan(mem, slot_part_of(mem, i, range), wanted, 1);
	return rc;
}

int guest_mem_huge(const struct guest_mem *mem, struct gfn_range range,
		   uint64_t *huge)
{
	const struct wanted wanted = { PAGE_IS_HUGE, huge };

	return scan_one(mem, range, &wanted);
}

int guest_mem_accessed(const struct guest_mem *mem, struct gfn_range range,
		       uint64_t *accessed)
{
	const struct wanted wanted = { PAGE_IS_ACCESSED, accessed };

	return scan_one(mem, range, &wanted);
}

/*
 * MADV_PAGEOUT takes only pages that are mapped, and by one process.  So pages
 * that none maps are mapped for a moment by our mapping of the file, which is
 * used for queries otherwise.
 */
static void page_out_unmapped(struct slot_part r)
{
	madvise(r.map, r.nr << VMM_PAGE_SHIFT, MADV_POPULATE_READ);
	madvise(r.map, r.nr << VMM_PAGE_SHIFT, MADV_PAGEOUT);
}

/* Pages out the frames of slot i that are resident but not mapped, in runs. */
static void slot_page_out(const struct guest_mem *mem, unsigned int i,
			  struct gfn_range range, const uint64_t *resident,
			  const uint64_t *mapped)
{
	struct slot_part r = slot_part_of(mem, i, range);
	uint64_t end = r.gfn + r.nr, next;

	if (!r.nr || !r.map)
		return;
	for (uint64_t g = r.gfn; g < end; g = next) {
		next = g + 1;
		if (!bitmap_test(resident, g) || bitmap_test(mapped, g))
			continue;
		while (next < end && bitmap_test(resident, next) &&
		       !bitmap_test(mapped, next))
			next++;
		page_out_unmapped(slot_part_of(
			mem, i, (struct gfn_range){ GFN(g), next - g }));
	}
}

/*
 * The kernel has also mapped what is around these pages (mm/memory.c,
 * do_fault_around), pages of the guest's process among them: it would not page
 * out any that two processes map.
 */
static void unmap_ours(const struct guest_mem *mem)
{
	for (unsigned int i = 0; i < mem->nr_slots; i++) {
		const struct guest_memslot *s = &mem->slots[i];
		struct slot_part r = slot_part_of(
			mem, i, (struct gfn_range){ s->base, s->nr_pages });

		if (r.map)
			madvise(r.map, r.nr << VMM_PAGE_SHIFT, MADV_DONTNEED);
	}
}

void guest_mem_page_out_unmapped(const struct guest_mem *mem,
				 const struct gfn_range *ranges, size_t nr)
{
	__cleanup_free uint64_t *resident = NULL, *mapped = NULL;

	if (!mem->remote || guest_mem_is_hugetlb(mem))
		return;
	resident = bitmap_new(guest_mem_nr_frames(mem));
	mapped = bitmap_new(guest_mem_nr_frames(mem));
	if (!resident || !mapped)
		return;
	for (size_t k = 0; k < nr; k++) {
		if (guest_mem_residency(mem, ranges[k], resident, NULL) ||
		    guest_mem_mapped(mem, ranges[k], mapped))
			break;
		for (unsigned int i = 0; i < mem->nr_slots; i++)
			slot_page_out(mem, i, ranges[k], resident, mapped);
	}
	unmap_ours(mem);
}
