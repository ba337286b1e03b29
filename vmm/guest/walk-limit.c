// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <sys/resource.h>

#include "vmm/guest/walk-limit.h"

static _Thread_local struct {
	unsigned int nr_lookups;	/* in this period */
	long from;		/* major faults at the first lookup */
	bool used_up;		/* the limit of page-ins is reached */
} period;

static long nr_page_ins(void)
{
	struct rusage usage;

	/* If it cannot be read, there is no limit. */
	return getrusage(RUSAGE_THREAD, &usage) ? 0 : usage.ru_majflt;
}

void walk_limit_begin(void)
{
	period.nr_lookups = 0;
	period.used_up = false;
}

bool walk_limit_allows(void)
{
	/* A system call, so not at each lookup. */
	if (!period.nr_lookups)
		period.from = nr_page_ins();
	else if (period.nr_lookups % WALK_LOOKUPS_PER_CHECK == 0 &&
		 !period.used_up)
		period.used_up = nr_page_ins() - period.from >= WALK_PAGE_INS;
	period.nr_lookups++;
	return !period.used_up;
}

bool walk_limit_reached(void)
{
	return period.used_up || period.nr_lookups >= WALK_LOOKUPS;
}
