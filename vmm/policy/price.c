// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <string.h>

#include "vmm/policy/price.h"

/*
 * Counts are halved when a cell has so many, so that it follows a change within
 * a few times as many pages.
 */
#define HALVE_AT_USED  32
#define HALVE_AT_PAGES 2048

/* What is assumed before counting weighs as much as so many counted pages. */
#define ASSUMED_WEIGHT 32

#define HAZARD_MIN 1e-5		/* one use in a day of scans, about */
#define LAST_STEP_SCANS (1u << 16)	/* that the last step of ages has */

/* Step i begins with the age of pages used in this scan plus this. */
static const unsigned int first_age[PRICE_AGES] = {
	1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 255,
};

/* Of a page that was used `age` scans ago, from 1 on. */
static unsigned int age_step(unsigned int age)
{
	unsigned int log;

	if (age < 4)
		return age - 1;
	if (age >= first_age[PRICE_AGES - 1])
		return PRICE_AGES - 1;
	log = 31 - __builtin_clz(age);
	return 2 * log - 1 + (age >> (log - 1) & 1);
}

void price_count(struct price_table *p, uint16_t history, unsigned int age,
		 bool used)
{
	unsigned int kind = use_history_kind(history), step = age_step(age + 1);
	float *nr_pages = &p->nr_pages[kind][step];
	float *nr_used = &p->nr_used[kind][step];

	*nr_pages += 1;
	*nr_used += used;
	if (*nr_used > HALVE_AT_USED || *nr_pages > HALVE_AT_PAGES) {
		*nr_pages /= 2;
		*nr_used /= 2;
	}
	p->is_current = false;
}

/*
 * Before anything is known: as often as until now, the idle time included.  Of
 * pages with one use this is the order of LRU.
 */
static double assumed_hazard(unsigned int kind, unsigned int step)
{
	double uses, span;

	use_history_typical(kind, &uses, &span);
	return (uses > 1 ? uses - 0.5 : 0.25 + uses / 4) /
	       (span + first_age[step] + 1);
}

/*
 * The hazards of a kind, by step.  Where few pages were counted it is assumed
 * that the hazard falls from the step before as it would if nothing was known.
 * So when pages of some age are found unused, those that reach the next step
 * are taken for unused as well.
 */
static void find_hazards(const struct price_table *p, unsigned int kind,
			 double *hazards)
{
	double before = 1, assumed = assumed_hazard(kind, 0);

	for (unsigned int i = 0; i < PRICE_AGES; i++) {
		double h = assumed_hazard(kind, i);

		if (i)
			assumed = hazards[i - 1] * h / before;
		before = h;
		h = (p->nr_used[kind][i] + ASSUMED_WEIGHT * assumed) /
		    (p->nr_pages[kind][i] + ASSUMED_WEIGHT);
		hazards[i] = h < HAZARD_MIN ? HAZARD_MIN : h > 1 ? 1 : h;
	}
}

/* base to the power of n. */
static double power(double base, unsigned int n)
{
	double result = 1;

	for (; n; n /= 2) {
		if (n % 2)
			result *= base;
		base *= base;
	}
	return result;
}

/* Monotonous in the price: its exponent, and four bits of what follows. */
unsigned int price_rank_of(double price)
{
	const int lowest = 127 - PRICE_RANKS / PRICE_RANKS_TO_DOUBLE;
	float f = price < 1 ? price : 0x1.fffffep-1f;
	uint32_t bits;
	int rank;

	memcpy(&bits, &f, sizeof(bits));
	rank = (int)(bits >> 19) - lowest * PRICE_RANKS_TO_DOUBLE;
	return rank < 0 ? 0 : rank;
}

static void update_kind(struct price_table *p, unsigned int kind)
{
	double stays[PRICE_AGES];	/* not used in all of a step */
	double scans[PRICE_AGES];	/* to expect in a step, until a use */
	double hazards[PRICE_AGES];

	find_hazards(p, kind, hazards);
	for (unsigned int i = 0; i < PRICE_AGES; i++) {
		double h = hazards[i];

		stays[i] =
			power(1 - h, i + 1 < PRICE_AGES
					     ? first_age[i + 1] - first_age[i]
					     : LAST_STEP_SCANS);
		scans[i] = (1 - stays[i]) / h;
	}
	for (unsigned int i = 0; i < PRICE_AGES; i++) {
		double unused = 1, time = 0, best = 0;

		for (unsigned int k = i; k < PRICE_AGES; k++) {
			time += unused * scans[k];
			unused *= stays[k];
			if ((1 - unused) / time > best)
				best = (1 - unused) / time;
		}
		p->rank[kind][i] = price_rank_of(best);
	}
}

void price_update(struct price_table *p)
{
	if (p->is_current)
		return;
	for (unsigned int kind = 0; kind < USE_HISTORY_KINDS; kind++)
		update_kind(p, kind);
	p->is_current = true;
}

unsigned int price_rank(const struct price_table *p, uint16_t history,
			unsigned int age)
{
	return p->rank[use_history_kind(history)][age_step(age + 1)];
}
