// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guest memory in hugetlb pages.  If a page can't be allocated at its first
 * touch, the guest gets SIGBUS, so all are allocated at the start, where a
 * shortage can be reported.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/mem/guest-mem-internal.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/error-text.h"
#include "vmm/util/size.h"
#include "vmm/util/small-file.h"

#ifndef MFD_HUGETLB
#define MFD_HUGETLB 0x0004U		/* Linux 4.14 */
#endif
#ifndef MFD_HUGE_SHIFT
#define MFD_HUGE_SHIFT 26
#endif
#define SHIFT_2M 21
#define SHIFT_1G 30
#define POOLS	 "/sys/kernel/mm/hugepages"

static unsigned int page_shift(enum guest_mem_backing backing)
{
	return backing == GUEST_MEM_HUGETLB    ? SHIFT_2M :
	       backing == GUEST_MEM_HUGETLB_1G ? SHIFT_1G : 0;
}

uint64_t hugetlb_page_bytes(enum guest_mem_backing backing)
{
	unsigned int shift = page_shift(backing);

	return shift ? UINT64_C(1) << shift : 0;
}

int hugetlb_open(enum guest_mem_backing backing, uint64_t nr_bytes)
{
	unsigned int shift = page_shift(backing);
	int fd, rc;

	if (nr_bytes & (hugetlb_page_bytes(backing) - 1))
		return -EINVAL;
	fd = memfd_create("guest-memory", MFD_CLOEXEC | MFD_HUGETLB |
			  shift << MFD_HUGE_SHIFT);
	/* ENODEV: the kernel does not support pages of this size. */
	if (fd < 0)
		return errno == ENODEV ? -ENOENT : -errno;
	if (!ftruncate(fd, nr_bytes))
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

int hugetlb_fill(int fd, uint64_t nr_bytes)
{
	int rc;

	do
		rc = fallocate(fd, 0, 0, nr_bytes);
	while (rc && errno == EINTR);
	return rc ? -errno : 0;
}

/* A number from the directory of the hugetlb pool, or -errno. */
static long long pool_number(unsigned int shift, const char *name)
{
	char path[128];
	uint64_t n;
	int rc;

	snprintf(path, sizeof(path), POOLS "/hugepages-%ukB/%s",
		 1u << (shift - 10), name);
	rc = small_file_number(path, &n);
	return rc ? rc : (long long)n;
}

static void explain_pool(unsigned int shift, uint64_t nr_bytes,
			 const char *size, char *why, size_t len)
{
	long long need = nr_bytes >> shift, have, all;

	all = pool_number(shift, "nr_hugepages");
	have = pool_number(shift, "free_hugepages") -
	       pool_number(shift, "resv_hugepages");
	if (have < 0)
		have = 0;
	if (all < 0)
		snprintf(why, len, "this kernel has no pool of %s hugetlb "
			 "pages in " POOLS "; if the CPU supports them, boot "
			 "the host with hugepagesz=%s hugepages=%lld",
			 size, shift == SHIFT_1G ? "1G" : "2M", need);
	else if (have < need)
		snprintf(why, len, "guest memory needs %lld hugetlb pages of "
			 "%s, and the host's pool has %lld free: echo %lld >"
			 POOLS "/hugepages-%ukB/nr_hugepages as root, then "
			 "read it back: the kernel may allocate fewer once "
			 "memory is fragmented", need, size, have,
			 all + need - have, 1u << (shift - 10));
	else
		snprintf(why, len, "%lld hugetlb pages of %s are free in " POOLS
			 ", but this process cannot get them: check the limits "
			 "of its hugetlb cgroup and its NUMA memory policy",
			 have, size);
}

void guest_mem_explain(int rc, uint64_t nr_bytes,
		       enum guest_mem_backing backing, char *why, size_t len)
{
	unsigned int shift = page_shift(backing);
	char size[16];

	size_format(UINT64_C(1) << shift, size, sizeof(size));
	if (shift && (rc == -ENOMEM || rc == -ENOSPC || rc == -ENOENT))
		explain_pool(shift, nr_bytes, size, why, len);
	else if (shift && rc == -EINVAL)
		snprintf(why, len, "%llu bytes of guest memory are not a "
			 "multiple of the page size %s: change --mem",
			 (unsigned long long)nr_bytes, size);
	else
		snprintf(why, len, "%llu bytes of guest memory: %s",
			 (unsigned long long)nr_bytes, error_text(-rc));
}
