// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/top/page.h"
#include "vmm/util/size.h"

#define PRESSURE_WARNING 1.0	/* percent */
#define PRESSURE_ALARM	 10.0

static void put(struct top_page *page, int row, enum top_attr attr,
		const char *text)
{
	struct top_page_line *line;

	if (row < 0 || row >= page->rows)
		return;
	line = &page->lines[row];
	line->attr = attr;
	snprintf(line->text, sizeof(line->text), "%.*s", TOP_LINE - 1, text);
	top_cut(line->text, page->cols);
}

struct sums {
	uint64_t memory, resident, swapped, stored;
	double cpu, evictions, refaults;
	unsigned int nr_silent;
};

static struct sums sum_up(const struct top_model *m)
{
	struct sums sums = { 0 };

	for (size_t i = 0; i < m->nr; i++) {
		const struct top_guest *g = m->guests[i];

		sums.nr_silent += g->state == TOP_NOT_RESPONDING ||
				  g->state == TOP_FAILED;
		if (!g->has_sample)
			continue;
		sums.memory += g->sample.memory;
		sums.resident += g->sample.resident;
		sums.swapped += g->sample.swapped;
		sums.stored += g->sample.stored;
		if (!g->has_rates)
			continue;
		sums.cpu += g->cpu;
		sums.evictions += g->evictions;
		sums.refaults += g->refaults;
	}
	return sums;
}

static void host_text(const struct top_host *h, char line[TOP_LINE])
{
	char a[16], b[16], c[16], d[16], psi[64] = "unavailable";

	if (h->has_psi)
		snprintf(psi, sizeof(psi), "some %.2f %% full %.2f %%",
			 h->psi_some, h->psi_full);
	snprintf(line, TOP_LINE, "host    %s memory, %s available; swap %s of "
		 "%s used; PSI %s", size_format(h->mem_total, a, sizeof(a)),
		 size_format(h->mem_available, b, sizeof(b)),
		 size_format(h->swap_total - h->swap_free, c, sizeof(c)),
		 size_format(h->swap_total, d, sizeof(d)), psi);
}

void top_summary(const struct top_scene *s,
		 char lines[TOP_NR_SUMMARY][TOP_LINE])
{
	struct sums sums = sum_up(s->model);
	char a[16], b[16], c[16], d[16], silent[32] = "";

	if (sums.nr_silent)
		snprintf(silent, sizeof(silent), ", %u not responding",
			 sums.nr_silent);
	snprintf(lines[0], TOP_LINE, "vmm top %s  %zu guest%s%s; sorted by "
		 "%s%s",
		 s->clock, s->model->nr, s->model->nr == 1 ? "" : "s", silent,
		 top_column_title(s->model->sort),
		 s->model->ascending ? ", rising" : "");
	host_text(s->host, lines[1]);
	snprintf(lines[2], TOP_LINE, "guests  %s memory, %s resident, %s "
		 "swapped, %s stored; scans %.1f %% CPU; %.0f evicted/s, "
		 "%.0f refaults/s", size_format(sums.memory, a, sizeof(a)),
		 size_format(sums.resident, b, sizeof(b)),
		 size_format(sums.swapped, c, sizeof(c)),
		 size_format(sums.stored, d, sizeof(d)), sums.cpu,
		 sums.evictions, sums.refaults);
}

static enum top_attr guest_attr(const struct top_guest *g)
{
	if (g->state == TOP_PENDING)
		return TOP_DIM;
	if (g->state != TOP_OK)
		return TOP_WARNING;
	if (g->sample.has_agent && g->sample.psi_some >= PRESSURE_ALARM)
		return TOP_ALARM;
	if (*g->sample.last_error ||
	    (g->sample.has_agent && g->sample.psi_some >= PRESSURE_WARNING))
		return TOP_WARNING;
	return TOP_PLAIN;
}

/* Where the parts of a view are; parts that don't fit are left out. */
struct frame {
	int nr_summary, heading, first, nr_body;	/* rows; heading may be -1 */
};

static struct frame make_frame(int rows)
{
	struct frame f = { .heading = -1 };

	f.nr_summary = rows >= 8 ? TOP_NR_SUMMARY : rows >= 5 ? 1 : 0;
	f.first = f.nr_summary;
	if (rows >= 3)
		f.heading = f.first++;
	f.nr_body = rows - f.first - (rows >= 2);
	return f;
}

static void put_guests(struct top_page *page, const struct top_scene *s,
		       const struct frame *f)
{
	struct top_model *m = s->model;
	int at = top_model_selected(m), first = 0;
	struct top_layout layout;
	char line[TOP_LINE];

	top_layout_fit(&layout, page->cols, s->utf8);
	if (f->heading >= 0) {
		top_table_heading(&layout, line);
		put(page, f->heading, TOP_HEADING, line);
	}
	if (at >= f->nr_body)
		first = at - f->nr_body + 1;
	for (int i = 0; i < f->nr_body && first + i < (int)m->nr; i++) {
		const struct top_guest *g = m->guests[first + i];

		top_table_row(&layout, g, s->now_ns, line);
		put(page, f->first + i,
		    first + i == at ? TOP_SELECTED : guest_attr(g), line);
	}
	if (!m->nr)
		put(page, f->first, TOP_DIM, "no VM is running: start one with "
		    "`vmm run`, or name its socket with --socket");
}

