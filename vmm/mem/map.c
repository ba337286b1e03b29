// SPDX-License-Identifier: GPL-2.0-or-later
/* Mapping and unmapping of our own guest memory, and the file behind it. */
#include "config.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/mem/advise-many.h"
#include "vmm/mem/guest-mem-internal.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22		/* Linux 5.14 */
#endif

#define MAX_IOV 512		/* < UIO_MAXIOV */

int guest_mem_file(const struct guest_mem *mem)
{
	return !mem->pid && guest_mem_is_shared(mem) ? mem->fd : -1;
}

bool guest_mem_file_page(const struct guest_mem *mem, gfn_t gfn, uint64_t *page)
{
	uint64_t hva;

	if (guest_mem_file(mem) < 0 || !guest_mem_gfn_to_hva(mem, gfn, &hva))
		return false;
	*page = (hva - mem->file_hva) >> VMM_PAGE_SHIFT;
	return true;
}

/* Finds our pointer to a range that may be mapped and unmapped. */
static int find_range(const struct guest_mem *mem, struct gfn_range range,
		      struct iovec *iov)
{
	uint64_t hva;

	if (mem->pid ||
	    (!guest_mem_is_shared(mem) && !guest_mem_is_hugetlb(mem)))
		return -EINVAL;
	/* For a part of a hugetlb page the length would be rounded to 0. */
	if (guest_mem_is_hugetlb(mem) &&
	    (range.start.v | range.nr) & (guest_mem_leaf_pages(mem) - 1))
		return -EINVAL;
	/* Check before shifting: see guest_mem_discard(). */
	if (range.nr > SIZE_MAX >> VMM_PAGE_SHIFT ||
	    !guest_mem_gfn_to_hva(mem, range.start, &hva))
		return -EFAULT;
	iov->iov_len = range.nr << VMM_PAGE_SHIFT;
	iov->iov_base = guest_mem_ptr(mem, gfn_to_gpa(range.start),
				      iov->iov_len);
	return iov->iov_base ? 0 : -EFAULT;
}

static int advise(const struct guest_mem *mem, struct gfn_range range,
		  int advice)
{
	struct iovec iov;
	int rc = find_range(mem, range, &iov);

	if (rc)
		return rc;
	return madvise(iov.iov_base, iov.iov_len, advice) ? -errno : 0;
}

int guest_mem_unmap(struct guest_mem *mem, struct gfn_range range)
{
	return advise(mem, range, MADV_DONTNEED);
}

int guest_mem_map(struct guest_mem *mem, struct gfn_range range)
{
	return advise(mem, range, MADV_POPULATE_READ);
}

/* With no ranges this checks only whether the kernel knows the call. */
void map_find_vectored(struct guest_mem *mem)
{
	struct iovec none = { mem->map, 0 };

	mem->self_pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	if (mem->self_pidfd < 0 ||
	    !syscall(SYS_process_madvise, mem->self_pidfd, &none, 1,
		     MADV_DONTNEED, 0))
		return;
	close(mem->self_pidfd);
	mem->self_pidfd = -1;
}

int guest_mem_unmap_many(struct guest_mem *mem, const struct gfn_range *ranges,
			 size_t nr)
{
	struct iovec iov[MAX_IOV];
	size_t n = 0;

	for (size_t i = 0; i < nr; i++) {
		int rc = find_range(mem, ranges[i], &iov[n]);

		if (rc)
			return rc;
		if (++n == MAX_IOV) {
			advise_many(mem->self_pidfd, iov, n, MADV_DONTNEED);
			n = 0;
		}
	}
	advise_many(mem->self_pidfd, iov, n, MADV_DONTNEED);
	return 0;
}
