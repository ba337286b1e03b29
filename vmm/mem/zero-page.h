/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's zero pages, small and huge, which are mapped by a read of memory
 * that was never written.  They appear as present pages, take no memory, and
 * can't be reclaimed; QEMU reads all guest memory during migration, so that
 * both sides then map many of them.
 */
#ifndef VMM_MEM_ZERO_PAGE_H
#define VMM_MEM_ZERO_PAGE_H

#include <stdbool.h>
#include <stdint.h>

struct zero_page {
	uint64_t pfn, huge_pfn;	/* 0: none, or hidden from us */
	bool scan_tells;	/* PAGEMAP_SCAN identifies both */
};

/* The zero pages of this kernel; searched for once. */
const struct zero_page *zero_page_find(void);

/* Whether a pagemap entry of a present page is one of them. */
bool zero_page_is(const struct zero_page *z, uint64_t entry);

#endif
