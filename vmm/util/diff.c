// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The longest common subsequence by the textbook table, after removing the
 * common head and tail:
 *
 *   lcs[i][j] = a[i] == b[j] ? lcs[i+1][j+1] + 1
 *			      : max(lcs[i+1][j], lcs[i][j+1])
 *
 * From it a script with one character per line: ' ' common, '-' only before,
 * '+' only after; and from the script the hunks.
 */
#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/util/cleanup.h"
#include "vmm/util/diff.h"

#define CONTEXT	  3
#define MAX_TABLE (16u << 20)	/* entries */

struct text {
	const char **line;	/* owned, [nr + 1]; the last is the end */
	size_t nr;
};

static int split(struct text *t, const char *s)
{
	size_t n = 0, i = 0;

	for (const char *p = s; *p; p++)
		n += *p == '\n' || !p[1];
	t->line = calloc(n + 1, sizeof(*t->line));
	if (!t->line)
		return -1;
	t->nr = n;
	while (*s) {
		t->line[i++] = s;
		s += strcspn(s, "\n");
		s += *s == '\n';
	}
	t->line[i] = s;
	return 0;
}

static bool same(const struct text *a, size_t i, const struct text *b, size_t j)
{
	size_t n = a->line[i + 1] - a->line[i];

	return n == (size_t)(b->line[j + 1] - b->line[j]) &&
	       !memcmp(a->line[i], b->line[j], n);
}

/* Appends the script for what is between common head and tail at *out. */
static int middle(const struct text *a, const struct text *b, size_t head,
		  size_t tail, char **out)
{
	size_t n = a->nr - head - tail, m = b->nr - head - tail, i = 0, j = 0;
	__cleanup_free uint32_t *lcs = NULL;

	if ((n + 1) * (m + 1) <= MAX_TABLE) {
		lcs = calloc((n + 1) * (m + 1), sizeof(*lcs));
		if (!lcs)
			return -1;
	}
#define LCS(i, j) lcs[(i) * (m + 1) + (j)]
	for (size_t k = n; lcs && k--;)
		for (size_t l = m; l--;)
			LCS(k, l) = same(a, head + k, b, head + l) ?
				LCS(k + 1, l + 1) + 1 :
				LCS(k + 1, l) > LCS(k, l + 1) ?
				LCS(k + 1, l) : LCS(k, l + 1);
	while (i < n || j < m) {
		if (lcs && i < n && j < m && same(a, head + i, b, head + j)) {
			*(*out)++ = ' ';
			i++;
			j++;
		} else if (i < n && (j == m || !lcs ||
				     LCS(i + 1, j) >= LCS(i, j + 1))) {
			*(*out)++ = '-';
			i++;
		} else {
			*(*out)++ = '+';
			j++;
		}
	}
#undef LCS
	return 0;
}

static char *make_script(const struct text *a, const struct text *b)
{
	size_t head = 0, tail = 0;
	char *script = malloc(a->nr + b->nr + 1), *out = script;

	if (!script)
		return NULL;
	while (head < a->nr && head < b->nr && same(a, head, b, head))
		head++;
	while (tail < a->nr - head && tail < b->nr - head &&
	       same(a, a->nr - 1 - tail, b, b->nr - 1 - tail))
		tail++;
	memset(out, ' ', head);
	out += head;
	if (middle(a, b, head, tail, &out)) {
		free(script);
		return NULL;
	}
	memset(out, ' ', tail);
	out[tail] = 0;
	return script;
}

static void put_line(FILE *f, char how, const struct text *t, size_t i)
{
	size_t n = t->line[i + 1] - t->line[i];

	fprintf(f, "%c%.*s", how, (int)n, t->line[i]);
	if (t->line[i][n - 1] != '\n')
		fprintf(f, "\n\\ No newline at end of file\n");
}

/* Numbers lines from 1; an empty range has the number of the line before. */
static void put_range(FILE *f, char sign, size_t first, size_t nr)
{
	fprintf(f, " %c%zu", sign, nr ? first + 1 : first);
	if (nr != 1)
		fprintf(f, ",%zu", nr);
}

/*
 * Prints script[from..to) as one hunk; i and j are the lines where it begins.
 */
static void put_hunk(FILE *f, const char *script, size_t from, size_t to,
		     const struct text *a, size_t i, const struct text *b,
		     size_t j)
{
	size_t n = 0, m = 0;

	for (size_t k = from; k < to; k++) {
		n += script[k] != '+';
		m += script[k] != '-';
	}
	fprintf(f, "@@");
	put_range(f, '-', i, n);
	put_range(f, '+', j, m);
	fprintf(f, " @@\n");
	for (size_t k = from; k < to; k++) {
		if (script[k] == '+')
			put_line(f, '+', b, j);
		else
			put_line(f, script[k], a, i);
		i += script[k] != '+';
		j += script[k] != '-';
	}
}

/* The end of the hunk whose first change is at k. */
static size_t hunk_end(const char *script, size_t k)
{
	size_t last = k;

	for (; script[k] && k - last <= 2 * CONTEXT + 1; k++)
		if (script[k] != ' ')
			last = k;
	for (k = last + 1; script[k] && k - last <= CONTEXT; k++)
		;
	return k;
}

static void put_hunks(FILE *f, const char *script, const struct text *a,
		      const struct text *b)
{
	size_t i = 0, j = 0, k = 0;	/* lines, and index in the script */
	size_t change, from, to;

	while (script[k]) {
		change = k + strspn(script + k, " ");
		if (!script[change])
			break;
		from = change - k > CONTEXT ? change - CONTEXT : k;
		to = hunk_end(script, change);
		i += from - k;
		j += from - k;
		put_hunk(f, script, from, to, a, i, b, j);
		for (k = from; k < to; k++) {
			i += script[k] != '+';
			j += script[k] != '-';
		}
	}
}

char *diff_unified(const char *before, const char *after)
{
	struct text a = { 0 }, b = { 0 };
	__cleanup_free char *script = NULL;
	char *result = NULL;
	size_t len;
	FILE *f;

	if (!split(&a, before) && !split(&b, after))
		script = make_script(&a, &b);
	f = script ? open_memstream(&result, &len) : NULL;
	if (f) {
		put_hunks(f, script, &a, &b);
		if (fclose(f)) {
			free(result);
			result = NULL;
		}
	}
	free(a.line);
	free(b.line);
	return result;
}
