// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a harvest costs, by source, page size and share of hot pages; and the
 * same for Linux's own methods, in the same run, in turn.
 *
 *   abits [--abits NAME[,NAME...]] [--mem SIZE] [--runs N] [--json FILE]
 *	   [--rest] [--slowdown SECONDS [--hot PERCENT]]
 *
 * Of each harvest: wall time a 4 KiB page (it includes kernel threads that work
 * for the source), and CPU time of our own thread a GiB; how many of the hot
 * pages were found, and how many of the others were reported young.  "last
 * look" is the time of a harvest of 4096 neighbouring pages.  "guest" is what a
 * touch costs the guest in the two rounds after bits were cleared or pages
 * unmapped: half of it is the cost of the first touch.  Sources that do not
 * work here are listed with the reason.
 *
 * --rest: also, what a harvest costs when reclaim is at rest, and sources may
 * scan idle memory less often: the mean of several in a row, once the backoff
 * is complete, for a guest whose first 0, 10 or 100 % of memory are hot.
 *
 * --slowdown: instead, how much one scan a second slows down a guest.
 */
#include "config.h"

#include <errno.h>
#include <popt.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/abits.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"
#include "vmm/util/size.h"

#define LOOK_PAGES 4096
#define HUGE_PAGES 512
#define MIN_TOUCHES 512

static char *opt_abits = "kvm-young,damon,page-idle,rwp,soft,linux-page_idle,"
			 "linux-clear_refs,linux-damon";
static char *opt_mem = "256M", *opt_json;
static int opt_runs = 5, opt_slowdown, opt_hot = 10, opt_rest;

static const struct poptOption options[] = {
	{ "abits", 0, POPT_ARG_STRING, &opt_abits, 0, "sources", "NAME,..." },
	{ "mem", 0, POPT_ARG_STRING, &opt_mem, 0, "guest memory", "SIZE" },
	{ "runs", 0, POPT_ARG_INT, &opt_runs, 0, "harvests a case", "N" },
	{ "rest", 0, POPT_ARG_NONE, &opt_rest, 0, "harvests at rest, too", NULL },
	{ "slowdown", 0, POPT_ARG_INT, &opt_slowdown, 0,
	  "measure the guest, so long with scans and without", "SECONDS" },
	{ "hot", 0, POPT_ARG_INT, &opt_hot, 0,
	  "of 100 pages that the guest of --slowdown goes round", "PERCENT" },
	{ "json", 0, POPT_ARG_STRING, &opt_json, 0, "results", "FILE" },
	POPT_AUTOHELP POPT_TABLEEND
};

static const struct {
	const char *name;
	unsigned int percent;
} shares[] = { { "cold", 0 }, { "1% hot", 1 }, { "hot", 100 } };

void check(const char *what, int err)
{
	if (!err)
		return;
	fprintf(stderr, "abits: %s: %s\n", what, strerror(-err));
	exit(1);
}

/* --- guests and what looks at them ------------------------------------- */

static struct way find_way(const char *name)
{
	const struct way *const linux_ways[] = {
		&linux_page_idle, &linux_clear_refs, &linux_damon,
	};
	struct way way = { 0 };
	char why[1024];

	for (size_t i = 0; i < sizeof(linux_ways) / sizeof(*linux_ways); i++)
		if (!strcmp(linux_ways[i]->ops->name, name))
			return *linux_ways[i];
	if (access_find(&way.ops, name, why, sizeof(why))) {
		fprintf(stderr, "abits: %s, linux-page_idle, linux-clear_refs, "
			"linux-damon\n", why);
		exit(2);
	}
	return way;
}

bool subject_new(struct subject *s, struct bench *b, const char *name,
		 uint64_t nr_pages, bool huge)
{
	*s = (struct subject){ .way = find_way(name), .huge = huge };
	/* A source that needs memory of its own kind has no huge pages. */
	if (huge && s->way.ops->backing != GUEST_MEM_ANON) {
		bench_note(b, name, "no huge pages but the host's pool's");
		return false;
	}
	check("the guest does not run",
	      tiny_vm_new(&s->vm, nr_pages,
			  huge ? GUEST_MEM_THP : s->way.ops->backing));
	s->range = tiny_vm_range(s->vm);
	s->gfns = bench_check(calloc(nr_pages, sizeof(*s->gfns)));
	s->young = bench_check(bitmap_new(
			guest_mem_nr_frames(tiny_vm_mem(s->vm))));
	return true;
}

