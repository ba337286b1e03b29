/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts of values by size, for quantiles: eight buckets from each power of two
 * to the next, so that a quantile is exact to a sixteenth.  To count from
 * several threads, add atomically to the bucket of histogram_index().
 */
#ifndef VMM_UTIL_HISTOGRAM_H
#define VMM_UTIL_HISTOGRAM_H

#include <stdint.h>

/* Values from 2^34 up (17 s in nanoseconds) are in the last bucket. */
#define HISTOGRAM_BUCKETS 256

unsigned int histogram_index(uint64_t value);
/* The middle value of the bucket. */
uint64_t histogram_value(unsigned int index);
/* percent: 0 to 100; 50 is the median.  0: nothing was counted. */
uint64_t histogram_quantile(const uint64_t counts[HISTOGRAM_BUCKETS],
			    double percent);

#endif
