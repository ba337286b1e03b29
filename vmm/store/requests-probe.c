// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Probes: small reads that check whether a stalled device answers again.
 *
 * A device can have one place that never answers while the others do.  So each
 * probe reads another place, among those that were written and not discarded
 * since (a read of one that was never written may not reach the medium).  The
 * places are multiples of the golden ratio, modulo the part in use: consecutive
 * ones are far apart, and none is left out.
 *
 * A MiB with such a place blocks only one worker: nothing else in it is read
 * while a request there is without an answer.
 */
#include "config.h"

#include <stdlib.h>

#include "vmm/store/requests-internal.h"
#include "vmm/util/bitmap.h"

#define UNIT_BYTES (UINT64_C(1) << 20)
#define UNIT_BLOCKS (UNIT_BYTES / STORE_DEVICE_BLOCK)
#define GROUP_UNITS 4096	/* counted together, to search faster */
#define GOLDEN	   UINT32_C(2654435769)	/* 2^32 / 1.618... */

bool requests_probe_init(struct requests *q, uint64_t bytes)
{
	q->nr_units = bytes / UNIT_BYTES;
	q->in_use = bitmap_new(q->nr_units);
	q->nr_in_group = calloc(q->nr_units / GROUP_UNITS + 1,
				sizeof(*q->nr_in_group));
	return q->in_use && q->nr_in_group;
}

static uint64_t group_end(const struct requests *q, uint64_t group)
{
	uint64_t end = (group + 1) * GROUP_UNITS;

	return end < q->nr_units ? end : q->nr_units;
}

static void count_again(struct requests *q, uint64_t first, uint64_t end)
{
	for (uint64_t g = first / GROUP_UNITS; g * GROUP_UNITS < end; g++) {
		uint64_t nr = bitmap_count(q->in_use, g * GROUP_UNITS,
					   group_end(q, g));

		q->nr_in_use += nr - q->nr_in_group[g];
		q->nr_in_group[g] = nr;
	}
}

/* Only units completely inside the range are marked as no longer in use. */
void requests_set_in_use(struct requests *q, size_t len, uint64_t offset,
			 bool in_use)
{
	uint64_t first = offset / UNIT_BYTES;
	uint64_t end = (offset + len) / UNIT_BYTES;

	if (!in_use && offset % UNIT_BYTES)
		first++;
	if (in_use && (offset + len) % UNIT_BYTES)
		end++;
	if (end > q->nr_units)
		end = q->nr_units;
	if (in_use)
		bitmap_set_range(q->in_use, first, end);
	else
		bitmap_clear_range(q->in_use, first, end);
	count_again(q, first, end);
}

/* Finds the n-th unit in use: by groups, then words, then bits. */
static uint64_t nth_in_use(const struct requests *q, uint64_t n)
{
	uint64_t group = 0, unit, nr;

	while (n >= q->nr_in_group[group])
		n -= q->nr_in_group[group++];
	unit = group * GROUP_UNITS;
	while (n >= (nr = bitmap_count(q->in_use, unit, unit + 64))) {
		n -= nr;
		unit += 64;
	}
	unit = bitmap_next(q->in_use, unit, q->nr_units);
	while (n--)
		unit = bitmap_next(q->in_use, unit + 1, q->nr_units);
	return unit;
}

static uint64_t next_place(struct requests *q)
{
	uint64_t nr = q->nr_in_use;
	uint32_t fraction = ++q->nr_probes * GOLDEN;
	uint64_t unit = nr ? nth_in_use(q, fraction * nr >> 32) :
			     fraction * q->nr_units >> 32;

	/* The device may be smaller than a unit. */
	return q->nr_units ? unit * UNIT_BYTES + fraction % UNIT_BLOCKS *
				     STORE_DEVICE_BLOCK : 0;
}

/* A late probe does not count: another may be sent meanwhile. */
static bool is_probing(const struct requests *q)
{
	for (const struct request *r = q->list; r; r = r->next)
		if (r->kind == KIND_PROBE && !r->is_late)
			return true;
	return false;
}

bool requests_hangs_at(const struct requests *q, uint64_t offset)
{
	for (const struct request *r = q->list; r; r = r->next)
		if (r->phase == RUNNING && r->is_late && !request_changes(r) &&
		    r->offset / UNIT_BYTES == offset / UNIT_BYTES)
			return true;
	return false;
}

void requests_probe(struct requests *q)
{
	uint64_t place;
	void *buf;

	if (!q->nr_idle || is_probing(q))
		return;
	place = next_place(q);
	if (requests_hangs_at(q, place))
		return;
	buf = requests_buffer(STORE_DEVICE_BLOCK);
	if (buf && !request_add(q, KIND_PROBE, buf, STORE_DEVICE_BLOCK, place))
		free(buf);
}
