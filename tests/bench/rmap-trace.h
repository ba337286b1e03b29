/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recorded histories of processes and their memory, to be replayed through each
 * scheme of the reverse map: tests/unit/rmap-replay compares them with an
 * oracle, tests/bench/rmap-compare measures their time.
 *
 * As text, one event a line, numbers in decimal or 0x hex, "#" starts a
 * comment:
 *
 *	frames N			before the first event: size of the map
 *	mm ID				a process without memory
 *	fork PARENT CHILD
 *	exit ID
 *	mmap ID START END PGOFF FLAGS INO [DEV]
 *					FLAGS: RMAP_VM_*; INO 0: anonymous;
 *					DEV 8 where it is not said
 *	munmap ID ADDR			the region that contains ADDR
 *	mremap ID ADDR NEW		the region of ADDR moves to start at NEW
 *	map ID ADDR GFN [COUNT]		also a copy-on-write break; COUNT
 *					pages and frames that follow each other
 *	unmap ID ADDR [COUNT]
 *	flags GFN FLAGS [COUNT]		what COUNT frames are: RMAP_PG_*
 *	flags-scan 1, 0 or 2		a scan of the flags of all frames begins,
 *					ends, is cancelled
 *	ref GFN				page_referenced
 *
 * `vmm run --agent-record` writes such histories of live guests.
 */
#ifndef TESTS_BENCH_RMAP_TRACE_H
#define TESTS_BENCH_RMAP_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "rmap/rmap.h"

enum trace_op {
	TRACE_MM,
	TRACE_FORK,
	TRACE_EXIT,
	TRACE_MMAP,
	TRACE_MUNMAP,
	TRACE_MREMAP,
	TRACE_MAP,
	TRACE_UNMAP,
	TRACE_FLAGS,
	TRACE_FLAGS_SCAN,
	TRACE_REF,
	NR_TRACE_OPS
};

extern const char *const trace_op_names[NR_TRACE_OPS];

struct trace_event {
	enum trace_op op;
	uint32_t mm;		/* the parent of a fork */
	uint32_t child;
	uint32_t flags;
	uint64_t addr;		/* start of an mmap; frame of flags, of a ref */
	uint64_t arg;		/* end, new address, frame or count */
	uint64_t pgoff, ino, dev;
};

struct trace {
	struct trace_event *events;	/* owned */
	size_t nr, max;
	uint64_t nr_frames;		/* generators: the next fresh frame */
};

/* Out of memory aborts: these are tests. */
void trace_add(struct trace *t, struct trace_event event);
void trace_free(struct trace *t);

/* One event a line: runs of pages were taken apart by trace_read(). */
void trace_print_event(FILE *f, const struct trace_event *e);
void trace_print(FILE *f, const struct trace *t);
/*
 * 0, or the number of the line that can't be read: a word or a number of
 * arguments that is unknown, or a run beyond the frames there are.
 */
unsigned int trace_read(FILE *f, struct trace *t);

/* -ENOENT where the process or region is not there, else as librmap. */
int trace_apply(struct rmap *map, const struct trace_event *e);

/*
 * Generators.  scale is about the number of processes; the same arguments give
 * the same trace.
 */
struct trace_generator {
	const char *name;
	void (*fn)(struct trace *t, unsigned int scale, unsigned int pages);
	unsigned int small_scale, small_pages;	/* for tests */
	unsigned int big_scale, big_pages;	/* for benchmarks */
};

extern const struct trace_generator trace_generators[];
extern const unsigned int nr_trace_generators;

#endif
