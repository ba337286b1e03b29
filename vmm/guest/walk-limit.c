// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <sys/resource.h>

#include "vmm/guest/walk-limit.h"

static _Thread_local struct {
	unsigned int nr_checks;	/* in this hold */
	long from;		/* major faults at the first lookup */
	bool used_up;		/* the limit of page-ins is reached */
} hold;

static long nr_page_ins(void)
{
	struct rusage usage;

	/* If it cannot be read, there is no limit. */
	return getrusage(RUSAGE_THREAD, &usage) ? 0 : usage.ru_majflt;
}

void walk_limit_begin(void)
{
	hold.nr_checks = 0;
	hold.used_up = false;
}

bool walk_limit_allows(void)
{
	/* A system call, so not at each lookup. */
	if (!hold.nr_checks)
		hold.from = nr_page_ins();
	else if (hold.nr_checks % WALK_CHECKS_EACH == 0 && !hold.used_up)
		hold.used_up = nr_page_ins() - hold.from >= WALK_PAGE_INS;
	hold.nr_checks++;
	return !hold.used_up;
}

bool walk_limit_reached(void)
{
	return hold.used_up || hold.nr_checks >= WALK_CHECKS;
}
