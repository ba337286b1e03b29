/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits of the work on one answer.  A guest can make its processes and page
 * tables so large that examining them takes any time, so the code that examines
 * them checks these limits after each batch.
 */
#ifndef VMM_CONTROL_JOB_LIMIT_H
#define VMM_CONTROL_JOB_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The thread's CPU time: a busy host does not shorten an answer. */
#define STAT_MAX_CPU_NS UINT64_C(30000000000)

struct stat_job_limit {
	int fd;				/* of the client that waits */
	const atomic_bool *stopping;	/* the server's */
	uint64_t cpu_end_ns;		/* on the thread's clock */
};

/*
 * 0, or why to stop: -ECANCELED (the client is gone, or the server is
 * stopping), -ETIME (too much CPU time).  NULL: no limit.
 */
int stat_job_limit_check(const struct stat_job_limit *p);

#endif
