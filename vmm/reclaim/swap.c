// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host kernel's swap as a sink.  MADV_PAGEOUT unmaps pages from everybody,
 * guest included, and writes them to swap; the next touch brings them back.
 * The kernel keeps the data: whatever becomes of us, nothing is lost.
 *
 * The kernel (mm/madvise.c) does not look at accessed bits for MADV_PAGEOUT;
 * whoever calls evict() has.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/reclaim/sink.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/cleanup.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21		/* Linux 5.4 */
#endif

#define MAX_IOV 512		/* < UIO_MAXIOV */

struct sink_swap {
	struct reclaim_sink sink;
	struct guest_mem *mem;		/* not owned */
	int pidfd;			/* of guest_mem_pid(); owned */
	uint64_t *before, *after;	/* residency; owned */
};

/* Bytes of swap that are free, or -errno. */
static int64_t swap_free(void)
{
	__cleanup_fclose FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	long long kib;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "SwapFree: %lld kB", &kib) == 1)
			return kib * 1024;
	return -ENOENT;
}

static int swap_probe(const struct guest_mem *mem, char *why, size_t len)
{
	int64_t bytes = swap_free();

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

	if (s->pidfd >= 0)
		close(s->pidfd);
	free(s->before);
	free(s->after);
	free(s);
}

static int swap_open(struct reclaim_sink **sinkp, struct guest_mem *mem,
		     char *why, size_t len)
{
	uint64_t nr = guest_mem_nr_frames(mem);
	struct sink_swap *s;
	int rc = swap_probe(mem, why, len);

	if (rc)
		return rc;
	s = calloc(1, sizeof(*s));
	if (!s) {
		snprintf(why, len, "no memory for the swap sink");
		return -ENOMEM;
	}
	s->sink.ops = &sink_swap;
	s->mem = mem;
	s->before = bitmap_new(nr);
	s->after = bitmap_new(nr);
	s->pidfd = syscall(SYS_pidfd_open, guest_mem_pid(mem), 0);
	if (s->pidfd < 0) {
		rc = -errno;
		snprintf(why, len, "process %d can't be reached: %s",
			 (int)guest_mem_pid(mem), strerror(errno));
	} else if (!s->before || !s->after) {
		rc = -ENOMEM;
		snprintf(why, len, "no memory for the swap sink");
	}
	if (rc) {
		swap_close(&s->sink);
		return rc;
	}
	*sinkp = &s->sink;
	return 0;
}

/*
 * One advice for many ranges.  process_madvise() may do only a part; what it
 * skips, the residency tells.  Our own process takes madvise(), which needs no
 * privilege and knows all advice in every kernel.
 */
static int advise(struct sink_swap *s, const struct iovec *iov, size_t nr,
		  int advice)
{
	if (guest_mem_pid(s->mem) == getpid()) {
		for (size_t i = 0; i < nr; i++)
			if (madvise(iov[i].iov_base, iov[i].iov_len, advice) &&
			    errno == EINVAL)
				return -EINVAL;
		return 0;
	}
	if (syscall(SYS_process_madvise, s->pidfd, iov, nr, advice, 0) < 0 &&
	    (errno == ESRCH || errno == EPERM || errno == EINVAL ||
	     errno == ENOSYS))
		return -errno;
	return 0;
}

/* Calls advise() on the host ranges behind the guest's, MAX_IOV at a time. */
static int advise_ranges(struct sink_swap *s, const struct gfn_range *ranges,
			 size_t nr, int advice)
{
	struct iovec iov[MAX_IOV];
	size_t n = 0;
	uint64_t hva;
	int rc = 0;

	for (size_t i = 0; !rc && i < nr; i++) {
		if (!guest_mem_gfn_to_hva(s->mem, ranges[i].start, &hva))
			return -EFAULT;
		iov[n].iov_base = (void *)(uintptr_t)hva;
		iov[n++].iov_len = ranges[i].nr << VMM_PAGE_SHIFT;
		if (n == MAX_IOV || i + 1 == nr) {
			rc = advise(s, iov, n, advice);
			n = 0;
		}
	}
	return rc;
}

static int count(const struct sink_swap *s, const struct gfn_range *ranges,
		 size_t nr, uint64_t *map)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < nr; i++)
		rc = guest_mem_residency(s->mem, ranges[i], map, NULL);
	return rc;
}

static int swap_evict(struct reclaim_sink *sink, const struct gfn_range *ranges,
		      size_t nr, struct reclaim_result *res)
{
	struct sink_swap *s = (struct sink_swap *)sink;
	int rc = count(s, ranges, nr, s->before);

	if (!rc)
		rc = advise_ranges(s, ranges, nr, MADV_PAGEOUT);
	if (!rc)
		rc = count(s, ranges, nr, s->after);
	if (rc)
		return rc;
	for (size_t i = 0; i < nr; i++) {
		uint64_t start = ranges[i].start.v;

		for (uint64_t g = start; g < start + ranges[i].nr; g++) {
			res->tried++;
			if (!bitmap_test(s->before, g))
				res->absent++;
			else if (bitmap_test(s->after, g))
				res->kept++;
			else
				res->evicted++;
		}
	}
	return 0;
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
	.close = swap_close,
};
