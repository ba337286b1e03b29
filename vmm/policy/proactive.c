// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <string.h>

#include "vmm/policy/proactive.h"

void proactive_count(struct proactive *p, unsigned int age, bool is_refault)
{
	if (age >= PROACTIVE_AGES)
		age = PROACTIVE_AGES - 1;
	p->accesses[p->current][age]++;
	p->refaults[p->current] += is_refault;
}

uint64_t proactive_refaults(const struct proactive *p)
{
	uint64_t sum = 0;

	for (int i = 0; i < PROACTIVE_WINDOWS; i++)
		sum += p->refaults[i];
	return sum;
}

/* The lowest threshold that would have stayed within a minute's budget. */
static unsigned int find_threshold(const struct proactive *p, double budget,
				   unsigned int min_idle)
{
	unsigned int nr = p->nr_ended < PROACTIVE_WINDOWS ? p->nr_ended
							  : PROACTIVE_WINDOWS;
	unsigned int threshold = PROACTIVE_NEVER;
	double sum = 0;

	/*
	 * From the highest age on, as each threshold also costs the accesses to
	 * pages of all higher ages.
	 */
	for (unsigned int a = PROACTIVE_AGES; a-- > min_idle;) {
		for (int i = 0; i < PROACTIVE_WINDOWS; i++)
			sum += p->accesses[i][a];
		if (sum * PROACTIVE_WINDOWS / nr > budget)
			break;
		threshold = a;
	}
	return threshold;
}

void proactive_tick(struct proactive *p, uint64_t now_ns, uint64_t wss_pages,
		    unsigned int ppm, unsigned int min_idle)
{
	double budget = wss_pages * (double)ppm / 1e6;

	if (!p->window_start_ns) {
		p->window_start_ns = now_ns;
		memset(p->accesses, 0, sizeof(p->accesses));
		memset(p->refaults, 0, sizeof(p->refaults));
		return;
	}
	if (now_ns - p->window_start_ns < PROACTIVE_WINDOW_NS)
		return;
	p->nr_ended++;
	p->threshold[p->current] = find_threshold(p, budget, min_idle);
	p->budget = budget;
	p->current = (p->current + 1) % PROACTIVE_WINDOWS;
	p->window_start_ns = now_ns;
	memset(p->accesses[p->current], 0, sizeof(p->accesses[0]));
	p->refaults[p->current] = 0;
}

unsigned int proactive_threshold(const struct proactive *p)
{
	unsigned int nr = p->nr_ended < PROACTIVE_WINDOWS ? p->nr_ended
							  : PROACTIVE_WINDOWS;
	unsigned int highest = nr ? 0 : PROACTIVE_NEVER;

	if (proactive_refaults(p) > p->budget)
		return PROACTIVE_NEVER;
	for (unsigned int i = 0; i < nr; i++)
		if (p->threshold[i] > highest)
			highest = p->threshold[i];
	return highest;
}
