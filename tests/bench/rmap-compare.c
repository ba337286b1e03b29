// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The three schemes of the reverse map beside each other:
 *
 *	history/NAME/SCHEME/...	  recorded histories: ns of each kind of event,
 *				  and the most memory held, by mapping
 *	referenced/N/SCHEME	  page_referenced of a page that N processes map
 *	broken/WHO/SCHEME	  of a page that one of 1,000 relatives broke off
 *	threads/N/SCHEME	  of a page of ten, N readers at once, no lock:
 *				  CPU time a call, and calls a second
 *	guest-64G/SCHEME/...	  16.7 million frames in 10,000 regions
 *
 * Times are CPU time, since others share the machine; calls a second are not.
 * Schemes take turns in each round.  Without a PTE provider, so that the map
 * is measured and not somebody's page tables.
 *
 * usage: rmap-compare [--quick] [--rounds N] [--json FILE] [--plot]
 */
#include "config.h"

#include <malloc.h>
#include <popt.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "tests/bench/bench.h"
#include "tests/bench/rmap-trace.h"

#define NR_SCHEMES 3
#define HEAP	   UINT64_C(0x10000000)
#define RW	   (RMAP_VM_READ | RMAP_VM_WRITE)

static const char *const schemes[NR_SCHEMES] = { "anon_vma", "anon_mm",
						 "pte_chain" };

static int quick, plot;

static void die(const char *what, int rc)
{
	fprintf(stderr, "rmap-compare: %s: %s\n", what, strerror(-rc));
	exit(1);
}

static struct rmap *new_map(enum rmap_scheme scheme, uint64_t nr_frames)
{
	struct rmap_config c = { .nr_frames = nr_frames, .scheme = scheme };
	struct rmap *map;
	int rc = rmap_new(&map, &c);

	if (rc)
		die("rmap_new", rc);
	return map;
}

__attribute__((format(printf, 5, 6))) static void
report(struct bench *b, enum rmap_scheme scheme, const char *unit, double value,
       const char *fmt, ...)
{
	char name[96], part[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(part, sizeof(part), fmt, ap);
	va_end(ap);
	snprintf(name, sizeof(name), "%s/%s", part, schemes[scheme]);
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
	struct rmap *map = new_map(scheme, t->nr_frames);
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
				die(name, rc);
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
			report(b, scheme, "ns",
			       ((double)ns[op] - clock_cost_ns *
				(double)runs[op]) / (double)nr[op],
			       "history/%s/%s", name, trace_op_names[op]);
	}
	report(b, scheme, "bytes", (double)peak / (double)peak_mappings,
	       "history/%s/memory", name);
	rmap_free(map);
}

static void bench_histories(struct bench *b)
{
	for (unsigned int g = 0; g < nr_trace_generators; g++) {
		const struct trace_generator *gen = &trace_generators[g];
		struct trace t = { 0 };

		gen->fn(&t, quick ? gen->small_scale : gen->big_scale,
			quick ? gen->small_pages : gen->big_pages);
		for (unsigned int s = 0; s < NR_SCHEMES; s++)
			run_history(b, gen->name, &t, s);
		trace_free(&t);
	}
}

/* --- page_referenced --------------------------------------------------------- */

/* nr processes related by fork, which share `pages` pages from frame 0. */
static struct rmap *family(enum rmap_scheme scheme, unsigned int nr,
			   unsigned int pages, uint64_t nr_frames)
{
	struct rmap *map = new_map(scheme, nr_frames);
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
		die("family", rc);
	return map;
}

/* ns a call, over frames first, first + step, ...; each has `want` mappings. */
static double time_referenced(struct rmap *map, uint64_t first, uint64_t step,
			      uint64_t nr_frames, unsigned int want,
			      unsigned int calls)
{
	uint64_t gfn = 0, from = bench_thread_cpu_ns();
	struct rmap_referenced r;

	for (unsigned int i = 0; i < calls; i++) {
		if (rmap_page_referenced(map, first + gfn, &r) ||
		    r.nr_mappings != want)
			die("page_referenced: wrong answer", -EINVAL);
		gfn = (gfn + step) % nr_frames;
	}
	return (double)(bench_thread_cpu_ns() - from) / calls;
}

static void bench_referenced(struct bench *b)
{
	static const unsigned int sharers[] = { 1, 10, 100, 1000 };
	unsigned int pages = 512, far = quick ? 4096 : 1 << 20;

	for (unsigned int i = 0; i < 4; i++) {
		for (unsigned int s = 0; s < NR_SCHEMES; s++) {
			struct rmap *map = family(s, sharers[i], pages, pages);
			unsigned int calls = (quick ? 20000 : 2000000) /
					     (sharers[i] + 4);

			report(b, s, "ns",
			       time_referenced(map, 0, 1, pages, sharers[i],
					       calls),
			       "referenced/%u", sharers[i]);
			rmap_free(map);
		}
	}
	for (unsigned int s = 0; s < NR_SCHEMES; s++) {
		struct rmap *map = family(s, 1, far, far);

		/* An odd step far from 1: no record is in a cache. */
		report(b, s, "ns", time_referenced(map, 0, 514229, far, 1,
						   quick ? 4096 : 500000),
		       "referenced/1-of-4G");
		rmap_free(map);
	}
}

