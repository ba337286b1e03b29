// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The memory of another process: a child that has private and shared memory,
 * fills it, and checks it on request.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/one-cpu.h"
#include "tests/tap.h"
#include "vmm/sink/sink.h"
#include "vmm/util/bitmap.h"

#define NR   1024		/* pages of each of two slots */
#define PAGE 4096
#define HIGH UINT64_C(0x100000)	/* gfn of the second */
#define NEXT (HIGH + NR)	/* of the third, which follows it */

struct child {
	pid_t pid;
	uint8_t *memory;	/* at the same place in both */
	int to, from;		/* pipes */
};

#define IS(got, want, fmt, what) do {                                  \
	long long got_ = (got), want_ = (want);                         \
	ok(got_ == want_, fmt " (%lld of %lld)", what, got_, want_);    \
} while (0)

static uint64_t value(uint64_t i)
{
	return (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

/* More pages push ours out of the batch: see tests/one-cpu.h. */
static void push_batch(void)
{
	volatile uint8_t *more = mmap(NULL, 256 * PAGE, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (more == MAP_FAILED)
		_exit(1);
	madvise((void *)more, 256 * PAGE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < 256; i++)
		more[i * PAGE] = 1;
}

static void serve(uint8_t *memory, int in, int out)
{
	uint64_t *words = (uint64_t *)memory;
	uint32_t wrong = 0;
	char c;

	stay_on_one_cpu(NULL);
	madvise(memory, 3 * NR * PAGE, MADV_NOHUGEPAGE);
	for (uint64_t i = 0; i < 3 * NR; i++)
		words[i * PAGE / 8 + i % 512] = value(i);
	push_batch();
	if (write(out, "r", 1) != 1)
		_exit(1);
	while (read(in, &c, 1) == 1) {
		for (uint64_t i = 0; i < 3 * NR; i++)
			wrong += words[i * PAGE / 8 + i % 512] != value(i);
		push_batch();
		if (write(out, &wrong, sizeof(wrong)) != sizeof(wrong))
			_exit(1);
	}
	_exit(0);
}

static void start(struct child *c, bool shared)
{
	int to[2], from[2], fd = -1;
	char ready;

	if (shared)
		fd = memfd_create("guest", MFD_CLOEXEC);
	if (pipe(to) || pipe(from) || (shared && ftruncate(fd, 3 * NR * PAGE)))
		tap_bail("pipes or memory");
	c->memory = mmap(NULL, 3 * NR * PAGE, PROT_READ | PROT_WRITE,
			 shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, fd,
			 0);
	if (c->memory == MAP_FAILED)
		tap_bail("mmap");
	c->pid = fork();
	if (!c->pid) {
		close(to[1]);
		close(from[0]);
		serve(c->memory, to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	c->to = to[1];
	c->from = from[0];
	munmap(c->memory, 3 * NR * PAGE);
	if (fd >= 0)
		close(fd);
	if (c->pid < 0 || read(c->from, &ready, 1) != 1)
		tap_bail("no child");
}

static uint32_t nr_wrong(struct child *c)
{
	uint32_t wrong = UINT32_MAX;

	if (write(c->to, "c", 1) != 1 ||
	    read(c->from, &wrong, sizeof(wrong)) != sizeof(wrong))
		return UINT32_MAX;
	return wrong;
}

static uint64_t count(struct guest_mem *mem, uint64_t first, uint64_t nr,
		      uint64_t *swapped)
{
	uint64_t nr_frames = guest_mem_nr_frames(mem), n;
	uint64_t *in = bitmap_new(nr_frames), *out = bitmap_new(nr_frames);

	if (!in || !out || guest_mem_residency(mem, (struct gfn_range){
					       GFN(first), nr }, in, out))
		tap_bail("residency can't be read");
	n = bitmap_count(in, first, first + nr);
	if (swapped)
		*swapped = bitmap_count(out, first, first + nr);
	free(in);
	free(out);
	return n;
}

/* Frames follow each other where the child's addresses do not. */
static int attach(struct guest_mem **mem, const struct child *c, bool shared)
{
	uint64_t at = (uintptr_t)c->memory;
	const struct guest_memslot slots[] = {
		{ GFN(0), NR, at },
		{ GFN(HIGH), NR, at + 2 * NR * PAGE },
		{ GFN(NEXT), NR, at + NR * PAGE },
	};

	return guest_mem_attach(mem, c->pid, slots, 3,
				shared ? GUEST_MEM_MEMFD : GUEST_MEM_ANON);
}

static void test_evict(struct guest_mem *mem, struct child *c,
		       const char *what)
{
	const struct gfn_range r[] = { { GFN(10), 100 },
				       { GFN(HIGH + 512), NR } };
	struct reclaim_result res = { 0 };
	struct reclaim_sink *sink;
	uint64_t swapped;
	char why[256];
	int rc = 0;

	if (sink_swap.open(&sink, mem, NULL, why, sizeof(why))) {
		ok(false, "%s: evict: %s", what, why);
		return;
	}
	/*
	 * The kernel keeps a page that it has in hand just then, for example to
	 * compact memory for another test: then all are refaulted, and evicted
	 * again.
	 */
	for (int i = 0; i < 20; i++) {
		res = (struct reclaim_result){ 0 };
		rc = sink->ops->evict(sink, r, 2, &res);
		if (rc || !res.kept)
			break;
		IS(nr_wrong(c), 0, "%s: all come back, to go once more", what);
	}
	IS(rc, 0, "%s: two ranges, one over two slots", what);
	IS(res.tried, 100 + NR, "%s: all were tried", what);
	IS(res.evicted, 100 + NR, "%s: and are gone", what);
	IS(count(mem, 0, NR, &swapped), NR - 100, "%s: the host agrees", what);
	IS(swapped, 100, "%s: they are in swap", what);
	IS(count(mem, HIGH, 2 * NR, &swapped), NR, "%s: above too", what);
	IS(swapped, NR, "%s: in swap", what);
	IS(nr_wrong(c), 0, "%s: the process finds all as it was", what);
	IS(count(mem, 0, NR, NULL), NR, "%s: and has it back", what);
	sink->ops->close(sink);
}

/* Evicts the range, again if the kernel had a page in hand; how many stay. */
static uint64_t evict_all(struct reclaim_sink *sink, struct child *c,
			  struct gfn_range r)
{
	for (int i = 0;; i++) {
		struct reclaim_result res = { 0 };

		if (sink->ops->evict(sink, &r, 1, &res))
			return UINT64_MAX;
		if (!res.kept || i == 20)
			return res.kept;
		nr_wrong(c);
	}
}

/*
 * A page that is resident but mapped nowhere is mapped by us to be evicted, and
 * the kernel maps what is around it as well, which must not stay.
 */
static void test_neighbours(struct guest_mem *mem, struct child *c)
{
	const uint64_t at = (uintptr_t)c->memory;
	struct reclaim_sink *sink;
	char path[96], byte, why[256];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx",
		 (int)c->pid, (unsigned long long)at,
		 (unsigned long long)(at + 3 * NR * PAGE));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || sink_swap.open(&sink, mem, NULL, why, sizeof(why)))
		tap_bail("%s, or no sink", path);
	is_int(evict_all(sink, c, (struct gfn_range){ GFN(20), 1 }), 0,
	       "shared: a page is evicted");
	ok(pread(fd, &byte, 1, 20 * PAGE) == 1 &&
	   count(mem, 20, 1, NULL) == 1, "and read, but not mapped");
	is_int(evict_all(sink, c, (struct gfn_range){ GFN(20), 1 }), 0,
	       "it can be evicted");
	is_int(evict_all(sink, c, (struct gfn_range){ GFN(21), 8 }), 0,
	       "and then its neighbours");
	is_int(nr_wrong(c), 0, "all are as they were");
	sink->ops->close(sink);
	close(fd);
}

static void test_end(struct guest_mem *mem, struct child *c, const char *what)
{
	const struct gfn_range r = { GFN(0), NR };
	struct reclaim_result res = { 0 };
	struct reclaim_sink *sink = NULL;
	uint64_t bits[BITMAP_WORDS(NR)];
	char why[256];
	int rc;

	if (sink_swap.open(&sink, mem, NULL, why, sizeof(why)))
		sink = NULL;
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	rc = guest_mem_mapped(mem, r, bits);
	ok(rc < 0 || !bitmap_count(bits, 0, NR),
	   "%s: it ended: nothing is mapped any more (%d)", what, rc);
	if (sink) {
		rc = sink->ops->evict(sink, &r, 1, &res);
		ok(rc < 0 || !res.evicted || res.evicted == res.tried,
		   "%s: and evicting it does no harm (%d)", what, rc);
		sink->ops->close(sink);
	}
	close(c->to);
	close(c->from);
}

static void test_one(bool shared)
{
	const char *what = shared ? "shared" : "private";
	struct guest_mem *mem;
	struct child c;
	int rc;

	start(&c, shared);
	rc = attach(&mem, &c, shared);
	IS(rc, 0, "%s: memory of another process", what);
	if (rc)
		tap_bail("can't attach: run as root");
	IS(guest_mem_pid(mem), c.pid, "%s: whose it is", what);
	IS(guest_mem_nr_pages(mem), 3 * NR, "%s: all pages", what);
	IS(count(mem, 0, NR, NULL), NR, "%s: all resident", what);
	ok(!guest_mem_ptr(mem, GPA(0), 1), "%s: no pointer to it", what);
	IS(guest_mem_write(mem, GPA(0), "", 1), -EFAULT, "%s: nor writing", what);
	IS(guest_mem_discard(mem, (struct gfn_range){ GFN(0), 1 }),
	       -EFAULT, "%s: nor discarding", what);
	IS(guest_mem_unmap(mem, (struct gfn_range){ GFN(0), 1 }), -EINVAL, "%s: nor unmapping", what);
	test_evict(mem, &c, what);
	if (shared)
		test_neighbours(mem, &c);
	test_end(mem, &c, what);
	guest_mem_free(mem);
}

static void test_refusals(void)
{
	struct guest_memslot s[2] = { { GFN(0), 16, 0x1000 },
				      { GFN(8), 16, 0x20000 } };
	struct guest_mem *mem;

	is_int(guest_mem_attach(&mem, getpid(), s, 0, GUEST_MEM_ANON), -EINVAL,
	       "no slots");
	is_int(guest_mem_attach(&mem, getpid(), s, 2, GUEST_MEM_ANON), -EINVAL,
	       "slots over each other");
	s[0].base = GFN(UINT64_MAX - 3);
	is_int(guest_mem_attach(&mem, getpid(), s, 1, GUEST_MEM_ANON), -EINVAL,
	       "beyond all addresses");
	s[0].base = GFN(0);
	is_int(guest_mem_attach(&mem, getpid(), s, 1, GUEST_MEM_ANON), -ENOENT,
	       "nothing is mapped there");
	is_int(guest_mem_attach(&mem, 0x7ffffff0, s, 1, GUEST_MEM_ANON),
	       -ESRCH, "no such process");
}

int main(void)
{
	test_refusals();
	test_one(false);
	test_one(true);
	return tap_done();
}
