// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long operations took, counted in classes that are an eighth of a power of
 * two wide: a percentile is reported at most 12.5 % too high, whatever its
 * size.
 *
 * Counts only grow, so that vCPU 0 can compute the difference between two
 * points in time without stopping other vCPUs: a count that it misses is in the
 * next difference.
 */
#include "tests/payload/payload.h"

unsigned int latency_class(uint64_t value)
{
	unsigned int log2;

	if (value < LATENCY_PARTS)
		return (unsigned int)value;
	log2 = 63 - (unsigned int)__builtin_clzll(value);
	if (log2 >= LATENCY_LOG2_MAX)
		return LATENCY_CLASSES - 1;
	return (log2 - 2) * LATENCY_PARTS +
	       (unsigned int)(value >> (log2 - 3) & (LATENCY_PARTS - 1));
}

uint64_t latency_class_end(unsigned int class)
{
	unsigned int log2 = class / LATENCY_PARTS + 2;

	if (class < LATENCY_PARTS)
		return class + 1;
	return (LATENCY_PARTS + class % LATENCY_PARTS + UINT64_C(1)) <<
	       (log2 - 3);
}

void latency_add(struct latency *latency, uint64_t value)
{
	latency->counts[latency_class(value)]++;
}

void latency_sum(struct latency *sum, const struct latency *more)
{
	for (unsigned int i = 0; i < LATENCY_CLASSES; i++)
		sum->counts[i] += more->counts[i];
}

void latency_subtract(struct latency *from, const struct latency *less)
{
	for (unsigned int i = 0; i < LATENCY_CLASSES; i++)
		from->counts[i] -= less->counts[i];
}

uint64_t latency_percentile(const struct latency *latency, unsigned int ppm)
{
	uint64_t total = 0, rank, seen = 0;

	for (unsigned int i = 0; i < LATENCY_CLASSES; i++)
		total += latency->counts[i];
	if (!total)
		return 0;
	/* The smallest value that this share of all do not exceed. */
	rank = total / 1000000 * ppm + total % 1000000 * ppm / 1000000;
	if (rank >= total)
		rank = total - 1;
	for (unsigned int i = 0; i < LATENCY_CLASSES; i++) {
		seen += latency->counts[i];
		if (seen > rank)
			return latency_class_end(i);
	}
	return 0;
}
