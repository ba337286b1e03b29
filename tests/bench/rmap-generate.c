// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Histories commonly used to compare reverse maps, at any scale.  All processes
 * have the same layout; frames are never reused, so that a frame in a trace
 * always means the same page.
 */
#include "tests/bench/rmap-trace.h"

#define PAGE	 RMAP_PAGE_SIZE
#define TEXT	 UINT64_C(0x000000400000)
#define HEAP	 UINT64_C(0x000010000000)
#define HEAP_NEW UINT64_C(0x000050000000)
#define LIBS	 UINT64_C(0x7f0000000000)
#define LIB_STEP (PAGE << 14)
#define RW	 (RMAP_VM_READ | RMAP_VM_WRITE)
#define FILE_DEV 8
#define RX	 (RMAP_VM_READ | RMAP_VM_EXEC)
#define LIB_PAGES  48	/* of text, each library */
#define DATA_PAGES 4

static void ev(struct trace *t, enum trace_op op, uint32_t mm, uint64_t addr,
	       uint64_t arg)
{
	trace_add(t, (struct trace_event){ .op = op, .mm = mm, .addr = addr,
					   .arg = arg });
}

static void do_fork(struct trace *t, uint32_t parent, uint32_t child)
{
	trace_add(t, (struct trace_event){ .op = TRACE_FORK, .mm = parent,
					   .child = child });
}

static void do_mmap(struct trace *t, uint32_t mm, uint64_t start, uint64_t nr,
		    uint64_t pgoff, uint32_t flags, uint64_t ino)
{
	trace_add(t, (struct trace_event){
		.op = TRACE_MMAP, .mm = mm, .addr = start,
		.arg = start + nr * PAGE, .pgoff = pgoff, .flags = flags,
		.ino = ino, .dev = ino ? FILE_DEV : 0 });
}

/* A write fault: a fresh frame at addr. */
static void touch(struct trace *t, uint32_t mm, uint64_t addr)
{
	ev(t, TRACE_MAP, mm, addr, t->nr_frames++);
}

static void touch_range(struct trace *t, uint32_t mm, uint64_t addr,
			unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		touch(t, mm, addr + i * PAGE);
}

static uint64_t new_file(struct trace *t, unsigned int pages)
{
	uint64_t first = t->nr_frames;

	t->nr_frames += pages;
	return first;
}

/* One shared library as the loader maps it: text, then data to be written. */
static void map_library(struct trace *t, uint32_t mm, unsigned int nr,
			uint64_t frames, unsigned int step)
{
	uint64_t at = LIBS + nr * LIB_STEP, data = at + LIB_PAGES * PAGE;

	do_mmap(t, mm, at, LIB_PAGES, 0, RX, 1000 + nr);
	do_mmap(t, mm, data, DATA_PAGES, LIB_PAGES, RW, 1000 + nr);
	for (unsigned int i = 0; i < LIB_PAGES; i += step)
		ev(t, TRACE_MAP, mm, at + i * PAGE, frames + i);
	for (unsigned int i = 0; i < DATA_PAGES; i++)
		ev(t, TRACE_MAP, mm, data + i * PAGE, frames + LIB_PAGES + i);
	touch(t, mm, data);		/* relocated: broken off the file */
	touch(t, mm, data + PAGE);
}

static void start(struct trace *t, uint32_t mm, unsigned int heap_pages)
{
	ev(t, TRACE_MM, mm, 0, 0);
	do_mmap(t, mm, HEAP, heap_pages + 8, HEAP / PAGE, RW, 0);
	touch_range(t, mm, HEAP, heap_pages);
}

/* A shell: forks, the child writes a little and is gone. */
static void gen_fork_storm(struct trace *t, unsigned int scale,
			   unsigned int pages)
{
	start(t, 1, pages);
	for (unsigned int i = 0; i < scale; i++) {
		do_fork(t, 1, 2 + i);
		touch(t, 2 + i, HEAP);
		touch(t, 1, HEAP + i % pages * PAGE);
		if (i % 4)
			ev(t, TRACE_EXIT, 2 + i, 0, 0);
	}
	for (unsigned int i = 0; i < scale; i += 4)
		ev(t, TRACE_EXIT, 2 + i, 0, 0);
	ev(t, TRACE_EXIT, 1, 0, 0);
}

/* A server that preforks; each child writes all but the last page. */
static void gen_children(struct trace *t, unsigned int scale,
			 unsigned int pages)
{
	start(t, 1, pages);
	for (unsigned int i = 0; i < scale; i++)
		do_fork(t, 1, 2 + i);
	for (unsigned int i = 0; i < scale; i++)
		touch_range(t, 2 + i, HEAP, pages - 1);
	for (unsigned int i = 0; i < scale; i++)
		ev(t, TRACE_REF, 0, t->nr_frames - 1 - i, 0);
	for (unsigned int i = 0; i <= scale; i++)
		ev(t, TRACE_EXIT, 1 + i, 0, 0);
}

