// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Compares the three schemes of the reverse map:
 *
 *	history/NAME/SCHEME/...	  recorded histories: ns of each kind of event,
 *				  and the most memory held, by mapping
 *	referenced/N/SCHEME	  page_referenced of a page that N processes map
 *	broken/WHO/SCHEME	  of a page that one of 1,000 relatives broke off
 *	live/...		  the same with page tables (rmap-live.c)
 *	readers/...		  by several threads at once (rmap-readers.c)
 *	guest-64G/SCHEME/...	  16.7 million frames in 10,000 regions
 *
 * Times are CPU time, since others share the machine; calls a second are not.
 * Schemes take turns in each round.  Except for live/ there is no PTE provider,
 * so that the map is measured and not page tables.
 *
 * usage: rmap-compare [--quick] [--rounds N] [--only GROUP] [--json FILE]
 *		       [--plot]
 */
#include "config.h"

#include <malloc.h>
#include <popt.h>
#include <stdbool.h>

#include "tests/bench/rmap-compare.h"
#include "tests/bench/rmap-trace.h"

const char *const compare_schemes[NR_SCHEMES] = { "anon_vma", "anon_mm",
						  "pte_chain" };
int compare_quick;

void compare_die(const char *what, int rc)
{
	fprintf(stderr, "rmap-compare: %s: %s\n", what, strerror(-rc));
	exit(1);
}

struct rmap *compare_map(enum rmap_scheme scheme, uint64_t nr_frames)
{
	struct rmap_config c = { .nr_frames = nr_frames, .scheme = scheme };
	struct rmap *map;
	int rc = rmap_new(&map, &c);

	if (rc)
		compare_die("rmap_new", rc);
	return map;
}

