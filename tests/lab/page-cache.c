// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A workload for Linux guests of `vmm experiment`: most operations read a page
 * of a block device through the guest's page cache, some pages more often than
 * others (zipf), the rest write a page of anonymous memory and verify it.
 *
 *   page-cache DEVICE WORD=NUMBER...
 *
 * Words: anon_mib (32), anon_percent (20), pace_us (0), and the runner's
 * seconds, warmup_ms, report_ms, seed; others are ignored, so that the kernel's
 * whole command line can be given.  The lines it prints are the payload's.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/payload/payload.h"

struct words {
	uint64_t anon_mib, anon_percent, pace_us;
	uint64_t seconds, warmup_ms, report_ms, seed;
};

struct work {
	struct words w;
	int fd;
	uint64_t nr_file, nr_anon;
	uint64_t *anon;
	uint32_t *counters;
	struct zipf zipf;
	struct rng rng;
	uint64_t nr_ops, nr_errors;
};

static struct latency all, before, last;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void parse(struct words *w, int argc, char **argv)
{
	const struct {
		const char *name;
		uint64_t *to;
	} known[] = {
		{ "anon_mib=", &w->anon_mib },
		{ "anon_percent=", &w->anon_percent },
		{ "pace_us=", &w->pace_us }, { "seconds=", &w->seconds },
		{ "warmup_ms=", &w->warmup_ms },
		{ "report_ms=", &w->report_ms }, { "seed=", &w->seed },
	};

	for (int i = 2; i < argc; i++)
		for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
			if (!strncmp(argv[i], known[k].name,
				     strlen(known[k].name)))
				*known[k].to = strtoull(strchr(argv[i], '=') +
							1, NULL, 10);
}

static void prepare(struct work *work, const char *device)
{
	uint64_t bytes;

	work->fd = open(device, O_RDONLY);
	if (work->fd < 0 || ioctl(work->fd, BLKGETSIZE64, &bytes))
		err(1, "%s", device);
	work->nr_file = bytes / PAGE_BYTES;
	work->nr_anon = work->w.anon_mib << 8;
	work->anon = mmap(NULL, work->nr_anon * PAGE_BYTES,
			  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	work->counters = calloc(work->nr_anon, sizeof(*work->counters));
	if (work->anon == MAP_FAILED || !work->counters || !work->nr_file ||
	    !work->nr_anon)
		errx(1, "no memory, or an empty device");
	/* What a random read brings along is not what is asked about. */
	posix_fadvise(work->fd, 0, 0, POSIX_FADV_RANDOM);
	zipf_init(&work->zipf, work->nr_file);
	work->rng.state = work->w.seed * 0x10001;
	for (uint64_t i = 0; i < work->nr_anon; i++)
		page_write(work->anon + i * 512, 1, i, 0);
}

static void operate(struct work *work)
{
	static char page[PAGE_BYTES];
	uint64_t i;

	if (rng_below(&work->rng, 100) < work->w.anon_percent) {
		i = rng_below(&work->rng, work->nr_anon);
		work->nr_errors += !page_is(work->anon + i * 512, 1, i,
					    work->counters[i]);
		page_write(work->anon + i * 512, 1, i, ++work->counters[i]);
		return;
	}
	i = permute(zipf_next(&work->zipf, &work->rng), work->nr_file, 1);
	if (pread(work->fd, page, PAGE_BYTES, (off_t)(i * PAGE_BYTES)) !=
	    PAGE_BYTES)
		work->nr_errors++;
}

static void print_latencies(const struct latency *since)
{
	static struct latency d;
	static const struct {
		const char *key;
		unsigned int ppm;
	} rows[] = {
		{ "p50_ns", 500000 }, { "p90_ns", 900000 },
		{ "p99_ns", 990000 }, { "p999_ns", 999000 },
		{ "p9999_ns", 999900 }, { "max_ns", 1000000 },
	};

	d = all;
	latency_subtract(&d, since);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		printf(",\"%s\":%llu", rows[i].key, (unsigned long long)
		       latency_percentile(&d, rows[i].ppm));
}

static void report(struct work *work, uint64_t t_ns, uint64_t ops, uint64_t ns)
{
	printf("{\"event\":\"interval\",\"t_ms\":%llu,\"ops_per_s\":%.0f",
	       (unsigned long long)t_ns / 1000000, (double)ops * 1e9 / ns);
	print_latencies(&last);
	printf(",\"errors\":%llu}\n", (unsigned long long)work->nr_errors);
	last = all;
}

static void run(struct work *work)
{
	const struct words *w = &work->w;
	uint64_t start = now_ns(), now = start, then, at = start, at_ops = 0;
	uint64_t measured = 0, measured_ops = 0;

	while (now - start < w->seconds * 1000000000) {
		operate(work);
		work->nr_ops++;
		then = now_ns();
		latency_add(&all, then - now);
		now = then;
		if (!measured && now - start >= w->warmup_ms * 1000000) {
			measured = now;
			measured_ops = work->nr_ops;
			before = all;
		}
		if (now - at >= w->report_ms * 1000000) {
			report(work, now - start, work->nr_ops - at_ops,
			       now - at);
			at = now;
			at_ops = work->nr_ops;
		}
		if (w->pace_us) {
			usleep((useconds_t)w->pace_us);
			now = now_ns();
		}
	}
	puts("{\"event\":\"check\"}");
	for (uint64_t i = 0; i < work->nr_anon; i++)
		work->nr_errors += !page_is(work->anon + i * 512, 1, i,
					    work->counters[i]);
	printf("{\"event\":\"summary\",\"measured_ops_per_s\":%.0f",
	       measured && now > measured ? (double)(work->nr_ops -
	       measured_ops) * 1e9 / (double)(now - measured) : 0);
	print_latencies(&before);
	printf(",\"pages_checked\":%llu,\"errors\":%llu}\n",
	       (unsigned long long)work->nr_anon,
	       (unsigned long long)work->nr_errors);
}

int main(int argc, char **argv)
{
	struct work work = { .w = { .anon_mib = 32, .anon_percent = 20,
				    .seconds = 10, .report_ms = 1000,
				    .seed = 1 } };

	if (argc < 2)
		errx(2, "usage: page-cache DEVICE WORD=NUMBER...");
	setvbuf(stdout, NULL, _IOLBF, 0);
	parse(&work.w, argc, argv);
	prepare(&work, argv[1]);
	puts("{\"event\":\"run\"}");
	run(&work);
	return 0;
}
