// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How much one scan a second slows down a guest that loops over its hot pages:
 * rounds a second with scans, compared to the same guest without, measured
 * right after each other and in alternating order.
 *
 * Other load on the machine slows down a guest more than a scan does: so
 * besides rounds by wall time there are rounds by the CPU time of the vCPU
 * thread.  That includes its faults and its waiting for KVM's locks, and of
 * other programs only their effect on caches and on the core that two hardware
 * threads share.  Free of the latter is the share of that CPU time spent in the
 * host's kernel: faults and waiting, but not what a colder TLB costs the guest
 * itself.  Two scans precede those that are measured: by then a source with a
 * budget has spent what it had saved.
 */
#include "config.h"

#include <stdlib.h>

#include "tests/bench/abits.h"
#include "vmm/util/clock.h"

#define NR_BEFORE 2

struct rate {
	double by_clock, by_cpu;	/* rounds a second */
	double in_kernel;		/* of the vCPU's time, share */
	double scan_cpu;		/* of our thread, share of the time */
};

static void sleep_until(uint64_t ns)
{
	struct timespec ts = { ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) ==
	       EINTR)
		;
}

/* Clock ticks of the vCPU in the guest, or in user space; in the kernel. */
static void vcpu_ticks(const struct subject *s, double *outside, double *kernel)
{
	char path[64], line[1024];
	const char *fields;
	unsigned long utime = 0, stime = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat",
		 (int)tiny_vm_tid(s->vm));
	f = bench_check(fopen(path, "re"));
	fields = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	if (!fields || sscanf(fields, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u "
			      "%*u %*u %lu %lu", &utime, &stime) != 2)
		check(path, -EIO);
	*outside = utime;
	*kernel = stime;
}

static void scan(struct subject *s)
{
	check("scan", s->src->ops->harvest(s->src, s->range, s->young));
}

/* One scan at each full second, and none at the end. */
static struct rate measure(struct subject *s, unsigned int seconds, bool scans)
{
	double outside[2], kernel[2];
	uint64_t start, cpu, rounds, own, wall;

	if (scans) {
		check("arm", s->src->ops->arm(s->src, s->range));
		for (int i = 0; i < NR_BEFORE; i++) {
			sleep_until(clock_now_ns() + NSEC_PER_SEC);
			scan(s);
		}
		sleep_until(clock_now_ns() + NSEC_PER_SEC);
	}
	vcpu_ticks(s, &outside[0], &kernel[0]);
	start = clock_now_ns();
	own = bench_thread_cpu_ns();
	cpu = tiny_vm_cpu_ns(s->vm);
	rounds = tiny_vm_rounds(s->vm);
	for (unsigned int i = 0; i < seconds; i++) {
		if (scans)
			scan(s);
		sleep_until(start + (i + 1) * NSEC_PER_SEC);
	}
	rounds = tiny_vm_rounds(s->vm) - rounds;
	cpu = tiny_vm_cpu_ns(s->vm) - cpu;
	wall = clock_now_ns() - start;
	own = bench_thread_cpu_ns() - own;
	vcpu_ticks(s, &outside[1], &kernel[1]);
	kernel[1] -= kernel[0];
	outside[1] -= outside[0];
	return (struct rate){
		.by_clock = rounds * 1e9 / wall,
		.by_cpu = cpu ? rounds * 1e9 / cpu : 0,
		.in_kernel = kernel[1] + outside[1] > 0 ?
			kernel[1] / (kernel[1] + outside[1]) : 0,
		.scan_cpu = (double)own / wall,
	};
}

static double lost_percent(double with, double without)
{
	return without > 0 ? 100 * (1 - with / without) : 0;
}

void slowdown(struct bench *b, const char *name, uint64_t nr_pages, bool huge,
	      unsigned int percent, unsigned int seconds, bool scan_first)
{
	struct rate with = { 0 }, without = { 0 };
	char text[128], label[64];
	struct subject s;

	if (!subject_new(&s, b, name, nr_pages, huge))
		return;
	snprintf(label, sizeof(label), "%s %s", name, huge ? "2M" : "4K");
	subject_touch(&s, percent);
	check("the guest", tiny_vm_wait(s.vm, 2));
	for (int i = 0; i < 2; i++) {
		bool scans = (i == 0) == scan_first;

		if (scans && !subject_open(&s, b, name))
			goto out;
		*(scans ? &with : &without) = measure(&s, seconds, scans);
		subject_close(&s);
		check("the guest", tiny_vm_wait(s.vm, 2));
	}
	snprintf(text, sizeof(text), "%s guest lost, by cpu", label);
	bench_add(b, text, "%", lost_percent(with.by_cpu, without.by_cpu));
	snprintf(text, sizeof(text), "%s guest lost, in the kernel", label);
	bench_add(b, text, "%", 100 * (with.in_kernel - without.in_kernel));
	snprintf(text, sizeof(text), "%s guest lost, by clock", label);
	bench_add(b, text, "%", lost_percent(with.by_clock, without.by_clock));
	snprintf(text, sizeof(text), "%s scanner", label);
	bench_add(b, text, "% of a CPU", 100 * with.scan_cpu);
out:
	subject_free(&s);
}
