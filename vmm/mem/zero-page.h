/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's pages of zeroes, small and huge: what a read of memory gets that
 * was never written.  They are mapped as if they were there, take no memory, and
 * can't be taken away; QEMU reads all of a guest to send it, and has them all
 * over on both sides.
 */
#ifndef VMM_MEM_ZERO_PAGE_H
#define VMM_MEM_ZERO_PAGE_H

#include <stdbool.h>
#include <stdint.h>

struct zero_page {
	uint64_t pfn, huge_pfn;	/* 0: there is none, or we may not know */
	bool scan_tells;	/* PAGEMAP_SCAN knows both from others */
};

/* Of this kernel; looked for once. */
const struct zero_page *zero_page_find(void);

/* Whether an entry of pagemap, of one that is present, is one of them. */
bool zero_page_is(const struct zero_page *z, uint64_t entry);

#endif
