// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/reclaim/sink.h"
#include "vmm/util/bitmap.h"

static const struct reclaim_sink_ops *const sinks[] = {
	&sink_swap, &sink_store, &sink_damon, &sink_numa,
};

int sink_find(const struct reclaim_sink_ops **ops, const char *text,
	      const char **options, char *why, size_t len)
{
	size_t n = strcspn(text, ",");

	for (size_t i = 0; i < sizeof(sinks) / sizeof(*sinks); i++)
		if (strlen(sinks[i]->name) == n &&
		    !strncmp(sinks[i]->name, text, n)) {
			*ops = sinks[i];
			*options = text[n] ? text + n + 1 : NULL;
			return 0;
		}
	snprintf(why, len, "there is no sink '%.*s': say swap (the kernel's), "
		 "store[,OPTION=VALUE...] (compressed memory of vmm), damon "
		 "(swap, and the kernel looks which pages are cold) or "
		 "numa,to=NODE (another node's memory)",
		 (int)n, text);
	return -EINVAL;
}

void sink_count(const uint64_t *before, const uint64_t *after,
		struct gfn_range range, struct reclaim_result *res)
{
	uint64_t end = range.start.v + range.nr;

	for (uint64_t g = range.start.v; g < end; g++) {
		res->tried++;
		if (!bitmap_test(before, g))
			res->absent++;
		else if (bitmap_test(after, g))
			res->kept++;
		else
			res->evicted++;
	}
}
