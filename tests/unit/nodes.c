// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Targets of single nodes: two nodes of 2 MiB, all of it idle, the engine and
 * the host's real swap.  On one CPU, as pages that another CPU has just filled
 * may not be evicted (see tests/unit/engine.c).
 */
#include "config.h"

#include <pthread.h>
#include <string.h>

#include "tests/one-cpu.h"
#include "tests/tap.h"
#include "tests/unit/swap-works.h"
#include "tests/unit/fake-source.h"
#include "vmm/engine/engine.h"
#include "vmm/util/bitmap.h"

#define PER_NODE 512
#define NR	 (2 * PER_NODE)
#define PAGE	 4096

static struct guest_mem *mem;
static struct view *view;
static struct access_source *source;
static struct reclaim_sink *sink;
static struct engine *engine;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t scanned = PTHREAD_COND_INITIALIZER;
static unsigned int nr_scans;

static void on_scan(const struct engine_stats *s, void *arg)
{
	pthread_mutex_lock(&lock);
	nr_scans++;
	pthread_cond_signal(&scanned);
	pthread_mutex_unlock(&lock);
}

static void wait_scans(unsigned int nr)
{
	pthread_mutex_lock(&lock);
	for (unsigned int until = nr_scans + nr; nr_scans < until;)
		pthread_cond_wait(&scanned, &lock);
	pthread_mutex_unlock(&lock);
}

static uint64_t resident(unsigned int node)
{
	uint64_t map[BITMAP_WORDS(NR)];

	guest_mem_residency(mem, (struct gfn_range){ GFN(0), NR }, map, NULL);
	return bitmap_count(map, node * PER_NODE, (node + 1) * PER_NODE);
}

static int set(uint64_t all, uint64_t node0, uint64_t node1, char *why)
{
	struct engine_policy p;

	engine_get_policy(engine, &p);
	p.enabled = true;
	p.target_bytes = all * PAGE;
	p.node_target_bytes[0] = node0 * PAGE;
	p.node_target_bytes[1] = node1 * PAGE;
	return engine_set_policy(engine, &p, why, 256);
}

static void start(bool has_nodes)
{
	static struct guest_numa numa;
	struct engine_config config = {
		.policy = { .scan_period_ms = 10, .min_idle_scans = 1,
			    .cpu_percent = 100 },
		.numa = has_nodes ? &numa : NULL,
	};
	char why[256] = "?";

	numa = (struct guest_numa){ 0 };
	if (guest_numa_parse(&numa, "node=0,cpus=0,mem=2M", why, 256) ||
	    guest_numa_parse(&numa, "node=1,mem=2M", why, 256) ||
	    guest_mem_new(&mem, NR * PAGE, GUEST_MEM_ANON) ||
	    view_new(&view, mem) ||
	    access_fake_open(&source, "-\n", NR, why, sizeof(why)) ||
	    sink_swap.open(&sink, mem, NULL, why, sizeof(why)))
		tap_bail("%s", why);
	for (uint64_t i = 0; i < NR; i++)
		memset(guest_mem_ptr(mem, GPA(i * PAGE), PAGE), i + 1, PAGE);
	config.mem = mem;
	config.view = view;
	config.source = source;
	config.sink = sink;
	if (engine_new(&engine, &config))
		tap_bail("no engine");
	engine_on_scan(engine, on_scan, NULL);
	wait_scans(3);
}

static void stop(void)
{
	engine_free(engine);
	sink->ops->close(sink);
	access_close(source);
	view_free(view);
	guest_mem_free(mem);
}

static void test_nodes(void)
{
	struct engine_stats s;
	char why[256];

	start(true);
	is_int(set(0, 0, 128, why), 0, "a target for the second node");
	wait_scans(4);
	ok(resident(0) == PER_NODE && resident(1) == 128,
	   "it has that, and the first has all: %llu and %llu",
	   (unsigned long long)resident(0), (unsigned long long)resident(1));
	set(0, 200, 128, why);
	wait_scans(4);
	ok(resident(0) == 200 && resident(1) == 128, "one for the first too");
	engine_get_stats(engine, &s);
	ok(s.memory.nr_nodes == 2 && s.memory.nodes[0].nr_resident == 200 &&
		   s.memory.nodes[1].nr_swapped == PER_NODE - 128,
	   "the statistics tell");
	set(100, 0, 20, why);
	wait_scans(6);
	ok(resident(0) + resident(1) <= 100 && resident(1) <= 20,
	   "with one for all both are kept: %llu and %llu",
	   (unsigned long long)resident(0), (unsigned long long)resident(1));
	stop();
}

static void test_refusals(void)
{
	struct engine_policy p;
	char why[256] = "";

	start(true);
	engine_get_policy(engine, &p);
	p.node_target_bytes[2] = PAGE;
	ok(engine_set_policy(engine, &p, why, sizeof(why)) &&
	   strstr(why, "nodes 0 to 1"), "a third node: %s", why);
	stop();
	start(false);
	ok(set(0, 5, 0, why) && strstr(why, "--numa"), "no nodes: %s", why);
	ok(!set(512, 0, 0, why), "a target for all is no matter of nodes");
	stop();
}

int main(void)
{
	stay_on_one_cpu(NULL);
	check_that_swap_works(2 << 20);
	test_nodes();
	test_refusals();
	return tap_done();
}
