/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guests and processes as lines of text, for the screen and for --batch.  No
 * line is wider than requested, in characters; with utf8 some characters take
 * several bytes.
 */
#ifndef VMM_TOP_TABLE_H
#define VMM_TOP_TABLE_H

#include "vmm/top/model.h"
#include "vmm/top/procs.h"

#define TOP_LINE 1024	/* bytes of a line */

const char *top_column_title(enum top_column column);
/* By letter or title, ignoring case; -1: no such column. */
int top_column_find(const char *text);
/* The value to sort by; not for TOP_NAME. */
double top_column_value(enum top_column column, const struct top_guest *guest);

/* The columns that fit: the least important ones are left out. */
struct top_layout {
	int width;		/* of the line */
	int name_width;
	bool utf8;
	bool has[TOP_NR_COLUMNS];
};

void top_layout_fit(struct top_layout *layout, int width, bool utf8);

void top_table_heading(const struct top_layout *layout, char line[TOP_LINE]);
void top_table_row(const struct top_layout *layout,
		   const struct top_guest *guest, uint64_t now_ns,
		   char line[TOP_LINE]);

void top_procs_heading(int width, char line[TOP_LINE]);
void top_procs_row(int width, bool utf8, const struct top_proc *proc,
		   char line[TOP_LINE]);

/*
 * The shares of the idle classes, one character each: eighths of a block, or
 * without utf8 tenths ('1' to '9', '.' for none).  Any share above 0 is
 * visible.
 */
void top_bars(const uint64_t idle[STAT_AGE_CLASSES], bool utf8, char *buf,
	      size_t len);

/* Truncates a line to width characters. */
void top_cut(char *line, int width);

#endif
