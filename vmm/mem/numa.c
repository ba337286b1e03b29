// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <numa.h>
#include <numaif.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/mem/numa.h"
#include "vmm/util/error-text.h"
#include "vmm/util/key-value.h"
#include "vmm/util/size.h"

#define LOCAL	  10
#define REMOTE	  20
#define NODE_STEP (UINT64_C(2) << 20)
#define MAX_HOST  63

/* Parses a number up to max.  The text after it, or NULL: malformed. */
static const char *parse_number(const char *text, unsigned long max,
				unsigned int *n)
{
	unsigned long v;
	char *end;

	if (*text < '0' || *text > '9')
		return NULL;
	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || v > max)
		return NULL;
	*n = v;
	return end;
}

/* Parses "0-3+8" into bits.  False: malformed. */
static bool parse_cpus(const char *text, uint64_t *cpus)
{
	unsigned int from, to;

	*cpus = 0;
	for (;;) {
		text = parse_number(text, GUEST_NUMA_CPUS - 1, &from);
		to = from;
		if (text && *text == '-')
			text = parse_number(text + 1, GUEST_NUMA_CPUS - 1, &to);
		if (!text || to < from)
			return false;
		for (unsigned int i = from; i <= to; i++)
			*cpus |= UINT64_C(1) << i;
		if (!*text)
			return true;
		if (*text++ != '+')
			return false;
	}
}

struct parsed_node {
	struct guest_numa_node node;
	unsigned int number;
	bool has_number;
};

static int set_cpus(const char *text, void *to)
{
	struct parsed_node *w = to;

	return parse_cpus(text, &w->node.cpus) ? 0 : -EINVAL;
}

static void note_number(const struct key *key, void *to)
{
	struct parsed_node *w = to;

	w->has_number = true;
}

static const struct key keys[] = {
	{ "node", KEY_NUMBER, KEY_MEMBER(struct parsed_node, number),
	  .max = GUEST_NUMA_NODES - 1, .done = note_number },
	{ "mem", KEY_SIZE, KEY_MEMBER(struct parsed_node, node.nr_bytes) },
	{ "cpus", KEY_OTHER, .parse = set_cpus,
	  .expects = "a list of CPUs from 0 to 63, like 0-1 or 0+2-3" },
	{ "host", KEY_NUMBER, KEY_MEMBER(struct parsed_node, node.host),
	  .max = MAX_HOST, .unit = "a NUMA node of the host" },
	{ .name = NULL },
};

_Static_assert(GUEST_NUMA_CPUS == 64, "as the message says");

int guest_numa_parse(struct guest_numa *numa, const char *text, char *why,
		     size_t len)
{
	struct parsed_node w = { .node.host = -1 };
	int rc = key_list_parse(keys, text, &w, why, len);

	if (rc)
		return rc;
	if (!w.has_number) {
		snprintf(why, len, "node=N is missing: nodes are numbered from "
			 "0 without gaps");
		return -EINVAL;
	}
	if (!w.node.nr_bytes || w.node.nr_bytes % NODE_STEP) {
		snprintf(why, len, "node %u needs mem=SIZE, a multiple of 2M",
			 w.number);
		return -EINVAL;
	}
	if (numa->nodes[w.number].nr_bytes) {
		snprintf(why, len, "node %u is given twice", w.number);
		return -EINVAL;
	}
	numa->nodes[w.number] = w.node;
	if (numa->nr <= w.number)
		numa->nr = w.number + 1;
	return 0;
}

uint64_t guest_numa_bytes(const struct guest_numa *numa)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < numa->nr; i++)
		if (__builtin_add_overflow(sum, numa->nodes[i].nr_bytes, &sum))
			return UINT64_MAX;
	return sum;
}

uint64_t host_numa_nodes(void)
{
	uint64_t nodes = 0;

	if (numa_available() < 0)
		return 0;
	for (int i = 0; i <= MAX_HOST && i <= numa_max_node(); i++)
		if (numa_bitmask_isbitset(numa_all_nodes_ptr, i))
			nodes |= UINT64_C(1) << i;
	return nodes;
}

char *host_numa_text(uint64_t nodes, char *buf, size_t len)
{
	size_t used = 0;

	*buf = 0;
	for (int i = 0; i <= MAX_HOST && used < len; i++)
		if (nodes >> i & 1)
			used += snprintf(buf + used, len - used, "%s%d",
					 used ? ", " : "", i);
	return buf;
}

static int check_cpus(const struct guest_numa *numa, unsigned int nr_cpus,
		      char *why, size_t len)
{
	uint64_t all = nr_cpus < 64 ? (UINT64_C(1) << nr_cpus) - 1 : UINT64_MAX;
	uint64_t seen = 0;

	for (unsigned int i = 0; i < numa->nr; i++) {
		uint64_t cpus = numa->nodes[i].cpus;

		if (cpus & ~all) {
			snprintf(why, len, "node %u has CPU %d, but the guest "
				 "only has CPUs 0 to %u: change cpus= or "
				 "--cpus", i,
				 63 - __builtin_clzll(cpus & ~all),
				 nr_cpus - 1);
			return -EINVAL;
		}
		if (cpus & seen) {
			snprintf(why, len, "CPU %d is on two nodes: name it in "
				 "one cpus= only",
				 __builtin_ctzll(cpus & seen));
			return -EINVAL;
		}
		seen |= cpus;
	}
	if (seen == all)
		return 0;
	snprintf(why, len, "CPU %d is on no node: add it to the cpus= of one",
		 __builtin_ctzll(all & ~seen));
	return -EINVAL;
}

