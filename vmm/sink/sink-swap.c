// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host kernel's swap as a sink.  MADV_PAGEOUT unmaps pages that only one
 * process maps, from the second-level page tables too, and writes them to swap;
 * the next touch faults them in.  The kernel keeps the data: a guest of another
 * process loses nothing if this process dies.
 *
 * The kernel (mm/madvise.c) ignores accessed bits for MADV_PAGEOUT; the caller
 * of evict() has checked them.
 *
 * Our own memory in a memfd is evicted by the evictor process (evictor.h), as
 * long as that runs; all other memory by this process.
 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/mem/advise-many.h"
#include "vmm/sink/evictor.h"
#include "vmm/sink/sink.h"
#include "vmm/sink/sink-swap-evictor.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/error-text.h"
#include "vmm/util/log.h"
#include "vmm/util/small-file.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21		/* Linux 5.4 */
#endif

#define MAX_IOV 512		/* < UIO_MAXIOV */

struct sink_swap {
	struct reclaim_sink sink;
	struct guest_mem *mem;		/* not owned */
	int pidfd;			/* of process guest_mem_pid(); owned */
	struct sink_census census;
	struct evictor *evictor;	/* owned; NULL: never started */
	uint64_t *unmapped;	/* struct reclaim_result; owned */
};

static bool is_remote(const struct sink_swap *s)
{
	return guest_mem_pid(s->mem) != getpid();
}

/* Bytes of free swap, or -errno. */
static int64_t swap_free(void)
{
	uint64_t bytes = 0;
	int rc = small_file_field_kib("/proc/meminfo", "SwapFree:", &bytes);

	return rc ? rc : (int64_t)bytes;
}

static int swap_probe(const struct guest_mem *mem, char *why, size_t len)
{
	int64_t bytes = swap_free();

	if (guest_mem_is_hugetlb(mem)) {
		snprintf(why, len, "guest memory is in hugetlb pages, which "
			 "the kernel never swaps: start the guest with "
			 "--mem-backing thp, or the domain without "
			 "<hugepages/>, for huge pages that can be swapped");
		return -EOPNOTSUPP;
	}
	/* For zero bytes the kernel only checks that it knows the advice. */
	if (madvise(NULL, 0, MADV_PAGEOUT)) {
		snprintf(why, len, "this kernel has no MADV_PAGEOUT: Linux 5.4 "
			 "or later is needed, with CONFIG_ADVISE_SYSCALLS");
		return -ENOSYS;
	}
	if (bytes < 0) {
		snprintf(why, len, "cannot read the free swap in /proc/meminfo: "
			 "%s", error_text(-bytes));
		return bytes;
	}
	if (bytes > 0)
		return 0;
	snprintf(why, len, "this host has no free swap to put cold pages in: "
		 "add some, for example in compressed memory: modprobe zram; "
		 "zramctl -f -a lz4 -s 4G; mkswap /dev/zram0; "
		 "swapon /dev/zram0");
	return -ENOSPC;
}

static void swap_close(struct reclaim_sink *sink)
{
	struct sink_swap *s = (struct sink_swap *)sink;

	evictor_free(s->evictor);
	if (s->pidfd >= 0)
		close(s->pidfd);
	sink_census_free(&s->census);
	free(s->unmapped);
	free(s);
}

/* If there can be no evictor, evict_by_this_process() evicts. */
static void start_evictor(struct sink_swap *s)
{
	char why[128];
	int rc = evictor_new(&s->evictor, s->mem, why, sizeof(why));

	if (rc && rc != -EOPNOTSUPP)
		log_warn("%s: vmm run evicts pages by itself, which interrupts "
			 "the vCPUs", why);
}

static int swap_open(struct reclaim_sink **sinkp, struct guest_mem *mem,
		     const char *options, char *why, size_t len)
{
	struct sink_swap *s;
	int rc = swap_probe(mem, why, len);

	if (!rc)
		rc = sink_check_options(&sink_swap, options, why, len);
	if (rc)
		return rc;
	s = calloc(1, sizeof(*s));
	if (!s) {
		snprintf(why, len, "not enough memory for the swap sink");
		return -ENOMEM;
	}
	s->sink.ops = &sink_swap;
	s->mem = mem;
	s->pidfd = syscall(SYS_pidfd_open, guest_mem_pid(mem), 0);
	if (s->pidfd < 0) {
		rc = -errno;
		snprintf(why, len, "cannot open process %d: %s",
			 (int)guest_mem_pid(mem), error_text(errno));
	} else {
		rc = sink_census_init(&s->census, mem);
		s->unmapped = bitmap_new(guest_mem_nr_frames(mem));
		if (!s->unmapped)
			rc = -ENOMEM;
		snprintf(why, len, "not enough memory for the swap sink");
	}
	if (rc) {
		swap_close(&s->sink);
		return rc;
	}
	start_evictor(s);
	*sinkp = &s->sink;
	return 0;
}

/*
 * Advises the memory of another process.  The system call stops at a range that
 * the kernel refuses (locked or hugetlb pages): that range is skipped.  0, or
 * -errno if no range can be advised.
 */
static int advise_process(struct sink_swap *s, const struct iovec *iov,
			  size_t nr, int advice)
{
	while (nr) {
		ssize_t done = syscall(SYS_process_madvise, s->pidfd, iov, nr,
				       advice, 0);

		if (done < 0 && (errno == ESRCH || errno == EPERM ||
				 errno == ENOSYS || errno == EBADF))
			return -errno;
		if (done < 0 && errno == EINTR)
			continue;
		nr = advise_rest(&iov, nr, done);
	}
	return 0;
}

