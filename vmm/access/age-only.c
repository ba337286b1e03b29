// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Scans nothing and reports every page untouched: a page's age is the time
 * since it became resident.  For sinks that check accesses themselves, and as
 * the baseline of reclaim without access information.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm/access/source.h"
#include "vmm/access/sources.h"
#include "vmm/util/bitmap.h"

static int age_only_probe(const struct access_target *target, char *why,
			  size_t len)
{
	(void)target;
	(void)why;
	(void)len;
	return 0;
}

static int age_only_open(struct access_source **srcp,
			 const struct access_target *target, char *why,
			 size_t len)
{
	struct access_source *src = calloc(1, sizeof(*src));

	(void)target;
	(void)why;
	(void)len;
	if (!src)
		return -ENOMEM;
	*src = (struct access_source){
		.ops = &access_source_age_only,
		.granule_pages = 1,
		.lossy = true,
		.cost = ACCESS_COST_WALK,
	};
	*srcp = src;
	return 0;
}

static int age_only_arm(struct access_source *src, struct gfn_range range)
{
	(void)src;
	(void)range;
	return 0;
}

static int age_only_harvest(struct access_source *src, struct gfn_range range,
			    uint64_t *young)
{
	(void)src;
	bitmap_clear_range(young, range.start.v, range.start.v + range.nr);
	return 0;
}

static void age_only_close(struct access_source *src)
{
	free(src);
}

const struct access_source_ops access_source_age_only = {
	.name = "age-only",
	.what = "no accessed bits are read",
	.by_name_only = "reads no accessed bits",
	.probe = age_only_probe,
	.open = age_only_open,
	.arm = age_only_arm,
	.harvest = age_only_harvest,
	.close = age_only_close,
};
