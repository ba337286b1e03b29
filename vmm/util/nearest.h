/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of the known names a mistyped word may have meant.
 *
 *	struct nearest n = { .word = word };
 *
 *	for (...)
 *		nearest_try(&n, known[i]);
 *	if (n.name)
 *		... did you mean n.name?
 */
#ifndef VMM_UTIL_NEAREST_H
#define VMM_UTIL_NEAREST_H

#include <stddef.h>

struct nearest {
	const char *word;
	const char *name;	/* the nearest so far; NULL: none */
	unsigned int distance;
};

/*
 * Remembers `name`, which must outlive `n`, if it is nearer than those before:
 * few letters were added, removed, replaced or swapped, or it begins with the
 * word.  Case is ignored.
 */
void nearest_try(struct nearest *n, const char *name);

/* For the end of a message: ": did you mean 'NAME'?", or "".  Returns buf. */
char *nearest_hint(const struct nearest *n, char *buf, size_t len);

#endif
