// SPDX-License-Identifier: GPL-2.0-or-later
/* The policy as people write it: "target=1G,period=500ms,proactive". */
#include "config.h"

#include "vmm/policy/frames.h"
#include "vmm/policy/policy.h"

static void enable(const struct key *key, void *to)
{
	struct engine_policy *p = to;

	p->enabled = true;
}

static void disable(const struct key *key, void *to)
{
	struct engine_policy *p = to;

	p->enabled = false;
}

#define MEMBER(member) KEY_MEMBER(struct engine_policy, member)
#define NODE_KEY(i, ...)						       \
	{ "node" #i, KEY_SIZE, MEMBER(node_target_bytes[i]), .done = enable,   \
	  __VA_ARGS__ }

const struct key engine_policy_keys[] = {
	{ "on", KEY_WORD, MEMBER(enabled), .done = enable, .json_name = "enabled" },
	{ "off", KEY_WORD, MEMBER(enabled), .done = disable },
	{ "target", KEY_SIZE, MEMBER(target_bytes), .done = enable,
	  .json_name = "target_bytes" },
	{ "io", KEY_SIZE, MEMBER(io_bytes), .unit = "per second",
	  .json_name = "io_bytes" },
	{ "low", KEY_SIZE, MEMBER(low_bytes), .done = enable,
	  .json_name = "low_bytes" },
	{ "high", KEY_SIZE, MEMBER(high_bytes), .json_name = "high_bytes" },
	{ "period", KEY_DURATION, MEMBER(scan_period_ms), .min = 10,
	  .max = 3600 * 1000, .json_name = "scan_period_ms" },
	{ "idle", KEY_NUMBER, MEMBER(min_idle_scans), .min = 1,
	  .max = FRAME_AGE_MAX - 1, .unit = "scans",
	  .json_name = "min_idle_scans" },
	{ "cpu", KEY_PERCENT, MEMBER(cpu_percent), .min = 1, .max = 100,
	  .unit = "of one core", .json_name = "cpu_percent" },
	{ "prefetch", KEY_NUMBER, MEMBER(prefetch_pages), .unit = "pages",
	  .json_name = "prefetch_pages" },
	{ "proactive", KEY_PERCENT, MEMBER(proactive_ppm), .max = 1000000,
	  .scale = 10000, .can_be_off = true, .done = enable,
	  .value_if_bare = ENGINE_PROACTIVE_TEXT,
	  .unit = "of the working set per minute", .json_name = "proactive_ppm" },
	{ "psi", KEY_PERCENT, MEMBER(psi_limit), .max = 10000, .scale = 100,
	  .can_be_off = true, .unit = "of time",
	  .json_name = "psi_limit_centipercent" },
	{ "hard", KEY_FLAG, MEMBER(hard), .json_name = "hard" },
	/* In JSON, one array of all nodes. */
	NODE_KEY(0, .json_name = "node_target_bytes"), NODE_KEY(1), NODE_KEY(2),
	NODE_KEY(3), NODE_KEY(4), NODE_KEY(5), NODE_KEY(6), NODE_KEY(7),
	{ .name = NULL },
};

_Static_assert(GUEST_NUMA_NODES == 8, "a key for each node");

int engine_policy_parse(const char *text, struct engine_policy *policy,
			char *why, size_t len)
{
	struct engine_policy p = *policy;
	int rc = key_list_parse(engine_policy_keys, text, &p, why, len);

	if (!rc)
		*policy = p;
	return rc;
}
