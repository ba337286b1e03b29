// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the owner of the faults can do with pages: an ioctl of the userfaultfd
 * each, or a new mapping.
 */
#include "config.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "vmm/mem/faults-internal.h"
#include "vmm/util/min-max.h"

#define BUSY_TRIES 16

/* The host address of a range, all of which must be guest RAM. */
static bool host_range(const struct guest_faults *f, struct gfn_range r,
		       struct uffdio_range *out)
{
	uint64_t start, last;

	if (!r.nr || !guest_mem_gfn_to_hva(f->mem, r.start, &start) ||
	    !guest_mem_gfn_to_hva(f->mem, GFN(r.start.v + r.nr - 1), &last) ||
	    last - start != (r.nr - 1) << VMM_PAGE_SHIFT)
		return false;
	out->start = start;
	out->len = r.nr << VMM_PAGE_SHIFT;
	return true;
}

static int fd_of(const struct guest_faults *f, gfn_t gfn)
{
	return f->shards[guest_faults_shard(f, gfn)].fd;
}

/*
 * Retries an ioctl a few times on EAGAIN: the address space is being changed
 * (by fork() or mremap()), which usually takes a moment only.  If it takes
 * longer, the caller retries later and can do other work meanwhile.
 */
static int uffd_ioctl(const struct guest_faults *f, gfn_t gfn,
		      unsigned long request, void *arg)
{
	for (unsigned int i = 0; i < BUSY_TRIES; i++) {
		if (!ioctl(fd_of(f, gfn), request, arg))
			return 0;
		if (errno != EAGAIN)
			return -errno;
		if (faults_is_stopping(f))
			break;
	}
	return -EAGAIN;
}

int faults_register(const struct guest_faults *f, struct gfn_range range,
		    uint64_t mode)
{
	struct uffdio_register reg = { .mode = mode };

	if (!host_range(f, range, &reg.range))
		return -EFAULT;
	return ioctl(fd_of(f, range.start), UFFDIO_REGISTER, &reg) ? -errno : 0;
}

static int watch(struct guest_faults *f, struct gfn_range range)
{
	return faults_register(f, range, UFFDIO_REGISTER_MODE_MISSING |
					 UFFDIO_REGISTER_MODE_WP);
}

/* Registers the RAM in a block: a memory slot may begin or end inside it. */
static int watch_block(struct guest_faults *f, uint64_t first, uint64_t end)
{
	int rc = 0;

	for (unsigned int i = 0; !rc && i < f->mem->nr_slots; i++) {
		const struct guest_memslot *s = &f->mem->slots[i];
		uint64_t from = max_u64(first, s->base.v);
		uint64_t to = min_u64(end, s->base.v + s->nr_pages);

		if (from < to)
			rc = watch(f, (struct gfn_range){ GFN(from),
							  to - from });
	}
	return rc;
}

int guest_faults_watch(struct guest_faults *f, struct gfn_range range)
{
	const uint64_t pages = f->block_pages;
	uint64_t first = range.start.v / pages;
	uint64_t last = (range.start.v + range.nr - 1) / pages;

	for (uint64_t b = first; range.nr && b <= last; b++) {
		int rc;

		if (__atomic_load_n(&f->watched[b], __ATOMIC_ACQUIRE))
			continue;
		rc = watch_block(f, b * pages, (b + 1) * pages);
		if (rc)
			return rc;
		__atomic_store_n(&f->watched[b], 1, __ATOMIC_RELEASE);
	}
	return 0;
}

int guest_faults_protect(struct guest_faults *f, struct gfn_range range,
			 bool on)
{
	struct uffdio_writeprotect wp = {
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	if (!host_range(f, range, &wp.range))
		return -EFAULT;
	return uffd_ioctl(f, range.start, UFFDIO_WRITEPROTECT, &wp);
}

int guest_faults_copy(struct guest_faults *f, gfn_t gfn, const void *page)
{
	struct uffdio_copy copy = { .src = (uintptr_t)page };
	struct uffdio_range dst;

	if (!host_range(f, (struct gfn_range){ gfn, 1 }, &dst))
		return -EFAULT;
	copy.dst = dst.start;
	copy.len = dst.len;
	return uffd_ioctl(f, gfn, UFFDIO_COPY, &copy);
}

int guest_faults_zero(struct guest_faults *f, gfn_t gfn)
{
	struct uffdio_zeropage zero = { 0 };

	if (!host_range(f, (struct gfn_range){ gfn, 1 }, &zero.range))
		return -EFAULT;
	return uffd_ioctl(f, gfn, UFFDIO_ZEROPAGE, &zero);
}

void guest_faults_wake(struct guest_faults *f, struct gfn_range range)
{
	struct uffdio_range host;

	if (host_range(f, range, &host))
		ioctl(fd_of(f, range.start), UFFDIO_WAKE, &host);
}

/* Replaces the host mapping of one frame. */
static int map_page(struct guest_faults *f, gfn_t gfn, int flags, int fd,
		    off_t offset)
{
	struct uffdio_range at;
	void *p;

	if (!host_range(f, (struct gfn_range){ gfn, 1 }, &at))
		return -EFAULT;
	p = mmap((void *)(uintptr_t)at.start, at.len, PROT_READ | PROT_WRITE,
		 flags | MAP_FIXED | MAP_NORESERVE, fd, offset);
	if (p == MAP_FAILED)
		return -errno;
	guest_mem_advise_new(f->mem, p, at.len);
	return 0;
}

/*
 * Maps an empty file, so that an access raises SIGBUS.  UFFDIO_POISON would do
 * nearly the same, but it needs Linux 6.6 and fails on a write-protect marker,
 * and KVM reports such a page by a signal, which vCPU threads block, instead of
 * an error.
 */
int guest_faults_poison(struct guest_faults *f, gfn_t gfn)
{
	int rc = map_page(f, gfn, MAP_SHARED, f->empty_fd, 0);

	if (!rc)
		guest_faults_wake(f, (struct gfn_range){ gfn, 1 });
	return rc;
}

int guest_faults_unpoison(struct guest_faults *f, gfn_t gfn)
{
	const struct gfn_range range = { gfn, 1 };
	struct uffdio_range at;
	int rc;

	if (!host_range(f, range, &at))
		return -EFAULT;
	if (guest_mem_is_shared(f->mem))
		rc = map_page(f, gfn, MAP_SHARED, f->mem->fd,
			      at.start - f->mem->file_hva);
	else
		rc = map_page(f, gfn, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* An access before the range is watched gets zeros from the kernel. */
	return rc ? rc : watch(f, range);
}
