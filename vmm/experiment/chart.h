/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Charts as SVG, readable on light and dark backgrounds.  Series differ in
 * colour and dashes, and in markers if points are marked; without markers the
 * ninth looks like the first.
 */
#ifndef VMM_EXPERIMENT_CHART_H
#define VMM_EXPERIMENT_CHART_H

#include <stdbool.h>
#include <stddef.h>

#define CHART_MAX_SERIES 16
#define CHART_MAX_NAMES	 32

struct chart_point {
	double x, y;
	double least, most;	/* whisker; both equal to y: none */
};

struct chart_series {
	const char *name;		/* not owned */
	struct chart_point *points;	/* owned; in order of x */
	size_t nr, max;
};

struct chart {
	const char *title, *x_label, *y_label;
	bool y_log;
	bool markers;			/* few points: mark each */
	const char *x_names[CHART_MAX_NAMES];	/* at x = 0, 1, ...; or none */
	unsigned int nr_x_names;
	double y_line;			/* a horizontal line, 0: none */
	const char *y_line_name;
	struct chart_series series[CHART_MAX_SERIES];
	unsigned int nr_series;
};

/* The new series, or NULL: too many. */
struct chart_series *chart_add_series(struct chart *chart, const char *name);
/* With y_log, points that are not above 0 are left out.  False: no memory. */
bool chart_add(struct chart_series *series, double x, double y, double least,
	       double most);
/* -ENODATA: no series has a point; or -errno of the file. */
int chart_write(const struct chart *chart, const char *path);
void chart_free(struct chart *chart);

#endif
