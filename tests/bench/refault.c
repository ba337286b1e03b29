// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cost of touching an evicted page.
 *
 *   refault [--mem SIZE] [--runs N] [--json FILE]
 *
 * plain       pages that a process itself evicted to the host's swap
 * (MADV_PAGEOUT) plain-memfd the same, in a memfd: its refault path is longer
 * swap        the same contents as guest memory, sent by the swap sink
 * swap-memfd  the same, in a memfd as --abits soft has it store-lz4, store-zstd
 * sent to the store: a touch waits for a thread of ours
 *
 * Each run evicts all pages of each case and touches them once, in a random
 * order, by one thread; each touch is timed.  The cases take turns, and which is
 * first alternates.  "of plain" is the median of a case over that of plain, of
 * plain-memfd for a memfd, in the same run.  For the store each step is timed:
 *
 *	touch --wake--> our thread --read--> decompressed --copy--> in place --resume--> on
 *
 * "plain again" is a second plain case: its ratio is what noise alone makes.
 */
#include "config.h"

#include <errno.h>
#include <popt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/bench/bench.h"
#include "vmm/sink/sink.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"
#include "vmm/util/size.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21		/* Linux 5.4 */
#endif
#define PAGE VMM_PAGE_SIZE

static char *opt_mem = "32M", *opt_json;
static int opt_runs = 7;

static const struct poptOption options[] = {
	{ "mem", 0, POPT_ARG_STRING, &opt_mem, 0, "of each case", "SIZE" },
	{ "runs", 0, POPT_ARG_INT, &opt_runs, 0, "of each case", "N" },
	{ "json", 0, POPT_ARG_STRING, &opt_json, 0, "results", "FILE" },
	POPT_AUTOHELP POPT_TABLEEND
};

/* Sinks are opened once: what is measured is a VM that runs for long. */
struct bcase {
	const char *name;
	const struct reclaim_sink_ops *ops;	/* NULL: plain */
	const char *sink_options;
	enum guest_mem_backing backing;
	struct guest_mem *mem;
	struct reclaim_sink *sink;
	uint8_t *map;
};

static struct bcase cases[] = {
	{ .name = "plain" },
	{ .name = "plain-memfd", .backing = GUEST_MEM_MEMFD },
	{ .name = "plain again" },
	{ .name = "swap", .ops = &sink_swap },
	{ .name = "swap-memfd", .ops = &sink_swap,
	  .backing = GUEST_MEM_MEMFD },
	{ .name = "store-lz4", .ops = &sink_store, .sink_options = "shards=1" },
	{ .name = "store-zstd", .ops = &sink_store,
	  .sink_options = "shards=1,codec=zstd" },
};

#define NR_CASES (sizeof(cases) / sizeof(cases[0]))
#define NR_PLAIN 2		/* the first ones: what others are compared to */

static uint64_t nr_pages, *order, *times;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "refault: %s: %s\n", what, why);
	exit(1);
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Compresses to about a half, and no two are the same. */
static uint64_t word(uint64_t i)
{
	return i % 2 ? i / 512 : mix(i);
}

static void fill(uint8_t *map)
{
	uint64_t *words = (uint64_t *)map;

	for (uint64_t i = 0; i < nr_pages * PAGE / 8; i++)
		words[i] = word(i);
}

/* One word of each page, after the time was taken. */
static void check(const struct bcase *c)
{
	const uint64_t *words = (const uint64_t *)c->map;

	for (uint64_t i = 0; i < nr_pages; i++)
		if (words[i * 512 + i % 512] != word(i * 512 + i % 512))
			die(c->name, "a page came back different");
}

static void open_plain(struct bcase *c, uint64_t bytes)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS, fd = -1;

	if (c->backing == GUEST_MEM_MEMFD) {
		flags = MAP_SHARED;
		fd = memfd_create("plain", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, bytes))
			die(c->name, strerror(errno));
	}
	c->map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (c->map == MAP_FAILED)
		die(c->name, strerror(errno));
	madvise(c->map, bytes, MADV_NOHUGEPAGE);
}

static void open_case(struct bcase *c)
{
	uint64_t bytes = nr_pages * PAGE;
	char why[512] = "";

	if (!c->ops) {
		open_plain(c, bytes);
		return;
	}
	if (guest_mem_new(&c->mem, bytes, c->backing))
		die(c->name, "no memory");
	c->map = guest_mem_ptr(c->mem, GPA(0), bytes);
	if (c->ops->open(&c->sink, c->mem, c->sink_options, why, sizeof(why)))
		die(c->name, why);
}

/* By the kernel's word, of a process of any kind. */
static uint64_t nr_resident(const uint8_t *map)
{
	static unsigned char *here;
	uint64_t n = 0;

	here = here ? here : bench_check(malloc(nr_pages));
	if (mincore((void *)map, nr_pages * PAGE, here))
		die("mincore", strerror(errno));
	for (uint64_t i = 0; i < nr_pages; i++)
		n += here[i] & 1;
	return n;
}