static int check_hosts(const struct guest_numa *numa, char *why, size_t len)
{
	uint64_t nodes = host_numa_nodes();
	char text[128];

	for (unsigned int i = 0; i < numa->nr; i++) {
		int host = numa->nodes[i].host;

		if (host < 0 || nodes >> host & 1)
			continue;
		if (!nodes)
			snprintf(why, len, "node %u: host=%d: the host's "
				 "kernel has no NUMA support: leave host= out",
				 i, host);
		else
			snprintf(why, len, "node %u: host=%d: vmm may only "
				 "allocate memory on host node %s: choose one "
				 "of these, or leave host= out", i, host,
				 host_numa_text(nodes, text, sizeof(text)));
		return -EINVAL;
	}
	return 0;
}

static uint8_t distance(const struct guest_numa_node *a,
			const struct guest_numa_node *b)
{
	int d = a->host >= 0 && b->host >= 0 ? numa_distance(a->host, b->host) :
					       REMOTE;

	/*
	 * Only the distance of a node to itself may be local, or guests reject
	 * all distances.
	 */
	return d > LOCAL && d < 255 ? d : REMOTE;
}

int guest_numa_check(struct guest_numa *numa, uint64_t mem_bytes,
		     unsigned int nr_cpus, char *why, size_t len)
{
	char a[16], b[16];
	int rc;

	for (unsigned int i = 0; i < numa->nr; i++)
		if (!numa->nodes[i].nr_bytes) {
			snprintf(why, len, "node %u is missing: nodes are "
				 "numbered from 0 without gaps", i);
			return -EINVAL;
		}
	if (numa->nr && guest_numa_bytes(numa) != mem_bytes) {
		snprintf(why, len, "the nodes have %s in all, but the guest "
			 "has %s: set --mem to the sum, or leave it out",
			 size_format(guest_numa_bytes(numa), a, sizeof(a)),
			 size_format(mem_bytes, b, sizeof(b)));
		return -EINVAL;
	}
	rc = numa->nr ? check_cpus(numa, nr_cpus, why, len) : 0;
	if (!rc)
		rc = check_hosts(numa, why, len);
	if (rc)
		return rc;
	for (unsigned int i = 0; i < numa->nr; i++)
		for (unsigned int j = 0; j < numa->nr; j++)
			numa->distance[i][j] = i == j ? LOCAL :
				distance(&numa->nodes[i], &numa->nodes[j]);
	return 0;
}

unsigned int guest_numa_ranges(const struct guest_numa *numa,
			       const struct guest_mem *mem, unsigned int node,
			       struct gfn_range ranges[GUEST_NUMA_RANGES])
{
	uint64_t from = 0, left, at = 0;
	const struct guest_memslot *slots;
	unsigned int nr_slots, nr = 0;

	for (unsigned int i = 0; i < node; i++)
		from += numa->nodes[i].nr_bytes >> VMM_PAGE_SHIFT;
	left = numa->nodes[node].nr_bytes >> VMM_PAGE_SHIFT;
	slots = guest_mem_slots(mem, &nr_slots);
	for (unsigned int i = 0; i < nr_slots && left; i++) {
		uint64_t end = at + slots[i].nr_pages, n;

		if (from < end && nr < GUEST_NUMA_RANGES) {
			n = end - from < left ? end - from : left;
			ranges[nr].start.v = slots[i].base.v + from - at;
			ranges[nr++].nr = n;
			from += n;
			left -= n;
		}
		at = end;
	}
	return nr;
}

int guest_numa_bind(const struct guest_numa *numa, struct guest_mem *mem,
		    char *why, size_t len)
{
	for (unsigned int i = 0; i < numa->nr; i++) {
		struct gfn_range ranges[GUEST_NUMA_RANGES];
		int host = numa->nodes[i].host;
		unsigned int nr = guest_numa_ranges(numa, mem, i, ranges);
		unsigned long mask = host < 0 ? 0 : 1ul << host;

		for (unsigned int k = 0; host >= 0 && k < nr; k++) {
			size_t bytes = ranges[k].nr << VMM_PAGE_SHIFT;
			void *p = guest_mem_ptr(mem,
						gfn_to_gpa(ranges[k].start),
						bytes);
			int rc;

			/*
			 * The kernel reads one bit less than maxnode.  Hugetlb
			 * pages are allocated already: they are moved, or the
			 * call fails.
			 */
			if (p && !mbind(p, bytes, MPOL_BIND, &mask,
					MAX_HOST + 2,
					MPOL_MF_MOVE | MPOL_MF_STRICT))
				continue;
			rc = p ? -errno : -EFAULT;
			snprintf(why, len, "--numa node=%u: host=%d: cannot "
				 "bind guest memory to that node: %s; leave "
				 "host= out", i, host, error_text(-rc));
			return rc;
		}
	}
	return 0;
}
