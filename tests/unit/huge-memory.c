// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guest memory in the host's transparent huge pages: a block is huge from its
 * first touch on, in anonymous memory and in a shared file, whatever
 * shmem_enabled says, above the hole below 4 GiB too, and for a user who may
 * mount nothing; splitting and collapsing it, and discards, keep its data.
 */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/mem/guest-mem.h"
#include "vmm/util/bitmap.h"

#define MIB   (UINT64_C(1) << 20)
#define GIB   (UINT64_C(1) << 30)
#define HUGE  GUEST_MEM_HUGE_PAGES
#define PAGE  4096u
#define NOBODY 65534

/* The guest has memory on both sides of the hole; little of it is touched. */
#define BYTES (3 * GIB + 64 * MIB)
static const uint64_t blocks[] = {	/* gfns */
	0, 5 * HUGE, (3 * GIB >> 12) - HUGE, 4 * GIB >> 12,
	(4 * GIB >> 12) + 31 * HUGE,
};
#define NR_BLOCKS (sizeof(blocks) / sizeof(*blocks))

static struct guest_mem *mem;
static uint64_t *map;
static const char *kind;

static uint64_t *page(uint64_t gfn)
{
	return guest_mem_ptr(mem, gfn_to_gpa(GFN(gfn)), PAGE);
}

static uint64_t count_huge(uint64_t gfn)
{
	int rc = guest_mem_huge(mem, (struct gfn_range){ GFN(gfn), HUGE }, map);

	if (rc)
		tap_bail("cannot read which pages are huge: %s",
			 strerror(-rc));
	return bitmap_count(map, gfn, gfn + HUGE);
}

static uint64_t count_resident(uint64_t gfn)
{
	int rc = guest_mem_residency(mem, (struct gfn_range){ GFN(gfn), HUGE },
				     map, NULL);

	if (rc)
		tap_bail("cannot read which pages are resident: %s",
			 strerror(-rc));
	return bitmap_count(map, gfn, gfn + HUGE);
}

static void fill(uint64_t gfn)
{
	for (uint64_t g = gfn; g < gfn + HUGE; g++)
		*page(g) = g * 0x9e3779b97f4a7c15ull;
}

static unsigned int nr_wrong(uint64_t gfn)
{
	unsigned int n = 0;

	for (uint64_t g = gfn; g < gfn + HUGE; g++)
		n += *page(g) != g * 0x9e3779b97f4a7c15ull;
	return n;
}

/*
 * Memory of which one touch makes a block huge.  -ENOMEM: the host has given no
 * huge page; -EOPNOTSUPP: the kernel does not tell.
 */
static int open_memory(enum guest_mem_backing backing)
{
	struct gfn_range first = { GFN(0), HUGE };
	int rc = guest_mem_new(&mem, BYTES, backing);

	if (rc)
		tap_bail("no memory: %s", strerror(-rc));
	map = bitmap_new(guest_mem_nr_frames(mem));
	if (!map)
		tap_bail("no memory");
	*page(7) = 1;
	rc = guest_mem_huge(mem, first, map);
	return rc || bitmap_count(map, 0, HUGE) == HUGE ? rc : -ENOMEM;
}

static void close_memory(void)
{
	guest_mem_free(mem);
	free(map);
}

static void test_touch(void)
{
	unsigned int n = 0;

	for (size_t i = 0; i < NR_BLOCKS; i++) {
		*page(blocks[i] + 77 * i) = 1;
		n += count_huge(blocks[i]) == HUGE;
	}
	is_int(n, NR_BLOCKS, kind);
}

static void test_split(uint64_t gfn)
{
	fill(gfn);
	is_int(guest_mem_split_huge(mem, GFN(gfn)), 0, "split");
	is_int(nr_wrong(gfn), 0, "no page has changed");
	is_int(count_huge(gfn), 0, "it is in small pages");
	is_int(count_resident(gfn), HUGE, "all of them resident");
	is_int(guest_mem_collapse(mem, GFN(gfn)), 0, "collapse");
	is_int(nr_wrong(gfn), 0, "no page has changed");
	is_int(count_huge(gfn), HUGE, "it is a huge page");
	is_int(guest_mem_split_huge(mem, GFN(gfn + 1)), -EINVAL,
	       "only blocks can be split");
	is_int(guest_mem_collapse(mem, GFN(gfn + 1)), -EINVAL, "or collapsed");
}

