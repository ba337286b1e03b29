// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "vmm/util/min-max.h"
#include "vmm/util/nearest.h"

#define MAX_LEN    40	/* longer words have no match */
#define MIN_PREFIX 3	/* letters that identify a name by its prefix */

/*
 * Number of letters added, removed, replaced or swapped with the next to turn a
 * into b.
 */
static unsigned int edit_distance(const char *a, const char *b)
{
	unsigned int rows[3][MAX_LEN + 1];
	unsigned int *before = rows[0], *last = rows[1], *row = rows[2], *next;
	size_t len_a = strlen(a), len_b = strlen(b);

	for (size_t j = 0; j <= len_b; j++)
		last[j] = j;
	for (size_t i = 1; i <= len_a; i++) {
		int c = tolower((unsigned char)a[i - 1]);

		row[0] = i;
		for (size_t j = 1; j <= len_b; j++) {
			int d = tolower((unsigned char)b[j - 1]);

			row[j] = min_u64(min_u64(last[j], row[j - 1]) + 1,
					 last[j - 1] + (c != d));
			if (i > 1 && j > 1 &&
			    c == tolower((unsigned char)b[j - 2]) &&
			    d == tolower((unsigned char)a[i - 2]))
				row[j] = min_u64(row[j], before[j - 2] + 1);
		}
		next = before;
		before = last;
		last = row;
		row = next;
	}
	return last[len_b];
}

void nearest_try(struct nearest *n, const char *name)
{
	size_t len = strlen(n->word), name_len = strlen(name);
	unsigned int distance;

	if (!len || len > MAX_LEN || name_len > MAX_LEN)
		return;
	distance = edit_distance(n->word, name);
	if (len >= MIN_PREFIX && !strncasecmp(n->word, name, len))
		distance = min_u64(distance, 1);
	if (distance > 1 + len / 4 || distance >= name_len ||
	    (distance && distance >= len))
		return;
	if (n->name && distance >= n->distance)
		return;
	n->name = name;
	n->distance = distance;
}

char *nearest_hint(const struct nearest *n, char *buf, size_t len)
{
	*buf = 0;
	if (n->name)
		snprintf(buf, len, ": did you mean '%s'?", n->name);
	return buf;
}
