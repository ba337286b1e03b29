/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What abits compares: vmm's sources of accessed bits, and the methods that
 * Linux offers to all programs.  All have the interface of a source.
 */
#ifndef TESTS_BENCH_ABITS_H
#define TESTS_BENCH_ABITS_H

#include "tests/bench/bench.h"
#include "vmm/access/source.h"
#include "vmm/access/tiny-vm.h"

struct way {
	const struct access_source_ops *ops;
	unsigned int window_ms;	/* that it needs to see something */
	/* CPU time of a kernel thread that works for it, ns; or NULL. */
	uint64_t (*thread_cpu_ns)(struct access_source *src);
};

/* One PFN a call of /sys/kernel/mm/page_idle/bitmap. */
extern const struct way linux_page_idle;
/*
 * /proc/PID/clear_refs, then "Referenced" of /proc/PID/smaps: a sum for each
 * mapping, no pages; `young` gets so many bits, from the first on.
 */
extern const struct way linux_clear_refs;
/* DAMON's own sampling, at its default intervals, by sysfs. */
extern const struct way linux_damon;

/* A guest and something that looks at it. */
struct subject {
	struct tiny_vm *vm;
	struct way way;
	struct access_source *src;
	struct gfn_range range;
	uint64_t *gfns, *young;
	bool huge;
};

/*
 * A new guest; then what looks at it.  What cannot serve is noted, with the
 * reason: false.  Ends the program where there can be no guest.
 */
bool subject_new(struct subject *s, struct bench *b, const char *name,
		 uint64_t nr_pages, bool huge);
bool subject_open(struct subject *s, struct bench *b, const char *name);
void subject_close(struct subject *s);
void subject_free(struct subject *s);

/* From now on the guest touches so many of 100 pages, or of huge pages. */
void subject_touch(struct subject *s, unsigned int percent);
/* Ends the program when err is not 0. */
void check(const char *what, int err);

/* What scanning once a second takes from a guest; see abits-slowdown.c. */
void slowdown(struct bench *b, const char *name, uint64_t nr_pages, bool huge,
	      unsigned int percent, unsigned int seconds, bool scan_first);

#endif
