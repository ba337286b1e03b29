// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A simple model of Linux' multi-generational LRU, for anonymous memory: up to
 * four generations.  Aging, when fewer than three are left, walks all pages and
 * puts those that were used into a new generation.  Pages of the oldest one are
 * evicted, but for those that were used meanwhile: these become young as well.
 */
#include "config.h"

#include "tests/bench/replacement.h"
#include "tests/bench/replacement-list.h"

#define NR_GENS 4
#define MIN_GENS 3

struct state {
	struct lists l;		/* a list a generation, modulo NR_GENS */
	uint8_t *used;		/* owned; by page */
	uint32_t nr_pages, oldest, youngest;
};

static void age(struct state *s)
{
	uint32_t to = ++s->youngest % NR_GENS;

	for (uint32_t page = 0; page < s->nr_pages; page++)
		if (s->l.on[page] != LIST_NONE && s->used[page]) {
			s->used[page] = 0;
			list_to_head(&s->l, page, to);
		}
}

static void evict(struct state *s)
{
	for (;;) {
		struct list *from = &s->l.list[s->oldest % NR_GENS];
		uint32_t page = from->tail;

		if (!from->nr) {
			s->oldest++;
			if (s->youngest - s->oldest + 1 < MIN_GENS)
				age(s);
			continue;
		}
		if (!s->used[page]) {
			list_remove(&s->l, page);
			return;
		}
		s->used[page] = 0;
		list_to_head(&s->l, page, s->youngest % NR_GENS);
	}
}

uint64_t replacement_mglru(const struct trace *t)
{
	struct state s = {
		.l = lists_new(t->nr_pages),
		.used = list_alloc(t->nr_pages, 1),
		.nr_pages = t->nr_pages,
		.youngest = MIN_GENS - 1,
	};
	uint64_t misses = 0;
	uint32_t nr = 0;

	for (size_t i = 0; i < t->nr_refs; i++) {
		uint32_t page = t->refs[i];

		if (s.l.on[page] == LIST_NONE) {
			misses += trace_counts(t, i);
			if (nr == t->nr_stay)
				evict(&s);
			else
				nr++;
			list_to_head(&s.l, page, s.youngest % NR_GENS);
		}
		s.used[page] = 1;
	}
	lists_free(&s.l);
	free(s.used);
	return misses;
}
