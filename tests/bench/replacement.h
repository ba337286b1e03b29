/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traces of page references, and replacement policies that are run on them: how
 * many references find their page away when half of all pages may stay?
 *
 * Time is virtual: a second is a number of references.  So the same program
 * prints the same numbers on each machine.
 */
#ifndef TESTS_BENCH_REPLACEMENT_H
#define TESTS_BENCH_REPLACEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trace {
	const char *name;
	uint32_t nr_pages;	/* the footprint */
	uint32_t nr_stay;	/* pages that memory has room for */
	uint32_t *refs;		/* owned; page numbers below nr_pages */
	size_t nr_refs;
	size_t nr_warm;		/* the first so many do not count as misses */
	size_t scan_refs;	/* references between two scans of the engine */
};

/* --- replacement-traces.c ------------------------------------------------- */
enum trace_kind {
	TRACE_ZIPF_10,		/* skewed use, exponent 1.0 */
	TRACE_ZIPF_08,
	TRACE_ZIPF_MOVES_60,	/* exponent 1.0; each 60 s other pages are hot */
	TRACE_ZIPF_MOVES_20,
	TRACE_ZIPF_SCAN,	/* and 3 of 10 references read pages in order */
	TRACE_PHASES_20,	/* each 20 s another third, evenly used */
	TRACE_LOOP,		/* round and round, 120 % of what may stay */
	NR_TRACES,
};

#define TRACE_SCANS 6	/* a second, unless asked for otherwise */

/*
 * nr_pages: the footprint, a power of two; the first quarter of the seconds is
 * to warm up; nr_scans: in a second.  Aborts without memory.
 */
void trace_make(struct trace *t, enum trace_kind kind, uint32_t nr_pages,
		unsigned int nr_seconds, unsigned int nr_scans);
void trace_free(struct trace *t);

/* Whether reference i counts when it is a miss. */
static inline bool trace_counts(const struct trace *t, size_t i)
{
	return i >= t->nr_warm;
}

/* --- policies: the misses of a trace -------------------------------------- */
uint64_t replacement_lru(const struct trace *t);
uint64_t replacement_clock(const struct trace *t);
uint64_t replacement_two_lists(const struct trace *t);
uint64_t replacement_mglru(const struct trace *t);
uint64_t replacement_s3_fifo(const struct trace *t);
/* Those pages stay that are used most in the references that count. */
uint64_t replacement_static(const struct trace *t);
/* Belady's: the page that is used last again goes. */
uint64_t replacement_opt(const struct trace *t);

/*
 * The project's own engine, scan by scan, with a hard target.  Between scans
 * pages only come back.  So the target is lower by half of those that come back
 * on average, and on average as many pages stay as with the other policies.
 */
struct replacement_engine {
	uint64_t nr_misses;
	double mean_resident;	/* pages, over the references that count */
	uint64_t cpu_ns;	/* of the scans */
	size_t nr_scans;
};
void replacement_engine(const struct trace *t, struct replacement_engine *r);

#endif
