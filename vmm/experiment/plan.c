// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/experiment/plan-internal.h"
#include "vmm/util/size.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))
#define DAY   86400

#define NUMBER(name, least, most)                                             \
	{ #name, READER_NUMBER, offsetof(struct plan, name), least, most }

static const struct reader_member members[] = {
	{ "name", READER_TEXT, offsetof(struct plan, name), 0, 0 },
	{ "about", READER_TEXT, offsetof(struct plan, about), 0, 0 },
	NUMBER(seconds, 1, DAY),
	NUMBER(warmup_s, 0, DAY),
	NUMBER(repetitions, 1, 1000),
	NUMBER(sample_ms, 50, 60000),
	NUMBER(timeout_s, 1, DAY),
	NUMBER(seed, 0, UINT32_MAX),
	{ "guests", READER_OTHER, 0, 0, 0 },
	{ "policies", READER_OTHER, 0, 0, 0 },
	{ "limits", READER_OTHER, 0, 0, 0 },
	{ "quick", READER_OTHER, 0, 0, 0 },
};

/* The member "quick": replacements for --quick. */
static const struct reader_member quick_members[] = {
	NUMBER(seconds, 1, DAY),
	NUMBER(warmup_s, 0, DAY),
	NUMBER(repetitions, 1, 1000),
	NUMBER(sample_ms, 50, 60000),
	{ "limits", READER_OTHER, 0, 0, 0 },
	{ "policies", READER_OTHER, 0, 0, 0 },
	{ "mem", READER_OTHER, 0, 0, 0 },
};

static const char *const kind_names[] = {
	[PLAN_NONE] = "none", [PLAN_LINUX_SWAP] = "linux-swap",
	[PLAN_BALLOON] = "balloon", [PLAN_VMM] = "vmm",
};

struct policy_text {
	const char *kind;
	bool target;
	struct plan_policy policy;
};

#define POLICY(member) offsetof(struct policy_text, policy.member)

static int read_policy(struct reader *r, const json_t *obj,
		       struct plan_policy *policy)
{
	static const struct reader_member table[] = {
		{ "name", READER_TEXT, POLICY(name), 0, 0 },
		{ "kind", READER_TEXT, offsetof(struct policy_text, kind), 0,
		  0 },
		{ "abits", READER_TEXT, POLICY(abits), 0, 0 },
		{ "reclaim", READER_TEXT, POLICY(reclaim), 0, 0 },
		{ "sink", READER_TEXT, POLICY(sink), 0, 0 },
		{ "target", READER_BOOL, offsetof(struct policy_text, target),
		  0, 0 },
		{ "target_percent", READER_NUMBER, POLICY(target_percent), 1,
		  100 },
		{ "cgroup", READER_BOOL, POLICY(cgroup), 0, 0 },
		{ "high", READER_BOOL, POLICY(high), 0, 0 },
	};
	struct policy_text t = { .target = true,
				 .policy = { .target_percent = 100 } };
	unsigned int kind = 0;
	int rc;

	if (!json_is_object(obj))
		return reader_fail(r, r->root, "policies",
				   "each must be an object");
	rc = reader_members(r, obj, table, NR(table), &t);
	if (rc)
		return rc;
	if (!t.kind)
		return reader_fail(r, r->root, "policies",
				   "each policy needs a kind: none, "
				   "linux-swap, balloon or vmm");
	while (kind < NR(kind_names) && strcmp(kind_names[kind], t.kind))
		kind++;
	if (kind == NR(kind_names))
		return reader_fail(r, obj, "kind", "unknown; expected none, "
				   "linux-swap, balloon or vmm");
	if (kind != PLAN_VMM &&
	    (t.policy.abits || t.policy.reclaim || t.policy.sink ||
	     !t.target || t.policy.target_percent != 100))
		return reader_fail(r, obj, "kind", "only the kind vmm may have "
				   "abits, reclaim, sink, target and "
				   "target_percent");
	if (kind == PLAN_NONE && t.policy.cgroup)
		return reader_fail(r, obj, "cgroup", "the kind none has no "
				   "limit: use the kind linux-swap for a "
				   "limit");
	*policy = t.policy;
	policy->kind = (enum plan_policy_kind)kind;
	policy->no_target = !t.target;
	policy->cgroup = t.policy.cgroup || kind == PLAN_LINUX_SWAP;
	if (!policy->name)
		policy->name = kind_names[kind];
	return 0;
}

static int read_policies(struct reader *r, struct plan *plan)
{
	const json_t *array = json_object_get(r->root, "policies");
	json_t *value;
	size_t i;
	int rc;

	if (!json_array_size(array) ||
	    json_array_size(array) > PLAN_MAX_POLICIES)
		return reader_fail(r, r->root, "policies", "must be a list of "
				   "1 to %d policies", PLAN_MAX_POLICIES);
	json_array_foreach((json_t *)array, i, value) {
		rc = read_policy(r, value, &plan->policies[i]);
		if (rc)
			return rc;
		for (size_t k = 0; k < i; k++)
			if (!strcmp(plan->policies[k].name,
				    plan->policies[i].name))
				return reader_fail(r, r->root, "policies",
						   "two policies have the name "
						   "%s",
						   plan->policies[i].name);
		plan->nr_policies++;
	}
	return 0;
}

/* "50%" of the guests' memory, or a size. */
static int read_limit(const struct plan *plan, const char *text,
		      struct plan_limit *limit)
{
	char *end;
	double percent = strtod(text, &end);

	limit->text = text;
	if (*text >= '0' && *text <= '9' && !strcmp(end, "%")) {
		if (!(percent >= 1 && percent <= 100))
			return -EINVAL;
		limit->bytes = (uint64_t)(plan->mem_bytes * percent / 100);
		return 0;
	}
	return size_parse(text, &limit->bytes) ||
	       limit->bytes < PLAN_MIN_MEM ? -EINVAL : 0;
}

static int read_limits(struct reader *r, const json_t *obj, struct plan *plan)
{
	const json_t *array = json_object_get(obj, "limits");
	json_t *value;
	size_t i;

	if (!array) {
		plan->nr_limits = 1;
		return read_limit(plan, "50%", &plan->limits[0]);
	}
	if (!json_array_size(array) || json_array_size(array) > PLAN_MAX_LIMITS)
		return reader_fail(r, obj, "limits", "must be a list of 1 to "
				   "%d limits", PLAN_MAX_LIMITS);
	json_array_foreach((json_t *)array, i, value)
		if (!json_is_string(value) ||
		    read_limit(plan, json_string_value(value),
			       &plan->limits[i]))
			return reader_fail(r, obj, "limits", "each must be a "
					   "percentage from \"1%%\" to "
					   "\"100%%\", or a size of \"16M\" or "
					   "more");
	plan->nr_limits = (unsigned int)i;
	return 0;
}

static int keep_policies(struct reader *r, const json_t *quick,
			 struct plan *plan)
{
	json_t *keep = json_object_get(quick, "policies"), *value;
	unsigned int nr = 0;
	size_t i;

	if (keep && !json_array_size(keep))
		return reader_fail(r, quick, "policies", "must be a list of "
				   "names of policies");
	json_array_foreach(keep, i, value) {
		const char *name = json_string_value(value);
		unsigned int k = nr;

		while (k < plan->nr_policies &&
		       (!name || strcmp(plan->policies[k].name, name)))
			k++;
		if (k == plan->nr_policies)
			return reader_fail(r, quick, "policies", "must be "
					   "names of policies, in the order in "
					   "which they are defined");
		plan->policies[nr++] = plan->policies[k];
	}
	if (nr)
		plan->nr_policies = nr;
	return 0;
}

static int apply_quick(struct reader *r, struct plan *plan,
		       const struct plan_override *o)
{
	static const struct reader_member size = {
		"mem", READER_SIZE, 0, PLAN_MIN_MEM, 0
	};
	const json_t *quick = json_object_get(r->root, "quick");
	json_t *mem = json_object_get(quick, "mem"), *just;
	uint64_t bytes = 0;
	int rc;

	if (!quick)
		return o->quick ? reader_fail(r, NULL, NULL, "has no member "
					      "quick, which --quick needs") : 0;
	if (!json_is_object(quick))
		return reader_fail(r, r->root, "quick", "must be an object");
	/* Read even if unused, so that errors are found. */
	if (!o->quick) {
		struct plan other = *plan;

		rc = reader_members(r, quick, quick_members, NR(quick_members),
				    &other);
		return rc ? rc : keep_policies(r, quick, &other);
	}
	plan->quick = true;
	rc = reader_members(r, quick, quick_members, NR(quick_members), plan);
	if (!rc)
		rc = keep_policies(r, quick, plan);
	if (rc || !mem)
		return rc;
	just = json_pack("{s:O}", "mem", mem);
	rc = reader_members(r, just, &size, 1, &bytes);
	json_decref(just);
	for (unsigned int i = 0; !rc && i < plan->nr_guests; i++)
		plan->guests[i].mem_bytes = bytes;
	return rc;
}

static int check(struct reader *r, struct plan *plan)
{
	for (unsigned int p = 0; p < plan->nr_policies; p++)
		for (unsigned int g = 0; g < plan->nr_guests; g++)
			if (plan->policies[p].kind == PLAN_BALLOON &&
			    plan->guests[g].kind == PLAN_PAYLOAD)
				return reader_fail(r, r->root, "policies",
						   "a balloon needs a driver "
						   "in the guest, which the "
						   "payload lacks: use guests "
						   "of the kind linux");
	return 0;
}

static int fill(struct reader *r, struct plan *plan,
		const struct plan_override *o)
{
	const json_t *quick = json_object_get(r->root, "quick");
	int rc;

	if (!json_is_object(r->root))
		return reader_fail(r, NULL, NULL, "must be an object");
	rc = reader_members(r, r->root, members, NR(members), plan);
	if (!rc && !plan->name)
		rc = reader_fail(r, NULL, NULL, "needs a name");
	if (!rc && (!*plan->name || strspn(plan->name, PLAN_NAME_CHARS) !=
		    strlen(plan->name)))
		rc = reader_fail(r, r->root, "name", "may only contain a-z, "
				 "0-9 and -");
	if (!rc)
		rc = plan_read_guests(r, plan, o);
	if (!rc)
		rc = read_policies(r, plan);
	if (!rc)
		rc = apply_quick(r, plan, o);
	if (rc)
		return rc;
	for (unsigned int i = 0; i < plan->nr_guests; i++)
		plan->mem_bytes += plan->guests[i].mem_bytes;
	rc = read_limits(r, o->quick && json_object_get(quick, "limits") ?
			 quick : r->root, plan);
	if (o->repetitions)
		plan->repetitions = o->repetitions;
	if (o->seconds)
		plan->seconds = o->seconds;
	return rc ? rc : check(r, plan);
}

int plan_load(struct plan *plan, const char *file,
	      const struct plan_override *override, char *why, size_t len)
{
	struct reader r;
	int rc = reader_open(&r, file, why, len);

	*plan = (struct plan){
		.seconds = 60, .warmup_s = 20, .repetitions = 3,
		.sample_ms = 500, .timeout_s = 600, .seed = 1,
	};
	if (rc)
		return rc;
	rc = fill(&r, plan, override);
	if (rc)
		memset(plan, 0, sizeof(*plan));
	else
		plan->root = json_incref(r.root);
	reader_close(&r);
	return rc;
}

void plan_free(struct plan *plan)
{
	json_decref(plan->root);
	memset(plan, 0, sizeof(*plan));
}
