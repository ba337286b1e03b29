/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long an answer may be worked on.  What a guest has can be made to take
 * any time to look at, so whoever does looks here between two batches.
 */
#ifndef VMM_CONTROL_PATIENCE_H
#define VMM_CONTROL_PATIENCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Of the thread that works: a busy host takes nothing away from an answer. */
#define STAT_MAX_CPU_NS UINT64_C(30000000000)

struct stat_patience {
	int fd;				/* of who waits for the answer */
	const atomic_bool *stopping;	/* the server's */
	uint64_t cpu_end_ns;		/* on the thread's clock */
};

/*
 * 0, or why to stop: -ECANCELED (nobody waits any more, or the server stops),
 * -ETIME (too much).  NULL has no end.
 */
int stat_patience_left(const struct stat_patience *p);

#endif
