// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Transparent huge pages of our own guest memory: splits one, makes one of
 * small pages.
 *
 * The kernel splits a huge page of which a part is advised as cold, if nobody
 * else maps it.  It changes nothing else but for the one small page, which it
 * takes for old.
 *
 * Small pages may have a userfaultfd that keeps the kernel from mapping the
 * pages around a read fault, for sources that tell each page from its
 * neighbours.  The kernel maps no huge page where one is registered and a page
 * table exists, so it is registered block by block, only where pages are small.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/mem/guest-mem-internal.h"
#include "vmm/util/bitmap.h"

#ifndef MADV_COLD
#define MADV_COLD 20			/* Linux 5.4 */
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22		/* Linux 5.14 */
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23		/* Linux 5.14 */
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25		/* Linux 6.1 */
#endif
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1		/* Linux 5.11 */
#endif
#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)	/* Linux 5.19 */
#endif

/* Each block may be an area of its own, of which a process has 65530. */
#define MAX_AREAS 30000

static void *block_ptr(const struct guest_mem *mem, gfn_t gfn)
{
	if (gfn.v % GUEST_MEM_HUGE_PAGES || !guest_mem_has_thp(mem))
		return NULL;
	return guest_mem_ptr(mem, gfn_to_gpa(gfn), GUEST_MEM_HUGE_BYTES);
}

int guest_mem_split_huge(struct guest_mem *mem, gfn_t gfn)
{
	void *p = block_ptr(mem, gfn);

	if (!p)
		return -EINVAL;
	/* In a file it may be unmapped, and the advice is for what is mapped. */
	if (guest_mem_is_shared(mem) &&
	    madvise(p, VMM_PAGE_SIZE, MADV_POPULATE_READ))
		return -errno;
	return madvise(p, VMM_PAGE_SIZE, MADV_COLD) ? -errno : 0;
}

/*
 * Of anonymous pages the kernel collapses none that it has read from swap and
 * may throw away again, as nobody has written to them.
 */
static int collapse(const struct guest_mem *mem, void *p)
{
	if (!madvise(p, GUEST_MEM_HUGE_BYTES, MADV_COLLAPSE))
		return 0;
	if (guest_mem_is_shared(mem) || errno != EINVAL ||
	    madvise(p, GUEST_MEM_HUGE_BYTES, MADV_POPULATE_WRITE))
		return -errno;
	return madvise(p, GUEST_MEM_HUGE_BYTES, MADV_COLLAPSE) ? -errno : 0;
}

int guest_mem_collapse(struct guest_mem *mem, gfn_t gfn)
{
	void *p = block_ptr(mem, gfn);
	int rc;

	if (!p)
		return -EINVAL;
	rc = guest_mem_set_fault_around(mem, gfn, true);
	if (!rc)
		rc = collapse(mem, p);
	guest_mem_residency_stale(mem, (struct gfn_range){
		gfn, GUEST_MEM_HUGE_PAGES });
	return rc;
}

static int watch(int fd, uint64_t hva, uint64_t len, bool on)
{
	struct uffdio_register reg = {
		.range = { hva, len }, .mode = UFFDIO_REGISTER_MODE_WP,
	};

	return on ? ioctl(fd, UFFDIO_REGISTER, &reg) :
		    ioctl(fd, UFFDIO_UNREGISTER, &reg.range);
}

int guest_mem_set_fault_around(struct guest_mem *mem, gfn_t gfn, bool on)
{
	uint64_t block = gfn.v / GUEST_MEM_HUGE_PAGES;
	uint64_t *no_around = mem->no_around;
	void *p = block_ptr(mem, gfn);

	if (!p)
		return -EINVAL;
	if (!no_around || bitmap_test(no_around, block) == !on)
		return 0;
	if (!on && mem->nr_no_around == MAX_AREAS)
		return -ENOSPC;
	if (watch(mem->around_fd, (uintptr_t)p, GUEST_MEM_HUGE_BYTES, !on))
		return -errno;
	if (on)
		bitmap_clear(no_around, block);
	else
		bitmap_set(no_around, block);
	mem->nr_no_around += on ? -1 : 1;
	return 0;
}

static int open_around(struct guest_mem *mem)
{
	struct uffdio_api api = {
		.api = UFFD_API, .features = UFFD_FEATURE_WP_HUGETLBFS_SHMEM,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	int rc;

	if (fd < 0)
		return -errno;
	rc = ioctl(fd, UFFDIO_API, &api) ? -errno : 0;
	/* Where pages can be huge, block by block: see above. */
	for (unsigned int i = 0; !rc && !guest_mem_has_thp(mem) &&
	     i < mem->nr_slots; i++)
		if (watch(fd, mem->slots[i].hva,
			  mem->slots[i].nr_pages << VMM_PAGE_SHIFT, true))
			rc = -errno;
	if (!rc && guest_mem_has_thp(mem)) {
		mem->no_around = bitmap_new(guest_mem_nr_frames(mem) /
					    GUEST_MEM_HUGE_PAGES + 1);
		rc = mem->no_around ? 0 : -ENOMEM;
	}
	if (rc)
		close(fd);
	else
		mem->around_fd = fd;
	return rc;
}

int guest_mem_stop_fault_around(struct guest_mem *mem)
{
	if (mem->pid || guest_mem_is_hugetlb(mem))
		return -EINVAL;
	if (mem->has_faults || mem->around_fd >= 0)
		return 0;
	return open_around(mem);
}

void guest_mem_allow_fault_around(struct guest_mem *mem)
{
	if (mem->around_fd >= 0)
		close(mem->around_fd);
	mem->around_fd = -1;
	free(mem->no_around);
	mem->no_around = NULL;
	mem->nr_no_around = 0;
}
