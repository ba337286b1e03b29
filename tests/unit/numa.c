// SPDX-License-Identifier: GPL-2.0-or-later
/* Nodes of a guest: their valid options, and where their memory is. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "tests/tap.h"
#include "vmm/mem/numa.h"
#include "vmm/util/bitmap.h"

#define GIB (UINT64_C(1) << 30)

static char why[256];

static void test_parse(void)
{
	static const char *const bad[][2] = {
		{ "mem=1G", "node=N is missing" },
		{ "node=8,mem=1G", "0 to 7" },
		{ "node=-1,mem=1G", "0 to 7" },
		{ "node=0x1,mem=1G", "0 to 7" },
		{ "node=0", "needs mem=" },
		{ "node=0,mem=0", "needs mem=" },
		{ "node=0,mem=1M", "multiple of 2M" },
		{ "node=0,mem=some", "mem='some' is not a size" },
		{ "node=0,mem=1G,cpus=", "CPUs from 0 to 63" },
		{ "node=0,mem=1G,cpus=3-1", "CPUs from 0 to 63" },
		{ "node=0,mem=1G,cpus=64", "CPUs from 0 to 63" },
		{ "node=0,mem=1G,cpus=0+", "CPUs from 0 to 63" },
		{ "node=0,mem=1G,cpus=0-1-2", "CPUs from 0 to 63" },
		{ "node=0,mem=1G,host=64",
		  "a NUMA node of the host from 0 to 63" },
		{ "node=0,mem=1G,host=x",
		  "a NUMA node of the host from 0 to 63" },
		{ "node=0,size=1G", "unknown key 'size'" },
		{ "", "unknown key ''" },
	};
	struct guest_numa n = { 0 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ok(guest_numa_parse(&n, bad[i][0], why, sizeof(why)) ==
		   -EINVAL && strstr(why, bad[i][1]) && !n.nr, "'%s': %s",
		   bad[i][0], why);
	ok(!guest_numa_parse(&n, "node=1,cpus=0+2-3,mem=1G,host=5", why,
			     sizeof(why)) && n.nr == 2 &&
	   n.nodes[1].cpus == 0xd && n.nodes[1].nr_bytes == GIB &&
	   n.nodes[1].host == 5, "all that there is to say");
	ok(guest_numa_parse(&n, "node=1,mem=1G", why, sizeof(why)) == -EINVAL,
	   "twice: %s", why);
	ok(!guest_numa_parse(&n, "node=0,mem=2M", why, sizeof(why)) &&
	   n.nodes[0].host == -1 && guest_numa_bytes(&n) == GIB + (2 << 20),
	   "little is enough");
}

static void refused(const char *const *nodes, uint64_t mem,
		    unsigned int nr_cpus, const char *part)
{
	struct guest_numa n = { 0 };

	for (; *nodes; nodes++)
		guest_numa_parse(&n, *nodes, why, sizeof(why));
	ok(guest_numa_check(&n, mem, nr_cpus, why, sizeof(why)) == -EINVAL &&
	   strstr(why, part), "refused: %s", why);
}

#define LIST(...) ((const char *const []){ __VA_ARGS__, NULL })

static void test_check(void)
{
	struct guest_numa none = { 0 };

	refused(LIST("node=1,mem=1G,cpus=0"), GIB, 1, "node 0 is missing");
	refused(LIST("node=0,mem=1G,cpus=0"), 2 * GIB, 1,
		"set --mem to the sum");
	refused(LIST("node=0,mem=1G,cpus=0-2"), GIB, 2, "has CPU 2");
	refused(LIST("node=0,mem=1G,cpus=0-1", "node=1,mem=1G,cpus=1"),
		2 * GIB, 2, "CPU 1 is on two");
	refused(LIST("node=0,mem=1G,cpus=0"), GIB, 2, "CPU 1 is on no node");
	refused(LIST("node=0,mem=1G,cpus=0,host=63"), GIB, 1,
		"leave host= out");
	ok(!guest_numa_check(&none, GIB, 1, why, sizeof(why)),
	   "no nodes: nothing is wrong");
}

static void test_ranges(void)
{
	struct gfn_range r[GUEST_NUMA_RANGES];
	struct guest_numa n = { 0 };
	struct guest_mem *mem;

	guest_numa_parse(&n, "node=0,mem=1G,cpus=0", why, sizeof(why));
	guest_numa_parse(&n, "node=1,mem=3G", why, sizeof(why));
	guest_numa_parse(&n, "node=2,mem=1G", why, sizeof(why));
	is_int(guest_numa_check(&n, 5 * GIB, 1, why, sizeof(why)), 0,
	       "three nodes");
	ok(n.distance[0][0] == 10 && n.distance[0][2] == 20 &&
	   n.distance[2][1] == 20, "nowhere in particular: 20 apart");
	if (guest_mem_new(&mem, 5 * GIB, GUEST_MEM_ANON))
		tap_bail("no memory");
	ok(guest_numa_ranges(&n, mem, 0, r) == 1 && !r[0].start.v &&
	   r[0].nr == GIB >> 12, "the first is the lowest");
	ok(guest_numa_ranges(&n, mem, 1, r) == 2 && r[0].start.v == GIB >> 12 &&
	   r[0].nr == 2 * GIB >> 12 && r[1].start.v == 4 * GIB >> 12 &&
	   r[1].nr == GIB >> 12, "the second is on both sides of the hole");
	ok(guest_numa_ranges(&n, mem, 2, r) == 1 &&
	   r[0].start.v == 5 * GIB >> 12 && r[0].nr == GIB >> 12,
	   "the third is above it");
	guest_mem_free(mem);
}

/* This host's first node is one that memory can be bound to. */
static void test_bind(enum guest_mem_backing backing, const char *name)
{
	uint64_t nodes = host_numa_nodes(), map[BITMAP_WORDS(512)];
	struct guest_numa n = { 0 };
	struct guest_mem *mem;
	char text[64];

	if (!nodes) {
		tap_skip(name, "this kernel knows no NUMA nodes");
		return;
	}
	snprintf(text, sizeof(text), "node=0,mem=2M,cpus=0,host=%d",
		 __builtin_ctzll(nodes));
	if (guest_numa_parse(&n, text, why, sizeof(why)) ||
	    guest_numa_check(&n, 2 << 20, 1, why, sizeof(why)))
		tap_bail("%s", why);
	if (guest_mem_new(&mem, 2 << 20, backing))
		tap_bail("no memory");
	if (guest_numa_bind(&n, mem, why, sizeof(why))) {
		ok(false, "%s: bound: %s", name, why);
	} else {
		memset(guest_mem_ptr(mem, GPA(0), 2 << 20), 1, 2 << 20);
		guest_mem_residency(mem, (struct gfn_range){ GFN(0), 512 }, map,
				    NULL);
		is_int(bitmap_count(map, 0, 512), 512, name);
	}
	n.nodes[0].host = 62;
	if (!(nodes >> 62 & 1))
		ok(guest_numa_bind(&n, mem, why, sizeof(why)) < 0 &&
		   strstr(why, "host=62"), "a node that is not there: %s", why);
	guest_mem_free(mem);
}

int main(void)
{
	test_parse();
	test_check();
	test_ranges();
	test_bind(GUEST_MEM_ANON, "anonymous memory can be bound, and used");
	test_bind(GUEST_MEM_MEMFD, "a memfd too");
	return tap_done();
}
