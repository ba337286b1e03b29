/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What keys do in `vmm top`: the current view, the selection, the text being
 * typed.  A key changes these, and may return an action for the caller.  No
 * I/O.
 */
#ifndef VMM_TOP_UI_H
#define VMM_TOP_UI_H

#include "vmm/top/model.h"
#include "vmm/top/procs.h"

enum top_key {		/* besides characters */
	TOP_KEY_ENTER = '\n', TOP_KEY_ESCAPE = 27, TOP_KEY_BACKSPACE = 127,
	TOP_KEY_UP = 0x1000, TOP_KEY_DOWN, TOP_KEY_LEFT, TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN, TOP_KEY_HOME, TOP_KEY_END,
};

enum top_view { TOP_GUESTS, TOP_PROCESSES, TOP_HELP };

struct top_ui {
	enum top_view view, behind_help;	/* the latter: after help */
	int page_rows;		/* rows of a page key; set by drawing */
	char message[256];
	bool is_error;		/* the message */

	bool is_typing;		/* a target for the guest `about` */
	char typed[24];
	char about[108], about_name[64];	/* its socket, its name */

	/* For TOP_PROCESSES. */
	char guest[108], guest_name[64];	/* its socket, its name */
	struct top_procs procs;			/* owned */
	bool has_procs;
	char why[192];				/* why there are none */
	bool by_command;
	enum top_procs_order order;
	int first;				/* the first visible row */
};

enum top_request {
	TOP_NOTHING,
	TOP_QUIT,
	TOP_REFRESH,
	TOP_REQUEST_PROCESSES,
	TOP_PUT_TARGET,
	TOP_PUT_ENABLED,
};

struct top_action {
	enum top_request request;
	char socket[108];	/* the guest of the last three actions */
	uint64_t target;
	bool enabled;
};

void top_ui_free(struct top_ui *ui);

/* key: a character or enum top_key. */
struct top_action top_ui_key(struct top_ui *ui, struct top_model *model,
			     int key);

/* The answer to TOP_REQUEST_PROCESSES, for the guest now shown. */
void top_ui_processes(struct top_ui *ui, const json_t *answer, const char *why);

void top_ui_set_message(struct top_ui *ui, bool is_error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
