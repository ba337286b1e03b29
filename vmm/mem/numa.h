/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NUMA nodes of a guest: the memory and CPUs of each, and the host node that
 * the memory is bound to.
 *
 * Memory is assigned in order: node 0 has the lowest frames.  A node can lie on
 * both sides of the hole below 4 GiB, and has two ranges then.
 */
#ifndef VMM_MEM_NUMA_H
#define VMM_MEM_NUMA_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/mem/guest-mem.h"

#define GUEST_NUMA_NODES  8
#define GUEST_NUMA_CPUS	  64
#define GUEST_NUMA_RANGES 2

struct guest_numa_node {
	uint64_t nr_bytes;	/* a multiple of 2 MiB; 0: not given */
	uint64_t cpus;		/* bit i: CPU i */
	int host;		/* NUMA node of the host; -1: any */
};

struct guest_numa {
	unsigned int nr;	/* 0: no nodes are described to the guest */
	struct guest_numa_node nodes[GUEST_NUMA_NODES];
	/* As in ACPI: from a node to itself 10.  Set by guest_numa_check(). */
	uint8_t distance[GUEST_NUMA_NODES][GUEST_NUMA_NODES];
};

/*
 * Adds the node "node=N,mem=SIZE[,cpus=A[-B][+C...]][,host=N]".  0 or -EINVAL
 * with why.
 */
int guest_numa_parse(struct guest_numa *numa, const char *text, char *why,
		     size_t len);

/* Memory of all nodes together; UINT64_MAX if the sum is too large. */
uint64_t guest_numa_bytes(const struct guest_numa *numa);

/*
 * Checks that the nodes are 0 .. nr - 1, that they have all of the memory and
 * each CPU once, and that the host nodes named exist; sets the distances: the
 * host's if both nodes have a host node, else 20.  0 or -EINVAL with why.
 */
int guest_numa_check(struct guest_numa *numa, uint64_t mem_bytes,
		     unsigned int nr_cpus, char *why, size_t len);

/* The frames of a node; returns the number of ranges. */
unsigned int guest_numa_ranges(const struct guest_numa *numa,
			       const struct guest_mem *mem, unsigned int node,
			       struct gfn_range ranges[GUEST_NUMA_RANGES]);

/*
 * Binds the memory of each node with a `host` to that host node.  To be called
 * before the memory is first touched.  0 or -errno with why.
 */
int guest_numa_bind(const struct guest_numa *numa, struct guest_mem *mem,
		    char *why, size_t len);

/*
 * Host nodes on which this process may allocate memory, as bits; 0: the kernel
 * has no NUMA support.  Nodes from 64 up are left out.
 */
uint64_t host_numa_nodes(void);
/* Writes these as text, like "0, 2", to buf, and returns buf. */
char *host_numa_text(uint64_t nodes, char *buf, size_t len);

#endif
