// SPDX-License-Identifier: GPL-2.0-or-later
/* The engine's policy as JSON, both ways. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "vmm/control/stat-snapshot.h"

static const struct number {
	const char *name;
	size_t offset;
} numbers[] = {
	{ "scan_period_ms", offsetof(struct engine_policy, scan_period_ms) },
	{ "min_idle_scans", offsetof(struct engine_policy, min_idle_scans) },
	{ "cpu_percent", offsetof(struct engine_policy, cpu_percent) },
	{ "prefetch_pages", offsetof(struct engine_policy, prefetch_pages) },
	{ "proactive_ppm", offsetof(struct engine_policy, proactive_ppm) },
	{ "psi_limit_centipercent", offsetof(struct engine_policy, psi_limit) },
}, sizes[] = {
	{ "target_bytes", offsetof(struct engine_policy, target_bytes) },
	{ "io_bytes", offsetof(struct engine_policy, io_bytes) },
	{ "low_bytes", offsetof(struct engine_policy, low_bytes) },
	{ "high_bytes", offsetof(struct engine_policy, high_bytes) },
};

#define NR_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))
#define NR_SIZES   (sizeof(sizes) / sizeof(sizes[0]))

/* Up to the last one that has a target. */
static json_t *nodes_json(const struct engine_policy *p)
{
	unsigned int nr = GUEST_NUMA_NODES;
	json_t *a = json_array();

	while (nr && !p->node_target_bytes[nr - 1])
		nr--;
	for (unsigned int i = 0; i < nr; i++)
		json_array_append_new(a, json_integer(p->node_target_bytes[i]));
	return a;
}

json_t *stat_policy_json(const struct engine_policy *p)
{
	json_t *obj = json_pack("{s:b, s:b}", "enabled", p->enabled,
				"hard", p->hard);

	for (size_t i = 0; obj && i < NR_SIZES; i++) {
		const char *at = (const char *)p + sizes[i].offset;

		json_object_set_new(obj, sizes[i].name,
				    json_integer(*(const uint64_t *)at));
	}
	if (obj)
		json_object_set_new(obj, "node_target_bytes", nodes_json(p));
	for (size_t i = 0; obj && i < NR_NUMBERS; i++) {
		const char *at = (const char *)p + numbers[i].offset;

		json_object_set_new(obj, numbers[i].name,
				    json_integer(*(const unsigned int *)at));
	}
	return obj;
}

static int get_uint(const json_t *v, const char *name, json_int_t max,
		    uint64_t *out, char *why, size_t len)
{
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < 0 || n > max) {
		snprintf(why, len, "'%s' must be an integer from 0 to %lld",
			 name, (long long)max);
		return -EINVAL;
	}
	*out = n;
	return 0;
}

/* Nodes that are left out have no target. */
static int set_nodes(struct engine_policy *p, const char *key, const json_t *v,
		     char *why, size_t len)
{
	size_t nr = json_array_size(v);
	int rc = 0;

	if (!json_is_array(v) || nr > GUEST_NUMA_NODES) {
		snprintf(why, len, "'%s' must be an array of up to %d integers",
			 key, GUEST_NUMA_NODES);
		return -EINVAL;
	}
	memset(p->node_target_bytes, 0, sizeof(p->node_target_bytes));
	for (size_t i = 0; !rc && i < nr; i++)
		rc = get_uint(json_array_get(v, i), key, INT64_MAX,
			      &p->node_target_bytes[i], why, len);
	return rc;
}

static int set_member(struct engine_policy *p, const char *key,
		      const json_t *v, char *why, size_t len)
{
	uint64_t n;
	int rc;

	if (!strcmp(key, "enabled") || !strcmp(key, "hard")) {
		if (!json_is_boolean(v)) {
			snprintf(why, len, "'%s' must be true or false", key);
			return -EINVAL;
		}
		*(*key == 'e' ? &p->enabled : &p->hard) = json_is_true(v);
		return 0;
	}
	if (!strcmp(key, "node_target_bytes"))
		return set_nodes(p, key, v, why, len);
	for (size_t i = 0; i < NR_SIZES; i++)
		if (!strcmp(key, sizes[i].name))
			return get_uint(v, key, INT64_MAX,
					(uint64_t *)((char *)p + sizes[i].offset),
					why, len);
	for (size_t i = 0; i < NR_NUMBERS; i++) {
		if (strcmp(key, numbers[i].name))
			continue;
		rc = get_uint(v, key, INT_MAX, &n, why, len);
		if (!rc)
			*(unsigned int *)((char *)p + numbers[i].offset) = n;
		return rc;
	}
	snprintf(why, len, "the policy has no member '%s'", key);
	return -EINVAL;
}

int stat_policy_from_json(const json_t *obj, struct engine_policy *policy,
			  char *why, size_t len)
{
	struct engine_policy p = *policy;
	const char *key;
	json_t *v;
	int rc;

	if (!json_is_object(obj)) {
		snprintf(why, len, "the policy must be a JSON object");
		return -EINVAL;
	}
	json_object_foreach((json_t *)obj, key, v) {
		rc = set_member(&p, key, v, why, len);
		if (rc)
			return rc;
	}
	*policy = p;
	return 0;
}
