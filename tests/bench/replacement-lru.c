// SPDX-License-Identifier: GPL-2.0-or-later
/* Exact LRU. */
#include "config.h"

#include "tests/bench/replacement.h"
#include "tests/bench/replacement-list.h"

uint64_t replacement_lru(const struct trace *t)
{
	struct lists l = lists_new(t->nr_pages);
	uint64_t misses = 0;

	for (size_t i = 0; i < t->nr_refs; i++) {
		uint32_t page = t->refs[i];

		if (l.on[page] == LIST_NONE) {
			misses += trace_counts(t, i);
			if (l.list[0].nr == t->nr_stay)
				list_remove(&l, l.list[0].tail);
		}
		list_to_head(&l, page, 0);
	}
	lists_free(&l);
	return misses;
}
