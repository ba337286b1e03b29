/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many refaults a second a guest would have with x pages of memory: m(x),
 * from one histogram of idle ages.  Pure.
 *
 * Denning and Schwartz ("Properties of the working-set model", CACM 15(3),
 * 1972): the miss rate for a window T is the slope of the working set's size,
 * m(T) = ds/dT.  The histogram has that slope: a scan lasts p seconds, n(a)
 * pages are idle for a scans, so n(a) / p pages a second reach the age a, and
 * in a steady state as many older ones are used again.  A guest that keeps its
 * x youngest pages has the window T with s(T) = x, thus
 *
 *	m(x) = n(T(x)) / p - n(T(R)) / p + r	for x below R, what is resident
 *	m(x) = r * (1 - (x - R) / S)		from there to R + S
 *
 * where r is the measured number of refaults a second and S is the number of
 * pages in swap: that part of the curve is not observed, and assumed to be
 * linear.
 *
 *	m |*
 *	  | *
 *	  |  *  .						.: n(a) observed
 *	  |   **___						*: m(x)
 *	r |........`--*---.
 *	  |           |     `-----.
 *	  +-----------+------------*--------  x
 *	  0           R          R + S
 *
 * n is forced not to increase with age: pages used in one burst are not a
 * steady flow.  Ages are grouped in intervals of doubling length, so that n is
 * computed from many pages.
 */
#ifndef VMM_BALANCE_CURVE_H
#define VMM_BALANCE_CURVE_H

#include <stdint.h>

#define BALANCE_AGES	 256	/* the last: that old, or older */
#define BALANCE_POINTS	 16

struct balance_curve {
	unsigned int nr;
	double x[BALANCE_POINTS], m[BALANCE_POINTS];	/* pages; per second */
};

/* ages: resident pages by idle age in scans of period_ns. */
void balance_curve_make(struct balance_curve *curve,
			const uint64_t ages[BALANCE_AGES], uint64_t period_ns,
			uint64_t swapped, double refaults_per_s);

/* Refaults a second with x pages. */
double balance_curve_at(const struct balance_curve *curve, double x);

#endif
