// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "vmm/top/table.h"
#include "vmm/util/size.h"

#define MAX_NAME 32

/* rank: if there is no room, the highest is left out first; NAME never is. */
static const struct column {
	const char *title;
	char key;
	int width, rank;
} columns[TOP_NR_COLUMNS] = {
	[TOP_NAME] = { "NAME", 'N', 12, 0 },
	[TOP_MEMORY] = { "MEMORY", 'M', 8, 5 },
	[TOP_RESIDENT] = { "RESIDENT", 'R', 8, 1 },
	[TOP_TARGET] = { "TARGET", 'T', 8, 2 },
	[TOP_SWAPPED] = { "SWAPPED", 'S', 8, 3 },
	[TOP_STORED] = { "STORED", 'O', 8, 13 },
	[TOP_WSS] = { "WSS", 'W', 8, 9 },
	[TOP_IDLE] = { "IDLE", 'I', STAT_AGE_CLASSES, 6 },
	[TOP_SCAN_MS] = { "SCAN ms", 'L', 7, 11 },
	[TOP_CPU] = { "CPU %", 'C', 5, 8 },
	[TOP_EVICTIONS] = { "EVICT/s", 'E', 7, 10 },
	[TOP_REFAULTS] = { "REFLT/s", 'F', 7, 7 },
	[TOP_PSI] = { "PSI %", 'P', 5, 12 },
	[TOP_STATE] = { "STATE", 'U', 10, 4 },
};

const char *top_column_title(enum top_column c)
{
	return columns[c].title;
}

int top_column_find(const char *text)
{
	for (int c = 0; c < TOP_NR_COLUMNS; c++)
		if (!strcasecmp(text, columns[c].title) ||
		    (toupper((unsigned char)*text) == columns[c].key &&
		     !text[1]))
			return c;
	return -1;
}

double top_column_value(enum top_column c, const struct top_guest *g)
{
	const struct top_sample *s = &g->sample;

	switch (c) {
	case TOP_MEMORY:
		return s->memory;
	case TOP_RESIDENT:
		return s->resident;
	case TOP_TARGET:
		return s->target;
	case TOP_SWAPPED:
		return s->swapped;
	case TOP_STORED:
		return s->stored;
	case TOP_WSS:
		return s->wss;
	case TOP_IDLE:
		return top_idle_share(s->idle);
	case TOP_SCAN_MS:
		return s->last_scan_ns;
	case TOP_CPU:
		return g->cpu;
	case TOP_EVICTIONS:
		return g->evictions;
	case TOP_REFAULTS:
		return g->refaults;
	case TOP_PSI:
		return s->psi_some;
	case TOP_STATE:
		return g->state;
	case TOP_NAME:
	case TOP_NR_COLUMNS:
		break;
	}
	return 0;
}

void top_layout_fit(struct top_layout *l, int width, bool utf8)
{
	int used = 0;

	*l = (struct top_layout){ .width = width, .utf8 = utf8 };
	for (int c = 0; c < TOP_NR_COLUMNS; c++) {
		l->has[c] = true;
		used += columns[c].width + (c > 0);
	}
	while (used > width) {
		int last = TOP_NAME;

		for (int c = 0; c < TOP_NR_COLUMNS; c++)
			if (l->has[c] && columns[c].rank > columns[last].rank)
				last = c;
		if (last == TOP_NAME)
			break;
		l->has[last] = false;
		used -= columns[last].width + 1;
	}
	l->name_width = columns[TOP_NAME].width + width - used;
	if (l->name_width > MAX_NAME)
		l->name_width = MAX_NAME;
	if (l->name_width < 1)
		l->name_width = 1;
}

/* The length in bytes of the first `width` characters. */
static size_t utf8_prefix(const char *text, int width)
{
	size_t i = 0;

	while (text[i]) {
		if ((text[i] & 0xc0) != 0x80 && !width--)
			break;
		i++;
	}
	return i;
}

static int utf8_width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

void top_cut(char *line, int width)
{
	line[utf8_prefix(line, width > 0 ? width : 0)] = 0;
}

/* Adds a cell of the given width, after a space unless it is the first. */
static void put_cell(char line[TOP_LINE], const char *text, int width,
		     bool left)
{
	size_t used = strlen(line);
	int n = (int)utf8_prefix(text, width);
	int pad = width - utf8_width(text);

	if (pad < 0)
		pad = 0;
	snprintf(line + used, TOP_LINE - used, "%s%*s%.*s%*s", used ? " " : "",
		 left ? 0 : pad, "", n, text, left ? pad : 0, "");
}

static void trim(char *line)
{
	size_t n = strlen(line);

	while (n && line[n - 1] == ' ')
		line[--n] = 0;
}

static bool is_left(enum top_column c)
{
	return c == TOP_NAME || c == TOP_IDLE || c == TOP_STATE;
}

static int column_width(const struct top_layout *l, enum top_column c)
{
	return c == TOP_NAME ? l->name_width : columns[c].width;
}

void top_table_heading(const struct top_layout *l, char line[TOP_LINE])
{
	*line = 0;
	for (int c = 0; c < TOP_NR_COLUMNS; c++)
		if (l->has[c])
			put_cell(line, columns[c].title, column_width(l, c),
				 is_left(c));
	trim(line);
	top_cut(line, l->width);
}

