// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/experiment/chart.h"
#include "vmm/util/small-file.h"

#define WIDTH	   760
#define LEFT	   74
#define RIGHT	   16
#define TOP	   40
#define HEIGHT	   290		/* of the plot area */
#define BELOW	   52
#define LEGEND_ROW 20
#define LEGEND_COLUMNS 3

/* Paul Tol's vibrant scheme, distinguishable by colour-blind readers. */
static const char *const colours[] = {
	"#0077bb", "#ee7733", "#009988", "#cc3311", "#33bbee", "#ee3377",
	"#997700", "#888888",
};
static const char *const dashes[] = { "", "7 3", "2 3", "9 3 2 3" };

#define NR_COLOURS (sizeof(colours) / sizeof(colours[0]))
#define NR_DASHES  (sizeof(dashes) / sizeof(dashes[0]))

/*
 * Maps values to positions: value v is at (v - from) / (to - from); with log,
 * v, from and to are logarithms.
 */
struct axis {
	double from, to, step;
	bool log;
};

struct chart_series *chart_add_series(struct chart *chart, const char *name)
{
	struct chart_series *s;

	if (chart->nr_series == CHART_MAX_SERIES)
		return NULL;
	s = &chart->series[chart->nr_series++];
	*s = (struct chart_series){ .name = name };
	return s;
}

bool chart_add(struct chart_series *s, double x, double y, double least,
	       double most)
{
	size_t max = s->max ? 2 * s->max : 64;
	struct chart_point *p = s->points;

	if (s->nr == s->max) {
		p = reallocarray(p, max, sizeof(*p));
		if (!p)
			return false;
		s->points = p;
		s->max = max;
	}
	p[s->nr++] = (struct chart_point){ x, y, least, most };
	return true;
}

void chart_free(struct chart *chart)
{
	for (unsigned int i = 0; i < chart->nr_series; i++)
		free(chart->series[i].points);
	memset(chart, 0, sizeof(*chart));
}

static bool usable(const struct chart *c, const struct chart_point *p)
{
	return isfinite(p->x) && isfinite(p->y) && (!c->y_log || p->y > 0);
}

/* A step of 1, 2 or 5 times a power of ten, for about n steps. */
static double nice_step(double range, int n)
{
	double step = pow(10, floor(log10(range / n)));
	double times = range / n / step;

	return step * (times > 5 ? 10 : times > 2 ? 5 : times > 1 ? 2 : 1);
}

static void choose_range(struct axis *a)
{
	if (a->log) {
		a->from = floor(log10(a->from));
		a->to = ceil(log10(a->to));
		if (a->to <= a->from)
			a->to = a->from + 1;
		a->step = 1;
		return;
	}
	if (!(a->to > a->from))
		a->to = a->from + (a->from ? fabs(a->from) : 1);
	a->step = nice_step(a->to - a->from, 6);
	a->from = floor(a->from / a->step) * a->step;
	a->to = ceil(a->to / a->step - 1e-9) * a->step;
}

static bool measure(const struct chart *c, struct axis *x, struct axis *y)
{
	bool any = false;

	*x = (struct axis){ .from = INFINITY, .to = -INFINITY };
	*y = (struct axis){ .from = c->y_log ? INFINITY : 0, .to = c->y_line,
			    .log = c->y_log };
	for (unsigned int i = 0; i < c->nr_series; i++) {
		for (size_t k = 0; k < c->series[i].nr; k++) {
			const struct chart_point *p = &c->series[i].points[k];

			if (!usable(c, p))
				continue;
			any = true;
			x->from = fmin(x->from, p->x);
			x->to = fmax(x->to, p->x);
			y->from = fmin(y->from, c->y_log && p->least <= 0 ?
				       p->y : p->least);
			y->to = fmax(y->to, p->most);
		}
	}
	if (!any)
		return false;
	choose_range(y);
	if (c->nr_x_names)
		*x = (struct axis){ -0.5, c->nr_x_names - 0.5, 1, false };
	else
		choose_range(x);
	return true;
}

