/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Declarations shared by the files of rmap-compare. */
#ifndef TESTS_BENCH_RMAP_COMPARE_H
#define TESTS_BENCH_RMAP_COMPARE_H

#include "rmap/rmap.h"
#include "tests/bench/bench.h"

#define NR_SCHEMES 3
#define HEAP	   UINT64_C(0x10000000)
#define RW	   (RMAP_VM_READ | RMAP_VM_WRITE)

extern const char *const compare_schemes[NR_SCHEMES];
extern int compare_quick;	/* small, to see that all runs */

__attribute__((noreturn)) void compare_die(const char *what, int rc);

struct rmap *compare_map(enum rmap_scheme scheme, uint64_t nr_frames);
/*
 * nr processes, 1 to nr, related by fork, which share `pages` pages at HEAP,
 * from frame 0.
 */
struct rmap *compare_family(enum rmap_scheme scheme, unsigned int nr,
			    unsigned int pages, uint64_t nr_frames);
/* Process id writes that page of the family's: it becomes frame gfn. */
void compare_write_page(struct rmap *map, uint32_t id, uint64_t page,
			uint64_t gfn);

/* fmt, and the scheme, name the case. */
__attribute__((format(printf, 5, 6))) void
compare_report(struct bench *b, enum rmap_scheme scheme, const char *unit,
	       double value, const char *fmt, ...);

/*
 * CPU time in ns of a page_referenced, over frames first, first + step, ...;
 * each has `want` mappings, else the program ends.
 */
double compare_referenced(struct rmap *map, uint64_t first, uint64_t step,
			  uint64_t nr_frames, unsigned int want,
			  unsigned int calls);

void compare_live(struct bench *b);	/* rmap-live.c */
void compare_readers(struct bench *b);	/* rmap-readers.c */

#endif
