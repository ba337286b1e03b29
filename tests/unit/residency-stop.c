// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Querying the residency of all pages of a large guest takes a second.  A stop
 * does not wait for its end, whichever kernel interface is used.  Queries are
 * counted by functions that wrap the system calls (-Wl,--wrap).
 */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/mem/guest-mem-internal.h"
#include "vmm/mem/pagemap-scan.h"
#include "vmm/util/bitmap.h"

#define BYTES (UINT64_C(2) << 30)
#define NR    (BYTES >> VMM_PAGE_SHIFT)

static atomic_bool stopping;
static uint64_t stop_after, nr_asked;	/* pages */

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_mincore(void *addr, size_t length, unsigned char *vec);
int __wrap_mincore(void *addr, size_t length, unsigned char *vec);
ssize_t __real_pread(int fd, void *buf, size_t nbytes, off_t offset);
ssize_t __wrap_pread(int fd, void *buf, size_t nbytes, off_t offset);

static void count(uint64_t nr_pages)
{
	nr_asked += nr_pages;
	if (nr_asked > stop_after)
		stopping = true;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	uint64_t from = 0;
	va_list ap;
	void *arg;
	int rc;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request == PAGEMAP_SCAN)
		from = ((struct pm_scan_arg *)arg)->start;
	rc = __real_ioctl(fd, request, arg);
	if (request == PAGEMAP_SCAN && rc >= 0)
		count((((struct pm_scan_arg *)arg)->walk_end - from) >>
		      VMM_PAGE_SHIFT);
	return rc;
}

int __wrap_mincore(void *addr, size_t length, unsigned char *vec)
{
	count(length >> VMM_PAGE_SHIFT);
	return __real_mincore(addr, length, vec);
}

ssize_t __wrap_pread(int fd, void *buf, size_t nbytes, off_t offset)
{
	count(nbytes / sizeof(uint64_t));
	return __real_pread(fd, buf, nbytes, offset);
}

static void test(enum guest_mem_backing backing, bool no_scan, const char *how)
{
	uint64_t *resident = bitmap_new(NR), *swapped = bitmap_new(NR);
	unsigned int turn = 0;
	struct guest_mem *mem;
	int rc;

	if (!resident || !swapped || guest_mem_new(&mem, BYTES, backing))
		tap_bail("no memory");
	mem->no_scan = no_scan;
	*(char *)guest_mem_ptr(mem, GPA(0), 1) = 1;
	*(char *)guest_mem_ptr(mem, GPA(BYTES - 1), 1) = 1;
	/* The first turn asks for all, and of a memfd the second for less. */
	for (unsigned int i = 0; i < 2; i++) {
		nr_asked = 0;
		stop_after = NR / 8;
		stopping = false;
		rc = guest_mem_residency_update(mem, resident, swapped, turn++,
						&stopping);
		is_int(rc, -ECANCELED, how);
		ok(nr_asked <= NR / 8 + GUEST_MEM_CHUNK_PAGES,
		   "%s: a stop is seen after %llu of %llu pages", how,
		   (unsigned long long)nr_asked, (unsigned long long)NR);
		stop_after = UINT64_MAX;
		stopping = false;
		rc = guest_mem_residency_update(mem, resident, swapped, turn++,
						&stopping);
		/* In huge pages there may be more. */
		ok(!rc && bitmap_test(resident, 0) &&
		   bitmap_test(resident, NR - 1) &&
		   !bitmap_test(resident, NR / 2) &&
		   !bitmap_count(swapped, 0, NR), "%s: the next one is right",
		   how);
	}
	stopping = true;
	nr_asked = 0;
	rc = guest_mem_residency_update(mem, resident, swapped, turn, &stopping);
	ok(rc == -ECANCELED && !nr_asked, "%s: nothing is asked for in vain",
	   how);
	guest_mem_free(mem);
	free(resident);
	free(swapped);
}

int main(void)
{
	test(GUEST_MEM_ANON, false, "private memory");
	test(GUEST_MEM_ANON, true, "private memory, page by page");
	test(GUEST_MEM_MEMFD, false, "a memfd");
	test(GUEST_MEM_MEMFD, true, "a memfd, page by page");
	return tap_done();
}