bool subject_open(struct subject *s, struct bench *b, const char *name)
{
	struct access_target target = { .mem = tiny_vm_mem(s->vm),
					.vm_fd = tiny_vm_fd(s->vm) };
	char why[1024] = "";
	int err;

	if (!strncmp(name, "linux-", 6)) {
		err = s->way.ops->probe(&target, why, sizeof(why));
		if (!err)
			err = s->way.ops->open(&s->src, &target, why,
					       sizeof(why));
	} else {
		err = access_open(&s->src, name, &target, why, sizeof(why));
	}
	if (err)
		bench_note(b, name, "%s", *why ? why : strerror(-err));
	return !err;
}

void subject_close(struct subject *s)
{
	access_close(s->src);
	s->src = NULL;
}

void subject_free(struct subject *s)
{
	subject_close(s);
	tiny_vm_free(s->vm);
	free(s->gfns);
	free(s->young);
}

void subject_touch(struct subject *s, unsigned int percent)
{
	uint64_t unit = s->huge ? HUGE_PAGES : 1, nr = 0;

	for (uint64_t i = 0; percent && i < s->range.nr / unit; i++)
		if (i * percent / 100 != (i + 1) * percent / 100)
			s->gfns[nr++] = s->range.start.v + i * unit;
	/* At least one, of few huge pages. */
	if (percent && !nr)
		s->gfns[nr++] = s->range.start.v;
	check("the guest", tiny_vm_touch(s->vm, s->gfns, nr));
}

/* --- the price of a harvest -------------------------------------------- */

static void add(struct bench *b, const char *label, const char *share,
		const char *what, const char *unit, double value)
{
	char name[128];

	snprintf(name, sizeof(name), "%s %s %s", label, share, what);
	bench_add(b, name, unit, value);
}

/* Young frames among the nr_hot hot units, and among the others. */
static void add_truth(struct bench *b, const char *label, const char *share,
		      const struct subject *s, uint64_t nr_hot)
{
	uint64_t unit = s->huge ? HUGE_PAGES : 1, found = 0, all;
	uint64_t nr_units = s->range.nr / unit;

	for (uint64_t i = 0; i < nr_hot; i++)
		found += bitmap_test(s->young, s->gfns[i]);
	all = bitmap_count(s->young, s->range.start.v,
			   s->range.start.v + s->range.nr) / unit;
	if (nr_hot)
		add(b, label, share, "found", "% of hot", 100.0 * found / nr_hot);
	/* A part of a unit that was called young counts for nothing. */
	if (all < found)
		all = found;
	if (nr_hot < nr_units)
		add(b, label, share, "false", "% of cold",
		    100.0 * (all - found) / (nr_units - nr_hot));
}

static void harvest(struct bench *b, const char *label, const char *share,
		    struct subject *s, uint64_t nr_hot)
{
	const struct access_source_ops *ops = s->src->ops;
	uint64_t cpu = bench_thread_cpu_ns(), wall = bench_now_ns();
	struct gfn_range few = s->range;

	check(label, ops->harvest(s->src, s->range, s->young));
	wall = bench_now_ns() - wall;
	cpu = bench_thread_cpu_ns() - cpu;
	add(b, label, share, "wall", "ns/page", (double)wall / s->range.nr);
	add(b, label, share, "own cpu", "ms/GiB",
	    cpu / (s->range.nr / 262144.0) / 1e6);
	add_truth(b, label, share, s, nr_hot);
	few.nr = few.nr < LOOK_PAGES ? few.nr : LOOK_PAGES;
	wall = bench_now_ns();
	check(label, ops->harvest(s->src, few, s->young));
	add(b, label, share, "recheck", "ms", (bench_now_ns() - wall) / 1e6);
}

static uint64_t thread_cpu_ns(const struct subject *s)
{
	return s->way.thread_cpu_ns ? s->way.thread_cpu_ns(s->src) : 0;
}

static void window(struct bench *b, const char *label, struct subject *s,
		   size_t share)
{
	const char *name = shares[share].name;
	uint64_t nr_hot = 0, start, cpu;

	subject_touch(s, shares[share].percent);
	if (shares[share].percent)
		while (nr_hot < s->range.nr && s->gfns[nr_hot])
			nr_hot++;
	check(label, s->src->ops->arm(s->src, s->range));
	start = bench_now_ns();
	cpu = thread_cpu_ns(s);
	check("the guest", tiny_vm_wait(s->vm, 2));
	/* Of fewer the wait itself would be the time. */
	if (nr_hot >= MIN_TOUCHES)
		add(b, label, name, "guest", "ns/touch",
		    (bench_now_ns() - start) / (2.0 * nr_hot));
	nanosleep(&(struct timespec){
			s->way.window_ms / 1000,
			s->way.window_ms % 1000 * (long)NSEC_PER_MSEC }, NULL);
	if (s->way.thread_cpu_ns)
		add(b, label, name, "thread", "% of a CPU",
		    100.0 * (thread_cpu_ns(s) - cpu) /
		    (bench_now_ns() - start));
	harvest(b, label, name, s, nr_hot);
}

