// SPDX-License-Identifier: GPL-2.0-or-later
/* CLOCK: a hand goes round, and takes the first page not used since. */
#include "config.h"

#include "tests/bench/replacement.h"
#include "tests/bench/replacement-list.h"

uint64_t replacement_clock(const struct trace *t)
{
	uint32_t *at = list_alloc(t->nr_stay, sizeof(*at)), nr = 0, hand = 0;
	uint8_t *here = list_alloc(t->nr_pages, 1);
	uint8_t *used = list_alloc(t->nr_pages, 1);
	uint64_t misses = 0;

	for (size_t i = 0; i < t->nr_refs; i++) {
		uint32_t page = t->refs[i];

		if (here[page]) {
			used[page] = 1;
			continue;
		}
		misses += trace_counts(t, i);
		here[page] = 1;
		if (nr < t->nr_stay) {
			at[nr++] = page;
			continue;
		}
		for (; used[at[hand]]; hand = (hand + 1) % nr)
			used[at[hand]] = 0;
		here[at[hand]] = 0;
		at[hand] = page;
		hand = (hand + 1) % nr;
	}
	free(at);
	free(here);
	free(used);
	return misses;
}
