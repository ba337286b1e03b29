// SPDX-License-Identifier: GPL-2.0-or-later
/* Converts the engine's policy to JSON and back. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/control/stat-snapshot.h"

static bool is_nodes(const struct key *k)
{
	return k->offset == offsetof(struct engine_policy, node_target_bytes);
}

static bool is_flag(const struct key *k)
{
	return k->type == KEY_FLAG || k->type == KEY_WORD;
}

/* The targets of all nodes up to the last one that has one. */
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

static json_t *member_json(const struct engine_policy *p, const struct key *k)
{
	json_int_t n = key_get_number(k, p);

	if (is_nodes(k))
		return nodes_json(p);
	return is_flag(k) ? json_boolean(n) : json_integer(n);
}

json_t *stat_policy_json(const struct engine_policy *p)
{
	json_t *obj = json_object();

	for (const struct key *k = engine_policy_keys; obj && k->name; k++)
		if (k->json_name)
			json_object_set_new(obj, k->json_name, member_json(p, k));
	return obj;
}

/* Whether a text set the key: it has overwritten both values. */
static bool is_set(const struct key *k, const struct engine_policy *zero,
		   const struct engine_policy *ones)
{
	if (!is_nodes(k))
		return key_get_number(k, zero) == key_get_number(k, ones);
	for (unsigned int i = 0; i < GUEST_NUMA_NODES; i++)
		if (zero->node_target_bytes[i] == ones->node_target_bytes[i])
			return true;
	return false;
}

json_t *stat_policy_changes_json(const struct engine_policy *current,
				 const char *text, char *why, size_t len)
{
	struct engine_policy zero, ones, merged = *current;
	json_t *obj;

	memset(&zero, 0, sizeof(zero));
	memset(&ones, 1, sizeof(ones));
	if (engine_policy_parse(text, &merged, why, len) ||
	    engine_policy_parse(text, &zero, why, len) ||
	    engine_policy_parse(text, &ones, why, len))
		return NULL;
	obj = json_object();
	for (const struct key *k = engine_policy_keys; obj && k->name; k++)
		if (k->json_name && is_set(k, &zero, &ones))
			json_object_set_new(obj, k->json_name,
					    member_json(&merged, k));
	if (!obj)
		snprintf(why, len, "out of memory");
	return obj;
}

static int set_value(struct engine_policy *p, const struct key *k,
		     const json_t *v, char *why, size_t len)
{
	char *text;

	if (is_flag(k) && json_is_boolean(v))
		return key_set_number(k, json_is_true(v), p, why, len);
	if (!is_flag(k) && json_is_integer(v) && json_integer_value(v) >= 0)
		return key_set_number(k, json_integer_value(v), p, why, len);
	text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
	key_refuse_number(k, text ? text : "", why, len);
	free(text);
	return -EINVAL;
}

/* Nodes that are left out have no target. */
static int set_nodes(struct engine_policy *p, const struct key *k,
		     const json_t *v, char *why, size_t len)
{
	size_t nr = json_array_size(v);
	struct key node = *k;
	int rc = 0;

	if (!json_is_array(v) || nr > GUEST_NUMA_NODES) {
		snprintf(why, len, "'%s' must be an array of up to %d integers",
			 k->json_name, GUEST_NUMA_NODES);
		return -EINVAL;
	}
	memset(p->node_target_bytes, 0, sizeof(p->node_target_bytes));
	for (size_t i = 0; !rc && i < nr; i++) {
		node.offset = offsetof(struct engine_policy,
				       node_target_bytes[i]);
		rc = set_value(p, &node, json_array_get(v, i), why, len);
	}
	return rc;
}

static int set_member(struct engine_policy *p, const char *name,
		      const json_t *v, char *why, size_t len)
{
	const struct key *k = key_find_json(engine_policy_keys, name, why, len);

	if (!k)
		return -EINVAL;
	return is_nodes(k) ? set_nodes(p, k, v, why, len) :
			     set_value(p, k, v, why, len);
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
