// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Time by the TSC.  Its frequency, in order of trust: the command line
 * (tsc_khz=), the hypervisor's CPUID leaf 0x40000010, CPUID leaf 0x15, and a
 * measurement by the PIT's second channel.
 */
#include "tests/payload/payload.h"

#define PIT_HZ		1193182u
#define PIT_CHANNEL2	0x42
#define PIT_COMMAND	0x43
#define PIT_GATE	0x61
#define CALIBRATE_TICKS	59659u		/* 50 ms */

uint32_t payload_hypervisor_khz;	/* by entry.S */
static uint64_t khz;

static void cpuid(uint32_t leaf, uint32_t regs[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(regs[0]), "=b"(regs[1]), "=c"(regs[2]),
			   "=d"(regs[3])
			 : "a"(leaf), "c"(0));
}

static uint64_t khz_of_hypervisor(void)
{
	return payload_hypervisor_khz;
}

static uint64_t khz_of_cpu(void)
{
	uint32_t r[4];

	cpuid(0, r);
	if (r[0] < 0x15)
		return 0;
	cpuid(0x15, r);
	if (!r[0] || !r[1] || !r[2])
		return 0;
	return (uint64_t)r[2] * r[1] / r[0] / 1000;
}

static uint64_t khz_of_pit(void)
{
	uint64_t start, end, limit = 0;

	outb(PIT_GATE, (inb(PIT_GATE) & ~2u) | 1);	/* gate on, mute */
	outb(PIT_COMMAND, 0xb0);		/* channel 2, mode 0 */
	outb(PIT_CHANNEL2, CALIBRATE_TICKS & 0xff);
	outb(PIT_CHANNEL2, CALIBRATE_TICKS >> 8);
	start = rdtsc();
	/* Output goes high at the end; without a PIT it may never. */
	while (!(inb(PIT_GATE) & 0x20))
		if (++limit == 10000000)
			return 0;
	end = rdtsc();
	return (end - start) * PIT_HZ / CALIBRATE_TICKS / 1000;
}

static bool sane(uint64_t value)
{
	return value >= 100000 && value <= 20000000;
}

const char *clock_init(uint64_t tsc_khz)
{
	static const struct {
		const char *name;
		uint64_t (*khz)(void);
	} ways[] = {
		{ "cpuid-40000010", khz_of_hypervisor },
		{ "cpuid-15", khz_of_cpu },
		{ "pit", khz_of_pit },
	};

	khz = tsc_khz;
	if (khz)
		return "cmdline";
	for (unsigned int i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		khz = ways[i].khz();
		if (sane(khz))
			return ways[i].name;
	}
	return NULL;
}

uint64_t clock_tsc_khz(void)
{
	return khz;
}

uint64_t clock_ms_to_tsc(uint64_t ms)
{
	return ms * khz;
}

uint64_t clock_tsc_to_us(uint64_t tsc)
{
	return tsc / khz * 1000 + tsc % khz * 1000 / khz;
}
