/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by all benchmarks: series of measured values, their median, min, max
 * and spread, as a table for people and JSON for programs.
 *
 *	struct bench *b = bench_new("rmap");
 *	for (round = 0; round < 7; round++) {		(interleave the cases)
 *		bench_add(b, "anon_vma/map", "ns", measure_a());
 *		bench_add(b, "pte_chain/map", "ns", measure_b());
 *	}
 *	bench_note(b, "sharers", "%d", 1000);
 *	return bench_finish(b, json_path);
 *
 * The spread is (max - min) / median.  Machines are shared and noisy: a
 * difference smaller than the spread is not significant.  Cases to be compared
 * are measured in turn, never one after the other.
 *
 * Header only; link with jansson ($(JANSSON_LIBS)).  Out of memory aborts.
 * Not thread-safe: add from one thread.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define BENCH_FN __attribute__((unused)) static

struct bench_series {
	char *name;		/* owned */
	char *unit;		/* owned */
	double *values;		/* owned; in the order they were added */
	size_t nr;
};

struct bench {
	char *name;			/* owned */
	struct bench_series *series;	/* owned; in order of first bench_add() */
	size_t nr_series;
	json_t *notes;			/* owned */
};

struct bench_summary {
	size_t nr;
	double median, min, max;
	double spread;		/* (max - min) / median; 0 for a median of 0 */
};

BENCH_FN void *bench_check(void *p)
{
	if (!p) {
		fprintf(stderr, "bench: out of memory\n");
		abort();
	}
	return p;
}

BENCH_FN struct bench *bench_new(const char *name)
{
	struct bench *b = bench_check(calloc(1, sizeof(*b)));

	b->name = bench_check(strdup(name));
	b->notes = bench_check(json_object());
	return b;
}

BENCH_FN void bench_free(struct bench *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->nr_series; i++) {
		free(b->series[i].name);
		free(b->series[i].unit);
		free(b->series[i].values);
	}
	free(b->series);
	free(b->name);
	json_decref(b->notes);
	free(b);
}

BENCH_FN struct bench_series *bench_find(const struct bench *b,
					 const char *name)
{
	for (size_t i = 0; i < b->nr_series; i++)
		if (!strcmp(b->series[i].name, name))
			return &b->series[i];
	return NULL;
}

/* One more value of the series `name`; the first value sets the unit. */
BENCH_FN void bench_add(struct bench *b, const char *name, const char *unit,
			double value)
{
	struct bench_series *s = bench_find(b, name);

	if (!s) {
		b->series = bench_check(realloc(b->series,
				(b->nr_series + 1) * sizeof(*s)));
		s = &b->series[b->nr_series++];
		*s = (struct bench_series){
			.name = bench_check(strdup(name)),
			.unit = bench_check(strdup(unit)),
		};
	}
	s->values = bench_check(realloc(s->values,
					(s->nr + 1) * sizeof(*s->values)));
	s->values[s->nr++] = value;
}

/* A fact about the run (a size, a seed, a kernel), printed with the results. */
__attribute__((format(printf, 3, 4))) BENCH_FN void
bench_note(struct bench *b, const char *key, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_object_set_new(b->notes, key, json_string(text));
}

