// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The evictor process.  It has one thread and one mapping of guest memory, in
 * which pages are mapped only while they are being evicted.  MADV_PAGEOUT takes
 * only pages that the calling process maps and no other does, so each is mapped
 * first: by a write fault, as a read fault would also map up to 15 pages around
 * it.  A write fault marks the page as dirty, which a page of a memfd is anyway
 * once it was written to; one that was only read gets a slot in swap that it
 * would not need.
 *
 * Nothing here can lose data: a page that was evicted meanwhile is read from
 * swap again, and one that was discarded is allocated again, filled with zeros.
 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "vmm/mem/addr.h"
#include "vmm/mem/advise-many.h"
#include "vmm/sink/evictor-internal.h"
#include "vmm/util/clock.h"
#include "vmm/util/min-max.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21			/* Linux 5.4 */
#endif
#ifndef SYS_close_range
#define SYS_close_range 436		/* Linux 5.9 */
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23		/* Linux 5.14 */
#endif

#define BLOCK_BYTES (UINT64_C(2) << 20)	/* of one last-level page table */

struct evictor_state {
	uint8_t *map;		/* the whole memfd */
	uint64_t nr_pages;	/* of the memfd */
	int pidfd;		/* of ourselves; -1: see advise_many() */
	struct evictor_request request;
	struct iovec iov[EVICTOR_MAX_RUNS];	/* its runs */
	struct iovec blocks[EVICTOR_MAX_RUNS];	/* for unmap_blocks() */
};

/* Fills iov from the request, of len bytes.  False: it is not valid. */
static bool read_runs(struct evictor_state *s, size_t len)
{
	const struct evictor_request *r = &s->request;

	if (len < offsetof(struct evictor_request, runs) ||
	    r->nr_runs > EVICTOR_MAX_RUNS ||
	    len != offsetof(struct evictor_request, runs) +
			   r->nr_runs * sizeof(r->runs[0]))
		return false;
	for (size_t i = 0; i < r->nr_runs; i++) {
		uint64_t page = r->runs[i].page, nr = r->runs[i].nr;

		if (!nr || page + nr > s->nr_pages)
			return false;
		s->iov[i].iov_base = s->map + (page << VMM_PAGE_SHIFT);
		s->iov[i].iov_len = nr << VMM_PAGE_SHIFT;
	}
	return true;
}

/*
 * Pages that were not evicted must not stay mapped here, or no other process
 * could evict them.  Whole blocks are unmapped, as Linux 6.14 then frees their
 * page tables too, which for all of the memory take a 512th of its size.
 */
static void unmap_blocks(struct evictor_state *s)
{
	const uint64_t first = (uintptr_t)s->map;
	const uint64_t last = first + (s->nr_pages << VMM_PAGE_SHIFT);
	uint64_t from = 0, to = 0;
	size_t n = 0;

	for (size_t i = 0; i < s->request.nr_runs; i++) {
		uint64_t start = (uintptr_t)s->iov[i].iov_base;
		uint64_t end = start + s->iov[i].iov_len;

		start = max_u64(start & ~(BLOCK_BYTES - 1), first);
		end = min_u64((end + BLOCK_BYTES - 1) & ~(BLOCK_BYTES - 1),
			      last);
		if (n && start >= from && start <= to)
			n--;	/* adjoins or overlaps the one before: join */
		else
			from = start;
		to = end;
		s->blocks[n++] = (struct iovec){ (void *)(uintptr_t)from,
						 to - from };
	}
	advise_many(s->pidfd, s->blocks, n, MADV_DONTNEED);
}

/* Serves one request.  False: the process is to end. */
static bool serve(struct evictor_state *s)
{
	ssize_t n = recv(EVICTOR_SOCKET_FD, &s->request, sizeof(s->request), 0);
	struct evictor_reply reply = { 0 };

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0 || !read_runs(s, n))
		return false;
	advise_many(s->pidfd, s->iov, s->request.nr_runs, MADV_POPULATE_WRITE);
	advise_many(s->pidfd, s->iov, s->request.nr_runs, MADV_PAGEOUT);
	unmap_blocks(s);
	reply.serial = s->request.serial;
	reply.cpu_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
	return send(EVICTOR_SOCKET_FD, &reply, sizeof(reply), MSG_NOSIGNAL) ==
	       sizeof(reply);
}

static bool map_memory(struct evictor_state *s)
{
	struct stat st;

	if (fstat(EVICTOR_MEM_FD, &st) || st.st_size <= 0)
		return false;
	s->nr_pages = st.st_size >> VMM_PAGE_SHIFT;
	s->map = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_NORESERVE, EVICTOR_MEM_FD, 0);
	if (s->map == MAP_FAILED)
		return false;
	madvise(s->map, st.st_size, MADV_NOHUGEPAGE);
	madvise(s->map, st.st_size, MADV_DONTDUMP);
	/* Then unmapping a page does not mark it as accessed. */
	madvise(s->map, st.st_size, MADV_RANDOM);
	close(EVICTOR_MEM_FD);
	return true;
}

/*
 * Sets pidfd to -1 if process_madvise() does not work for us.  To be called
 * after evictor_enter_jail(), as it may need capabilities that are gone then.
 */
static void find_vectored(struct evictor_state *s)
{
	struct iovec none = { s->map, 0 };

	if (s->pidfd >= 0 &&
	    syscall(SYS_process_madvise, s->pidfd, &none, 1,
		    MADV_POPULATE_WRITE, 0) < 0)
		s->pidfd = -1;
}

/* Closes files that our parent inherited, which are not close-on-exec. */
static void close_others(void)
{
	if (!syscall(SYS_close_range, EVICTOR_MEM_FD + 1, ~0u, 0))
		return;
	for (int fd = EVICTOR_MEM_FD + 1; fd < 1024; fd++)
		close(fd);
}

_Noreturn void evictor_process(void)
{
	static struct evictor_state s;

	close_others();
	if (!map_memory(&s))
		_exit(1);
	s.pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	if (!evictor_enter_jail())
		_exit(1);
	find_vectored(&s);
	while (serve(&s))
		;
	_exit(0);
}