/*
 * Gives the kernel one advice for many ranges.  For our own process by
 * madvise(), which needs no privilege, whereas process_madvise() does in older
 * kernels.  A range that the kernel refuses stays resident and counts as kept.
 */
static int advise(struct sink_swap *s, const struct iovec *iov, size_t nr,
		  int advice)
{
	if (is_remote(s))
		return advise_process(s, iov, nr, advice);
	for (size_t i = 0; i < nr; i++)
		madvise(iov[i].iov_base, iov[i].iov_len, advice);
	return 0;
}

/*
 * Removes from the beginning of *r the part that is in one slot, and sets *iov
 * to its host addresses: slots adjacent in the guest may not be so in the host.
 * False: the range begins outside RAM.
 */
static bool take_iov(const struct sink_swap *s, struct gfn_range *r,
		     struct iovec *iov)
{
	unsigned int nr_slots;
	const struct guest_memslot *slots = guest_mem_slots(s->mem, &nr_slots);

	for (unsigned int i = 0; i < nr_slots; i++) {
		uint64_t at = r->start.v - slots[i].base.v, nr;

		if (r->start.v < slots[i].base.v || at >= slots[i].nr_pages)
			continue;
		nr = slots[i].nr_pages - at;
		if (nr > r->nr)
			nr = r->nr;
		iov->iov_base = (void *)(uintptr_t)(slots[i].hva +
						    (at << VMM_PAGE_SHIFT));
		iov->iov_len = nr << VMM_PAGE_SHIFT;
		r->start.v += nr;
		r->nr -= nr;
		return true;
	}
	return false;
}

/* Calls advise() for the host addresses of the ranges, MAX_IOV at a time. */
static int advise_ranges(struct sink_swap *s, const struct gfn_range *ranges,
			 size_t nr, int advice)
{
	struct iovec iov[MAX_IOV];
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; !rc && i < nr; i++) {
		struct gfn_range r = ranges[i];

		if (!r.nr)
			return -EFAULT;
		while (!rc && r.nr) {
			if (!take_iov(s, &r, &iov[n]))
				return -EFAULT;
			if (++n == MAX_IOV) {
				rc = advise(s, iov, n, advice);
				n = 0;
			}
		}
	}
	return rc || !n ? rc : advise(s, iov, n, advice);
}

/*
 * MADV_PAGEOUT evicts only mapped pages, so resident pages of a memfd that are
 * not mapped are mapped first.  Only these: to map others would allocate them.
 */
static int map_resident(const struct sink_swap *s, struct gfn_range r)
{
	uint64_t g = r.start.v, end = g + r.nr, next;
	int rc = 0;

	for (; !rc && (g = bitmap_next(s->census.before, g, end)) < end; g = next) {
		next = bitmap_next_zero(s->census.before, g, end);
		rc = guest_mem_map(s->mem, (struct gfn_range){ GFN(g),
							       next - g });
	}
	return rc;
}

/* Evicts by calls of this process.  0 or -errno. */
static int evict_by_this_process(struct sink_swap *s,
				 const struct gfn_range *ranges, size_t nr)
{
	bool is_memfd = guest_mem_is_shared(s->mem);
	int rc = 0;

	if (is_memfd && !is_remote(s))
		for (size_t i = 0; !rc && i < nr; i++)
			rc = map_resident(s, ranges[i]);
	if (!rc)
		rc = advise_ranges(s, ranges, nr, MADV_PAGEOUT);
	if (!rc && is_memfd && is_remote(s))
		guest_mem_page_out_unmapped(s->mem, ranges, nr);
	return rc;
}

/*
 * By the evictor.  -EPIPE: there is none, or it has ended: use
 * evict_by_this_process().
 */
static int evict_by_evictor(struct sink_swap *s, const struct gfn_range *ranges,
			    size_t nr)
{
	int rc;

	if (!s->evictor || !evictor_can_evict(s->evictor))
		return -EPIPE;
	/* census.after is free for other use until sink_census_after(). */
	bitmap_clear_range(s->unmapped, 0, guest_mem_nr_frames(s->mem));
	rc = swap_evict_by_evictor(s->mem, s->evictor, ranges, nr,
				   s->census.before, s->census.after,
				   s->unmapped, s->sink.stopping);
	s->sink.helper_cpu_ns = evictor_cpu_ns(s->evictor);
	return rc;
}

static int swap_evict(struct reclaim_sink *sink, const struct gfn_range *ranges,
		      size_t nr, struct reclaim_result *res)
{
	struct sink_swap *s = (struct sink_swap *)sink;
	int rc;

	rc = sink_census_before(&s->census, ranges, nr);
	if (rc)
		return rc;
	rc = evict_by_evictor(s, ranges, nr);
	if (s->evictor)
		res->unmapped = s->unmapped;
	if (rc == -EPIPE)
		rc = evict_by_this_process(s, ranges, nr);
	return rc ? rc : sink_census_after(&s->census, ranges, nr, res);
}

static void swap_get_stats(struct reclaim_sink *sink,
			   struct reclaim_sink_stats *stats)
{
	struct sink_swap *s = (struct sink_swap *)sink;

	*stats = (struct reclaim_sink_stats){ 0 };
	if (s->evictor)
		evictor_get_stats(s->evictor, &stats->evictor);
}

static int swap_prefetch(struct reclaim_sink *sink,
			 const struct gfn_range *ranges, size_t nr)
{
	struct sink_swap *s = (struct sink_swap *)sink;

	return advise_ranges(s, ranges, nr, MADV_WILLNEED);
}

const struct reclaim_sink_ops sink_swap = {
	.name = "swap",
	.probe = swap_probe,
	.open = swap_open,
	.evict = swap_evict,
	.prefetch = swap_prefetch,
	.get_stats = swap_get_stats,
	.close = swap_close,
};
