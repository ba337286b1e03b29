// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP
 * 2023): new pages pass through a small queue, a tenth of memory; those used
 * more than once on their way go to the main queue, the others are evicted, and
 * remembered.  What is remembered and comes back goes to the main queue.
 */
#include "config.h"

#include "tests/bench/replacement.h"
#include "tests/bench/replacement-list.h"

enum { SMALL, MAIN, GHOST };

#define FREQ_MAX 3

struct state {
	struct lists l;
	uint8_t *freq;		/* owned; by page */
	uint32_t nr_stay;
};

static void remember(struct state *s, uint32_t page)
{
	list_to_head(&s->l, page, GHOST);
	if (s->l.list[GHOST].nr > s->nr_stay - s->nr_stay / 10)
		list_remove(&s->l, s->l.list[GHOST].tail);
}

static bool evict_small(struct state *s)
{
	uint32_t page = s->l.list[SMALL].tail;
	bool stays = s->freq[page] > 1;

	s->freq[page] = 0;
	if (stays)
		list_to_head(&s->l, page, MAIN);
	else
		remember(s, page);
	return !stays;
}

static bool evict_main(struct state *s)
{
	uint32_t page = s->l.list[MAIN].tail;

	if (!s->freq[page]) {
		list_remove(&s->l, page);
		return true;
	}
	s->freq[page]--;
	list_to_head(&s->l, page, MAIN);
	return false;
}

static void evict(struct state *s)
{
	bool done;

	do {
		done = s->l.list[SMALL].nr >= s->nr_stay / 10 ?
			       evict_small(s) : evict_main(s);
	} while (!done);
}

uint64_t replacement_s3_fifo(const struct trace *t)
{
	struct state s = {
		.l = lists_new(t->nr_pages),
		.freq = list_alloc(t->nr_pages, 1),
		.nr_stay = t->nr_stay,
	};
	uint64_t misses = 0;

	for (size_t i = 0; i < t->nr_refs; i++) {
		uint32_t page = t->refs[i];
		uint8_t on = s.l.on[page];

		if (on == SMALL || on == MAIN) {
			s.freq[page] += s.freq[page] < FREQ_MAX;
			continue;
		}
		misses += trace_counts(t, i);
		if (s.l.list[SMALL].nr + s.l.list[MAIN].nr == s.nr_stay)
			evict(&s);
		s.freq[page] = 0;
		list_to_head(&s.l, page, on == GHOST ? MAIN : SMALL);
	}
	lists_free(&s.l);
	free(s.freq);
	return misses;
}
