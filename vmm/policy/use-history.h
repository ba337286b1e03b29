/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a page was used until its last use, in 16 bits: the number of its uses
 * and the scans between the first and the last of them.  A scan in which it was
 * found accessed is a use.  It is kept while the page is evicted.  Pure.
 *
 *     u . . u . . . u u . . . . .
 *     |<--- span 8 ->|<-- age -->         4 uses, mean gap 8/3 scans
 *
 * When there are too many uses or scans to count, both are halved, so that what
 * was long ago counts less and less.  The unit is the page's own uses, not
 * time: pages used often forget within seconds, and rarely used ones remember
 * for an hour, so that both can be told from pages used half as often.
 */
#ifndef VMM_POLICY_USE_HISTORY_H
#define VMM_POLICY_USE_HISTORY_H

#include <stdint.h>

#define USE_HISTORY_NONE 0	/* no use was seen */

/* The history after one more use, `gap` scans after the one before. */
uint16_t use_history_add(uint16_t history, unsigned int gap);

#define USE_HISTORY_SPAN_BITS 12

static inline unsigned int use_history_uses(uint16_t history)
{
	return history >> USE_HISTORY_SPAN_BITS;
}

static inline unsigned int use_history_span(uint16_t history)	/* scans */
{
	return history & ((1u << USE_HISTORY_SPAN_BITS) - 1);
}

/*
 * Kinds of history, of which statistics are kept (price.h): none, one use, and
 * for more the mean gap in steps of about half an octave, each with four
 * numbers of uses.
 */
#define USE_HISTORY_GAPS  18
#define USE_HISTORY_KINDS (2 + 4 * USE_HISTORY_GAPS)

unsigned int use_history_kind(uint16_t history);
/* What is typical of a kind. */
void use_history_typical(unsigned int kind, double *uses, double *span);

#endif