/*
 * make -j: fork, exec a compiler with libraries, work, exit; 256 at a time, or
 * as many as a small history has room for.
 */
static void gen_make(struct trace *t, unsigned int scale, unsigned int pages)
{
	uint64_t text = new_file(t, 64), libs[4];
	unsigned int parallel = scale > 256 ? 256 : scale * 2 / 3;

	for (unsigned int l = 0; l < 4; l++)
		libs[l] = new_file(t, LIB_PAGES + DATA_PAGES);
	start(t, 1, pages / 2);
	for (unsigned int i = 0; i < scale; i++) {
		uint32_t pid = 2 + i;

		do_fork(t, 1, pid);
		touch(t, pid, HEAP);
		ev(t, TRACE_MUNMAP, pid, HEAP, 0);	/* exec */
		do_mmap(t, pid, TEXT, 64, 0, RX, 999);
		for (unsigned int p = 0; p < 64; p += 2)
			ev(t, TRACE_MAP, pid, TEXT + p * PAGE, text + p);
		for (unsigned int l = 0; l < 4; l++)
			map_library(t, pid, l, libs[l], 3);
		do_mmap(t, pid, HEAP, pages + 8, HEAP / PAGE, RW, 0);
		touch_range(t, pid, HEAP, pages);
		for (unsigned int p = 0; p < pages; p += 5)
			ev(t, TRACE_UNMAP, pid, HEAP + p * PAGE, 0);
		ev(t, TRACE_REF, 0, libs[0], 0);
		if (i >= parallel)
			ev(t, TRACE_EXIT, pid - parallel, 0, 0);
	}
	for (unsigned int i = scale > parallel ? scale - parallel : 0;
	     i < scale; i++)
		ev(t, TRACE_EXIT, 2 + i, 0, 0);
	ev(t, TRACE_EXIT, 1, 0, 0);
}

/* Children move their heap after the fork, and write a third of it. */
static void gen_mremap(struct trace *t, unsigned int scale, unsigned int pages)
{
	start(t, 1, pages);
	for (unsigned int i = 0; i < scale; i++) {
		uint32_t pid = 2 + i;

		do_fork(t, 1, pid);
		ev(t, TRACE_MREMAP, pid, HEAP, HEAP_NEW + i % 7 * LIB_STEP);
		for (unsigned int p = 0; p < pages; p += 3)
			touch(t, pid, HEAP_NEW + i % 7 * LIB_STEP + p * PAGE);
		ev(t, TRACE_REF, 0, i % pages, 0);
	}
	for (unsigned int i = 0; i < scale; i += 2)
		ev(t, TRACE_EXIT, 2 + i, 0, 0);
	for (unsigned int i = 1; i < scale; i += 2)
		ev(t, TRACE_EXIT, 2 + i, 0, 0);
	ev(t, TRACE_EXIT, 1, 0, 0);
}

/* Unrelated processes with the same libraries. */
static void gen_libraries(struct trace *t, unsigned int scale,
			  unsigned int pages)
{
	uint64_t libs[8];

	for (unsigned int l = 0; l < 8; l++)
		libs[l] = new_file(t, LIB_PAGES + DATA_PAGES);
	for (unsigned int i = 0; i < scale; i++) {
		start(t, 1 + i, pages);
		for (unsigned int l = 0; l < 8; l++)
			map_library(t, 1 + i, l, libs[l], 1 + i % 3);
		ev(t, TRACE_REF, 0, libs[i % 8] + i % LIB_PAGES, 0);
	}
	for (unsigned int i = 0; i < scale; i++)
		ev(t, TRACE_EXIT, 1 + i, 0, 0);
}

/* Each process forks the next one and both go on writing. */
static void gen_cow(struct trace *t, unsigned int scale, unsigned int pages)
{
	start(t, 1, pages);
	for (unsigned int i = 1; i < scale; i++) {
		do_fork(t, i, i + 1);
		for (unsigned int p = i % 4; p < pages; p += 4)
			touch(t, i + 1, HEAP + p * PAGE);
		for (unsigned int p = i % 5; p < pages; p += 5)
			touch(t, i, HEAP + p * PAGE);
		ev(t, TRACE_REF, 0, i % pages, 0);
	}
	for (unsigned int i = 1; i <= scale; i++)
		ev(t, TRACE_EXIT, 1 + i * 7 % scale, 0, 0);
}

const struct trace_generator trace_generators[] = {
	{ "fork-storm", gen_fork_storm, 60, 24, 1000, 500 },
	{ "children", gen_children, 24, 16, 1000, 1000 },
	{ "make-j", gen_make, 24, 20, 600, 300 },
	{ "mremap", gen_mremap, 20, 24, 300, 300 },
	{ "libraries", gen_libraries, 12, 6, 300, 50 },
	{ "cow", gen_cow, 29, 20, 401, 200 },
};

const unsigned int nr_trace_generators =
	sizeof(trace_generators) / sizeof(trace_generators[0]);
