// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What it costs to evict scattered pages under a running guest, and what that
 * costs the guest.
 *
 *   evict [--mem SIZE] [--vcpus N] [--runs N] [--json FILE]
 *
 * anon       anonymous memory: MADV_PAGEOUT in the address space of the vCPUs
 * memfd      the same with a memfd, without the evictor process
 * evictor    a memfd, and the evictor process; pages are mapped until then
 * unmapped   the same, but all of the memory was unmapped before in blocks of
 *            2 MiB, as by --abits soft
 *
 * The guest goes round 1 MiB of hot pages.  Every second page of the rest,
 * which the guest has touched once, is evicted.  "cpu" is the CPU time of the
 * evicting thread and the evictor, an evicted page; "speed" is the rounds a
 * second meanwhile, to those right before it; "speed by cpu" the same a CPU
 * second of the vCPU, which other load on the machine changes less.  Further
 * vCPUs are guests of the same kind in the same process: they are interrupted
 * just as much.
 */
#include "config.h"

#include <errno.h>
#include <popt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/bench/bench.h"
#include "vmm/access/tiny-vm.h"
#include "vmm/sink/evictor.h"
#include "vmm/sink/sink.h"
#include "vmm/util/clock.h"
#include "vmm/util/size.h"

#define MAX_VCPUS  8
#define NR_HOT	   256u		/* pages: 1 MiB */
#define CALL_PAGES 4096u	/* in one call of the sink, as the engine's */
#define MIN_ROUNDS 1000
#define BEFORE_NS  (500 * NSEC_PER_MSEC)

static char *opt_mem = "256M", *opt_json;
static int opt_runs = 5, opt_vcpus = 1;

static const struct poptOption options[] = {
	{ "mem", 0, POPT_ARG_STRING, &opt_mem, 0, "of the guest", "SIZE" },
	{ "vcpus", 0, POPT_ARG_INT, &opt_vcpus, 0, "1 to 8", "N" },
	{ "runs", 0, POPT_ARG_INT, &opt_runs, 0, "of each case", "N" },
	{ "json", 0, POPT_ARG_STRING, &opt_json, 0, "results", "FILE" },
	POPT_AUTOHELP POPT_TABLEEND
};

static const struct bcase {
	const char *name;
	enum guest_mem_backing backing;
	bool evictor, unmapped;
} cases[] = {
	{ "anon", GUEST_MEM_ANON, false, false },
	{ "memfd", GUEST_MEM_MEMFD, false, false },
	{ "evictor", GUEST_MEM_MEMFD, true, false },
	{ "unmapped", GUEST_MEM_MEMFD, true, true },
};
#define NR_CASES (sizeof(cases) / sizeof(*cases))

struct pace {
	uint64_t rounds, cpu_ns, at_ns;
};

static struct tiny_vm *vms[MAX_VCPUS];
static struct gfn_range *ranges;
static uint64_t *gfns;

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "evict: %s: %s\n", what, why);
	exit(1);
}

static void check(const char *what, int rc)
{
	if (rc < 0)
		die(what, strerror(-rc));
}

static struct pace pace_now(void)
{
	struct pace p = { .at_ns = clock_now_ns() };

	for (int i = 0; i < opt_vcpus; i++) {
		p.rounds += tiny_vm_rounds(vms[i]);
		p.cpu_ns += tiny_vm_cpu_ns(vms[i]);
	}
	return p;
}

/* Half of each page is random. */
static void fill(struct guest_mem *mem, struct gfn_range r, uint64_t seed)
{
	for (uint64_t g = r.start.v; g < r.start.v + r.nr; g++) {
		uint64_t *p = guest_mem_ptr(mem, gfn_to_gpa(GFN(g)),
					    VMM_PAGE_SIZE), x = g + seed;

		for (unsigned int k = 0; k < VMM_PAGE_SIZE / 8; k++) {
			x = x * UINT64_C(6364136223846793005) + 1;
			p[k] = k & 4 ? x : g;
		}
	}
}

static void open_vms(const struct bcase *c, uint64_t nr_pages)
{
	struct gfn_range r;

	for (int i = 0; i < opt_vcpus; i++) {
		check("a guest", tiny_vm_new(&vms[i], i ? 2 * NR_HOT : nr_pages,
					     c->backing));
		r = tiny_vm_range(vms[i]);
		for (uint64_t k = 0; k < r.nr; k++)
			gfns[k] = r.start.v + k;
		check("touch", tiny_vm_touch_with(vms[i], gfns, r.nr,
					(struct touch_options){ .once = true }));
		check("touch", tiny_vm_touch(vms[i], gfns, NR_HOT));
	}
}

/* The cold pages, one range each. */
static size_t find_cold(struct gfn_range r)
{
	size_t n = 0;

	for (uint64_t g = r.start.v + 2 * NR_HOT; g < r.start.v + r.nr; g += 2)
		ranges[n++] = (struct gfn_range){ GFN(g), 1 };
	return n;
}