static void write_page(struct rmap *map, uint32_t id, uint64_t page,
		       uint64_t gfn)
{
	uint64_t addr = HEAP + page * RMAP_PAGE_SIZE;
	int rc = rmap_map_page(map, rmap_vma_find(rmap_mm_find(map, id), addr),
			       addr, gfn);

	if (rc)
		die("write_page", rc);
}

static void bench_broken(struct bench *b)
{
	unsigned int nr = quick ? 50 : 1001, pages = 64;

	for (unsigned int s = 0; s < NR_SCHEMES; s++) {
		struct rmap *map = family(s, nr, pages, 2 * pages + nr);
		uint64_t childs = pages, own = pages + nr;

		for (uint32_t id = 2; id <= nr; id++)
			write_page(map, id, id % pages, childs + id - 2);
		for (uint64_t p = 0; p < pages; p++)
			write_page(map, 1, p, own + p);
		report(b, s, "ns", time_referenced(map, childs, 7, nr - 1, 1,
						   quick ? 500 : 20000),
		       "broken/child");
		report(b, s, "ns", time_referenced(map, own, 7, pages, 1,
						   quick ? 500 : 20000),
		       "broken/parent");
		rmap_free(map);
	}
}

/* --- threads ------------------------------------------------------------------ */

struct team {
	struct rmap *map;
	unsigned int pages, calls;
	atomic_bool go;
};

struct member {
	struct team *team;
	pthread_t thread;
	double ns;
};

static void *member(void *arg)
{
	struct member *m = arg;
	struct team *t = m->team;

	while (!atomic_load(&t->go))
		sched_yield();
	m->ns = time_referenced(t->map, 0, 1, t->pages, 10, t->calls);
	return NULL;
}

static void bench_threads(struct bench *b)
{
	for (unsigned int n = 1; n <= 16; n *= 2) {
		for (unsigned int s = 0; s < NR_SCHEMES; s++) {
			struct team t = { .pages = 512,
					  .calls = (quick ? 16000 : 800000) / n };
			struct member members[16];
			double ns = 0;
			uint64_t from;

			t.map = family(s, 10, t.pages, t.pages);
			for (unsigned int i = 0; i < n; i++) {
				int rc;

				members[i].team = &t;
				rc = pthread_create(&members[i].thread, NULL,
						    member, &members[i]);
				if (rc)
					die("pthread_create", -rc);
			}
			from = bench_now_ns();
			atomic_store(&t.go, true);
			for (unsigned int i = 0; i < n; i++) {
				pthread_join(members[i].thread, NULL);
				ns += members[i].ns / n;
			}
			report(b, s, "ns", ns, "threads/%u/cpu", n);
			report(b, s, "Mcalls/s", 1e3 * n * t.calls /
			       (double)(bench_now_ns() - from),
			       "threads/%u/rate", n);
			rmap_free(t.map);
		}
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
	uint64_t nr_frames = quick ? 1 << 18 : UINT64_C(1) << 24, gfn = 0;
	uint64_t pages = nr_frames / 10000, before = resident_bytes();
	struct rmap *map = new_map(scheme, nr_frames);
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
			die("guest", rc);
	}
	report(b, scheme, "ns", (double)(bench_thread_cpu_ns() - from) / (double)gfn,
	       "guest-64G/map");
	rmap_get_stats(map, &s);
	report(b, scheme, "bytes", (double)s.bytes_frames / (double)nr_frames,
	       "guest-64G/record-a-frame");
	report(b, scheme, "bytes", (double)s.bytes_other / (double)gfn,
	       "guest-64G/rest-a-mapping");
	report(b, scheme, "bytes",
	       (double)(resident_bytes() - before) / (double)gfn,
	       "guest-64G/resident-a-frame");
	report(b, scheme, "KiB", (double)(empty - before) / 1024,
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

int main(int argc, const char **argv)
{
	char *json = NULL;
	int rounds = 5, rc;
	const struct poptOption options[] = {
		{ "quick", 0, POPT_ARG_NONE, &quick, 0,
		  "small histories, to see that all runs", NULL },
		{ "rounds", 0, POPT_ARG_INT, &rounds, 0, "how many (5)", "N" },
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
	bench_note(b, "size", "%s", quick ? "quick" : "full");
	for (int i = 0; i < rounds; i++) {
		bench_referenced(b);
		bench_broken(b);
		bench_threads(b);
		bench_histories(b);
		for (unsigned int s = 0; s < NR_SCHEMES; s++)
			bench_guest(b, s);
	}
	if (plot) {
		printf("# ns of page_referenced, from 10 ns, log scale\n");
		print_bars(b, "referenced/");
		print_bars(b, "broken/");
	}
	rc = bench_finish(b, json);
	free(json);
	return rc;
}
