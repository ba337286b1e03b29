// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmm/top/table.h"
#include "vmm/top/ui.h"
#include "vmm/util/size.h"

void top_ui_free(struct top_ui *ui)
{
	top_procs_free(&ui->procs);
}

void top_ui_set_message(struct top_ui *ui, bool is_error, const char *fmt, ...)
{
	char text[sizeof(ui->message)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	top_copy_text(ui->message, sizeof(ui->message), text);
	ui->is_error = is_error;
}

/* The guest that t, p and Enter apply to; NULL after a message. */
static struct top_guest *selected_guest(struct top_ui *ui, struct top_model *m)
{
	int at = top_model_selected(m);
	struct top_guest *g = NULL;

	if (ui->view == TOP_PROCESSES)
		g = top_model_find(m, ui->guest);
	else if (at >= 0)
		g = m->guests[at];
	if (!g)
		top_ui_set_message(ui, true, "no guest is selected");
	return g;
}

static struct top_guest *guest_with_policy(struct top_ui *ui,
					   struct top_model *m)
{
	struct top_guest *g = selected_guest(ui, m);

	if (!g)
		return NULL;
	if (!g->has_sample) {
		top_ui_set_message(ui, true, "%s has not answered yet",
				   g->name);
		return NULL;
	}
	if (!g->sample.has_engine) {
		top_ui_set_message(ui, true,
				   "%s runs without an access source, so it "
				   "has no policy; start it with --abits other "
				   "than none",
				   g->name);
		return NULL;
	}
	return g;
}

static void start_typing(struct top_ui *ui, struct top_model *m)
{
	struct top_guest *g = guest_with_policy(ui, m);

	if (!g)
		return;
	ui->is_typing = true;
	*ui->typed = 0;
	strcpy(ui->about, g->socket);
	strcpy(ui->about_name, g->name);
}

static struct top_action pause_or_go_on(struct top_ui *ui, struct top_model *m)
{
	struct top_action a = { .request = TOP_NOTHING };
	struct top_guest *g = guest_with_policy(ui, m);

	if (!g)
		return a;
	a.request = TOP_PUT_ENABLED;
	a.enabled = !g->sample.enabled;
	strcpy(a.socket, g->socket);
	return a;
}

static struct top_action take_typed(struct top_ui *ui)
{
	struct top_action a = { .request = TOP_NOTHING };

	if (!*ui->typed) {
		ui->is_typing = false;
		return a;
	}
	if (size_parse(ui->typed, &a.target)) {
		top_ui_set_message(ui, true,
				   "'%s' is not a size like 512M or 1G; Esc "
				   "cancels",
				   ui->typed);
		return a;
	}
	ui->is_typing = false;
	a.request = TOP_PUT_TARGET;
	strcpy(a.socket, ui->about);
	return a;
}

static struct top_action key_typing(struct top_ui *ui, int key)
{
	struct top_action a = { .request = TOP_NOTHING };
	size_t n = strlen(ui->typed);

	if (key == TOP_KEY_ENTER)
		return take_typed(ui);
	if (key == TOP_KEY_ESCAPE) {
		ui->is_typing = false;
	} else if (key == TOP_KEY_BACKSPACE) {
		if (n)
			ui->typed[n - 1] = 0;
	} else if (key > ' ' && key < 127 && n + 1 < sizeof(ui->typed)) {
		ui->typed[n] = key;
		ui->typed[n + 1] = 0;
	}
	return a;
}

static struct top_action open_processes(struct top_ui *ui, struct top_model *m)
{
	struct top_action a = { .request = TOP_NOTHING };
	struct top_guest *g = selected_guest(ui, m);

	if (!g)
		return a;
	ui->view = TOP_PROCESSES;
	strcpy(ui->guest, g->socket);
	strcpy(ui->guest_name, g->name);
	top_procs_free(&ui->procs);
	ui->has_procs = false;
	*ui->why = 0;
	ui->first = 0;
	a.request = TOP_REQUEST_PROCESSES;
	strcpy(a.socket, g->socket);
	return a;
}

/* The number of lines to move by; 0: not such a key. */
static int moves_by(const struct top_ui *ui, int key)
{
	int page = ui->page_rows > 1 ? ui->page_rows - 1 : 1;

	switch (key) {
	case TOP_KEY_UP:
	case 'k':
		return -1;
	case TOP_KEY_DOWN:
	case 'j':
		return 1;
	case TOP_KEY_PAGE_UP:
		return -page;
	case TOP_KEY_PAGE_DOWN:
		return page;
	case TOP_KEY_HOME:
		return -(1 << 20);
	case TOP_KEY_END:
		return 1 << 20;
	}
	return 0;
}

static void sort_next(struct top_model *m, int by)
{
	int c = ((int)m->sort + by + TOP_NR_COLUMNS) % TOP_NR_COLUMNS;

	top_model_sort_by(m, c);
}

static struct top_action key_guests(struct top_ui *ui, struct top_model *m,
				    int key)
{
	struct top_action a = { .request = TOP_NOTHING };
	char letter[2] = { key < 128 ? key : 0, 0 };
	int column;

	if (moves_by(ui, key)) {
		top_model_move(m, moves_by(ui, key));
		return a;
	}
	if (key == TOP_KEY_ENTER)
		return open_processes(ui, m);
	if (key == '<' || key == '>') {
		sort_next(m, key == '>' ? 1 : -1);
	} else if (key >= 'A' && key <= 'Z') {
		column = top_column_find(letter);
		if (column >= 0)
			top_model_sort_by(m, column);
	}
	return a;
}

static void scroll(struct top_ui *ui, int by)
{
	int last = (int)ui->procs.nr - ui->page_rows;

	ui->first += by;
	if (ui->first > last)
		ui->first = last;
	if (ui->first < 0)
		ui->first = 0;
}

static struct top_action key_processes(struct top_ui *ui, int key)
{
	static const struct {
		char key;
		enum top_procs_order order;
	} orders[] = {
		{ 'R', TOP_PROCS_RESIDENT }, { 'E', TOP_PROCS_EVICTED },
		{ 'I', TOP_PROCS_IDLE }, { 'M', TOP_PROCS_MAPPED },
		{ 'C', TOP_PROCS_COMMAND }, { 'P', TOP_PROCS_PID },
	};
	struct top_action a = { .request = TOP_NOTHING };

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (orders[i].key == key)
			ui->order = orders[i].order;
	top_procs_sort(&ui->procs, ui->order);
	if (moves_by(ui, key)) {
		scroll(ui, moves_by(ui, key));
	} else if (key == TOP_KEY_ESCAPE || key == TOP_KEY_LEFT ||
		   key == TOP_KEY_BACKSPACE || key == TOP_KEY_ENTER) {
		ui->view = TOP_GUESTS;
	} else if (key == 'c') {
		/* Query again: merged lines can't be split. */
		ui->by_command = !ui->by_command;
		ui->first = 0;
		a.request = TOP_REQUEST_PROCESSES;
		strcpy(a.socket, ui->guest);
	}
	return a;
}

struct top_action top_ui_key(struct top_ui *ui, struct top_model *m, int key)
{
	struct top_action a = { .request = TOP_NOTHING };

	*ui->message = 0;
	if (ui->is_typing)
		return key_typing(ui, key);
	if (ui->view == TOP_HELP) {	/* any key ends it, as it says */
		ui->view = ui->behind_help;
		a.request = key == 'q' ? TOP_QUIT : TOP_NOTHING;
		return a;
	}
	switch (key) {
	case 'q':
		a.request = TOP_QUIT;
		return a;
	case ' ':
		a.request = TOP_REFRESH;
		return a;
	case 'h':
	case '?':
		ui->behind_help = ui->view;
		ui->view = TOP_HELP;
		return a;
	case 't':
		start_typing(ui, m);
		return a;
	case 'p':
		return pause_or_go_on(ui, m);
	}
	return ui->view == TOP_PROCESSES ? key_processes(ui, key) :
					   key_guests(ui, m, key);
}

void top_ui_processes(struct top_ui *ui, const json_t *answer, const char *why)
{
	struct top_procs procs;
	int rc;

	if (!answer) {
		top_copy_text(ui->why, sizeof(ui->why), why);
		return;
	}
	rc = top_procs_parse(answer, &procs);
	if (rc) {
		snprintf(ui->why, sizeof(ui->why), "%s",
			 "unexpected answer");
		return;
	}
	top_procs_free(&ui->procs);
	ui->procs = procs;
	ui->has_procs = true;
	*ui->why = 0;
	if (ui->by_command)
		top_procs_by_command(&ui->procs);
	top_procs_sort(&ui->procs, ui->order);
	scroll(ui, 0);
}
