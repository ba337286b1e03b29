// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include "vmm/util/histogram.h"

#define SUB_SHIFT 3
#define SUBS	  (1u << SUB_SHIFT)

/*
 * Below 8 each value has its own bucket; [8, 16) is the first power of two with
 * eight buckets.
 */
unsigned int histogram_index(uint64_t value)
{
	unsigned int exponent, index;

	if (value < SUBS)
		return value;
	exponent = 63 - __builtin_clzll(value);
	index = (exponent - SUB_SHIFT + 1) * SUBS +
		(value >> (exponent - SUB_SHIFT) & (SUBS - 1));
	return index < HISTOGRAM_BUCKETS ? index : HISTOGRAM_BUCKETS - 1;
}

uint64_t histogram_value(unsigned int index)
{
	unsigned int shift;
	uint64_t low;

	if (index < SUBS)
		return index;
	shift = index / SUBS - 1;
	low = (uint64_t)(SUBS + index % SUBS) << shift;
	return low + ((UINT64_C(1) << shift) >> 1);
}

uint64_t histogram_quantile(const uint64_t counts[HISTOGRAM_BUCKETS],
			    double percent)
{
	uint64_t sum = 0, seen = 0;
	unsigned int i;

	for (i = 0; i < HISTOGRAM_BUCKETS; i++)
		sum += counts[i];
	if (!sum)
		return 0;
	for (i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		seen += counts[i];
		if (seen && seen >= sum * (percent / 100))
			break;
	}
	return histogram_value(i);
}
