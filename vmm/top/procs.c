// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/top/procs.h"

#define PAGE_BYTES 4096

static uint64_t pages(const json_t *v)
{
	json_int_t n = json_integer_value(v);

	return n > 0 ? n * PAGE_BYTES : 0;
}

static bool parse_one(const json_t *j, struct top_proc *p)
{
	const json_t *pid = json_object_get(j, "pid"), *v;
	const json_t *ages = json_object_get(j, "resident_by_idle_scans");
	const char *comm = json_string_value(json_object_get(j, "comm"));
	size_t i;

	if (!json_is_integer(pid) || !comm)
		return false;
	p->pid = json_integer_value(pid);
	p->nr = 1;
	top_copy_text(p->comm, sizeof(p->comm), comm);
	p->mapped = pages(json_object_get(j, "nr_mapped"));
	p->resident = pages(json_object_get(j, "nr_resident"));
	p->swapped = pages(json_object_get(j, "nr_swapped"));
	p->has_ages = json_is_array(ages);
	json_array_foreach(ages, i, v)
		if (i < STAT_AGE_CLASSES)
			p->idle[i] = pages(v);
	return true;
}

int top_procs_parse(const json_t *answer, struct top_procs *procs)
{
	struct top_procs parsed = { .nr = json_array_size(answer) };
	const json_t *j;
	size_t i;

	if (!json_is_array(answer))
		return -EINVAL;
	parsed.procs = calloc(parsed.nr + 1, sizeof(*parsed.procs));
	if (!parsed.procs)
		return -ENOMEM;
	json_array_foreach(answer, i, j)
		if (!parse_one(j, &parsed.procs[i])) {
			top_procs_free(&parsed);
			return -EINVAL;
		}
	*procs = parsed;
	return 0;
}

void top_procs_free(struct top_procs *procs)
{
	free(procs->procs);
	*procs = (struct top_procs){ 0 };
}

static void add_proc(struct top_proc *to, const struct top_proc *p)
{
	to->nr += p->nr;
	to->mapped += p->mapped;
	to->resident += p->resident;
	to->swapped += p->swapped;
	to->has_ages |= p->has_ages;
	for (int i = 0; i < STAT_AGE_CLASSES; i++)
		to->idle[i] += p->idle[i];
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct top_proc *x = a, *y = b;
	double v = 0, w = 0;
	int order;

	switch (*(enum top_procs_order *)arg) {
	case TOP_PROCS_EVICTED:
		v = y->swapped;
		w = x->swapped;
		break;
	case TOP_PROCS_IDLE:
		v = top_idle_share(y->idle);
		w = top_idle_share(x->idle);
		break;
	case TOP_PROCS_MAPPED:
		v = y->mapped;
		w = x->mapped;
		break;
	case TOP_PROCS_COMMAND:
		order = strcmp(x->comm, y->comm);
		if (order)
			return order;
		break;
	case TOP_PROCS_PID:
		break;
	case TOP_PROCS_RESIDENT:
	case TOP_PROCS_NR_ORDERS:
		v = y->resident;
		w = x->resident;
		break;
	}
	if (v != w)
		return v < w ? -1 : 1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

void top_procs_sort(struct top_procs *procs, enum top_procs_order order)
{
	if (procs->nr)
		qsort_r(procs->procs, procs->nr, sizeof(*procs->procs), compare,
			&order);
}

void top_procs_by_command(struct top_procs *procs)
{
	size_t kept = 0;

	top_procs_sort(procs, TOP_PROCS_COMMAND);
	for (size_t i = 0; i < procs->nr; i++) {
		struct top_proc *p = &procs->procs[i];

		if (kept && !strcmp(procs->procs[kept - 1].comm, p->comm))
			add_proc(&procs->procs[kept - 1], p);
		else
			procs->procs[kept++] = *p;
	}
	procs->nr = kept;
}