static void put_processes(struct top_page *page, const struct top_scene *s,
			  const struct frame *f)
{
	struct top_ui *ui = s->ui;
	char line[TOP_LINE];

	if (f->heading >= 0) {
		top_procs_heading(page->cols, line);
		put(page, f->heading, TOP_HEADING, line);
	}
	for (int i = 0; i < f->nr_body && ui->first + i < (int)ui->procs.nr;
	     i++) {
		top_procs_row(page->cols, s->utf8,
			      &ui->procs.procs[ui->first + i], line);
		put(page, f->first + i, TOP_PLAIN, line);
	}
	if (!ui->has_procs && !*ui->why)
		put(page, f->first, TOP_DIM, "waiting for the answer ...");
	else if (ui->has_procs && !ui->procs.nr)
		put(page, f->first, TOP_DIM, "no process is known: run "
		    "vmm-guest-agent in the guest");
}

static void put_help(struct top_page *page)
{
	static const char *const lines[] = {
		"vmm top: keys",
		"  arrows, PgUp, PgDn, Home, End   select a guest",
		"  Enter   its processes: c groups them by command, R E I M C "
		"P",
		"          sort them, Esc returns",
		"  t       change its target; p pause or resume reclaim",
		"  space   update now;  h help;  q quit",
		"  < >     sort by another column, or by letter, twice to "
		"reverse:",
		"  N name  M memory  R resident  T target  S swapped  O stored",
		"  W working set of 60 s  I idle share  L ms per scan  C CPU "
		"of scans",
		"  E evicted/s  F refaults/s  P pressure in the guest  U state",
		"",
		"IDLE: shares of resident memory by the number of scans since "
		"its last use:",
		"  0, 1, 2, 3-4, 5-8, 9-16, 17-32, 33-64, 65-128, 129 and more",
		"",
		"any key returns",
	};

	for (int i = 0; i < (int)(sizeof(lines) / sizeof(lines[0])); i++)
		put(page, i, i ? TOP_PLAIN : TOP_TITLE, lines[i]);
}

/* The last line: the input, the message, the error, or the keys. */
static void put_bottom(struct top_page *page, const struct top_scene *s)
{
	struct top_ui *ui = s->ui;
	int row = page->rows - 1, at = top_model_selected(s->model);
	const struct top_guest *g = at < 0 ? NULL : s->model->guests[at];
	char line[TOP_LINE];

	if (ui->is_typing) {
		snprintf(line, sizeof(line), "%s%starget for %s, like 512M or "
			 "1G, 0 for none: %s", ui->message,
			 *ui->message ? "; " : "", ui->about_name, ui->typed);
		put(page, row, ui->is_error ? TOP_WARNING : TOP_TITLE, line);
		page->cursor_row = row;
		page->cursor_col = (int)strlen(line) < page->cols ?
			(int)strlen(line) : page->cols - 1;
	} else if (*ui->message) {
		put(page, row, ui->is_error ? TOP_WARNING : TOP_TITLE,
		    ui->message);
	} else if (ui->view == TOP_PROCESSES) {
		snprintf(line, sizeof(line), "%s: %s", ui->guest_name,
			 *ui->why ? ui->why : "c by command  R E I M C P sort  "
			 "Esc back  t target  p pause  q quit");
		put(page, row, *ui->why ? TOP_WARNING : TOP_DIM, line);
	} else if (g && (*g->why || *g->sample.last_error)) {
		snprintf(line, sizeof(line), "%s: %s", g->name,
			 *g->why ? g->why : g->sample.last_error);
		put(page, row, TOP_WARNING, line);
	} else {
		put(page, row, TOP_DIM, "Enter processes  t target  p pause  "
		    "< > sort  h help  q quit");
	}
}

int top_page_make(struct top_page *page, int rows, int cols,
		  const struct top_scene *s)
{
	struct frame f = make_frame(rows);
	char lines[TOP_NR_SUMMARY][TOP_LINE];

	*page = (struct top_page){ .rows = rows, .cols = cols,
				   .cursor_row = -1, .cursor_col = -1 };
	page->lines = calloc(rows > 0 ? rows : 1, sizeof(*page->lines));
	if (!page->lines)
		return -ENOMEM;
	s->ui->page_rows = f.nr_body;
	if (s->ui->view == TOP_HELP) {
		put_help(page);
		return 0;
	}
	top_summary(s, lines);
	for (int i = 0; i < f.nr_summary; i++)
		put(page, i, i ? TOP_PLAIN : TOP_TITLE, lines[i]);
	if (s->ui->view == TOP_PROCESSES)
		put_processes(page, s, &f);
	else
		put_guests(page, s, &f);
	if (rows >= 2 || s->ui->is_typing)
		put_bottom(page, s);
	return 0;
}
