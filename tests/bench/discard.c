// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How fast the host frees memory that a guest does not use, once the guest has
 * reported it: guest_mem_discard(), as free page reporting (runs of 2 and 4
 * MiB, what Linux guests report) and the balloon (256 pages a call, which Linux
 * guests hand out one by one) cause it.
 *
 *   discard [--mem SIZE] [--runs N] [--json FILE]
 *
 * Memory is touched before, except in the cases "untouched": then there is
 * nothing to free, and the cost is that of the request.
 */
#include "config.h"

#include <popt.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"
#include "vmm/mem/guest-mem.h"
#include "vmm/util/size.h"

static char *opt_mem = "1G", *opt_json;
static int opt_runs = 5;

static const struct poptOption options[] = {
	{ "mem", 0, POPT_ARG_STRING, &opt_mem, 0, "guest memory", "SIZE" },
	{ "runs", 0, POPT_ARG_INT, &opt_runs, 0, "turns a case", "N" },
	{ "json", 0, POPT_ARG_STRING, &opt_json, 0, "results", "FILE" },
	POPT_AUTOHELP POPT_TABLEEND
};

static const struct {
	const char *name;
	enum guest_mem_backing backing;
} kinds[] = {
	{ "anon", GUEST_MEM_ANON },
	{ "thp", GUEST_MEM_THP },
	{ "memfd", GUEST_MEM_MEMFD },
};

static const struct {
	const char *name;
	uint64_t nr_pages;
} runs[] = {
	{ "2M runs", 512 }, { "4M runs", 1024 }, { "256 pages", 256 },
	{ "single pages", 1 },
};

/* GiB a second. */
static double take_back(struct guest_mem *mem, uint64_t nr, uint64_t step)
{
	uint64_t start = bench_now_ns(), ns;

	for (uint64_t g = 0; g < nr; g += step)
		if (guest_mem_discard(mem, (struct gfn_range){ GFN(g), step })) {
			fprintf(stderr, "discard: it was refused\n");
			exit(1);
		}
	ns = bench_now_ns() - start;
	return nr / 262144.0 / (ns / 1e9);
}

static void measure(struct bench *b, size_t kind, uint64_t nr)
{
	struct guest_mem *mem;
	char name[96], why[256];
	int rc = guest_mem_new(&mem, nr << VMM_PAGE_SHIFT, kinds[kind].backing);
	uint8_t *bytes;

	if (rc) {
		guest_mem_explain(rc, nr << VMM_PAGE_SHIFT, kinds[kind].backing,
				  why, sizeof(why));
		fprintf(stderr, "discard: %s\n", why);
		exit(1);
	}
	bytes = guest_mem_ptr(mem, GPA(0), nr << VMM_PAGE_SHIFT);
	for (size_t r = 0; r < sizeof(runs) / sizeof(*runs); r++) {
		for (uint64_t g = 0; g < nr; g++)
			bytes[g << VMM_PAGE_SHIFT] = 1;
		snprintf(name, sizeof(name), "%s %s", kinds[kind].name,
			 runs[r].name);
		bench_add(b, name, "GiB/s",
			  take_back(mem, nr, runs[r].nr_pages));
		snprintf(name, sizeof(name), "%s %s untouched",
			 kinds[kind].name, runs[r].name);
		bench_add(b, name, "GiB/s",
			  take_back(mem, nr, runs[r].nr_pages));
	}
	guest_mem_free(mem);
}

int main(int argc, const char **argv)
{
	poptContext ctx = poptGetContext(NULL, argc, argv, options, 0);
	struct bench *b = bench_new("discard");
	uint64_t bytes;

	/* In one slot, so that any frame below is RAM. */
	if (poptGetNextOpt(ctx) != -1 || size_parse(opt_mem, &bytes) ||
	    bytes < (4 << 20) || bytes > UINT64_C(3) << 30 || opt_runs < 1 ||
	    bytes % (4 << 20)) {
		fprintf(stderr, "discard: wrong usage, see --help; SIZE is a "
			"multiple of 4M, at most 3G\n");
		return 2;
	}
	poptFreeContext(ctx);
	bench_note(b, "memory", "%s", opt_mem);
	for (int run = 0; run < opt_runs; run++)
		for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
			measure(b, k, bytes >> VMM_PAGE_SHIFT);
	return bench_finish(b, opt_json);
}