static double at_x(const struct axis *a, double v)
{
	return LEFT + (v - a->from) / (a->to - a->from) *
	       (WIDTH - LEFT - RIGHT);
}

static double at_y(const struct axis *a, double v)
{
	if (a->log)
		v = v > 0 ? log10(v) : a->from;
	return TOP + HEIGHT - (v - a->from) / (a->to - a->from) * HEIGHT;
}

static void put_text(FILE *f, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<': fputs("&lt;", f); break;
		case '>': fputs("&gt;", f); break;
		case '&': fputs("&amp;", f); break;
		default: fputc(*text, f);
		}
	}
}

static void put_label(FILE *f, double x, double y, const char *anchor,
		      const char *text)
{
	fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y,
		anchor);
	put_text(f, text);
	fputs("</text>\n", f);
}

/* 1500000 is 1.5 M. */
static void format(double v, char *buf, size_t len)
{
	static const struct {
		double from;
		const char *suffix;
	} units[] = { { 1e9, " G" }, { 1e6, " M" }, { 1e3, " k" } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (fabs(v) < units[i].from * 0.9999)
			continue;
		snprintf(buf, len, "%.4g%s", v / units[i].from,
			 units[i].suffix);
		return;
	}
	snprintf(buf, len, "%.4g", fabs(v) < 1e-12 ? 0 : v);
}

static void put_axes(FILE *f, const struct chart *c, const struct axis *x,
		     const struct axis *y)
{
	char text[32];
	double v;

	for (v = y->from; v <= y->to + y->step / 2; v += y->step) {
		double value = y->log ? pow(10, v) : v, place = at_y(y, value);

		fprintf(f, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>\n", LEFT,
			place, WIDTH - RIGHT);
		format(value, text, sizeof(text));
		put_label(f, LEFT - 6, place + 4, "end", text);
	}
	for (unsigned int i = 0; i < c->nr_x_names; i++)
		put_label(f, at_x(x, i), TOP + HEIGHT + 18, "middle",
			  c->x_names[i]);
	for (v = x->from; !c->nr_x_names && v <= x->to + x->step / 2;
	     v += x->step) {
		fprintf(f, "<path class=\"grid\" d=\"M%.1f %dv%d\"/>\n",
			at_x(x, v), TOP, HEIGHT);
		format(v, text, sizeof(text));
		put_label(f, at_x(x, v), TOP + HEIGHT + 18, "middle", text);
	}
	fprintf(f, "<path class=\"axis\" d=\"M%d %dv%dh%d\"/>\n", LEFT, TOP,
		HEIGHT, WIDTH - LEFT - RIGHT);
	put_label(f, LEFT + (WIDTH - LEFT - RIGHT) / 2.0, TOP + HEIGHT + 40,
		  "middle", c->x_label);
	fprintf(f, "<text transform=\"translate(16 %d) rotate(-90)\" "
		"text-anchor=\"middle\">", TOP + HEIGHT / 2);
	put_text(f, c->y_label);
	fputs("</text>\n", f);
}

static void put_marker(FILE *f, unsigned int i, double x, double y)
{
	const char *colour = colours[i % NR_COLOURS];

	switch (i % 3) {
	case 0:
		fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\"", x, y);
		break;
	case 1:
		fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"7\" "
			"height=\"7\"", x - 3.5, y - 3.5);
		break;
	default:
		fprintf(f, "<path d=\"M%.1f %.1fl4.5 8h-9z\"", x, y - 5);
	}
	fprintf(f, " fill=\"%s\"/>\n", colour);
}

static void put_stroke(FILE *f, unsigned int i, double width)
{
	const char *dash = dashes[i % NR_DASHES];

	fprintf(f, " fill=\"none\" stroke=\"%s\" stroke-width=\"%.1f\"",
		colours[i % NR_COLOURS], width);
	if (*dash)
		fprintf(f, " stroke-dasharray=\"%s\"", dash);
	fputs("/>\n", f);
}

