/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guests that `vmm top` shows: which there are, what they said last, what
 * follows from that and from what they said before, in which order.  No I/O,
 * and time is what the caller says.
 */
#ifndef VMM_TOP_MODEL_H
#define VMM_TOP_MODEL_H

#include "vmm/top/sample.h"

/* Rates are over so much time at most. */
#define TOP_WINDOW_NS UINT64_C(10000000000)
#define TOP_HISTORY   32

enum top_state {
	TOP_ASKED,	/* has not answered yet */
	TOP_OK,
	TOP_SILENT,	/* did not answer when asked last */
	TOP_FAILED,	/* answered with an error, or nobody listens */
};

struct top_counts {	/* what a VM had counted at a moment */
	uint64_t at_ns, nr_evicted, nr_refaults, scan_cpu_ns;
};

struct top_guest {
	char socket[108], name[64];
	enum top_state state;
	bool has_sample, has_rates;
	struct top_sample sample;
	uint64_t answered_ns;		/* when the sample came */
	double evictions, refaults;	/* a second */
	double cpu;			/* per cent of one CPU, for scans */
	char why[192];			/* of TOP_SILENT, TOP_FAILED */

	/* The model's own. */
	struct top_counts history[TOP_HISTORY];	/* the newest last */
	unsigned int nr_history;
	bool is_named;			/* by the user: never left out */
	bool is_seen;			/* in the sweep under way */
};

enum top_column {
	TOP_NAME, TOP_MEMORY, TOP_RESIDENT, TOP_TARGET, TOP_SWAPPED, TOP_STORED,
	TOP_WSS, TOP_IDLE, TOP_SCAN_MS, TOP_CPU, TOP_EVICTIONS, TOP_REFAULTS,
	TOP_PSI, TOP_STATE,
	TOP_NR_COLUMNS
};

struct top_model {
	struct top_guest **guests;	/* owned, in their order */
	size_t nr;
	enum top_column sort;
	bool ascending;
	char selected[108];		/* a socket; "" : none yet */
};

void top_model_free(struct top_model *model);

/*
 * The sockets that there are, found again before each round: begin, a see for
 * each, end, which forgets those not seen.  Named ones are seen once and stay.
 * -ENOMEM.
 */
void top_model_sweep_begin(struct top_model *model);
int top_model_see(struct top_model *model, const char *name,
		  const char *socket, bool is_named);
void top_model_sweep_end(struct top_model *model);

/* NULL: there is none (any more). */
struct top_guest *top_model_find(struct top_model *model, const char *socket);

/* What came of asking it. */
void top_guest_answered(struct top_guest *guest,
			const struct top_sample *sample, uint64_t now_ns);
/* Nobody listens on a socket that was only found: it is left out. */
void top_model_failed(struct top_model *model, struct top_guest *guest, int rc,
		      const char *why);

/* By another column; by the same one again turns the order round. */
void top_model_sort_by(struct top_model *model, enum top_column column);
void top_model_sort(struct top_model *model);

/* The index of the selected guest; the nearest where it went; -1: no guests. */
int top_model_selected(struct top_model *model);
void top_model_move(struct top_model *model, int by);

#endif
