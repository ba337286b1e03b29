// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include "vmm/policy/use-history.h"

#define SPAN_MAX  ((1u << USE_HISTORY_SPAN_BITS) - 1)
#define USES_MAX  15u
#define FRACTION_BITS 4		/* of a mean gap */

uint16_t use_history_add(uint16_t history, unsigned int gap)
{
	unsigned int uses = use_history_uses(history) + 1;
	unsigned int span = use_history_span(history);

	/* The first use has no gap before it. */
	if (uses > 1)
		span += gap < SPAN_MAX ? gap : SPAN_MAX;
	while (uses > USES_MAX || span > SPAN_MAX) {
		/* n uses have n - 1 gaps, which are what is halved. */
		uses = (uses - 1) / 2 + 1;
		span /= 2;
	}
	if (uses < 2 && span)
		uses = 2;
	return uses << USE_HISTORY_SPAN_BITS | span;
}

/* 1, 1.5, 2, 3, 4, 6, ... are the lower bounds of steps 0, 1, 2, ... */
static unsigned int half_octave(unsigned int x)
{
	unsigned int log = 31 - __builtin_clz(x);

	return 2 * log + (log ? x >> (log - 1) & 1 : 0);
}

unsigned int use_history_kind(uint16_t history)
{
	unsigned int uses = use_history_uses(history), gap, step;

	if (uses < 2)
		return uses;
	gap = (use_history_span(history) << FRACTION_BITS) / (uses - 1);
	if (gap < 1u << FRACTION_BITS)
		gap = 1u << FRACTION_BITS;
	step = half_octave(gap) - 2 * FRACTION_BITS;
	if (step >= USE_HISTORY_GAPS)
		step = USE_HISTORY_GAPS - 1;
	return 2 + 4 * step +
	       (uses >= 9 ? 3 : uses >= 5 ? 2 : uses >= 3 ? 1 : 0);
}

void use_history_typical(unsigned int kind, double *uses, double *span)
{
	static const double typical_uses[] = { 2, 3.5, 6.5, 11.5 };
	unsigned int step = (kind - 2) / 4;

	if (kind < 2) {
		*uses = kind;
		*span = 0;
		return;
	}
	*uses = typical_uses[(kind - 2) % 4];
	*span = (*uses - 1) * (1u << step / 2) * (step % 2 ? 1.75 : 1.25);
}
