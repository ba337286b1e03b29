// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Linux' two lists, as they treat anonymous memory of less than 1 GiB
 * (mm/vmscan.c, mm/workingset.c of Linux 6.x, without MGLRU):
 *
 *   new             --> inactive
 *   inactive, tail: used again after it was marked --> active;
 *                   used --> marked, and round again; else evicted
 *   active, tail    --> inactive, used or not, while active is the longer list
 *   evicted         --> active, if its refault distance, counted in evictions
 *                   and activations, is no more than the active pages
 */
#include "config.h"

#include "tests/bench/replacement.h"
#include "tests/bench/replacement-list.h"

enum { INACTIVE, ACTIVE };

struct state {
	const struct trace *t;
	struct lists l;
	uint8_t *used, *marked, *has_shadow;	/* owned; by page */
	uint64_t *shadow;			/* owned; by page */
	uint64_t age;			/* evictions and activations */
};

static void activate(struct state *s, uint32_t page)
{
	s->marked[page] = 0;
	s->age++;
	list_to_head(&s->l, page, ACTIVE);
}

static void balance(struct state *s)
{
	struct list *l = s->l.list;

	while (l[ACTIVE].nr > l[INACTIVE].nr) {
		uint32_t page = l[ACTIVE].tail;

		s->used[page] = 0;
		list_to_head(&s->l, page, INACTIVE);
	}
}

static void evict(struct state *s)
{
	for (;;) {
		uint32_t page;

		balance(s);
		page = s->l.list[INACTIVE].tail;
		if (!s->used[page]) {
			list_remove(&s->l, page);
			s->marked[page] = 0;
			s->shadow[page] = s->age++;
			s->has_shadow[page] = 1;
			return;
		}
		s->used[page] = 0;
		if (s->marked[page]) {
			activate(s, page);
		} else {
			s->marked[page] = 1;
			list_to_head(&s->l, page, INACTIVE);
		}
	}
}

static void fault(struct state *s, uint32_t page)
{
	if (s->l.list[ACTIVE].nr + s->l.list[INACTIVE].nr == s->t->nr_stay)
		evict(s);
	if (s->has_shadow[page] &&
	    s->age - s->shadow[page] <= s->l.list[ACTIVE].nr)
		activate(s, page);
	else
		list_to_head(&s->l, page, INACTIVE);
	s->has_shadow[page] = 0;
}

uint64_t replacement_two_lists(const struct trace *t)
{
	struct state s = {
		.t = t, .l = lists_new(t->nr_pages),
		.used = list_alloc(t->nr_pages, 1),
		.marked = list_alloc(t->nr_pages, 1),
		.has_shadow = list_alloc(t->nr_pages, 1),
		.shadow = list_alloc(t->nr_pages, sizeof(*s.shadow)),
	};
	uint64_t misses = 0;

	for (size_t i = 0; i < t->nr_refs; i++) {
		uint32_t page = t->refs[i];

		if (s.l.on[page] == LIST_NONE) {
			misses += trace_counts(t, i);
			fault(&s, page);
		}
		/* The access that faults sets the bit as well. */
		s.used[page] = 1;
	}
	lists_free(&s.l);
	free(s.used);
	free(s.marked);
	free(s.has_shadow);
	free(s.shadow);
	return misses;
}
