// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which pages should stay?  Traces of page references through the engine, and
 * through other replacement policies; half of the footprint stays.
 *
 *   replacement [--pages N] [--seconds S] [--scans N] [--json FILE]
 *
 * The table has misses in 1000 references, and in the last column the engine's
 * as a part of exact LRU's.  Time is virtual and the seeds are fixed: the
 * numbers are the same in each run.
 */
#include "config.h"

#include <inttypes.h>
#include <popt.h>

#include "tests/bench/bench.h"
#include "tests/bench/replacement.h"

static int opt_pages = 8192, opt_seconds = 160,
	   opt_scans = TRACE_SCANS;
static char *opt_json;

static const struct poptOption options[] = {
	{ "pages", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &opt_pages, 0,
	  "the footprint", "N" },
	{ "seconds", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &opt_seconds,
	  0, "of virtual time, a quarter of them to warm up", "S" },
	{ "scans", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &opt_scans, 0,
	  "of the engine in a second", "N" },
	{ "json", 0, POPT_ARG_STRING, &opt_json, 0, "results", "FILE" },
	POPT_AUTOHELP POPT_TABLEEND
};

static const struct {
	const char *name;
	uint64_t (*misses)(const struct trace *t);
} policies[] = {
	{ "LRU", replacement_lru },
	{ "CLOCK", replacement_clock },
	{ "two lists", replacement_two_lists },
	{ "MGLRU", replacement_mglru },
	{ "S3-FIFO", replacement_s3_fifo },
	{ "static", replacement_static },
	{ "OPT", replacement_opt },
};

#define NR_POLICIES (sizeof(policies) / sizeof(*policies))

static void add(struct bench *b, const struct trace *t, const char *policy,
		const char *unit, double value)
{
	char name[128];

	snprintf(name, sizeof(name), "%s/%s", t->name, policy);
	bench_add(b, name, unit, value);
}

static void run_trace(struct bench *b, const struct trace *t)
{
	const double refs = t->nr_refs - t->nr_warm;
	struct replacement_engine r;
	uint64_t lru = 0;

	printf("%-21s", t->name);
	for (size_t i = 0; i < NR_POLICIES; i++) {
		uint64_t misses = policies[i].misses(t);

		lru = i ? lru : misses;
		printf(" %9.1f", misses / refs * 1000);
		add(b, t, policies[i].name, "misses a reference",
		    misses / refs);
	}
	replacement_engine(t, &r);
	printf(" %9.1f %7.3f %8.1f %6.0f\n", r.nr_misses / refs * 1000,
	       (double)r.nr_misses / lru,
	       r.mean_resident * 100 / t->nr_pages,
	       r.cpu_ns / 1e3 / r.nr_scans);
	fflush(stdout);
	add(b, t, "engine", "misses a reference", r.nr_misses / refs);
	add(b, t, "engine of LRU", "ratio", (double)r.nr_misses / lru);
	add(b, t, "engine, mean resident", "of the footprint",
	    r.mean_resident / t->nr_pages);
}

static int write_json(struct bench *b)
{
	FILE *f = opt_json ? fopen(opt_json, "w") : NULL;
	int rc = 0;

	if (opt_json && (!f || bench_print_json(b, f) || fclose(f))) {
		fprintf(stderr, "replacement: cannot write %s\n", opt_json);
		rc = 1;
	}
	bench_free(b);
	return rc;
}

int main(int argc, const char **argv)
{
	poptContext ctx = poptGetContext(NULL, argc, argv, options, 0);
	struct bench *b = bench_new("replacement");

	if (poptGetNextOpt(ctx) != -1 || poptPeekArg(ctx) ||
	    opt_pages < 512 || opt_pages > 1 << 18 ||
	    opt_pages & (opt_pages - 1) || opt_seconds < 4 ||
	    opt_scans < 1 || opt_scans > 64 ||
	    (int64_t)opt_pages * opt_seconds > INT64_C(1) << 30) {
		fprintf(stderr, "replacement: wrong usage, see --help; N is a "
			"power of two from 512 to 262144, S at least 4, and "
			"no more than 1073741824 together; scans are 1 to "
			"64\n");
		return 2;
	}
	poptFreeContext(ctx);
	bench_note(b, "pages", "%d", opt_pages);
	bench_note(b, "seconds", "%d", opt_seconds);
	bench_note(b, "scans a second", "%d", opt_scans);
	printf("# misses in 1000 references; %d pages, half stay; %d s\n",
	       opt_pages, opt_seconds);
	printf("%-21s", "trace");
	for (size_t i = 0; i < NR_POLICIES; i++)
		printf(" %9s", policies[i].name);
	printf(" %9s %7s %8s %6s\n", "engine", "of LRU", "stay, %", "us");
	for (int kind = 0; kind < NR_TRACES; kind++) {
		struct trace t;

		trace_make(&t, kind, opt_pages, opt_seconds, opt_scans);
		run_trace(b, &t);
		trace_free(&t);
	}
	return write_json(b);
}
