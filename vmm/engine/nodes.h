/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Targets for single nodes of a guest (vmm/mem/numa.h), where each has its
 * memory on a node of the host: one can be short of memory while others are not.
 * The target of all is pursued first, then that of each node that is still over
 * its own, from that node's frames alone, by the same rules.
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
	int only;		/* the one being pursued, -1: all */
	struct {
		struct gfn_range ranges[GUEST_NUMA_RANGES];
		unsigned int nr;
	} of[GUEST_NUMA_NODES];
};

/* Of a guest with this topology, NULL: none; -EINVAL as nodes_check(). */
int nodes_init(struct nodes *n, const struct guest_numa *numa,
	       const struct guest_mem *mem, const struct engine_policy *policy);

bool nodes_have_targets(const struct engine_policy *policy);
/* -EINVAL with why: a target for a node that the guest has not. */
int nodes_check(const struct nodes *n, const struct engine_policy *policy,
		char *why, size_t len);

/*
 * Calls pursue() for each node, with what tells it the pages that this node is
 * over its target by.  0, or the first failure.
 */
ssize_t nodes_pursue(struct engine *e,
		     ssize_t (*pursue)(struct engine *e,
				       uint64_t (*wanted)(struct engine *e)));
/* The frame is on the node that is pursued, or all are. */
bool nodes_may_go(const struct nodes *n, gfn_t gfn);

/* What each has by these bitmaps of frames, into of[GUEST_NUMA_NODES]. */
void nodes_count(const struct nodes *n, const uint64_t *resident,
		 const uint64_t *swapped, struct engine_node *of);

#endif