void compare_report(struct bench *b, enum rmap_scheme scheme, const char *unit,
		    double value, const char *fmt, ...)
{
	char name[96], part[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(part, sizeof(part), fmt, ap);
	va_end(ap);
	snprintf(name, sizeof(name), "%s/%s", part, compare_schemes[scheme]);
	bench_add(b, name, unit, value);
}

/* --- histories ------------------------------------------------------------ */

static double clock_cost_ns;

static void calibrate(void)
{
	uint64_t from = bench_thread_cpu_ns();

	for (unsigned int i = 0; i < 10000; i++)
		bench_thread_cpu_ns();
	clock_cost_ns = (double)(bench_thread_cpu_ns() - from) / 10000;
}

/*
 * Runs of events of one kind are timed as one, and what reading the clock
 * costs is taken off: it is as much as a few events.
 */
static void run_history(struct bench *b, const char *name,
			const struct trace *t, enum rmap_scheme scheme)
{
	struct rmap *map = compare_map(scheme, t->nr_frames);
	uint64_t ns[NR_TRACE_OPS] = { 0 }, nr[NR_TRACE_OPS] = { 0 };
	uint64_t runs[NR_TRACE_OPS] = { 0 };
	uint64_t peak = 0, peak_mappings = 1;
	struct rmap_stats s;

	for (size_t i = 0, end; i < t->nr; i = end) {
		enum trace_op op = t->events[i].op;
		uint64_t from = bench_thread_cpu_ns();

		for (end = i; end < t->nr && t->events[end].op == op; end++) {
			int rc = trace_apply(map, &t->events[end]);

			if (rc)
				compare_die(name, rc);
		}
		ns[op] += bench_thread_cpu_ns() - from;
		nr[op] += end - i;
		runs[op]++;
		rmap_get_stats(map, &s);
		if (s.nr_mappings >= peak_mappings) {
			peak_mappings = s.nr_mappings;
			peak = s.bytes_other;
		}
	}
	for (unsigned int op = 0; op < NR_TRACE_OPS; op++) {
		if (op != TRACE_MM && op != TRACE_MMAP && nr[op])
			compare_report(b, scheme, "ns",
			       ((double)ns[op] - clock_cost_ns *
				(double)runs[op]) / (double)nr[op],
			       "history/%s/%s", name, trace_op_names[op]);
	}
	compare_report(b, scheme, "bytes", (double)peak / (double)peak_mappings,
	       "history/%s/memory", name);
	rmap_free(map);
}

static void bench_histories(struct bench *b)
{
	for (unsigned int g = 0; g < nr_trace_generators; g++) {
		const struct trace_generator *gen = &trace_generators[g];
		struct trace t = { 0 };

		gen->fn(&t, compare_quick ? gen->small_scale : gen->big_scale,
			compare_quick ? gen->small_pages : gen->big_pages);
		for (unsigned int s = 0; s < NR_SCHEMES; s++)
			run_history(b, gen->name, &t, s);
		trace_free(&t);
	}
}

/* --- page_referenced --------------------------------------------------------- */

/* nr processes related by fork, which share `pages` pages from frame 0. */
struct rmap *compare_family(enum rmap_scheme scheme, unsigned int nr,
			   unsigned int pages, uint64_t nr_frames)
{
	struct rmap *map = compare_map(scheme, nr_frames);
	struct rmap_vma_desc d = { HEAP, HEAP + pages * RMAP_PAGE_SIZE,
				   HEAP >> RMAP_PAGE_SHIFT, RW, { 0, 0 } };
	struct rmap_mm *first, *mm;
	struct rmap_vma *vma;
	int rc = rmap_mm_add(map, 1, RMAP_NO_PGD, &first);

	rc = rc ? rc : rmap_vma_add(map, first, &d, &vma);
	for (uint64_t i = 0; !rc && i < pages; i++)
		rc = rmap_map_page(map, vma, HEAP + i * RMAP_PAGE_SIZE, i);
	for (uint32_t i = 2; !rc && i <= nr; i++)
		rc = rmap_mm_fork(map, first, i, RMAP_NO_PGD, &mm);
	if (rc)
		compare_die("family", rc);
	return map;
}

/* ns a call, over frames first, first + step, ...; each has `want` mappings. */
double compare_referenced(struct rmap *map, uint64_t first, uint64_t step,
			      uint64_t nr_frames, unsigned int want,
			      unsigned int calls)
{
	uint64_t gfn = 0, from = bench_thread_cpu_ns();
	struct rmap_referenced r;

	for (unsigned int i = 0; i < calls; i++) {
		if (rmap_page_referenced(map, first + gfn, &r) ||
		    r.nr_mappings != want)
			compare_die("page_referenced: wrong answer", -EINVAL);
		gfn = (gfn + step) % nr_frames;
	}
	return (double)(bench_thread_cpu_ns() - from) / calls;
}

/* 100 processes of 100 anonymous regions, each with an object of its own. */
static struct rmap *many_regions(enum rmap_scheme scheme, uint64_t nr_frames)
{
	struct rmap *map = compare_map(scheme, nr_frames);
	uint64_t pages = nr_frames / 10000 + 1, gfn = 0;

	for (uint32_t i = 0; i < 10000; i++) {
		uint64_t at = HEAP + (i % 100) * UINT64_C(0x40000000);
		struct rmap_vma_desc d = { at, at + pages * RMAP_PAGE_SIZE, 0,
					   RW, { 0, 0 } };
		struct rmap_mm *mm = rmap_mm_find(map, 1 + i / 100);
		struct rmap_vma *vma;
		int rc = mm ? 0 : rmap_mm_add(map, 1 + i / 100, RMAP_NO_PGD,
					      &mm);

		rc = rc ? rc : rmap_vma_add(map, mm, &d, &vma);
		for (uint64_t p = 0; !rc && p < pages && gfn < nr_frames; p++)
			rc = rmap_map_page(map, vma, at + p * RMAP_PAGE_SIZE,
					   gfn++);
		if (rc)
			compare_die("regions", rc);
	}
	return map;
}

static void bench_referenced(struct bench *b)
{
	static const unsigned int sharers[] = { 1, 10, 100, 1000 };
	unsigned int pages = 512, far = compare_quick ? 4096 : 1 << 20;

	for (unsigned int i = 0; i < 4; i++) {
		for (unsigned int s = 0; s < NR_SCHEMES; s++) {
			struct rmap *map = compare_family(s, sharers[i], pages, pages);
			unsigned int calls = (compare_quick ? 20000 : 2000000) /
					     (sharers[i] + 4);

			compare_report(b, s, "ns",
			       compare_referenced(map, 0, 1, pages, sharers[i],
					       calls),
			       "referenced/%u", sharers[i]);
			rmap_free(map);
		}
	}
	for (unsigned int s = 0; s < NR_SCHEMES; s++) {
		unsigned int calls = compare_quick ? 4096 : 500000;
		struct rmap *map = compare_family(s, 1, far, far);

		/* An odd step far from 1: no record is in a cache. */
		compare_report(b, s, "ns",
			       compare_referenced(map, 0, 514229, far, 1,
						  calls),
			       "referenced/1-of-4G");
		rmap_free(map);
		map = many_regions(s, far);
		compare_report(b, s, "ns",
			       compare_referenced(map, 0, 514229, far, 1,
						  calls),
			       "referenced/1-of-4G-in-10000");
		rmap_free(map);
	}
}

void compare_write_page(struct rmap *map, uint32_t id, uint64_t page,
		       uint64_t gfn)
{
	uint64_t addr = HEAP + page * RMAP_PAGE_SIZE;
	int rc = rmap_map_page(map, rmap_vma_find(rmap_mm_find(map, id), addr),
			       addr, gfn);

	if (rc)
		compare_die("write_page", rc);
}

static void bench_broken(struct bench *b)
{
	unsigned int nr = compare_quick ? 50 : 1001, pages = 64;

	for (unsigned int s = 0; s < NR_SCHEMES; s++) {
		struct rmap *map = compare_family(s, nr, pages, 2 * pages + nr);
		uint64_t childs = pages, own = pages + nr;

		for (uint32_t id = 2; id <= nr; id++)
			compare_write_page(map, id, id % pages, childs + id - 2);
		for (uint64_t p = 0; p < pages; p++)
			compare_write_page(map, 1, p, own + p);
		compare_report(b, s, "ns", compare_referenced(map, childs, 7, nr - 1, 1,
						   compare_quick ? 500 : 20000),
		       "broken/child");
		compare_report(b, s, "ns", compare_referenced(map, own, 7, pages, 1,
						   compare_quick ? 500 : 20000),
		       "broken/parent");
		rmap_free(map);
	}
}

/* --- a large guest --------------------------------------------------------------- */

static uint64_t resident_bytes(void)
{
	unsigned long size, resident = 0;
	FILE *f;

	malloc_trim(0);		/* what earlier maps left */
	f = fopen("/proc/self/statm", "r");

	if (f && fscanf(f, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	if (f)
		fclose(f);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Half anonymous, half of files; 100 processes of 100 regions. */
static void bench_guest(struct bench *b, enum rmap_scheme scheme)
{
	uint64_t nr_frames = compare_quick ? 1 << 18 : UINT64_C(1) << 24, gfn = 0;
	uint64_t pages = nr_frames / 10000, before = resident_bytes();
	struct rmap *map = compare_map(scheme, nr_frames);
	uint64_t empty = resident_bytes(), from = bench_thread_cpu_ns();
	struct rmap_stats s;

	for (uint32_t i = 0; i < 10000; i++) {
		uint64_t at = HEAP + (i % 100) * UINT64_C(0x40000000);
		struct rmap_vma_desc d = { at, at + pages * RMAP_PAGE_SIZE, 0,
					   RW, { 8, i % 2 ? 1 + i : 0 } };
		struct rmap_mm *mm = rmap_mm_find(map, 1 + i / 100);
		struct rmap_vma *vma;
		int rc = mm ? 0 : rmap_mm_add(map, 1 + i / 100, RMAP_NO_PGD,
					      &mm);

		rc = rc ? rc : rmap_vma_add(map, mm, &d, &vma);
		for (uint64_t p = 0; !rc && p < pages; p++)
			rc = rmap_map_page(map, vma, at + p * RMAP_PAGE_SIZE,
					   gfn++);
		if (rc)
			compare_die("guest", rc);
	}
	compare_report(b, scheme, "ns", (double)(bench_thread_cpu_ns() - from) / (double)gfn,
	       "guest-64G/map");
	rmap_get_stats(map, &s);
	compare_report(b, scheme, "bytes", (double)s.bytes_frames / (double)nr_frames,
	       "guest-64G/record-a-frame");
	compare_report(b, scheme, "bytes", (double)s.bytes_other / (double)gfn,
	       "guest-64G/rest-a-mapping");
	compare_report(b, scheme, "bytes",
	       (double)(resident_bytes() - before) / (double)gfn,
	       "guest-64G/resident-a-frame");
	compare_report(b, scheme, "KiB", (double)(empty - before) / 1024,
	       "guest-64G/resident-empty");
	rmap_free(map);
}

/* --- plot -------------------------------------------------------------------------- */

static void print_bars(const struct bench *b, const char *prefix)
{
	for (size_t i = 0; i < b->nr_series; i++) {
		const struct bench_series *s = &b->series[i];
		double median = bench_median(s->values, s->nr);
		int len = 0;

		if (strncmp(s->name, prefix, strlen(prefix)))
			continue;
		for (double v = 10; v < median; v *= 1.2589254)
			len++;
		printf("%-30s |%.*s %.0f\n", s->name, len,
		       "########################################"
		       "########################################", median);
	}
}

static void bench_guests(struct bench *b)
{
	for (unsigned int s = 0; s < NR_SCHEMES; s++)
		bench_guest(b, s);
}

static const struct {
	const char *name;
	void (*run)(struct bench *b);
} groups[] = {
	{ "referenced", bench_referenced }, { "broken", bench_broken },
	{ "live", compare_live },	    { "readers", compare_readers },
	{ "history", bench_histories },	    { "guest", bench_guests },
};

#define NR_GROUPS (sizeof(groups) / sizeof(groups[0]))

int main(int argc, const char **argv)
{
	char *json = NULL, *only = NULL;
	int rounds = 5, plot = 0, rc;
	const struct poptOption options[] = {
		{ "quick", 0, POPT_ARG_NONE, &compare_quick, 0,
		  "small histories, to see that all runs", NULL },
		{ "rounds", 0, POPT_ARG_INT, &rounds, 0, "how many (5)", "N" },
		{ "only", 0, POPT_ARG_STRING, &only, 0,
		  "referenced, broken, live, readers, history or guest",
		  "GROUP" },
		{ "json", 0, POPT_ARG_STRING, &json, 0, "write JSON", "FILE" },
		{ "plot", 0, POPT_ARG_NONE, &plot, 0,
		  "also bars of page_referenced, ten for each power of ten",
		  NULL },
		POPT_AUTOHELP POPT_TABLEEND
	};
	poptContext pc = poptGetContext(argv[0], argc, argv, options, 0);
	struct bench *b = bench_new("rmap-compare");

	rc = poptGetNextOpt(pc);
	if (rc < -1 || poptPeekArg(pc) || rounds < 1) {
		poptPrintUsage(pc, stderr, 0);
		return 2;
	}
	poptFreeContext(pc);
	calibrate();
	bench_note(b, "size", "%s", compare_quick ? "quick" : "full");
	for (int i = 0; i < rounds; i++) {
		for (unsigned int g = 0; g < NR_GROUPS; g++) {
			if (!only || !strcmp(only, groups[g].name))
				groups[g].run(b);
		}
	}
	if (plot) {
		printf("# ns of page_referenced, from 10 ns, log scale\n");
		print_bars(b, "referenced/");
		print_bars(b, "broken/");
		print_bars(b, "live/");
	}
	rc = bench_finish(b, json);
	free(json);
	free(only);
	return rc;
}
