// SPDX-License-Identifier: GPL-2.0-or-later
/* Two bounds that know the future: the best fixed set of pages, and Belady's. */
#include "config.h"

#include <stdlib.h>

#include "tests/bench/replacement.h"
#include "tests/bench/replacement-list.h"

static int more_first(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x < y) - (x > y);
}

uint64_t replacement_static(const struct trace *t)
{
	uint64_t *nr = list_alloc(t->nr_pages, sizeof(*nr)), misses = 0;

	for (size_t i = t->nr_warm; i < t->nr_refs; i++)
		nr[t->refs[i]]++;
	qsort(nr, t->nr_pages, sizeof(*nr), more_first);
	for (uint32_t i = t->nr_stay; i < t->nr_pages; i++)
		misses += nr[i];
	free(nr);
	return misses;
}

/*
 * A heap of uses to come, the last at the top.  The entry of a page that was
 * used meanwhile is stale; its use has passed, so it is below all valid ones.
 */
struct heap {
	uint32_t *at;		/* owned; references, 1-based */
	size_t nr;
};

static void heap_push(struct heap *h, uint32_t use)
{
	size_t i = ++h->nr;

	for (; i > 1 && h->at[i / 2] < use; i /= 2)
		h->at[i] = h->at[i / 2];
	h->at[i] = use;
}

static uint32_t heap_pop(struct heap *h)
{
	uint32_t top = h->at[1], last = h->at[h->nr--];
	size_t i = 1, child;

	for (; (child = 2 * i) <= h->nr; i = child) {
		if (child < h->nr && h->at[child + 1] > h->at[child])
			child++;
		if (h->at[child] <= last)
			break;
		h->at[i] = h->at[child];
	}
	h->at[i] = last;
	return top;
}

/*
 * next[i]: the next use of the page of reference i.  Pages that are not used
 * again have a use of their own behind the end: nr_refs + page.
 */
static uint32_t *find_next(const struct trace *t)
{
	uint32_t *next = list_alloc(t->nr_refs, sizeof(*next));
	uint32_t *last = list_alloc(t->nr_pages, sizeof(*last));

	for (uint32_t page = 0; page < t->nr_pages; page++)
		last[page] = t->nr_refs + page;
	for (size_t i = t->nr_refs; i--;) {
		next[i] = last[t->refs[i]];
		last[t->refs[i]] = i;
	}
	free(last);
	return next;
}

uint64_t replacement_opt(const struct trace *t)
{
	uint32_t *next = find_next(t), nr = 0;
	uint8_t *here = list_alloc(t->nr_pages, 1);
	struct heap h = { list_alloc(t->nr_refs + 2, sizeof(*h.at)), 0 };
	uint64_t misses = 0;

	for (size_t i = 0; i < t->nr_refs; i++) {
		uint32_t page = t->refs[i], use;

		if (!here[page]) {
			misses += trace_counts(t, i);
			if (nr == t->nr_stay) {
				use = heap_pop(&h);
				here[use < t->nr_refs ? t->refs[use] :
							use - t->nr_refs] = 0;
			} else {
				nr++;
			}
			here[page] = 1;
		}
		heap_push(&h, next[i]);
	}
	free(h.at);
	free(here);
	free(next);
	return misses;
}
