// SPDX-License-Identifier: GPL-2.0-or-later
/* Measures this host's memory and swap. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/balance/guests.h"
#include "vmm/mem/addr.h"
#include "vmm/util/clock.h"
#include "vmm/util/pressure.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21		/* Linux 5.4 */
#endif

#define NR_PAGES  512
#define MIN_PAGES 64		/* evicted, for a valid result */

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Contents similar to those of programs: half of each page repeats. */
static void fill(uint8_t *p)
{
	uint64_t *words = (uint64_t *)p;

	for (size_t i = 0; i < NR_PAGES * VMM_PAGE_SIZE / 8; i++)
		words[i] = i % 2 ? 0 : i * UINT64_C(0x9e3779b97f4a7c15);
}

/* The median over pages in swap: readahead may already have read others. */
static double time_touches(volatile uint8_t *p)
{
	uint64_t ns[NR_PAGES], start;
	unsigned char here;
	size_t nr = 0;

	for (size_t i = 0; i < NR_PAGES; i++) {
		/* In an order that readahead does not predict. */
		volatile uint8_t *at = p + i * 167 % NR_PAGES * VMM_PAGE_SIZE;

		if (mincore((void *)at, VMM_PAGE_SIZE, &here) || (here & 1))
			continue;
		start = clock_now_ns();
		(void)*at;
		ns[nr++] = clock_now_ns() - start;
	}
	if (nr < MIN_PAGES)
		return 0;
	qsort(ns, nr, sizeof(*ns), compare);
	return ns[nr / 2];
}

double balance_swap_cost_ns(void)
{
	size_t len = NR_PAGES * VMM_PAGE_SIZE;
	double ns = 0;
	uint8_t *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 0;
	madvise(p, len, MADV_NOHUGEPAGE);
	fill(p);
	if (!madvise(p, len, MADV_PAGEOUT))
		ns = time_touches(p);
	munmap(p, len);
	return ns;
}

uint64_t balance_host_available(void)
{
	int64_t bytes = pressure_available();

	return bytes > 0 ? bytes : 0;
}
