// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>

#include "vmm/control/job-limit.h"
#include "vmm/util/clock.h"

int stat_job_limit_check(const struct stat_job_limit *p)
{
	struct pollfd who = { .fd = p ? p->fd : -1 };

	if (!p)
		return 0;
	/* POLLHUP: both directions are closed, so nobody reads. */
	if (atomic_load(p->stopping) ||
	    (poll(&who, 1, 0) == 1 && who.revents & (POLLHUP | POLLERR)))
		return -ECANCELED;
	return clock_thread_cpu_ns() > p->cpu_end_ns ? -ETIME : 0;
}
