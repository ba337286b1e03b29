// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages that are touched once in a period near the length of a window.
 *
 * A thread makes the guest touch one group of pages after the other, each group
 * with its own period, and records when it made the request and when the guest
 * had done it; meanwhile the source is harvested once a window:
 *
 *   harvests  |##|           |##|           |##|
 *   group 0      .    ==     .      ==      .=        sure, sure, grey
 *   group 1   =          .     ==                     grey, sure, ...
 *
 * A touch entirely between two harvests makes its group hot in that window. One
 * that overlaps a harvest may be reported in either window: unless another
 * touch is certain, the group is grey there, and not scored.  A window lasts
 * until it has a certain touch: on a busy machine the guest may not reach one
 * in the intended time.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "tests/native/truth.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"

#define NR_GROUPS    10u
#define LEAST_SHARE  80u	/* % of a window: the shortest period */
#define SHARE_STEP   5u
#define HOT_SHARE    10u	/* one unit in so many is in a group */
#define NAP_NS	     (2 * NSEC_PER_MSEC)

struct span {
	uint64_t from, to;	/* ns */
};

struct pulse {
	unsigned int group;
	struct span when;
};

struct group {
	uint64_t first, nr;	/* of t->gfns */
	uint64_t period_ns, due_ns;
};

struct toucher {
	struct truth *t;
	struct group groups[NR_GROUPS];
	unsigned int nr_groups;
	bool stop;
	struct pulse *pulses;	/* owned */
	size_t nr_pulses, cap;
	size_t nr_done;		/* nr_pulses, for the thread that harvests */
	int err;
};

static void sleep_until(uint64_t ns)
{
	struct timespec ts = { ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) ==
	       EINTR)
		;
}

static int pulse(struct toucher *p, unsigned int g)
{
	struct group *group = &p->groups[g];
	struct span when = { .from = clock_now_ns() };
	int err = tiny_vm_touch_with(p->t->vm, p->t->gfns + group->first,
				    group->nr,
				    (struct touch_options){ .once = true });

	when.to = clock_now_ns();
	if (err)
		return err;
	if (p->nr_pulses == p->cap) {
		size_t cap = p->cap * 2 + 64;
		struct pulse *more = realloc(p->pulses, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		p->pulses = more;
		p->cap = cap;
	}
	p->pulses[p->nr_pulses++] = (struct pulse){ g, when };
	__atomic_store_n(&p->nr_done, p->nr_pulses, __ATOMIC_RELEASE);
	group->due_ns += group->period_ns;
	if (group->due_ns < when.to)
		group->due_ns = when.to;
	return 0;
}

static void *touch(void *arg)
{
	struct toucher *p = arg;

	while (!p->err && !__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE)) {
		unsigned int g = 0;
		uint64_t soon = clock_now_ns() + NAP_NS;

		for (unsigned int i = 1; i < p->nr_groups; i++)
			if (p->groups[i].due_ns < p->groups[g].due_ns)
				g = i;
		if (p->groups[g].due_ns > soon) {
			sleep_until(soon);
			continue;
		}
		sleep_until(p->groups[g].due_ns);
		p->err = pulse(p, g);
	}
	/* Nobody need wait for more. */
	__atomic_store_n(&p->nr_done, SIZE_MAX - 2, __ATOMIC_RELEASE);
	return NULL;
}

static void make_groups(struct toucher *p, unsigned int period_ms)
{
	struct truth *t = p->t;
	uint64_t nr = truth_choose(t, HOT_SHARE, t->gfns);
	uint64_t window_ns = t->window_ms * NSEC_PER_MSEC, now = clock_now_ns();

	p->nr_groups = period_ms ? 1 : nr < NR_GROUPS ? nr : NR_GROUPS;
	for (unsigned int g = 0; g < p->nr_groups; g++) {
		struct group *group = &p->groups[g];

		group->first = nr * g / p->nr_groups;
		group->nr = nr * (g + 1) / p->nr_groups - group->first;
		group->period_ns = period_ms ? period_ms * NSEC_PER_MSEC :
			window_ns * (LEAST_SHARE + g * SHARE_STEP) / 100;
		group->due_ns = now + group->period_ns * (rand() % 100) / 100;
	}
}