BENCH_FN int bench_compare_(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

BENCH_FN struct bench_summary bench_summarize(const double *values, size_t nr)
{
	struct bench_summary sum = { .nr = nr };
	double *sorted;

	if (!nr)
		return sum;
	sorted = bench_check(malloc(nr * sizeof(*sorted)));
	memcpy(sorted, values, nr * sizeof(*sorted));
	qsort(sorted, nr, sizeof(*sorted), bench_compare_);
	sum.min = sorted[0];
	sum.max = sorted[nr - 1];
	sum.median = nr % 2 ? sorted[nr / 2] :
		     (sorted[nr / 2 - 1] + sorted[nr / 2]) / 2;
	if (sum.median < 0 || sum.median > 0)
		sum.spread = (sum.max - sum.min) / sum.median;
	free(sorted);
	return sum;
}

BENCH_FN double bench_median(const double *values, size_t nr)
{
	return bench_summarize(values, nr).median;
}

BENCH_FN void bench_print_table(const struct bench *b, FILE *f)
{
	const char *key;
	json_t *note;
	size_t width = 4;

	for (size_t i = 0; i < b->nr_series; i++)
		if (strlen(b->series[i].name) > width)
			width = strlen(b->series[i].name);
	fprintf(f, "# %s\n", b->name);
	json_object_foreach(b->notes, key, note)
		fprintf(f, "# %s: %s\n", key, json_string_value(note));
	fprintf(f, "%-*s %5s %12s %12s %12s %7s  %s\n", (int)width, "case",
		"runs", "median", "min", "max", "spread", "unit");
	for (size_t i = 0; i < b->nr_series; i++) {
		const struct bench_series *s = &b->series[i];
		struct bench_summary sum = bench_summarize(s->values, s->nr);

		fprintf(f, "%-*s %5zu %12.6g %12.6g %12.6g %6.1f%%  %s\n",
			(int)width, s->name, sum.nr, sum.median, sum.min,
			sum.max, sum.spread * 100, s->unit);
	}
	fflush(f);
}

/*
 * {"bench": NAME, "notes": {...}, "host": {...}, "results": [{"case", "unit",
 * "runs", "median", "min", "max", "spread", "values": [...]}, ...]}
 */
BENCH_FN int bench_print_json(const struct bench *b, FILE *f)
{
	json_t *results = bench_check(json_array());
	struct utsname uts = { 0 };
	json_t *root;
	int err;

	for (size_t i = 0; i < b->nr_series; i++) {
		const struct bench_series *s = &b->series[i];
		struct bench_summary sum = bench_summarize(s->values, s->nr);
		json_t *values = bench_check(json_array());

		for (size_t k = 0; k < s->nr; k++)
			json_array_append_new(values, json_real(s->values[k]));
		json_array_append_new(results, bench_check(json_pack(
			"{s:s, s:s, s:I, s:f, s:f, s:f, s:f, s:o}",
			"case", s->name, "unit", s->unit,
			"runs", (json_int_t)sum.nr, "median", sum.median,
			"min", sum.min, "max", sum.max, "spread", sum.spread,
			"values", values)));
	}
	uname(&uts);
	root = bench_check(json_pack("{s:s, s:O, s:{s:s, s:s, s:i}, s:o}",
		"bench", b->name, "notes", b->notes, "host",
		"kernel", uts.release, "machine", uts.machine,
		"cpus", (int)sysconf(_SC_NPROCESSORS_ONLN),
		"results", results));
	err = json_dumpf(root, f, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
	json_decref(root);
	if (err || fputc('\n', f) == EOF || fflush(f))
		return -EIO;
	return 0;
}

/*
 * The end of main(): the table on stdout; JSON into json_path ("-": stdout
 * after the table; NULL: none); frees b.  The exit status: 0 or 1.
 */
BENCH_FN int bench_finish(struct bench *b, const char *json_path)
{
	FILE *f = stdout;
	int err = 0;

	bench_print_table(b, stdout);
	if (json_path) {
		if (strcmp(json_path, "-"))
			f = fopen(json_path, "w");
		err = f ? bench_print_json(b, f) : -errno;
		if (f && f != stdout && fclose(f))
			err = -errno;
		if (err)
			fprintf(stderr, "bench: %s: %s\n", json_path,
				strerror(-err));
	}
	bench_free(b);
	return err ? 1 : 0;
}

BENCH_FN uint64_t bench_clock_ns_(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

BENCH_FN uint64_t bench_now_ns(void)
{
	return bench_clock_ns_(CLOCK_MONOTONIC);
}

BENCH_FN uint64_t bench_thread_cpu_ns(void)
{
	return bench_clock_ns_(CLOCK_THREAD_CPUTIME_ID);
}

#endif
