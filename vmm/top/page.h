/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contents of the `vmm top` screen, as lines with attributes: everything
 * but the terminal.
 */
#ifndef VMM_TOP_PAGE_H
#define VMM_TOP_PAGE_H

#include "vmm/top/host.h"
#include "vmm/top/model.h"
#include "vmm/top/table.h"
#include "vmm/top/ui.h"

enum top_attr {
	TOP_PLAIN, TOP_TITLE, TOP_HEADING, TOP_SELECTED, TOP_DIM, TOP_WARNING,
	TOP_ALARM,
};

struct top_page_line {
	enum top_attr attr;
	char text[TOP_LINE];
};

struct top_page {
	int rows, cols;
	struct top_page_line *lines;	/* owned, [rows] */
	int cursor_row, cursor_col;	/* -1: no cursor */
};

struct top_scene {		/* what is to be shown; not owned */
	struct top_model *model;
	struct top_ui *ui;	/* top_page_make() sets its page_rows */
	const struct top_host *host;
	uint64_t now_ns;	/* by the clock of the model's times */
	const char *clock;	/* the time of day */
	bool utf8;
};

/* For a terminal of any size.  The caller frees page->lines.  -ENOMEM. */
int top_page_make(struct top_page *page, int rows, int cols,
		  const struct top_scene *scene);

/* The three lines at the top, not truncated to a width. */
#define TOP_NR_SUMMARY 3
void top_summary(const struct top_scene *scene,
		 char lines[TOP_NR_SUMMARY][TOP_LINE]);

#endif