/* Group g in the window between two harvests. */
static void judge(struct truth *t, const struct toucher *p, unsigned int g,
		  struct span before, struct span after)
{
	const struct group *group = &p->groups[g];
	bool sure = false, perhaps = false;

	for (size_t i = 0; i < p->nr_pulses; i++) {
		const struct span *w = &p->pulses[i].when;

		if (p->pulses[i].group != g)
			continue;
		sure |= w->from >= before.to && w->to <= after.from;
		perhaps |= w->to >= before.from && w->from <= after.to;
	}
	for (uint64_t i = 0; perhaps && i < group->nr; i++) {
		uint64_t gfn = t->gfns[group->first + i], first;

		first = gfn - (gfn - t->range.start.v) % t->unit;
		bitmap_set_range(sure ? t->hot : t->grey, first,
				 first + t->unit);
	}
}

static size_t pulses_done(struct toucher *p)
{
	return __atomic_load_n(&p->nr_done, __ATOMIC_ACQUIRE);
}

/*
 * However long it takes, for the machine may have no time for the guest: of two
 * touches that end after a harvest the second began after it, and is sure.
 */
static void wait_for_touch(struct toucher *p, size_t done_before)
{
	while (pulses_done(p) < done_before + 2)
		sleep_until(clock_now_ns() + NAP_NS);
}

static int look(struct truth *t, struct span *when, uint64_t *young,
		uint64_t *assumed)
{
	int err;

	when->from = clock_now_ns();
	err = young ? truth_harvest(t, young, assumed) :
		      t->src->ops->arm(t->src, t->range);
	when->to = clock_now_ns();
	return err;
}

/* Looks once a window, while the other thread touches. */
static int look_on(struct truth *t, struct toucher *p, struct span *looks,
		   uint64_t *young, uint64_t *assumed)
{
	size_t words = BITMAP_WORDS(t->nr_frames), done;
	pthread_t thread;
	int err = -pthread_create(&thread, NULL, touch, p);

	if (err)
		return err;
	err = look(t, &looks[0], NULL, NULL);
	for (unsigned int i = 1; !err && i <= t->rounds; i++) {
		done = pulses_done(p);
		sleep_until(looks[0].to + i * t->window_ms * NSEC_PER_MSEC);
		wait_for_touch(p, done);
		err = look(t, &looks[i], young + (i - 1) * words,
			   assumed + (i - 1) * words);
	}
	__atomic_store_n(&p->stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	return err ? err : p->err;
}

int truth_run_period(struct truth *t, unsigned int period_ms, struct score *s,
		     struct score *control)
{
	size_t words = BITMAP_WORDS(t->nr_frames);
	uint64_t *young = calloc(t->rounds * words, sizeof(*young));
	uint64_t *assumed = calloc(t->rounds * words, sizeof(*assumed));
	struct span *looks = calloc(t->rounds + 1, sizeof(*looks));
	struct toucher p = { .t = t };
	int err = young && assumed && looks ? 0 : -ENOMEM;

	if (!err)
		err = tiny_vm_touch(t->vm, NULL, 0);
	if (!err) {
		make_groups(&p, period_ms);
		err = look_on(t, &p, looks, young, assumed);
	}
	for (unsigned int i = 0; !err && i < t->rounds; i++) {
		truth_set_hot(t, NULL, 0);
		for (unsigned int g = 0; g < p.nr_groups; g++)
			judge(t, &p, g, looks[i], looks[i + 1]);
		truth_compare(t, young + i * words, assumed + i * words, s);
	}
	if (!err)
		err = truth_control(t, control);
	free(p.pulses);
	free(young);
	free(assumed);
	free(looks);
	return err;
}
