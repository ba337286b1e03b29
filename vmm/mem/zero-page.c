// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/mem/addr.h"
#include "vmm/mem/pagemap-scan.h"
#include "vmm/mem/zero-page.h"
#include "vmm/util/cleanup.h"

#define HUGE_BYTES (UINT64_C(2) << 20)
#define HUGE_PAGES (HUGE_BYTES >> VMM_PAGE_SHIFT)
#define PM_PFN	   ((UINT64_C(1) << 55) - 1)

static struct zero_page found;

static uint64_t pfn_of(int fd, const volatile uint8_t *page)
{
	uint64_t entry, vpn = (uintptr_t)page >> VMM_PAGE_SHIFT;

	if (pread(fd, &entry, sizeof(entry), vpn * sizeof(entry)) !=
	    sizeof(entry))
		return 0;
	return entry & PM_PFN;
}

static bool scan_identifies(int fd, const volatile uint8_t *page)
{
	struct page_region region;
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = (uintptr_t)page,
		.end = (uintptr_t)page + VMM_PAGE_SIZE,
		.vec = (uintptr_t)&region,
		.vec_len = 1,
		.category_anyof_mask = PAGE_IS_PFNZERO,
		.return_mask = PAGE_IS_PFNZERO,
	};

	return ioctl(fd, PAGEMAP_SCAN, &arg) == 1;
}

/*
 * The mapping is kept: the kernel frees the huge zero page with its last user
 * and would then allocate another.
 */
static void find(void)
{
	__cleanup_close int fd = open("/proc/self/pagemap",
				      O_RDONLY | O_CLOEXEC);
	volatile uint8_t *map = mmap(NULL, 3 * HUGE_BYTES, PROT_READ,
				     MAP_PRIVATE | MAP_ANONYMOUS |
				     MAP_NORESERVE, -1, 0);
	volatile uint8_t *huge, *small;

	if (fd < 0 || map == MAP_FAILED)
		return;
	huge = map + (-(uintptr_t)map & (HUGE_BYTES - 1));
	small = huge + HUGE_BYTES;
	madvise((void *)huge, HUGE_BYTES, MADV_HUGEPAGE);
	madvise((void *)small, HUGE_BYTES, MADV_NOHUGEPAGE);
	(void)*huge;
	(void)*small;
	found.pfn = pfn_of(fd, small);
	found.huge_pfn = pfn_of(fd, huge);
	found.scan_identifies = scan_identifies(fd, huge) && scan_identifies(fd, small);
	/* Without huge pages the second is the small zero page again. */
	if (found.huge_pfn & (HUGE_PAGES - 1) || found.huge_pfn == found.pfn)
		found.huge_pfn = 0;
}

const struct zero_page *zero_page_find(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, find);
	return &found;
}

bool zero_page_is(const struct zero_page *z, uint64_t entry)
{
	uint64_t pfn = entry & PM_PFN;

	return pfn && (pfn == z->pfn ||
		       (z->huge_pfn && pfn >= z->huge_pfn &&
			pfn < z->huge_pfn + HUGE_PAGES));
}