static void send_away(struct bcase *c)
{
	const struct gfn_range all = { GFN(0), nr_pages };
	struct reclaim_result res = { 0 };
	int rc = 0;

	/* The kernel keeps a few newest pages of each CPU: a second call. */
	for (int i = 0; i < 2; i++) {
		if (c->ops)
			rc = c->ops->evict(c->sink, &all, 1, &res);
		else if (madvise(c->map, nr_pages * PAGE, MADV_PAGEOUT))
			rc = -errno;
		if (rc)
			die(c->name, strerror(-rc));
	}
}

struct parts {
	double wake, read, copy, resume;
	uint64_t nr;
};

static void note_parts(const struct bcase *c, struct parts *p, uint64_t start,
		       uint64_t end)
{
	struct reclaim_sink_stats s;

	c->ops->get_stats(c->sink, &s);
	if (s.last_fault_start_ns < start || s.last_fault_end_ns > end)
		return;
	p->wake += s.last_fault_start_ns - start;
	p->resume += end - s.last_fault_end_ns;
	p->nr++;
}

static void touch_all(struct bcase *c, struct parts *p)
{
	struct reclaim_sink_stats before = { 0 }, after;
	bool is_store = c->ops && c->ops->get_stats;

	if (is_store)
		c->ops->get_stats(c->sink, &before);
	for (uint64_t i = 0; i < nr_pages; i++) {
		volatile uint8_t *at = c->map + order[i] * PAGE;
		uint64_t start = clock_now_ns();

		(void)*at;
		times[i] = clock_now_ns() - start;
		if (is_store)
			note_parts(c, p, start, start + times[i]);
	}
	if (!is_store)
		return;
	c->ops->get_stats(c->sink, &after);
	p->read = (after.fault_read_ns_total - before.fault_read_ns_total) /
		  (double)(after.nr_faults - before.nr_faults);
	p->copy = (after.fault_copy_ns_total - before.fault_copy_ns_total) /
		  (double)(after.nr_faults - before.nr_faults);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void add(struct bench *b, const struct bcase *c, const char *what,
		const char *unit, double value)
{
	char name[96];

	snprintf(name, sizeof(name), "%s/%s", c->name, what);
	bench_add(b, name, unit, value);
}

/* The median touch, ns. */
static double run_case(struct bench *b, struct bcase *c)
{
	struct parts p = { 0 };
	uint64_t left;

	fill(c->map);
	send_away(c);
	left = nr_resident(c->map);
	touch_all(c, &p);
	check(c);
	qsort(times, nr_pages, sizeof(*times), compare);
	add(b, c, "p50", "ns", times[nr_pages / 2]);
	add(b, c, "p99", "ns", times[nr_pages * 99 / 100]);
	add(b, c, "not away", "pages", left);
	if (p.nr) {
		add(b, c, "wake (mean)", "ns", p.wake / p.nr);
		add(b, c, "read (mean)", "ns", p.read);
		add(b, c, "copy (mean)", "ns", p.copy);
		add(b, c, "resume (mean)", "ns", p.resume / p.nr);
	}
	return times[nr_pages / 2];
}

static void run(struct bench *b, int round)
{
	double median[NR_CASES];

	for (size_t k = 0; k < NR_CASES; k++) {
		size_t i = round % 2 ? NR_CASES - 1 - k : k;

		median[i] = run_case(b, &cases[i]);
	}
	for (size_t i = NR_PLAIN; i < NR_CASES; i++)
		add(b, &cases[i], "of plain", "ratio", median[i] /
		    median[cases[i].backing == GUEST_MEM_MEMFD]);
}

static void shuffle(void)
{
	for (uint64_t i = 0; i < nr_pages; i++)
		order[i] = i;
	for (uint64_t i = nr_pages - 1; i; i--) {
		uint64_t k = mix(i) % (i + 1), t = order[i];

		order[i] = order[k];
		order[k] = t;
	}
}

int main(int argc, const char **argv)
{
	poptContext popt = poptGetContext("refault", argc, argv, options, 0);
	struct bench *b = bench_new("refault");
	uint64_t bytes;
	int rc = poptGetNextOpt(popt);

	if (rc < -1) {
		fprintf(stderr, "refault: %s: %s\n", poptBadOption(popt, 0),
			poptStrerror(rc));
		return 2;
	}
	if (size_parse(opt_mem, &bytes) || bytes < 2 << 20 ||
	    bytes % (2 << 20) || opt_runs < 1) {
		fprintf(stderr, "refault: --mem SIZE is a multiple of 2M, "
			"--runs 1 or more\n");
		return 2;
	}
	nr_pages = bytes / PAGE;
	order = bench_check(malloc(nr_pages * sizeof(*order)));
	times = bench_check(malloc(nr_pages * sizeof(*times)));
	shuffle();
	for (size_t i = 0; i < NR_CASES; i++)
		open_case(&cases[i]);
	for (int round = 0; round < opt_runs; round++)
		run(b, round);
	for (size_t i = 0; i < NR_CASES; i++)
		if (cases[i].ops) {
			cases[i].ops->close(cases[i].sink);
			guest_mem_free(cases[i].mem);
		}
	bench_note(b, "pages-a-case", "%llu", (unsigned long long)nr_pages);
	free(order);
	free(times);
	poptFreeContext(popt);
	return bench_finish(b, opt_json);
}