static void unmap_cold(struct guest_mem *mem, struct gfn_range r)
{
	for (uint64_t g = r.start.v + 2 * NR_HOT; g < r.start.v + r.nr;
	     g += 512) {
		uint64_t nr = r.start.v + r.nr - g;

		check("unmap", guest_mem_unmap(mem, (struct gfn_range){
					GFN(g), nr < 512 ? nr : 512 }));
	}
}

/* Without it the sink evicts by itself. */
static void end_evictor(struct reclaim_sink *sink)
{
	struct reclaim_sink_stats s;

	sink->ops->get_stats(sink, &s);
	if (s.evictor.pid)
		kill(s.evictor.pid, SIGKILL);
}

static void add(struct bench *b, const char *name, const char *what,
		const char *unit, double value)
{
	char label[64];

	snprintf(label, sizeof(label), "%s %s", name, what);
	bench_add(b, label, unit, value);
}

static void measure(struct bench *b, const struct bcase *c,
		    struct reclaim_sink *sink, size_t n)
{
	struct reclaim_result res = { 0 };
	struct pace a, from, to;
	double before, before_cpu;
	uint64_t cpu;

	a = pace_now();
	do {
		usleep(10000);
		from = pace_now();
	} while (from.at_ns < a.at_ns + BEFORE_NS ||
		 from.rounds < a.rounds + MIN_ROUNDS);
	before = (double)(from.rounds - a.rounds) / (from.at_ns - a.at_ns);
	before_cpu = (double)(from.rounds - a.rounds) /
		     (from.cpu_ns - a.cpu_ns);
	cpu = bench_thread_cpu_ns() + sink->helper_cpu_ns;
	for (size_t i = 0; i < n; i += CALL_PAGES)
		check("evict", sink->ops->evict(sink, ranges + i,
				n - i < CALL_PAGES ? n - i : CALL_PAGES, &res));
	cpu = bench_thread_cpu_ns() + sink->helper_cpu_ns - cpu;
	to = pace_now();
	if (!res.evicted)
		die(c->name, "nothing was evicted");
	add(b, c->name, "cpu", "us", cpu / 1e3 / res.evicted);
	add(b, c->name, "time", "us",
	    (to.at_ns - from.at_ns) / 1e3 / res.evicted);
	add(b, c->name, "speed", "ratio", (double)(to.rounds - from.rounds) /
	    (to.at_ns - from.at_ns) / before);
	add(b, c->name, "speed by cpu", "ratio",
	    (double)(to.rounds - from.rounds) / (to.cpu_ns - from.cpu_ns) /
	    before_cpu);
	add(b, c->name, "kept", "pages", res.kept);
}

static void run(struct bench *b, const struct bcase *c, uint64_t nr_pages,
		uint64_t seed)
{
	const struct gfn_range warm_up = { GFN(0), 1 };
	struct reclaim_result res = { 0 };
	struct reclaim_sink *sink;
	struct guest_mem *mem;
	char why[256] = "";
	size_t n;

	open_vms(c, nr_pages);
	mem = tiny_vm_mem(vms[0]);
	if (sink_swap.open(&sink, mem, NULL, why, sizeof(why)))
		die("sink", why);
	if (!c->evictor)
		end_evictor(sink);
	n = find_cold(tiny_vm_range(vms[0]));
	fill(mem, (struct gfn_range){ ranges[0].start, 2 * n - 1 }, seed);
	/* The evictor has started by then. */
	sink->ops->evict(sink, &warm_up, 1, &res);
	if (c->unmapped)
		unmap_cold(mem, tiny_vm_range(vms[0]));
	measure(b, c, sink, n);
	sink->ops->close(sink);
	for (int i = 0; i < opt_vcpus; i++)
		tiny_vm_free(vms[i]);
}

int main(int argc, char **argv)
{
	struct bench *b;
	poptContext popt;
	uint64_t bytes;

	evictor_init(argc, argv);
	popt = poptGetContext("evict", argc, (const char **)argv, options, 0);
	if (poptGetNextOpt(popt) != -1 || poptPeekArg(popt) ||
	    size_parse(opt_mem, &bytes) || bytes < 8 << 20 ||
	    opt_vcpus < 1 || opt_vcpus > MAX_VCPUS || opt_runs < 1)
		die("options", "see --help");
	poptFreeContext(popt);
	b = bench_new("evict");
	ranges = bench_check(calloc(bytes >> VMM_PAGE_SHIFT, sizeof(*ranges)));
	gfns = bench_check(calloc(bytes >> VMM_PAGE_SHIFT, sizeof(*gfns)));
	bench_note(b, "guest", "%s, %d vCPUs", opt_mem, opt_vcpus);
	for (int r = 0; r < opt_runs; r++)
		for (size_t i = 0; i < NR_CASES; i++)
			run(b, &cases[r % 2 ? NR_CASES - 1 - i : i],
			    bytes >> VMM_PAGE_SHIFT, r);
	free(ranges);
	free(gfns);
	return bench_finish(b, opt_json);
}
