/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guests that `vmm top` shows: their list, their last answers, rates from
 * these and earlier ones, and their order.  No I/O, and time is passed in by
 * the caller.
 */
#ifndef VMM_TOP_MODEL_H
#define VMM_TOP_MODEL_H

#include "vmm/top/sample.h"

/* Rates are averages over at most this time. */
#define TOP_WINDOW_NS UINT64_C(10000000000)
#define TOP_HISTORY   32

enum top_state {
	TOP_PENDING,	/* no answer yet */
	TOP_OK,
	TOP_NOT_RESPONDING,	/* did not answer the last query */
	TOP_FAILED,	/* answered with an error, or connection refused */
};

struct top_counts {	/* a VM's counters at one time */
	uint64_t at_ns, nr_evicted, nr_refaults, scan_cpu_ns;
};

struct top_guest {
	char socket[108], name[64];
	enum top_state state;
	bool has_sample, has_rates;
	struct top_sample sample;
	uint64_t answered_ns;		/* time of the sample */
	double evictions, refaults;	/* per second */
	double cpu;			/* percent of one CPU, for scans */
	char why[192];			/* of TOP_NOT_RESPONDING, TOP_FAILED */

	/* Private to the model. */
	struct top_counts history[TOP_HISTORY];	/* the newest last */
	unsigned int nr_history;
	bool is_named;			/* named by the user: never removed */
	bool is_seen;			/* in the current sweep */
};

enum top_column {
	TOP_NAME, TOP_MEMORY, TOP_RESIDENT, TOP_TARGET, TOP_SWAPPED, TOP_STORED,
	TOP_WSS, TOP_IDLE, TOP_SCAN_MS, TOP_CPU, TOP_EVICTIONS, TOP_REFAULTS,
	TOP_PSI, TOP_STATE,
	TOP_NR_COLUMNS
};

struct top_model {
	struct top_guest **guests;	/* owned, in display order */
	size_t nr;
	enum top_column sort;
	bool ascending;
	char selected[108];		/* a socket; "": none yet */
};

void top_model_free(struct top_model *model);

/*
 * The existing sockets, found again before each round: _sweep_begin(), _see()
 * for each, and _sweep_end(), which removes those not seen.  Those that the
 * user named (is_named) are added once and stay.  -ENOMEM, -ENAMETOOLONG.
 */
void top_model_sweep_begin(struct top_model *model);
int top_model_see(struct top_model *model, const char *name,
		  const char *socket, bool is_named);
void top_model_sweep_end(struct top_model *model);

/* NULL: it does not exist (any more). */
struct top_guest *top_model_find(struct top_model *model, const char *socket);

/* The result of a query. */
void top_guest_answered(struct top_guest *guest,
			const struct top_sample *sample, uint64_t now_ns);
/*
 * The guest is removed if its socket refuses connections and was not named by
 * the user.
 */
void top_model_failed(struct top_model *model, struct top_guest *guest, int rc,
		      const char *why);

/* The same column again reverses the order. */
void top_model_sort_by(struct top_model *model, enum top_column column);
void top_model_sort(struct top_model *model);

/*
 * The index of the selected guest, or the nearest if it was removed; -1: no
 * guests.
 */
int top_model_selected(struct top_model *model);
void top_model_move(struct top_model *model, int by);

#endif