void top_bars(const uint64_t idle[STAT_AGE_CLASSES], bool utf8, char *buf,
	      size_t len)
{
	uint64_t all = 0;
	size_t used = 0;

	*buf = 0;
	for (int i = 0; i < STAT_AGE_CLASSES; i++)
		all += idle[i];
	for (int i = 0; i < STAT_AGE_CLASSES && used + 4 < len; i++) {
		double share = all ? (double)idle[i] / all : 0;
		int level = share * (utf8 ? 8 : 10) + 0.5;

		if (idle[i] && !level)
			level = 1;
		if (level > (utf8 ? 8 : 9))
			level = utf8 ? 8 : 9;
		if (!utf8)
			buf[used++] = level ? '0' + level : '.';
		else if (!level)
			buf[used++] = ' ';
		else	/* U+2581 to U+2588: blocks of 1/8 to 8/8 */
			used += sprintf(buf + used, "\xe2\x96%c",
					0x80 + level);
		buf[used] = 0;
	}
}

static void rate_text(double rate, char *buf, size_t len)
{
	if (rate >= 1e6)
		snprintf(buf, len, "%.1fM", rate * 1e-6);
	else
		snprintf(buf, len, rate && rate < 10 ? "%.1f" : "%.0f", rate);
}

static void state_text(const struct top_guest *g, uint64_t now_ns, char *buf,
		       size_t len)
{
	const struct top_sample *s = &g->sample;

	if (g->state == TOP_PENDING)
		snprintf(buf, len, "pending");
	else if (g->state == TOP_FAILED)
		snprintf(buf, len, "error");
	else if (g->state == TOP_NOT_RESPONDING && g->has_sample)
		snprintf(buf, len, "silent %.0fs",
			 (now_ns - g->answered_ns) * 1e-9);
	else if (g->state == TOP_NOT_RESPONDING)
		snprintf(buf, len, "silent");
	else if (s->by_libvirt)
		snprintf(buf, len, "libvirt");
	else if (!s->has_engine)
		snprintf(buf, len, "no source");
	else if (*s->last_error)
		snprintf(buf, len, "error");
	else
		snprintf(buf, len, "%s", !s->enabled ? "paused" :
			 s->target ? "on" : "no target");
}

static void size_or_dash(uint64_t bytes, bool known, char *buf, size_t len)
{
	if (known)
		size_format(bytes, buf, len);
	else
		snprintf(buf, len, "-");
}

static void cell_text(const struct top_layout *l, enum top_column c,
		      const struct top_guest *g, uint64_t now_ns, char *buf,
		      size_t len)
{
	const struct top_sample *s = &g->sample;
	bool scanned = s->has_engine && s->nr_scans;

	snprintf(buf, len, "-");
	if (c == TOP_NAME)
		snprintf(buf, len, "%s", g->name);
	else if (c == TOP_STATE)
		state_text(g, now_ns, buf, len);
	else if (!g->has_sample)
		return;
	else if (c == TOP_MEMORY)
		size_format(s->memory, buf, len);
	else if (c == TOP_RESIDENT)
		size_format(s->resident, buf, len);
	else if (c == TOP_SWAPPED)
		size_or_dash(s->swapped, !s->by_libvirt, buf, len);
	else if (c == TOP_STORED)
		size_or_dash(s->stored, s->stored, buf, len);
	else if (c == TOP_TARGET)
		size_or_dash(s->target, s->target, buf, len);
	else if (c == TOP_WSS)
		size_or_dash(s->wss, scanned, buf, len);
	else if (c == TOP_IDLE && scanned)
		top_bars(s->idle, l->utf8, buf, len);
	else if (c == TOP_SCAN_MS && scanned)
		snprintf(buf, len, "%.1f", s->last_scan_ns * 1e-6);
	else if (c == TOP_PSI && s->has_agent)
		snprintf(buf, len, "%.1f", s->psi_some);
	else if (c == TOP_CPU && scanned && g->has_rates)
		snprintf(buf, len, "%.1f", g->cpu);
	else if (c == TOP_EVICTIONS && scanned && g->has_rates)
		rate_text(g->evictions, buf, len);
	else if (c == TOP_REFAULTS && scanned && g->has_rates)
		rate_text(g->refaults, buf, len);
}

void top_table_row(const struct top_layout *l, const struct top_guest *g,
		   uint64_t now_ns, char line[TOP_LINE])
{
	char text[128];

	*line = 0;
	for (int c = 0; c < TOP_NR_COLUMNS; c++) {
		if (!l->has[c])
			continue;
		cell_text(l, c, g, now_ns, text, sizeof(text));
		put_cell(line, text, column_width(l, c), is_left(c));
	}
	trim(line);
	top_cut(line, l->width);
}

void top_procs_heading(int width, char line[TOP_LINE])
{
	snprintf(line, TOP_LINE, "%8s %-16s %5s %8s %8s %8s %6s %s", "PID",
		 "COMMAND", "COUNT", "MAPPED", "RESIDENT", "EVICTED", "IDLE %",
		 "IDLE");
	top_cut(line, width);
}

void top_procs_row(int width, bool utf8, const struct top_proc *p,
		   char line[TOP_LINE])
{
	char mapped[16], resident[16], swapped[16], pid[16] = "-";
	char share[16] = "-", bars[4 * STAT_AGE_CLASSES + 1] = "-";

	if (p->nr == 1)
		snprintf(pid, sizeof(pid), "%lld", p->pid);
	if (p->has_ages) {
		snprintf(share, sizeof(share), "%.0f",
			 100 * top_idle_share(p->idle));
		top_bars(p->idle, utf8, bars, sizeof(bars));
	}
	snprintf(line, TOP_LINE, "%8s %-16s %5u %8s %8s %8s %6s %s", pid,
		 p->comm, p->nr, size_format(p->mapped, mapped, sizeof(mapped)),
		 size_format(p->resident, resident, sizeof(resident)),
		 size_format(p->swapped, swapped, sizeof(swapped)), share,
		 bars);
	top_cut(line, width);
}
