// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a harvest costs, by source, page size and share of hot pages.
 *
 *   abits [--abits NAME[,NAME...]] [--mem SIZE] [--runs N] [--json FILE]
 *
 * Of each harvest: wall time a 4 KiB page (it includes kernel threads that
 * work for the source), and CPU time of our own thread a GiB.  "last look" is
 * the time of a harvest of 4096 neighbouring pages.  "guest" is what a touch
 * costs the guest in the two rounds after bits were cleared or pages unmapped:
 * half of it is the price of the first touch.  Sources that cannot serve
 * here are named with the reason.
 */
#include "config.h"

#include <errno.h>
#include <popt.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"
#include "vmm/access/source.h"
#include "vmm/access/tiny_vm.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/size.h"

#define LOOK_PAGES 4096

static char *opt_abits = "kvm-young,damon,page-idle,soft", *opt_mem = "256M";
static char *opt_json;
static int opt_runs = 5;

static const struct poptOption options[] = {
	{ "abits", 0, POPT_ARG_STRING, &opt_abits, 0, "sources", "NAME,..." },
	{ "mem", 0, POPT_ARG_STRING, &opt_mem, 0, "guest memory", "SIZE" },
	{ "runs", 0, POPT_ARG_INT, &opt_runs, 0, "harvests a case", "N" },
	{ "json", 0, POPT_ARG_STRING, &opt_json, 0, "results", "FILE" },
	POPT_AUTOHELP POPT_TABLEEND
};

static const struct {
	const char *name;
	unsigned int percent;
} shares[] = { { "cold", 0 }, { "1% hot", 1 }, { "hot", 100 } };

static void die(const char *what, int err)
{
	fprintf(stderr, "abits: %s: %s\n", what, strerror(-err));
	exit(1);
}

static void harvest(struct bench *b, const char *label, const char *share,
		    struct access_source *src, struct gfn_range range,
		    uint64_t *young)
{
	uint64_t cpu = bench_thread_cpu_ns(), wall = bench_now_ns();
	double gib = range.nr / 262144.0;
	char name[96];
	int err = src->ops->harvest(src, range, young);

	wall = bench_now_ns() - wall;
	cpu = bench_thread_cpu_ns() - cpu;
	if (err)
		die(label, err);
	snprintf(name, sizeof(name), "%s %s wall", label, share);
	bench_add(b, name, "ns/page", (double)wall / range.nr);
	snprintf(name, sizeof(name), "%s %s own cpu", label, share);
	bench_add(b, name, "ms/GiB", cpu / gib / 1e6);
	snprintf(name, sizeof(name), "%s %s young", label, share);
	bench_add(b, name, "% of pages",
		  100.0 * bitmap_count(young, range.start.v,
				       range.start.v + range.nr) / range.nr);
	range.nr = range.nr < LOOK_PAGES ? range.nr : LOOK_PAGES;
	wall = bench_now_ns();
	err = src->ops->harvest(src, range, young);
	if (err)
		die(label, err);
	snprintf(name, sizeof(name), "%s %s last look", label, share);
	bench_add(b, name, "ms", (bench_now_ns() - wall) / 1e6);
}

static void measure(struct bench *b, const char *source, uint64_t nr_pages,
		    bool huge)
{
	struct access_source *src;
	struct access_target target;
	struct gfn_range range;
	uint64_t *gfns, *young;
	const struct access_source_ops *ops;
	struct tiny_vm *vm;
	char why[1024], label[64], name[96];
	uint64_t rounds;
	int err = access_find(&ops, source, why, sizeof(why));

	if (err) {
		fprintf(stderr, "abits: %s\n", why);
		exit(2);
	}
	/* A source that needs memory of its own kind has no huge pages. */
	if (huge && ops->backing != GUEST_MEM_ANON)
		return;
	err = tiny_vm_new(&vm, nr_pages, huge ? GUEST_MEM_THP : ops->backing);
	if (err)
		die("the guest does not run", err);
	snprintf(label, sizeof(label), "%s %s", source, huge ? "2M" : "4K");
	target = (struct access_target){ .mem = tiny_vm_mem(vm),
					 .vm_fd = tiny_vm_fd(vm) };
	range = tiny_vm_range(vm);
	gfns = calloc(nr_pages, sizeof(*gfns));
	young = bitmap_new(guest_mem_nr_frames(target.mem));
	if (!gfns || !young)
		die("memory", -ENOMEM);
	if (access_open(&src, source, &target, why, sizeof(why))) {
		bench_note(b, label, "%s", why);
		goto out;
	}
	/* The cases in turn, so that a noisy minute hits all of them. */
	for (int run = 0; run < opt_runs; run++) {
		for (size_t s = 0; s < sizeof(shares) / sizeof(*shares); s++) {
			uint64_t nr = 0, step = shares[s].percent ?
				100 / shares[s].percent * (huge ? 512 : 1) :
				nr_pages + 1;

			for (uint64_t i = 0; i < nr_pages; i += step)
				gfns[nr++] = range.start.v + i;
			err = tiny_vm_touch(vm, gfns, shares[s].percent ? nr : 0);
			if (!err)
				err = src->ops->arm(src, range);
			rounds = bench_now_ns();
			if (!err)
				err = tiny_vm_wait(vm, 2);
			if (err)
				die(label, err);
			if (shares[s].percent) {
				snprintf(name, sizeof(name), "%s %s guest",
					 label, shares[s].name);
				bench_add(b, name, "ns/touch",
					  (bench_now_ns() - rounds) /
					  (2.0 * nr));
			}
			harvest(b, label, shares[s].name, src, range, young);
		}
	}
	access_close(src);
out:
	tiny_vm_free(vm);
	free(gfns);
	free(young);
}

int main(int argc, const char **argv)
{
	poptContext ctx = poptGetContext(NULL, argc, argv, options, 0);
	struct bench *b = bench_new("abits");
	uint64_t bytes;
	char *names, *save, *name;

	if (poptGetNextOpt(ctx) != -1 || size_parse(opt_mem, &bytes) ||
	    bytes < VMM_PAGE_SIZE || opt_runs < 1) {
		fprintf(stderr, "abits: wrong usage, see --help\n");
		return 2;
	}
	poptFreeContext(ctx);
	bench_note(b, "memory", "%s", opt_mem);
	names = strdup(opt_abits);
	for (name = names ? strtok_r(names, ",", &save) : NULL; name;
	     name = strtok_r(NULL, ",", &save)) {
		measure(b, name, bytes >> VMM_PAGE_SHIFT, false);
		measure(b, name, bytes >> VMM_PAGE_SHIFT, true);
	}
	free(names);
	return bench_finish(b, opt_json);
}
