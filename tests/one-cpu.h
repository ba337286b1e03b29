/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests that count what the kernel evicts.  New pages wait in a batch of
 * the CPU that touched them, which only that CPU can drain: if touching and
 * evicting threads run on different CPUs, up to a batch stays.
 */
#ifndef TESTS_ONE_CPU_H
#define TESTS_ONE_CPU_H

#include <sched.h>

#include "tests/tap.h"

/* Threads made later inherit it.  *before may be NULL. */
__attribute__((unused)) static void stay_on_one_cpu(cpu_set_t *before)
{
	cpu_set_t all, one;
	int cpu = 0;

	if (sched_getaffinity(0, sizeof(all), &all))
		tap_bail("the CPUs that may be used can't be told");
	if (before)
		*before = all;
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		tap_bail("CPU %d can't be stayed on", cpu);
}

#endif
