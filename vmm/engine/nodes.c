// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "vmm/engine/engine-internal.h"
#include "vmm/engine/nodes.h"
#include "vmm/util/bitmap.h"

bool nodes_have_targets(const struct engine_policy *p)
{
	for (unsigned int i = 0; i < GUEST_NUMA_NODES; i++)
		if (p->node_target_bytes[i])
			return true;
	return false;
}

int nodes_check(const struct engine *e, const struct engine_policy *p,
		char *why, size_t len)
{
	for (unsigned int i = e->nodes.nr; i < GUEST_NUMA_NODES; i++) {
		if (!p->node_target_bytes[i])
			continue;
		if (e->nodes.nr)
			snprintf(why, len, "a target for node %u: this guest "
				 "has nodes 0 to %u", i, e->nodes.nr - 1);
		else
			snprintf(why, len, "a target for node %u: this guest "
				 "has no nodes: start it with --numa", i);
		return -EINVAL;
	}
	return 0;
}

int nodes_init(struct engine *e)
{
	const struct guest_numa *numa = e->config.numa;
	struct nodes *n = &e->nodes;
	char why[128];

	*n = (struct nodes){ .nr = numa ? numa->nr : 0, .only = -1 };
	for (unsigned int i = 0; i < n->nr; i++)
		n->of[i].nr = guest_numa_ranges(numa, e->config.mem, i,
						n->of[i].ranges);
	return nodes_check(e, &e->policy, why, sizeof(why));
}

static uint64_t count(const struct engine *e, unsigned int node,
		      const uint64_t *map)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < e->nodes.of[node].nr; i++) {
		const struct gfn_range *r = &e->nodes.of[node].ranges[i];

		n += bitmap_count(map, r->start.v, r->start.v + r->nr);
	}
	return n;
}

static uint64_t excess(struct engine *e)
{
	uint64_t resident = count(e, e->nodes.only, e->scan.resident), target;
	bool wanted;

	engine_lock(e);
	target = e->policy.node_target_bytes[e->nodes.only] >> VMM_PAGE_SHIFT;
	wanted = engine_may_evict(e) && !e->goal.relaxed;
	engine_unlock(e);
	return wanted && target && resident > target ? resident - target : 0;
}

ssize_t nodes_pursue(struct engine *e,
		     ssize_t (*pursue)(struct engine *e,
				       uint64_t (*wanted)(struct engine *e)))
{
	ssize_t rc = 0;

	for (unsigned int i = 0; !rc && i < e->nodes.nr; i++) {
		e->nodes.only = i;
		rc = pursue(e, excess);
	}
	e->nodes.only = -1;
	return rc;
}

bool nodes_may_go(const struct engine *e, uint64_t gfn)
{
	if (e->nodes.only < 0)
		return true;
	for (unsigned int i = 0; i < e->nodes.of[e->nodes.only].nr; i++) {
		const struct gfn_range *r =
			&e->nodes.of[e->nodes.only].ranges[i];

		if (gfn >= r->start.v && gfn - r->start.v < r->nr)
			return true;
	}
	return false;
}

void nodes_count(const struct engine *e, struct engine_node *of)
{
	for (unsigned int i = 0; i < e->nodes.nr; i++)
		of[i] = (struct engine_node){ count(e, i, e->scan.resident),
					      count(e, i, e->scan.swapped) };
}
