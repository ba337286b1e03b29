// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The two kinds of guest process for the demonstration and for lab tests.  Runs
 * in the guest, static.
 *
 *   workload hot MIB    touches every page of MIB over and over; prints how
 *                       many pages a second, each second
 *   workload cold MIB   fills MIB, sleeps; on SIGUSR1 checks that every byte is
 *                       what it wrote
 *
 * The contents depend on the page's number, and no page equals another.
 */
#include <err.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define WORDS (PAGE / sizeof(uint64_t))

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* xorshift64*; the seed is never 0. */
static uint64_t next(uint64_t *x)
{
	*x ^= *x >> 12;
	*x ^= *x << 25;
	*x ^= *x >> 27;
	return *x * UINT64_C(0x2545f4914f6cdd1d);
}

static void fill(uint64_t *page, size_t nr)
{
	uint64_t x = nr + 1;

	for (size_t i = 0; i < WORDS; i++)
		page[i] = next(&x);
}

static size_t count_bad(const uint64_t *mem, size_t nr_pages, uint64_t *sum)
{
	size_t nr_bad = 0;
	uint64_t want[WORDS];

	*sum = 0;
	for (size_t p = 0; p < nr_pages; p++) {
		const uint64_t *page = mem + p * WORDS;

		fill(want, p);
		nr_bad += memcmp(page, want, PAGE) != 0;
		for (size_t i = 0; i < WORDS; i++)
			*sum = (*sum << 1 | *sum >> 63) ^ page[i];
	}
	return nr_bad;
}

static void run_hot(volatile uint64_t *mem, size_t nr_pages)
{
	size_t nr = 0;
	double start = now();

	for (;;) {
		for (size_t p = 0; p < nr_pages; p++)
			mem[p * WORDS]++;
		nr += nr_pages;
		if (now() - start >= 1) {
			printf("hot: pid %d touched %.0f pages/s\n", getpid(),
			       nr / (now() - start));
			nr = 0;
			start = now();
		}
		usleep(2000);
	}
}

static void run_cold(uint64_t *mem, size_t nr_pages, const sigset_t *set)
{
	uint64_t sum, first;
	size_t nr_bad;
	int sig;

	for (size_t p = 0; p < nr_pages; p++)
		fill(mem + p * WORDS, p);
	nr_bad = count_bad(mem, nr_pages, &first);
	printf("cold: pid %d wrote %zu pages, checksum %016llx\n", getpid(),
	       nr_pages, (unsigned long long)first);
	while (!sigwait(set, &sig)) {
		double start = now();

		nr_bad = count_bad(mem, nr_pages, &sum);
		printf("cold: pid %d checked %zu pages in %.2f s, %zu bad, "
		       "checksum %016llx: %s\n", getpid(), nr_pages,
		       now() - start, nr_bad, (unsigned long long)sum,
		       nr_bad || sum != first ? "DAMAGED" : "intact");
	}
}

int main(int argc, char **argv)
{
	size_t bytes;
	sigset_t set;
	void *mem;

	if (argc != 3)
		errx(2, "usage: workload hot|cold MIB");
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	bytes = strtoul(argv[2], NULL, 10) << 20;
	mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		err(1, "%s MiB of memory", argv[2]);
	madvise(mem, bytes, MADV_NOHUGEPAGE);
	prctl(PR_SET_NAME, argv[1]);
	if (!strcmp(argv[1], "hot"))
		run_hot(mem, bytes / PAGE);
	else if (!strcmp(argv[1], "cold"))
		run_cold(mem, bytes / PAGE, &set);
	errx(2, "workload: no kind '%s'", argv[1]);
}