/* As a source does: unmapped memory stays huge, and so does what is split. */
static void test_unmap(uint64_t gfn)
{
	struct gfn_range block = { GFN(gfn), HUGE };

	fill(gfn);
	ok(!guest_mem_stop_fault_around(mem), "no faults around, please");
	is_int(guest_mem_unmap(mem, block), 0, "unmap");
	is_int(*page(gfn + 3), (gfn + 3) * 0x9e3779b97f4a7c15ull, "touch");
	is_int(count_huge(gfn), HUGE, "one touch maps all of it");

	is_int(guest_mem_set_fault_around(mem, GFN(gfn), false), 0, "small");
	is_int(guest_mem_split_huge(mem, GFN(gfn)), 0, "split");
	is_int(guest_mem_unmap(mem, block), 0, "unmap");
	ok(*(volatile uint64_t *)page(gfn + 9), "read a page");
	is_int(guest_mem_mapped(mem, block, map), 0, "what is mapped");
	is_int(bitmap_count(map, gfn, gfn + HUGE), 1, "this page only");
	is_int(guest_mem_collapse(mem, GFN(gfn)), 0, "collapse");
	is_int(nr_wrong(gfn), 0, "no page has changed");
	is_int(count_huge(gfn), HUGE, "it is a huge page again");
	guest_mem_allow_fault_around(mem);
}

static void test_discard(uint64_t gfn)
{
	struct gfn_range one = { GFN(gfn + 100), 1 };
	unsigned int n = 0;

	fill(gfn);
	ok(!guest_mem_has_holes(mem, GFN(gfn)), "nothing is discarded");
	is_int(guest_mem_discard(mem, one), 0, "discard a page");
	ok(guest_mem_has_holes(mem, GFN(gfn)) &&
	   !guest_mem_has_holes(mem, GFN(gfn + HUGE)),
	   "and only this block has a hole");
	is_int(count_resident(gfn), HUGE - 1, "it is not resident");
	is_int(nr_wrong(gfn), 1, "all others have their data");
	for (unsigned int i = 0; i < PAGE / 8; i++)
		n += page(gfn + 100)[i] != 0;
	is_int(n, 0, "it reads as zeros");
}

static void test(enum guest_mem_backing backing, const char *what)
{
	int rc;

	printf("# %s\n", what);
	kind = "each block is huge after one touch, above the hole too";
	rc = open_memory(backing);
	if (rc) {
		if (rc == -EOPNOTSUPP)
			tap_skip(kind, "this kernel does not tell which pages "
				 "are huge (Linux 6.7 does)");
		else if (geteuid())
			tap_skip(kind, "the host gave no huge page, and only "
				 "root may compact its memory or mount a tmpfs");
		else
			ok(false, "%s: the host gave no huge page: echo madvise "
			   ">/sys/kernel/mm/transparent_hugepage/enabled, and "
			   "free some memory", kind);
		close_memory();
		return;
	}
	test_touch();
	test_split(blocks[1]);
	test_split(blocks[NR_BLOCKS - 1]);
	if (guest_mem_is_shared(mem))
		test_unmap(blocks[3]);
	test_discard(blocks[2]);
	close_memory();
}

/*
 * In a child that is nobody, so that a user namespace has to do.  Where these
 * are forbidden memory is shared all the same.
 */
static void test_user(void)
{
	const char *name = "huge for a user without privileges";
	int status;
	pid_t pid;

	if (geteuid()) {
		tap_skip(name, "only root can become another user");
		return;
	}
	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(100);
		/* Or /proc/self would stay root's. */
		prctl(PR_SET_DUMPABLE, 1);
		if (!open_memory(GUEST_MEM_MEMFD_THP))
			_exit(0);
		_exit(unshare(CLONE_NEWUSER) ? 2 : 1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		tap_bail("no child");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		tap_skip(name, "this kernel forbids users to make namespaces");
	else
		ok(WIFEXITED(status) && !WEXITSTATUS(status), "%s", name);
}

static void test_small(void)
{
	kind = "where huge pages are not wanted there are none";
	if (guest_mem_new(&mem, 8 * MIB, GUEST_MEM_MEMFD))
		tap_bail("no memory");
	*page(5) = 1;
	map = bitmap_new(guest_mem_nr_frames(mem));
	is_int(count_resident(0), 1, kind);
	is_int(guest_mem_collapse(mem, GFN(0)), -EINVAL,
	       "and none can be made");
	close_memory();
}

int main(void)
{
	test(GUEST_MEM_THP, "anonymous memory");
	test(GUEST_MEM_MEMFD_THP, "a shared file");
	test_user();
	test_small();
	return tap_done();
}
