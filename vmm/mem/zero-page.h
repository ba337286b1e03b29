/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's zero pages, small and huge, which a read of memory that was
 * never written maps.  They appear as present pages, take no memory, and can't
 * be reclaimed.  QEMU reads all guest memory during migration: then many are
 * mapped on both sides.
 */
#ifndef VMM_MEM_ZERO_PAGE_H
#define VMM_MEM_ZERO_PAGE_H

#include <stdbool.h>
#include <stdint.h>

struct zero_page {
	/* Frame numbers of the host.  0: there is none, or it is hidden. */
	uint64_t pfn, huge_pfn;
	bool scan_identifies;	/* PAGEMAP_SCAN identifies both */
};

/* The zero pages of this kernel; found in the first call.  Any thread. */
const struct zero_page *zero_page_find(void);

/* Whether a pagemap entry, of a present page, names a zero page. */
bool zero_page_is(const struct zero_page *z, uint64_t entry);

#endif
