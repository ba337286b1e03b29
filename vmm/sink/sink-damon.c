// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel checks accessed bits and evicts in one pass: DAMON's action
 * `pageout`, with a filter that rejects young pages, over the host pages behind
 * the ranges.
 *
 *   ranges --pagemap--> host PFNs --sorted--> runs --> kdamond, for each page:
 *                         accessed since the last pass?  clear the bit, keep it
 *                         else: unmap it and write it to swap
 *
 * There is no round trip to user space between the check and the eviction, and
 * no access source is needed: with `--abits age-only`, which only ages frames, a
 * page is evicted if two passes find it untouched.  A page that a pass finds
 * young stays resident, and the engine restarts its age.
 *
 * Each run of adjacent PFNs is a region of DAMON.  DAMON clears the accessed
 * bit of one page of each region before the pass, to sample it (see damon.c):
 * that page is evicted unless it is touched again at once.
 *
 * A region must have no other pages, as they would be evicted too.  So regions
 * span no gaps, and scattered pages take many regions.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/access/damon/aging.h"
#include "vmm/access/damon/damon-ctl.h"
#include "vmm/access/damon/damon-owner.h"
#include "vmm/access/pfn-map.h"
#include "vmm/sink/sink.h"
#include "vmm/util/bitmap.h"

/* A region costs some 30 us to set up and to sample. */
#define MAX_RUNS 8192

struct damon_sink {
	struct reclaim_sink sink;
	struct guest_mem *mem;		/* not owned */
	/* All owned: */
	struct reclaim_sink *swap;	/* does the prefetch */
	struct pfn_map *map;
	struct damon_ctl *ctl;
	struct aging *aging;		/* detects when a pass is complete */
	struct sink_census census;
	uint64_t *pfns;			/* of the host, to evict */
	size_t nr_pfns, cap_pfns;
	struct pfn_run runs[MAX_RUNS];
};

static int damon_sink_probe(const struct guest_mem *mem, char *why, size_t len)
{
	int rc = sink_swap.probe(mem, why, len);

	if (!rc)
		rc = damon_owner_probe(why, len);
	if (!rc)
		rc = pfn_map_probe(guest_mem_pid(mem), why, len);
	if (!rc)
		rc = aging_probe(why, len);
	return rc;
}

static void damon_sink_close(struct reclaim_sink *sink)
{
	struct damon_sink *s = (struct damon_sink *)sink;

	if (s->swap)
		s->swap->ops->close(s->swap);
	damon_ctl_close(s->ctl);
	aging_close(s->aging);
	pfn_map_free(s->map);
	sink_census_free(&s->census);
	free(s->pfns);
	free(s);
}

static int damon_sink_open(struct reclaim_sink **sinkp, struct guest_mem *mem,
			   const char *options, char *why, size_t len)
{
	struct damon_sink *s;
	int rc = damon_sink_probe(mem, why, len);

	if (!rc)
		rc = sink_check_options(&sink_damon, options, why, len);
	if (rc)
		return rc;
	snprintf(why, len, "not enough memory for the damon sink");
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->sink.ops = &sink_damon;
	s->mem = mem;
	rc = sink_census_init(&s->census, mem);
	if (!rc)
		rc = sink_swap.open(&s->swap, mem, NULL, why, len);
	if (!rc)
		rc = pfn_map_new(&s->map, mem, why, len);
	if (!rc)
		rc = damon_ctl_open(&s->ctl, true, why, len);
	if (!rc)
		rc = aging_open(&s->aging, mem, why, len);
	if (rc) {
		damon_sink_close(&s->sink);
		return rc;
	}
	*sinkp = &s->sink;
	return 0;
}

/* Adds the PFNs of the range's resident pages. */
static int add_pfns(struct damon_sink *s, struct gfn_range range)
{
	int rc = pfn_map_read(s->map, range);

	if (rc)
		return rc;
	if (s->nr_pfns + range.nr > s->cap_pfns) {
		size_t cap = 2 * (s->nr_pfns + range.nr);
		uint64_t *pfns = realloc(s->pfns, cap * sizeof(*pfns));

		if (!pfns)
			return -ENOMEM;
		s->pfns = pfns;
		s->cap_pfns = cap;
	}
	for (uint64_t i = 0; i < range.nr; i++) {
		uint64_t pfn = pfn_map_pfn(s->map, i);

		if (pfn)
			s->pfns[s->nr_pfns++] = pfn;
	}
	return 0;
}

static int by_pfn(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Has DAMON go over all the PFNs, in passes of up to MAX_RUNS runs. */
static int page_out(struct damon_sink *s)
{
	size_t nr_runs = 0;
	int rc = 0;

	if (s->nr_pfns)
		qsort(s->pfns, s->nr_pfns, sizeof(*s->pfns), by_pfn);
	for (size_t i = 0; !rc && i < s->nr_pfns; i++) {
		uint64_t pfn = s->pfns[i];

		if (nr_runs && s->runs[nr_runs - 1].end >= pfn) {
			s->runs[nr_runs - 1].end = pfn + 1;
			continue;
		}
		if (nr_runs == MAX_RUNS) {
			rc = damon_ctl_pass(s->ctl, s->runs, nr_runs, s->aging,
					    s->sink.stopping);
			nr_runs = 0;
		}
		s->runs[nr_runs++] = (struct pfn_run){ pfn, pfn + 1 };
	}
	return rc ? rc : damon_ctl_pass(s->ctl, s->runs, nr_runs, s->aging,
					s->sink.stopping);
}

static int damon_sink_evict(struct reclaim_sink *sink,
			    const struct gfn_range *ranges, size_t nr,
			    struct reclaim_result *res)
{
	struct damon_sink *s = (struct damon_sink *)sink;
	int rc = sink_census_before(&s->census, ranges, nr);

	s->nr_pfns = 0;
	for (size_t i = 0; !rc && i < nr; i++)
		rc = add_pfns(s, ranges[i]);
	if (!rc)
		rc = page_out(s);
	return rc ? rc : sink_census_after(&s->census, ranges, nr, res);
}

static int damon_sink_prefetch(struct reclaim_sink *sink,
			       const struct gfn_range *ranges, size_t nr)
{
	struct damon_sink *s = (struct damon_sink *)sink;

	return s->swap->ops->prefetch(s->swap, ranges, nr);
}

const struct reclaim_sink_ops sink_damon = {
	.name = "damon",
	.rechecks_accessed = true,
	.probe = damon_sink_probe,
	.open = damon_sink_open,
	.evict = damon_sink_evict,
	.prefetch = damon_sink_prefetch,
	.close = damon_sink_close,
};