static void put_series(FILE *f, const struct chart *c, unsigned int i,
		       const struct axis *x, const struct axis *y)
{
	const struct chart_series *s = &c->series[i];
	bool begun = false;

	for (size_t k = 0; k < s->nr; k++) {
		const struct chart_point *p = &s->points[k];

		if (!usable(c, p))
			continue;
		fprintf(f, "%s%.1f %.1f", begun ? "L" : "<path d=\"M",
			at_x(x, p->x), at_y(y, p->y));
		begun = true;
	}
	if (!begun)
		return;
	fputc('"', f);
	put_stroke(f, i, 1.8);
	for (size_t k = 0; c->markers && k < s->nr; k++) {
		const struct chart_point *p = &s->points[k];

		if (!usable(c, p))
			continue;
		if (p->least < p->most)
			fprintf(f, "<path d=\"M%.1f %.1fV%.1fm-4 0h8M%.1f "
				"%.1fh8\" fill=\"none\" stroke=\"%s\"/>\n",
				at_x(x, p->x), at_y(y, p->least),
				at_y(y, p->most), at_x(x, p->x) - 4,
				at_y(y, p->least), colours[i % NR_COLOURS]);
		put_marker(f, i, at_x(x, p->x), at_y(y, p->y));
	}
}

static void put_legend(FILE *f, const struct chart *c)
{
	const double column = (WIDTH - LEFT - RIGHT) / (double)LEGEND_COLUMNS;

	for (unsigned int i = 0; i < c->nr_series; i++) {
		double x = LEFT + i % LEGEND_COLUMNS * column;
		double y = TOP + HEIGHT + BELOW + 14 +
			   i / LEGEND_COLUMNS * LEGEND_ROW;

		fprintf(f, "<path d=\"M%.1f %.1fh26\"", x, y - 4);
		put_stroke(f, i, 2.2);
		if (c->markers)
			put_marker(f, i, x + 13, y - 4);
		put_label(f, x + 33, y, "start", c->series[i].name);
	}
}

static const char style[] =
	"<style>\n"
	"text{font:13px sans-serif;fill:#333}.title{font-weight:bold;"
	"font-size:15px}\n"
	".back{fill:#fff}.grid{stroke:#ddd}.axis{stroke:#555;fill:none}\n"
	".mark{stroke:#555;stroke-dasharray:1 3}\n"
	"@media (prefers-color-scheme:dark){text{fill:#ddd}"
	".back{fill:#16181c}\n"
	".grid{stroke:#34373d}.axis{stroke:#aaa}.mark{stroke:#bbb}}\n"
	"</style>\n";

int chart_write(const struct chart *c, const char *path)
{
	unsigned int rows = (c->nr_series + LEGEND_COLUMNS - 1) /
			    LEGEND_COLUMNS;
	int height = TOP + HEIGHT + BELOW + (int)rows * LEGEND_ROW + 8;
	struct axis x, y;
	FILE *f;

	if (!measure(c, &x, &y))
		return -ENODATA;
	f = fopen(path, "we");
	if (!f)
		return -errno;
	fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
		"height=\"%d\" viewBox=\"0 0 %d %d\">\n%s<rect class=\"back\" "
		"width=\"%d\" height=\"%d\"/>\n", WIDTH, height, WIDTH, height,
		style, WIDTH, height);
	fprintf(f, "<text class=\"title\" x=\"%d\" y=\"24\">", LEFT);
	put_text(f, c->title);
	fputs("</text>\n", f);
	put_axes(f, c, &x, &y);
	for (unsigned int i = 0; i < c->nr_series; i++)
		put_series(f, c, i, &x, &y);
	if (c->y_line > 0) {
		fprintf(f, "<path class=\"mark\" d=\"M%d %.1fH%d\"/>\n", LEFT,
			at_y(&y, c->y_line), WIDTH - RIGHT);
		put_label(f, WIDTH - RIGHT - 4, at_y(&y, c->y_line) - 5, "end",
			  c->y_line_name);
	}
	put_legend(f, c);
	fputs("</svg>\n", f);
	return file_close(f);
}
