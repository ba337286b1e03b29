/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access patterns for abits-truth.c: the host knows exactly which pages the
 * guest touched in which window, and the source's answers are scored against
 * that.
 */
#ifndef TESTS_NATIVE_TRUTH_H
#define TESTS_NATIVE_TRUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/access/source.h"
#include "vmm/access/tiny-vm.h"

/* One guest and one source. */
struct truth {
	struct tiny_vm *vm;
	struct access_source *src;
	struct gfn_range range;		/* what can be touched */
	uint64_t nr_frames;		/* bits of a bitmap */
	uint64_t unit;			/* pages of one leaf: 1 or 512 */
	unsigned int window_ms, rounds;
	/* Owned by main(); scratch space of a window: */
	uint64_t *gfns;			/* one of each unit touched */
	uint64_t *hot, *grey;		/* bitmaps: touched; perhaps touched */
	uint64_t *young, *assumed;	/* bitmaps: the source's answer */
};

/* Frames, summed up over windows. */
struct score {
	uint64_t hot_young, hot_idle, cold_young, cold_idle;
	uint64_t grey;		/* touched while it was being harvested */
	uint64_t assumed;	/* cold, and young without a look: a budget */
	unsigned int windows;
};

struct pattern {
	const char *name, *what;
	unsigned int arg;	/* of "NAME=ARG", if none is given; 0: computed */
	/* arg's windows into s, windows without any touch into control. */
	int (*run)(struct truth *t, unsigned int arg, struct score *s,
		   struct score *control);
};

/* Ends with a name of NULL. */
extern const struct pattern truth_patterns[];

/* For patterns: one answer of the source, scored by t->hot and t->grey. */
void truth_compare(const struct truth *t, const uint64_t *young,
		   const uint64_t *assumed, struct score *s);
/* Harvests into young and assumed. */
int truth_harvest(struct truth *t, uint64_t *young, uint64_t *assumed);
/* One window in which nothing is touched. */
int truth_control(struct truth *t, struct score *control);
/* About one unit in `of`, at random, never none: into gfns.  How many. */
uint64_t truth_choose(const struct truth *t, unsigned int of, uint64_t *gfns);
/* t->hot is these units. */
void truth_set_hot(struct truth *t, const uint64_t *gfns, uint64_t nr);

int truth_run_period(struct truth *t, unsigned int period_ms, struct score *s,
		     struct score *control);

#endif
