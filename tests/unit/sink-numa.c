// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Another node as a sink.  On a host with one node it must refuse, and say why;
 * with two, pages move there and back intact.
 */
#include "config.h"

#include <errno.h>
#include <numaif.h>
#include <string.h>

#include "tests/tap.h"
#include "vmm/mem/numa.h"
#include "vmm/sink/sink.h"
#include "vmm/util/bitmap.h"

#define NR   1024
#define PAGE 4096

static struct guest_mem *mem;
static char why[512];

static uint64_t *page(uint64_t gfn)
{
	return guest_mem_ptr(mem, GPA(gfn * PAGE), PAGE);
}

static unsigned int nr_wrong(bool write)
{
	unsigned int n = 0;

	for (uint64_t g = 0; g < NR; g++)
		for (uint64_t i = 0; i < PAGE / 8; i++) {
			uint64_t want = (g * 512 + i) * 0x9e3779b97f4a7c15ull;

			if (write)
				page(g)[i] = want;
			n += page(g)[i] != want;
		}
	return n;
}

/* By the kernel's word: pages of [first, end) that are on the node. */
static unsigned int nr_on(int node, uint64_t first, uint64_t end)
{
	unsigned int n = 0;

	for (uint64_t g = first; g < end; g++) {
		void *p = page(g);
		int status = -1;

		/* It knows what is mapped; a sink unmaps what it moved. */
		(void)*(volatile uint64_t *)p;

		n += !move_pages(0, 1, &p, NULL, &status, 0) && status == node;
	}
	return n;
}

static void refused(const char *options, const char *part)
{
	struct reclaim_sink *sink;

	*why = 0;
	ok(sink_numa.open(&sink, mem, options, why, sizeof(why)) < 0 &&
	   strstr(why, part), "numa,%s: %s", options ? options : "", why);
}

static void test_moves(int from, int to)
{
	const struct gfn_range r[] = { { GFN(100), 300 }, { GFN(600), 1 } };
	const struct gfn_range back = { GFN(100), 50 }, out = { GFN(NR), 1 };
	uint64_t in[BITMAP_WORDS(NR)], away[BITMAP_WORDS(NR)];
	const struct gfn_range all = { GFN(0), NR };
	struct reclaim_result res = { 0 };
	struct reclaim_sink *sink;
	char options[64];

	snprintf(options, sizeof(options), "to=%d,from=%d", to, from);
	if (sink_numa.open(&sink, mem, options, why, sizeof(why)))
		tap_bail("%s", why);
	is_int(sink->ops->evict(sink, r, 2, &res), 0, "301 pages");
	ok(res.evicted == 301 && res.tried == 301, "all of them went");
	is_int(nr_on(to, 100, 400), 300, "the kernel has them on the other node");
	is_int(nr_on(to, 0, 100), 0, "and no others");
	guest_mem_residency(mem, all, in, away);
	ok(bitmap_count(in, 0, NR) == NR - 301 &&
	   bitmap_count(away, 0, NR) == 301, "they count as in swap");
	is_int(nr_wrong(false), 0, "all is readable, and right");
	guest_mem_residency(mem, all, in, away);
	is_int(bitmap_count(away, 0, NR), 301, "and nothing came back by that");
	is_int(sink->ops->prefetch(sink, &back, 1), 0, "50 are asked back");
	is_int(nr_on(from, 100, 150), 50, "they are");
	guest_mem_residency(mem, all, in, away);
	is_int(bitmap_count(away, 0, NR), 251, "the others are not");
	guest_mem_discard(mem, (struct gfn_range){ GFN(200), 10 });
	guest_mem_residency(mem, all, in, away);
	is_int(bitmap_count(away, 0, NR), 241, "what is discarded is nowhere");
	ok(sink->ops->evict(sink, &out, 1, &res) == -EFAULT &&
	   sink->ops->prefetch(sink, &out, 1) == -EFAULT,
	   "frames outside memory are refused");
	sink->ops->close(sink);
}

static void test(enum guest_mem_backing backing, uint64_t nodes)
{
	int from = __builtin_ctzll(nodes | UINT64_C(1) << 63);

	if (guest_mem_new(&mem, NR * PAGE, backing))
		tap_bail("no memory");
	is_int(nr_wrong(true), 0, "memory is filled");
	if (nodes & (nodes - 1)) {
		refused(NULL, "to=NODE");
		refused("to=63", "not allocate memory on node 63");
		refused("to=1,from=1", "to itself");
		refused("to=x", "to='x' is not a number of a NUMA node");
		refused("speed=1", "unknown key 'speed'");
		test_moves(from, __builtin_ctzll(nodes & (nodes - 1)));
	} else {
		refused("to=1", nodes ? "only one NUMA node" :
					"no NUMA support");
		tap_skip("pages move", "this host has memory on one node only; "
			 "tests/lab/numa.sh has a machine with two");
	}
	guest_mem_free(mem);
}

int main(void)
{
	uint64_t nodes = host_numa_nodes();

	/* All of it on the first node to begin with. */
	if (nodes) {
		unsigned long first = nodes & -nodes;

		set_mempolicy(MPOL_PREFERRED, &first, 65);
	}
	test(GUEST_MEM_ANON, nodes);
	test(GUEST_MEM_MEMFD, nodes);
	return tap_done();
}
