/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A reclaim policy, which the engine follows, and its text form. */
#ifndef VMM_POLICY_POLICY_H
#define VMM_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/mem/numa.h"
#include "vmm/util/key-value.h"

/* What PUT /policy and --reclaim set; see vmm-policy(1). */
struct engine_policy {
	bool enabled;		/* evict at all; else only age */
	uint64_t target_bytes;	/* resident guest memory to reach; 0: none */
	unsigned int scan_period_ms;
	unsigned int min_idle_scans;	/* idle for so many before eviction */
	unsigned int cpu_percent;	/* quota of the engine, of one core */
	bool hard;		/* the target comes before the working set */
	unsigned int prefetch_pages;	/* in one scan, at most; 0: none */
	/*
	 * Proactive reclaim: budget of refaults a minute, in millionths of the
	 * working set; 0: off.
	 */
	unsigned int proactive_ppm;
	/*
	 * Memory pressure of host or guest (PSI some, 10 s) above which nothing
	 * is evicted proactively, and for the target a quarter as fast; in
	 * 1/100 %; 0: pressure is ignored.
	 */
	unsigned int psi_limit;
	uint64_t io_bytes;	/* to evict per second, at most; 0: no limit */
	/*
	 * Available memory of the host: below low, idle pages are evicted until
	 * it reaches high; from high on nothing is evicted.  0: it is ignored.
	 */
	uint64_t low_bytes, high_bytes;
	/* As target_bytes, for single nodes of the guest. */
	uint64_t node_target_bytes[GUEST_NUMA_NODES];
};

#define ENGINE_PROACTIVE_TEXT "0.2"	/* % of the working set a minute */

#define ENGINE_POLICY_DEFAULT \
	{ .enabled = false, .target_bytes = 0, .scan_period_ms = 1000, \
	  .min_idle_scans = 2, .cpu_percent = 10, .psi_limit = 100 }

/* Names, ranges and units of a policy, as text and as JSON. */
extern const struct key engine_policy_keys[];

/*
 * "off", "on", or "target=1G,period=1s,idle=2,cpu=10": comma-separated; a key
 * that is not named keeps its value.  -EINVAL with why.
 */
int engine_policy_parse(const char *text, struct engine_policy *policy,
			char *why, size_t len);

#endif
