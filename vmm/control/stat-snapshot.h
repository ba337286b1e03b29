/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All statistics of one VM at one moment, and their output as JSON and as
 * OpenMetrics, both by the table of fields.h.
 */
#ifndef VMM_CONTROL_STAT_SNAPSHOT_H
#define VMM_CONTROL_STAT_SNAPSHOT_H

#include <jansson.h>

#include "vmm/control/providers.h"
#include "vmm/control/server.h"

/* The guest's memory: by the engine or, without one, by resident-count.h. */
struct stat_memory_counters {
	uint64_t bytes, resident_bytes, swapped_bytes, discarded_bytes;
};

/* The counters of each part; zeros for parts that do not exist. */
struct stat_snapshot {
	struct stat_memory_counters memory;
	struct engine_stats engine;
	struct wss_estimate wss;	/* of the default window */
	struct engine_policy policy;
	struct view_stats agent;
	struct rmap_stats rmap;
	struct stat_vm_counters vm;
	struct stat_balloon_counters balloon;
	struct reclaim_sink_stats sink;		/* of swap: evictor only */
	bool device_stalled, device_failed;	/* of the store */
	uint64_t fault_p50_ns, fault_p99_ns;	/* of sink.fault_times */
};

/* Takes the locks of what it reads, one after the other; any thread. */
void stat_snapshot_take(const struct stat_server_config *config,
			struct stat_snapshot *snap);

/* A new reference, or NULL without memory. */
json_t *stat_snapshot_json(const struct stat_server_config *config,
			   const struct stat_snapshot *snap);

/* A malloc'ed OpenMetrics text, or NULL without memory. */
char *stat_snapshot_metrics(const struct stat_server_config *config,
			    const struct stat_snapshot *snap);

/* The policy as GET /policy shows it. */
json_t *stat_policy_json(const struct engine_policy *policy);

/*
 * The members that a text such as "cpu=5,node1=1G" sets, for PUT /policy; an
 * array that it sets a part of has the rest from the current policy.  The
 * caller frees it; NULL with why: the text is invalid, or no memory.
 */
json_t *stat_policy_changes_json(const struct engine_policy *current,
				 const char *text, char *why, size_t len);

/*
 * Changes the members that obj names.  -EINVAL with why: a member that does
 * not exist or is of the wrong type.
 */
int stat_policy_from_json(const json_t *obj, struct engine_policy *policy,
			  char *why, size_t len);

#endif
