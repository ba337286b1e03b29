// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Patterns in which the same pages are touched throughout a window, so that the
 * host need not know when.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/native/truth.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"

#define RANDOM_SHARE 10u	/* one unit in so many is hot */
#define TLB_UNITS    16u	/* fewer than any TLB has, of either page size */
#define STRIDE_UNITS 8u
#define NR_CONTROLS  2

void truth_compare(const struct truth *t, const uint64_t *young,
		   const uint64_t *assumed, struct score *s)
{
	uint64_t start = t->range.start.v;

	s->windows++;
	for (uint64_t g = start; g < start + t->range.nr; g++) {
		bool y = bitmap_test(young, g);

		bool hot = bitmap_test(t->hot, g);

		if (!hot && bitmap_test(t->grey, g)) {
			s->grey++;
		} else if (y != hot && bitmap_test(assumed, g)) {
			s->assumed++;
		} else if (hot) {
			s->hot_young += y;
			s->hot_idle += !y;
		} else {
			s->cold_young += y;
			s->cold_idle += !y;
		}
	}
}

int truth_harvest(struct truth *t, uint64_t *young, uint64_t *assumed)
{
	int err = t->src->ops->harvest(t->src, t->range, young);

	if (!err && t->src->ops->assumed)
		t->src->ops->assumed(t->src, t->range, assumed);
	return err;
}

uint64_t truth_choose(const struct truth *t, unsigned int of, uint64_t *gfns)
{
	uint64_t nr_units = t->range.nr / t->unit, nr = 0;
	uint64_t never_none = rand() % nr_units;

	for (uint64_t i = 0; i < nr_units; i++)
		if (!(rand() % of) || i == never_none)
			gfns[nr++] = t->range.start.v + i * t->unit +
				     rand() % t->unit;
	return nr;
}

static void clear_truth(struct truth *t)
{
	size_t bytes = BITMAP_WORDS(t->nr_frames) * sizeof(*t->hot);

	memset(t->hot, 0, bytes);
	memset(t->grey, 0, bytes);
}

void truth_set_hot(struct truth *t, const uint64_t *gfns, uint64_t nr)
{
	clear_truth(t);
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t first = gfns[i] - (gfns[i] - t->range.start.v) %
						   t->unit;

		bitmap_set_range(t->hot, first, first + t->unit);
	}
}

/* The rest of a window; what is touched in it was touched twice. */
static int finish_window(struct truth *t, struct score *s)
{
	int err;

	nanosleep(&(struct timespec){ t->window_ms / 1000,
			t->window_ms % 1000 * (long)NSEC_PER_MSEC }, NULL);
	err = tiny_vm_wait(t->vm, 2);
	if (!err)
		err = truth_harvest(t, t->young, t->assumed);
	if (!err)
		truth_compare(t, t->young, t->assumed, s);
	return err;
}

int truth_control(struct truth *t, struct score *control)
{
	int err = tiny_vm_touch(t->vm, NULL, 0);

	if (!err)
		err = t->src->ops->arm(t->src, t->range);
	clear_truth(t);
	return err ? err : finish_window(t, control);
}

/* A window of which nr of t->gfns are hot, then one without any. */
static int window_pair(struct truth *t, uint64_t nr, struct touch_options how,
		       struct score *s, struct score *control)
{
	int err = tiny_vm_touch_with(t->vm, t->gfns, nr, how);

	truth_set_hot(t, t->gfns, nr);
	if (!err)
		err = t->src->ops->arm(t->src, t->range);
	if (!err)
		err = finish_window(t, s);
	return err ? err : truth_control(t, control);
}

static int run_random(struct truth *t, unsigned int of, struct score *s,
		      struct score *control)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < t->rounds; i++)
		err = window_pair(t, truth_choose(t, of, t->gfns),
				  (struct touch_options){ 0 }, s, control);
	return err;
}

/* Another line of each page in each round. */
static int run_line(struct truth *t, unsigned int of, struct score *s,
		    struct score *control)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < t->rounds; i++)
		err = window_pair(t, truth_choose(t, of, t->gfns),
				  (struct touch_options){
					  .line_step = 29 + 2 * i },
				  s, control);
	return err;
}

static int run_stride(struct truth *t, unsigned int stride, struct score *s,
		      struct score *control)
{
	uint64_t nr_units = t->range.nr / t->unit, nr;
	int err = 0;

	for (unsigned int i = 0; !err && i < t->rounds; i++) {
		nr = 0;
		for (uint64_t k = rand() % (stride < nr_units ? stride : 1);
		     k < nr_units; k += stride)
			t->gfns[nr++] = t->range.start.v + k * t->unit;
		err = window_pair(t, nr, (struct touch_options){ 0 }, s,
				  control);
	}
	return err;
}

/*
 * A few units, the same in all windows and never armed again: only a source
 * that flushes the TLB, or takes the mapping away, can see them twice.
 */
static int run_tlb(struct truth *t, unsigned int nr, struct score *s,
		   struct score *control)
{
	uint64_t nr_units = t->range.nr / t->unit, step;
	int err;

	if (nr > nr_units)
		nr = nr_units;
	step = nr_units / nr;
	for (unsigned int i = 0; i < nr; i++)
		t->gfns[i] = t->range.start.v +
			     (i * step + rand() % step) * t->unit;
	truth_set_hot(t, t->gfns, nr);
	err = tiny_vm_touch(t->vm, t->gfns, nr);
	if (!err)
		err = t->src->ops->arm(t->src, t->range);
	for (unsigned int i = 0; !err && i < t->rounds; i++)
		err = finish_window(t, s);
	for (int i = 0; !err && i < NR_CONTROLS; i++)
		err = truth_control(t, control);
	return err;
}

const struct pattern truth_patterns[] = {
	{ "random", "one unit in ARG, others in each window", RANDOM_SHARE,
	  run_random },
	{ "tlb", "ARG units, the same in all windows", TLB_UNITS, run_tlb },
	{ "stride", "every ARGth unit, from another in each window",
	  STRIDE_UNITS, run_stride },
	{ "line", "as random, and of each page one line anywhere in it",
	  RANDOM_SHARE, run_line },
	{ "period", "once every ARG ms; without: 0.8 to 1.25 windows", 0,
	  truth_run_period },
	{ .name = NULL },
};
