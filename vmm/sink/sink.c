// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/sink/sink.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/nearest.h"

static const struct reclaim_sink_ops *const sinks[] = {
	&sink_swap, &sink_store, &sink_damon, &sink_numa,
};

int sink_check_options(const struct reclaim_sink_ops *ops, const char *options,
		       char *why, size_t len)
{
	if (!options)
		return 0;
	if (ops->check_options)
		return ops->check_options(options, why, len);
	snprintf(why, len, "the sink %s takes no options: '%s'", ops->name,
		 options);
	return -EINVAL;
}

int sink_find(const struct reclaim_sink_ops **ops, const char *text,
	      const char **options, char *why, size_t len)
{
	size_t n = strcspn(text, ",");
	__cleanup_free char *name = strndup(text, n);
	struct nearest nearest = { .word = name ? name : "" };
	char hint[64];

	for (size_t i = 0; i < sizeof(sinks) / sizeof(*sinks); i++) {
		nearest_try(&nearest, sinks[i]->name);
		if (strlen(sinks[i]->name) != n ||
		    strncmp(sinks[i]->name, text, n))
			continue;
		*ops = sinks[i];
		*options = text[n] ? text + n + 1 : NULL;
		return sink_check_options(*ops, *options, why, len);
	}
	snprintf(why, len, "unknown sink '%.*s'%s", (int)n, text,
		 nearest.name ? nearest_hint(&nearest, hint, sizeof(hint)) :
		 ": expected one of swap (the kernel's), store[,KEY=VALUE...] "
		 "(compressed memory of vmm), damon (swap of pages that DAMON "
		 "finds cold) and numa,to=NODE (another node's memory)");
	return -EINVAL;
}

int sink_census_init(struct sink_census *c, struct guest_mem *mem)
{
	c->mem = mem;
	c->before = bitmap_new(guest_mem_nr_frames(mem));
	c->after = bitmap_new(guest_mem_nr_frames(mem));
	return c->before && c->after ? 0 : -ENOMEM;
}

void sink_census_free(struct sink_census *c)
{
	free(c->before);
	free(c->after);
}

struct gfn_range sink_join_ranges(const struct gfn_range *ranges, size_t nr,
				  unsigned int max_gap, size_t *i)
{
	struct gfn_range all = ranges[(*i)++];

	for (; *i < nr; ++*i) {
		const struct gfn_range *r = &ranges[*i];
		uint64_t end = all.start.v + all.nr;

		if (r->start.v < end || r->start.v - end > max_gap)
			break;
		all.nr = r->start.v + r->nr - all.start.v;
	}
	return all;
}

/* A call costs as much as some 16 frames. */
#define CENSUS_GAP 16

static int read_residency(const struct sink_census *c,
			  const struct gfn_range *ranges, size_t nr,
			  uint64_t *map)
{
	size_t i = 0;
	int rc = 0;

	while (!rc && i < nr)
		rc = guest_mem_residency(c->mem,
					 sink_join_ranges(ranges, nr,
							  CENSUS_GAP, &i),
					 map, NULL);
	return rc;
}

int sink_census_before(struct sink_census *c, const struct gfn_range *ranges,
		       size_t nr)
{
	/* Check all ranges first: the bitmaps end where guest memory ends. */
	for (size_t i = 0; i < nr; i++)
		if (!guest_mem_is_ram(c->mem, ranges[i]))
			return -EFAULT;
	return read_residency(c, ranges, nr, c->before);
}

static void count(const struct sink_census *c, struct gfn_range range,
		  struct reclaim_result *res)
{
	uint64_t end = range.start.v + range.nr;

	for (uint64_t g = range.start.v; g < end; g++) {
		res->tried++;
		if (!bitmap_test(c->before, g))
			res->absent++;
		else if (bitmap_test(c->after, g))
			res->kept++;
		else
			res->evicted++;
	}
}

int sink_census_after(struct sink_census *c, const struct gfn_range *ranges,
		      size_t nr, struct reclaim_result *res)
{
	int rc = read_residency(c, ranges, nr, c->after);

	for (size_t i = 0; !rc && i < nr; i++)
		count(c, ranges[i], res);
	res->resident = rc ? NULL : c->after;
	return rc;
}
