// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include "vmm/balance/curve.h"
#include "vmm/util/clock.h"

/* First age of each interval; the last is for BALANCE_AGES - 1. */
static const unsigned int first_age[] = { 0, 1, 2, 3, 5, 9, 17, 33, 65, 129,
					  255, 256 };

#define NR_INTERVALS (sizeof(first_age) / sizeof(first_age[0]) - 1)

static void add_point(struct balance_curve *c, double x, double m)
{
	/* An empty interval: the later point replaces that at the same x. */
	if (c->nr && c->x[c->nr - 1] >= x)
		c->nr--;
	c->x[c->nr] = x;
	c->m[c->nr++] = m;
}

/*
 * Sets pages and flow (pages a second that reach its ages) of each interval,
 * and returns the last interval used.  Eviction ends the histogram anywhere,
 * also within an age: the flow of that age, `last`, is not used; and an
 * interval of which less than half remains is merged with the one before.
 */
static unsigned int make_flows(const uint64_t ages[BALANCE_AGES],
			       unsigned int last, double scan_s,
			       double pages[NR_INTERVALS],
			       double flow[NR_INTERVALS + 1])
{
	unsigned int nr = 0;

	while (first_age[nr + 1] <= last)
		nr++;
	if (nr && last < BALANCE_AGES - 1 &&
	    2 * (last - first_age[nr]) < first_age[nr + 1] - first_age[nr])
		nr--;
	for (unsigned int i = 0; i <= nr; i++) {
		unsigned int end = i < nr ? first_age[i + 1] : last;
		double n = 0;

		for (unsigned int a = first_age[i]; a < end; a++)
			n += ages[a];
		pages[i] = i < nr ? n : n + ages[last];
		if (end == first_age[i])
			flow[i] = pages[i] / scan_s;
		else
			flow[i] = n / (end - first_age[i]) / scan_s;
		if (i && flow[i] > flow[i - 1])
			flow[i] = flow[i - 1];
	}
	/* The last age has no upper bound, so its pages give no flow. */
	if (last == BALANCE_AGES - 1)
		flow[nr] = 0;
	flow[nr + 1] = 0;
	return nr;
}

void balance_curve_make(struct balance_curve *c,
			const uint64_t ages[BALANCE_AGES], uint64_t period_ns,
			uint64_t swapped, double refaults_per_s)
{
	double scan_s = (double)(period_ns ? period_ns : 1) / NSEC_PER_SEC;
	double pages[NR_INTERVALS], flow[NR_INTERVALS + 1], x = 0, m, end;
	unsigned int last = BALANCE_AGES - 1, nr;

	while (last && !ages[last])
		last--;
	nr = make_flows(ages, last, scan_s, pages, flow);
	c->nr = 0;
	m = flow[0];
	add_point(c, 0, m);
	for (unsigned int i = 0; i <= nr; i++) {
		if (i == nr)
			end = 2 * flow[i] - m;	/* the same slope */
		else if (first_age[i + 2] - first_age[i + 1] == 1)
			end = flow[i + 1];
		else
			end = (flow[i] + flow[i + 1]) / 2;
		m = end > 0 ? end : 0;
		x += pages[i];
		add_point(c, x, m);
	}
	/*
	 * Pages that reach the end of the histogram are evicted, and their
	 * refaults are measured: there m is refaults_per_s.
	 */
	for (unsigned int i = 0; i < c->nr; i++)
		c->m[i] += refaults_per_s - m;
	add_point(c, x + swapped + 1, 0);
}

double balance_curve_at(const struct balance_curve *c, double x)
{
	unsigned int i = 0;
	double part;

	if (x <= c->x[0])
		return c->m[0];
	while (i < c->nr && c->x[i] < x)
		i++;
	if (i == c->nr)
		return 0;
	part = (x - c->x[i - 1]) / (c->x[i] - c->x[i - 1]);
	return c->m[i - 1] + part * (c->m[i] - c->m[i - 1]);
}
