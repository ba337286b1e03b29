// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Locks: engine lock, for the policy's targets; the rest is constant or belongs
 * to the engine's thread.
 */
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

int nodes_check(const struct nodes *n, const struct engine_policy *p, char *why,
		size_t len)
{
	for (unsigned int i = n->nr; i < GUEST_NUMA_NODES; i++) {
		if (!p->node_target_bytes[i])
			continue;
		if (n->nr)
			snprintf(why, len,
				 "target for node %u: this guest only has "
				 "nodes 0 to %u",
				 i, n->nr - 1);
		else
			snprintf(why, len, "target for node %u: this guest has "
				 "no NUMA nodes: start it with --numa", i);
		return -EINVAL;
	}
	return 0;
}

int nodes_init(struct nodes *n, const struct guest_numa *numa,
	       const struct guest_mem *mem, const struct engine_policy *policy)
{
	char why[128];

	*n = (struct nodes){ .nr = numa ? numa->nr : 0, .current = -1 };
	for (unsigned int i = 0; i < n->nr; i++)
		n->node[i].nr = guest_numa_ranges(numa, mem, i,
						  n->node[i].ranges);
	return nodes_check(n, policy, why, sizeof(why));
}

static uint64_t count(const struct nodes *nodes, unsigned int node,
		      const uint64_t *map)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < nodes->node[node].nr; i++) {
		const struct gfn_range *r = &nodes->node[node].ranges[i];

		n += bitmap_count(map, r->start.v, r->start.v + r->nr);
	}
	return n;
}

uint64_t nodes_nr_over_target(struct engine *e)
{
	int node = e->nodes.current;
	uint64_t resident = count(&e->nodes, node, e->scan.resident), target;
	bool wanted;

	engine_lock(e);
	target = e->policy.node_target_bytes[node] >> VMM_PAGE_SHIFT;
	wanted = engine_may_evict(e) && !e->goal.above_high;
	engine_unlock(e);
	return wanted && target && resident > target ? resident - target : 0;
}

ssize_t nodes_reclaim(
	struct engine *e,
	ssize_t (*reclaim_until)(struct engine *e,
				 uint64_t (*wanted)(struct engine *e)))
{
	ssize_t rc = 0;

	for (unsigned int i = 0; !rc && i < e->nodes.nr; i++) {
		e->nodes.current = i;
		rc = reclaim_until(e, nodes_nr_over_target);
	}
	e->nodes.current = -1;
	return rc;
}

bool nodes_may_evict(const struct nodes *n, gfn_t gfn)
{
	if (n->current < 0)
		return true;
	for (unsigned int i = 0; i < n->node[n->current].nr; i++) {
		const struct gfn_range *r = &n->node[n->current].ranges[i];

		if (gfn.v >= r->start.v && gfn.v - r->start.v < r->nr)
			return true;
	}
	return false;
}

void nodes_count(const struct nodes *n, const uint64_t *resident,
		 const uint64_t *swapped, struct engine_node *counts)
{
	for (unsigned int i = 0; i < n->nr; i++)
		counts[i] = (struct engine_node){ count(n, i, resident),
						  count(n, i, swapped) };
}