#define REST_WARM 160	/* harvests until idle memory is left alone */
#define REST_RUNS 64	/* each block that is ever looked at is in these */

static void rest(struct bench *b, const char *label, struct subject *s,
		 unsigned int percent)
{
	uint64_t nr = s->range.nr * percent / 100, wall = 0, found = 0;
	uint64_t unit = s->huge ? HUGE_PAGES : 1;
	char share[32];

	for (uint64_t i = 0; i < nr; i += unit)
		s->gfns[i / unit] = s->range.start.v + i;
	check("the guest", tiny_vm_touch(s->vm, s->gfns, nr / unit));
	s->src->at_rest = true;
	for (int i = 0; i < REST_WARM + REST_RUNS; i++) {
		uint64_t start;

		check("the guest", tiny_vm_wait(s->vm, 2));
		start = bench_now_ns();
		check(label, s->src->ops->harvest(s->src, s->range, s->young));
		if (i < REST_WARM)
			continue;
		wall += bench_now_ns() - start;
		for (uint64_t j = 0; j < nr / unit; j++)
			found += bitmap_test(s->young, s->gfns[j]);
	}
	s->src->at_rest = false;
	snprintf(share, sizeof(share), "%u%% hot, at rest", percent);
	add(b, label, share, "wall", "ns/page",
	    (double)wall / REST_RUNS / s->range.nr);
	if (nr >= unit)
		add(b, label, share, "found", "% of hot",
		    100.0 * found / REST_RUNS / (nr / unit));
}

/* The cases in turn, so that a noisy minute hits all of them. */
static void cost(struct bench *b, const char *name, uint64_t nr_pages,
		 bool huge)
{
	struct subject s;
	char label[64];

	if (!subject_new(&s, b, name, nr_pages, huge))
		return;
	snprintf(label, sizeof(label), "%s %s", name, huge ? "2M" : "4K");
	if (subject_open(&s, b, name)) {
		/* What is set up once is not the price of each harvest. */
		if (!s.way.window_ms)
			check(label, s.src->ops->harvest(s.src, s.range,
							 s.young));
		for (size_t i = 0; i < sizeof(shares) / sizeof(*shares); i++) {
			memset(s.gfns, 0, nr_pages * sizeof(*s.gfns));
			window(b, label, &s, i);
		}
		if (opt_rest && !s.way.window_ms) {
			rest(b, label, &s, 0);
			rest(b, label, &s, 10);
			rest(b, label, &s, 100);
		}
	}
	subject_free(&s);
}

/* Of "soft,faults=9,damon" the first is "soft,faults=9".  NULL: no more. */
static char *next_name(char **rest)
{
	char *name = *rest, *end = name ? strchr(name, ',') : NULL;

	while (end && memchr(end + 1, '=', strcspn(end + 1, ",")))
		end = strchr(end + 1, ',');
	if (end)
		*end++ = '\0';
	*rest = end;
	return name;
}

int main(int argc, const char **argv)
{
	poptContext ctx = poptGetContext(NULL, argc, argv, options, 0);
	struct bench *b = bench_new("abits");
	uint64_t bytes;

	if (poptGetNextOpt(ctx) != -1 || size_parse(opt_mem, &bytes) ||
	    bytes < HUGE_PAGES * VMM_PAGE_SIZE || opt_runs < 1 ||
	    opt_slowdown < 0 || opt_hot < 1 || opt_hot > 100) {
		fprintf(stderr, "abits: wrong usage, see --help\n");
		return 2;
	}
	poptFreeContext(ctx);
	bench_note(b, "memory", "%s", opt_mem);
	if (opt_slowdown)
		bench_note(b, "hot", "%d %%", opt_hot);
	for (int i = 0; i < 2 * opt_runs; i++) {
		char *names = bench_check(strdup(opt_abits)), *rest = names;
		char *name;

		while ((name = next_name(&rest))) {
			if (opt_slowdown)
				slowdown(b, name, bytes >> VMM_PAGE_SHIFT,
					 i % 2, opt_hot, opt_slowdown,
					 i / 2 % 2);
			else
				cost(b, name, bytes >> VMM_PAGE_SHIFT, i % 2);
		}
		free(names);
	}
	return bench_finish(b, opt_json);
}
