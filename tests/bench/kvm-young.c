// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a page costs the kvm-young module: by walking, with and without the
 * skipping of unused tables, and by KVM's own notifier operations.
 *
 *   kvm-young [--mem SIZE] [--runs N] [--json FILE]
 *
 * The three ways take the bits of the same guest in turn, each after the guest
 * went through its list of pages again; "times" is the notifier's time divided
 * by the walk's of the same turn.  The time is that of the calls, including
 * their TLB flushes.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <popt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "vmm/access/tiny-vm.h"
#include "vmm/kmod/kvm-young-abi.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/size.h"

static char *opt_mem = "256M", *opt_json;
static int opt_runs = 5;

static const struct poptOption options[] = {
	{ "mem", 0, POPT_ARG_STRING, &opt_mem, 0, "guest memory", "SIZE" },
	{ "runs", 0, POPT_ARG_INT, &opt_runs, 0, "turns a case", "N" },
	{ "json", 0, POPT_ARG_STRING, &opt_json, 0, "results", "FILE" },
	POPT_AUTOHELP POPT_TABLEEND
};

static const struct {
	const char *name;
	uint32_t flags, method;
} ways[] = {
	{ "walk", 0, KVM_YOUNG_BY_WALK },
	{ "walk, every leaf", KVM_YOUNG_ALL_LEAVES, KVM_YOUNG_BY_WALK },
	{ "notifier", KVM_YOUNG_NOTIFIER, KVM_YOUNG_BY_NOTIFIER },
};
enum { WALK, EVERY_LEAF, NOTIFIER, NR_WAYS };

static const struct {
	const char *name;
	unsigned int percent;
} shares[] = { { "cold", 0 }, { "1% hot", 1 }, { "hot", 100 } };

static int ky_fd;

static void die(const char *what, int err)
{
	fprintf(stderr, "kvm-young: %s: %s\n", what, strerror(-err));
	exit(1);
}

/* Nanoseconds for all of the range. */
static uint64_t take(struct tiny_vm *vm, uint64_t nr, int way, uint64_t *young,
		     uint64_t *nr_young)
{
	const uint8_t *at = guest_mem_ptr(tiny_vm_mem(vm),
		GPA(tiny_vm_range(vm).start.v << VMM_PAGE_SHIFT),
		nr << VMM_PAGE_SHIFT);
	uint64_t done = 0, began = bench_now_ns();

	*nr_young = 0;
	while (done < nr) {
		struct kvm_young_scan scan = {
			.size = sizeof(scan), .vm_fd = tiny_vm_fd(vm),
			.flags = KVM_YOUNG_CLEAR | KVM_YOUNG_FLUSH |
				 ways[way].flags,
			.hva = (uintptr_t)at + (done << VMM_PAGE_SHIFT),
			.nr_pages = nr - done,
			.young = (uintptr_t)(young + done / 64),
		};

		if (ioctl(ky_fd, KVM_YOUNG_SCAN, &scan))
			die("a scan", -errno);
		if (scan.method != ways[way].method)
			die("this kernel is not served by walking", -ENOTSUP);
		done += scan.nr_scanned;
		*nr_young += scan.nr_young;
	}
	return bench_now_ns() - began;
}

/* Each way in turn, on a guest that uses what is on its list. */
static void one_turn(struct bench *b, struct tiny_vm *vm, uint64_t nr,
		     const char *label, uint64_t *young)
{
	uint64_t ns[NR_WAYS], nr_young;
	char name[96];

	for (int way = 0; way < NR_WAYS; way++) {
		int err;

		/* Twice: what the walk skips is what two scans have not seen
		 * used. */
		for (int i = 0; i < 2; i++) {
			take(vm, nr, WALK, young, &nr_young);
			err = tiny_vm_wait(vm, 2);
			if (err)
				die("the guest", err);
		}
		ns[way] = take(vm, nr, way, young, &nr_young);
		snprintf(name, sizeof(name), "%s %s", label, ways[way].name);
		bench_add(b, name, "ns/page", (double)ns[way] / nr);
		snprintf(name, sizeof(name), "%s %s young", label,
			 ways[way].name);
		bench_add(b, name, "% of pages", 100.0 * nr_young / nr);
	}
	snprintf(name, sizeof(name), "%s notifier by walk", label);
	bench_add(b, name, "times", (double)ns[NOTIFIER] / ns[WALK]);
}

static void measure(struct bench *b, uint64_t nr, bool huge)
{
	uint64_t *gfns = calloc(nr, sizeof(*gfns));
	uint64_t *young = bitmap_new(nr);
	struct tiny_vm *vm;
	char label[64];
	int err = tiny_vm_new(&vm, nr, huge ? GUEST_MEM_THP : GUEST_MEM_ANON);

	if (err || !gfns || !young)
		die("the guest does not run", err ? err : -ENOMEM);
	/* All is mapped, and each table was once used. */
	for (uint64_t i = 0; i < nr; i++)
		gfns[i] = tiny_vm_range(vm).start.v + i;
	err = tiny_vm_touch(vm, gfns, nr);
	if (!err)
		err = tiny_vm_wait(vm, 2);
	for (int run = 0; !err && run < opt_runs; run++) {
		for (size_t s = 0; s < sizeof(shares) / sizeof(*shares); s++) {
			uint64_t n = 0, step = shares[s].percent ?
				100 / shares[s].percent * (huge ? 512 : 1) :
				nr + 1;

			if (shares[s].percent == 100)
				step = 1;
			for (uint64_t i = 0; shares[s].percent && i < nr;
			     i += step)
				gfns[n++] = tiny_vm_range(vm).start.v + i;
			err = tiny_vm_touch(vm, gfns, n);
			if (err)
				break;
			snprintf(label, sizeof(label), "%s %s",
				 huge ? "2M" : "4K", shares[s].name);
			one_turn(b, vm, nr, label, young);
		}
	}
	if (err)
		die("the guest", err);
	tiny_vm_free(vm);
	free(gfns);
	free(young);
}

int main(int argc, const char **argv)
{
	poptContext ctx = poptGetContext(NULL, argc, argv, options, 0);
	struct bench *b = bench_new("kvm-young");
	uint64_t bytes;

	if (poptGetNextOpt(ctx) != -1 || size_parse(opt_mem, &bytes) ||
	    bytes < VMM_PAGE_SIZE || opt_runs < 1) {
		fprintf(stderr, "kvm-young: wrong usage, see --help\n");
		return 2;
	}
	poptFreeContext(ctx);
	ky_fd = open(KVM_YOUNG_PATH, O_RDWR | O_CLOEXEC);
	if (ky_fd < 0) {
		fprintf(stderr, "kvm-young: " KVM_YOUNG_PATH ": %s: load the "
			"module, run as root\n", strerror(errno));
		return 2;
	}
	bench_note(b, "memory", "%s", opt_mem);
	measure(b, bytes >> VMM_PAGE_SHIFT, false);
	measure(b, bytes >> VMM_PAGE_SHIFT, true);
	close(ky_fd);
	return bench_finish(b, opt_json);
}
