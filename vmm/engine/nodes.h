/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Targets for single nodes of a guest (vmm/mem/numa.h).  The memory of each can
 * lie on a node of the host, and one of these can be short of memory while
 * others are not.  Reclaim is for the overall target first, then for each node
 * of the guest that is still over its own target: from the frames of that node
 * alone, by the same rules.  For the engine's thread, unless said otherwise.
 */
#ifndef VMM_ENGINE_NODES_H
#define VMM_ENGINE_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/mem/numa.h"

struct engine;
struct engine_node;
struct engine_policy;

struct nodes {
	unsigned int nr;	/* 0: the guest has none */
	int current;		/* the node to reclaim from now; -1: all */
	struct {		/* the frames of a node */
		struct gfn_range ranges[GUEST_NUMA_RANGES];
		unsigned int nr;
	} node[GUEST_NUMA_NODES];
};

/*
 * numa is only read here; NULL: no nodes.  0, or -EINVAL where nodes_check()
 * fails for the policy.
 */
int nodes_init(struct nodes *n, const struct guest_numa *numa,
	       const struct guest_mem *mem, const struct engine_policy *policy);

/* Whether any node has a target. */
bool nodes_have_targets(const struct engine_policy *policy);
/*
 * -EINVAL with why: a target for a node that the guest does not have.  Any
 * thread.
 */
int nodes_check(const struct nodes *n, const struct engine_policy *policy,
		char *why, size_t len);

/*
 * Calls reclaim_until() for each node, with a function that returns by how many
 * pages this node is over its target.  0, or the first -errno, which ends it.
 */
ssize_t nodes_reclaim(
	struct engine *e,
	ssize_t (*reclaim_until)(struct engine *e,
				 uint64_t (*wanted)(struct engine *e)));
/* By how many pages the node to reclaim from now is over its target. */
uint64_t nodes_nr_over_target(struct engine *e);
/* Whether the frame is on the node to reclaim from now. */
bool nodes_may_evict(const struct nodes *n, gfn_t gfn);

/* Counts the pages of each node in these bitmaps; counts[]: one by node. */
void nodes_count(const struct nodes *n, const uint64_t *resident,
		 const uint64_t *swapped, struct engine_node *counts);

#endif
