// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/top/model.h"
#include "vmm/top/table.h"

void top_model_free(struct top_model *m)
{
	for (size_t i = 0; i < m->nr; i++)
		free(m->guests[i]);
	free(m->guests);
	m->guests = NULL;
	m->nr = 0;
}

void top_model_sweep_begin(struct top_model *m)
{
	for (size_t i = 0; i < m->nr; i++)
		m->guests[i]->is_seen = m->guests[i]->is_named;
}

struct top_guest *top_model_find(struct top_model *m, const char *socket)
{
	for (size_t i = 0; i < m->nr; i++)
		if (!strcmp(m->guests[i]->socket, socket))
			return m->guests[i];
	return NULL;
}

int top_model_see(struct top_model *m, const char *name, const char *socket,
		  bool is_named)
{
	struct top_guest *g = top_model_find(m, socket), **bigger;

	if (g) {
		g->is_seen = true;
		return 0;
	}
	if (strlen(socket) >= sizeof(g->socket))
		return -ENAMETOOLONG;
	bigger = realloc(m->guests, (m->nr + 1) * sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	m->guests = bigger;
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	strcpy(g->socket, socket);
	top_copy_text(g->name, sizeof(g->name), name);
	g->is_named = is_named;
	g->is_seen = true;
	m->guests[m->nr++] = g;
	return 0;
}

static void forget(struct top_model *m, size_t i)
{
	/* Selects the guest that takes its place on the screen. */
	if (!strcmp(m->selected, m->guests[i]->socket)) {
		size_t next = i + 1 < m->nr ? i + 1 : i ? i - 1 : i;

		if (next == i)
			*m->selected = 0;
		else
			strcpy(m->selected, m->guests[next]->socket);
	}
	free(m->guests[i]);
	m->nr--;
	memmove(&m->guests[i], &m->guests[i + 1],
		(m->nr - i) * sizeof(*m->guests));
}

void top_model_sweep_end(struct top_model *m)
{
	for (size_t i = m->nr; i--;)
		if (!m->guests[i]->is_seen)
			forget(m, i);
}

static void add_history(struct top_guest *g, const struct top_counts *now)
{
	unsigned int drop = g->nr_history == TOP_HISTORY;

	while (drop < g->nr_history &&
	       now->at_ns - g->history[drop].at_ns > TOP_WINDOW_NS)
		drop++;
	/* One sample that is too old is still better than none. */
	if (drop && drop == g->nr_history)
		drop--;
	g->nr_history -= drop;
	memmove(g->history, g->history + drop,
		g->nr_history * sizeof(*g->history));
	g->history[g->nr_history++] = *now;
}

/* Counters restart when another VM takes over the socket. */
static bool counters_reset(const struct top_guest *g,
			   const struct top_counts *now)
{
	const struct top_counts *last;

	if (!g->nr_history)
		return false;
	last = &g->history[g->nr_history - 1];
	return now->nr_evicted < last->nr_evicted ||
	       now->nr_refaults < last->nr_refaults ||
	       now->scan_cpu_ns < last->scan_cpu_ns;
}

static void set_rates(struct top_guest *g)
{
	const struct top_counts *a = &g->history[0];
	const struct top_counts *b = &g->history[g->nr_history - 1];
	double s = (b->at_ns - a->at_ns) * 1e-9;

	g->has_rates = s > 0;
	if (!g->has_rates)
		return;
	g->evictions = (b->nr_evicted - a->nr_evicted) / s;
	g->refaults = (b->nr_refaults - a->nr_refaults) / s;
	g->cpu = (b->scan_cpu_ns - a->scan_cpu_ns) * 1e-9 / s * 100;
}

void top_guest_answered(struct top_guest *g, const struct top_sample *sample,
			uint64_t now_ns)
{
	struct top_counts now = { now_ns, sample->nr_evicted,
				  sample->nr_refaults, sample->scan_cpu_ns };

	if ((g->has_sample && g->sample.pid != sample->pid) ||
	    counters_reset(g, &now))
		g->nr_history = 0;
	add_history(g, &now);
	set_rates(g);
	g->sample = *sample;
	g->has_sample = true;
	g->answered_ns = now_ns;
	g->state = TOP_OK;
	*g->why = 0;
	top_copy_text(g->name, sizeof(g->name), sample->name);
}

void top_model_failed(struct top_model *m, struct top_guest *g, int rc,
		      const char *why)
{
	size_t i = 0;

	if (rc == -ECONNREFUSED && !g->is_named) {
		while (m->guests[i] != g)
			i++;
		forget(m, i);
		return;
	}
	g->state = rc == -ETIMEDOUT ? TOP_NOT_RESPONDING : TOP_FAILED;
	top_copy_text(g->why, sizeof(g->why), why);
}

void top_model_sort_by(struct top_model *m, enum top_column column)
{
	/* Names in ascending order, other columns in descending order. */
	m->ascending = m->sort == column ? !m->ascending : column == TOP_NAME;
	m->sort = column;
	top_model_sort(m);
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct top_guest *x = *(struct top_guest *const *)a;
	const struct top_guest *y = *(struct top_guest *const *)b;
	const struct top_model *m = arg;
	int names = strcmp(x->name, y->name), order = 0;
	double v, w;

	if (m->sort == TOP_NAME) {
		order = names;
	} else if (x->has_sample != y->has_sample) {
		return x->has_sample ? -1 : 1;	/* nothing to sort by */
	} else {
		v = top_column_value(m->sort, x);
		w = top_column_value(m->sort, y);
		order = (v > w) - (v < w);
	}
	if (order)
		return m->ascending ? order : -order;
	return names ? names : strcmp(x->socket, y->socket);
}

void top_model_sort(struct top_model *m)
{
	if (m->nr)
		qsort_r(m->guests, m->nr, sizeof(*m->guests), compare, m);
}

int top_model_selected(struct top_model *m)
{
	for (size_t i = 0; i < m->nr; i++)
		if (!strcmp(m->guests[i]->socket, m->selected))
			return i;
	if (!m->nr)
		return -1;
	strcpy(m->selected, m->guests[0]->socket);
	return 0;
}

void top_model_move(struct top_model *m, int by)
{
	int at = top_model_selected(m);

	if (at < 0)
		return;
	at += by;
	if (at < 0)
		at = 0;
	if (at >= (int)m->nr)
		at = m->nr - 1;
	strcpy(m->selected, m->guests[at]->socket);
}
