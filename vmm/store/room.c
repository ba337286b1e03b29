// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes room in the store.  The oldest pages in memory are moved to the device,
 * a segment at a time; and on the device, the live records of segments that are
 * mostly dropped are moved to new ones.  Both take copies under the lock, write
 * without it, and then move those pages that have not changed meanwhile.
 *
 * There may be any number of stale lines in the queue (fifo.h), and thousands
 * of records in a segment: after MAX_ITEMS of them the lock is released for
 * others, such as faults.  Meanwhile pages may change, as they may while a
 * segment is written.
 *
 * A write past its timeout continues in the background; the pages stay where
 * they are, and the next thread that makes room completes it, or fails at once
 * while it runs.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm/store/store-internal.h"
#include "vmm/util/cond.h"

/* A segment has at most so many records, of 8 bytes and a header of 24. */
#define MAX_RECORDS (LOG_SEGMENT_BYTES / 32)
#define MAX_VICTIMS 16
#define MAX_CLEANINGS 4
/* Lines and records processed in one hold of the lock. */
#define MAX_ITEMS     2048

struct moving {
	struct log_record to;
	uint64_t from;		/* TIER_FAR: its old offset */
	uint8_t seq;		/* TIER_MEM: seq of its put */
};

struct room_maker {
	size_t nr;		/* records of the segment being made */
	enum store_tier tier;	/* tier they come from */
	bool write_pending;	/* the write was started; no answer so far */
	unsigned int nr_items;	/* processed since the lock was yielded */
	unsigned int nr_victims;
	unsigned int nr_complete;	/* of these: all records collected */
	uint64_t victims[MAX_VICTIMS];	/* segments they come from; pinned */
	struct moving moving[MAX_RECORDS];
	uint8_t victim_buf[LOG_SEGMENT_BYTES];	/* of one victim, as read */
};

int room_maker_new(struct room_maker **roomp)
{
	*roomp = malloc(sizeof(**roomp));
	if (!*roomp)
		return -ENOMEM;
	(*roomp)->write_pending = false;
	(*roomp)->nr_victims = (*roomp)->nr_complete = (*roomp)->nr_items = 0;
	return 0;
}

void room_maker_free(struct room_maker *room)
{
	free(room);
}

/*
 * Called before each line or record, by the thread that makes room, while it
 * has no pointer into data that the lock guards.
 */
static void yield_lock_if_due(struct store *s)
{
	if (++s->maker->nr_items <= MAX_ITEMS)
		return;
	fair_unlock(&s->lock);
	fair_lock_after_others(&s->lock);
	s->maker->nr_items = 1;
}

/*
 * Whether the page is still the one that was copied.  An object in memory gets
 * another handle when slab_compact() moves it: so the seq of its put is
 * compared.
 */
static bool is_unchanged(const struct store_entry *e, const struct moving *m,
			 enum store_tier tier)
{
	return e->tier == tier && e->sum == m->to.sum && e->len == m->to.len &&
	       (tier == TIER_MEM ? e->seq == m->seq : e->where == m->from);
}

/*
 * Moves the pages that have not changed and drops the copies of the others.
 * All records count as live from log_commit() on, so that the segment is not
 * freed before the last is processed.
 */
static void commit_moves(struct store *s)
{
	const struct room_maker *r = s->maker;

	log_commit(s->log);
	for (size_t i = 0; i < r->nr; i++) {
		const struct log_record *to = &r->moving[i].to;
		struct store_entry *e = &s->entries[to->key];

		yield_lock_if_due(s);
		if (!is_unchanged(e, &r->moving[i], r->tier)) {
			log_drop(s->log, to->at, to->len);
			continue;
		}
		if (r->tier == TIER_MEM) {
			store_release(s, e->where);
			s->stats.nr_far++;
			s->stats.nr_demoted++;
		} else {
			log_drop(s->log, e->where, e->len);
			s->stats.nr_cleaned++;
		}
		e->where = to->at;
		e->tier = TIER_FAR;
	}
}

static bool never_stale(struct fifo_line line, void *arg)
{
	return false;
}

/*
 * After a failed write the pages are still in memory and are queued again.  If
 * there is no memory for the line, the page stays in memory until it is put
 * again.
 */
static void requeue(struct store *s)
{
	const struct room_maker *r = s->maker;

	for (size_t i = 0; i < r->nr; i++) {
		const struct moving *m = &r->moving[i];
		const struct fifo_line line = { m->to.key, m->seq };

		yield_lock_if_due(s);
		if (is_unchanged(&s->entries[m->to.key], m, TIER_MEM))
			fifo_push(s->queue, line, never_stale, NULL);
	}
}

/* Reports victims with records left that are live: missing or wrong ones. */
static void report_wrong_victims(struct store *s)
{
	const struct room_maker *r = s->maker;

	for (unsigned int i = 0; i < r->nr_complete; i++)
		if (log_victim_mark_wrong(s->log, r->victims[i]))
			health_wrong_segment(s->health, r->victims[i]);
}

/* Ends the segment with the device's result, or with nothing to write. */
static void end_segment(struct store *s, int rc)
{
	struct room_maker *r = s->maker;

	r->write_pending = false;
	if (!rc && r->nr) {
		commit_moves(s);
	} else {
		log_abort(s->log, rc);
		if (r->tier == TIER_MEM)
			requeue(s);
	}
	if (!rc)
		report_wrong_victims(s);
	r->nr_complete = 0;
	while (r->nr_victims)
		log_unpin(s->log, r->victims[--r->nr_victims]);
}

/*
 * Releases the lock while it waits.  -ETIMEDOUT: no answer so far
 * (write_pending), or the request was cancelled before it was started.
 */
static int wait_for_write(struct store *s, uint64_t until_ns)
{
	int rc;

	fair_unlock(&s->lock);
	rc = log_write_result(s->log, until_ns);
	fair_lock(&s->lock);
	if (rc == -EINPROGRESS)
		return -ETIMEDOUT;
	end_segment(s, rc);
	return rc;
}

static int write_segment(struct store *s, uint64_t until_ns)
{
	int rc = log_write(s->log);

	if (rc) {
		end_segment(s, rc);
		return rc;
	}
	s->maker->write_pending = true;
	return wait_for_write(s, until_ns);
}

static int begin_segment(struct store *s, enum store_tier tier)
{
	s->maker->nr = 0;
	s->maker->tier = tier;
	return log_begin(s->log, tier == TIER_FAR);
}

/* Adds a copy to the segment being made; false: it is full. */
static bool add_record(struct store *s, const struct log_record *record,
		       const void *data, uint8_t seq)
{
	struct room_maker *r = s->maker;
	struct moving *m = &r->moving[r->nr];

	if (r->nr == MAX_RECORDS)
		return false;
	*m = (struct moving){ *record, record->at, seq };
	if (!log_add(s->log, &m->to, data))
		return false;
	r->nr++;
	return true;
}

static bool next_line(struct store *s, struct fifo_line *line)
{
	yield_lock_if_due(s);
	return fifo_pop(s->queue, line);
}

static void collect_oldest(struct store *s)
{
	struct fifo_line line;

	while (next_line(s, &line)) {
		const struct store_entry *e = &s->entries[line.key];
		const struct log_record record = {
			.key = line.key, .sum = e->sum, .len = e->len,
			.kind = e->kind,
		};

		if (e->tier != TIER_MEM || e->seq != line.seq)
			continue;
		if (!add_record(s, &record, slab_data(s->slab, e->where),
				e->seq)) {
			fifo_unpop(s->queue, line);
			break;
		}
	}
}

/*
 * Moves the oldest pages in memory to the device.  STORE_FULL: there is no free
 * segment, or nothing to move.
 */
static int demote(struct store *s, uint64_t until_ns)
{
	int rc = begin_segment(s, TIER_MEM);

	if (rc)
		return rc == -ENOSPC ? STORE_FULL : rc;
	collect_oldest(s);
	if (s->maker->nr)
		return write_segment(s, until_ns);
	end_segment(s, 0);
	return STORE_FULL;
}

static bool is_intact(const struct store_entry *e, const struct log_record *r,
		      const void *data)
{
	return e->sum == r->sum && e->len == r->len && e->kind == r->kind &&
	       page_code_checksum(data, r->len) == r->data_sum;
}

/*
 * Collects the live records of a victim; false when the new segment is full.
 * Wrong records stay where they are: a get of the page may read it correctly.
 */
static bool collect_live(struct store *s, uint64_t at)
{
	struct log_record record;
	const void *data;
	size_t pos = 0;

	while (log_next(s->maker->victim_buf, at, &pos, &record, &data)) {
		const struct store_entry *e;

		yield_lock_if_due(s);
		if (record.key >= s->nr_keys)
			continue;
		e = &s->entries[record.key];
		if (e->tier != TIER_FAR || e->where != record.at)
			continue;
		if (is_intact(e, &record, data) &&
		    !add_record(s, &record, data, 0))
			return false;
	}
	return true;
}

/* Collects the records of as many victims as fit, until until_ns. */
static int collect_victims(struct store *s, uint64_t until_ns)
{
	struct room_maker *r = s->maker;
	bool fits = true;
	int rc = 0;

	while (fits && !rc && r->nr_victims < MAX_VICTIMS &&
	       log_victim(s->log, &r->victims[r->nr_victims])) {
		uint64_t at = r->victims[r->nr_victims++];

		fair_unlock(&s->lock);
		rc = log_read_segment(s->log, at, r->victim_buf, until_ns);
		fair_lock(&s->lock);
		if (!rc)
			fits = collect_live(s, at);
		else
			log_victim_failed(s->log, at);
		r->nr_complete += !rc && fits;
	}
	return rc;
}

/*
 * Writes the live records of some victims to one segment.  STORE_FULL: no
 * victims.
 */
static int clean(struct store *s, uint64_t until_ns)
{
	int rc = begin_segment(s, TIER_FAR), wrote = 0;
	bool found;

	if (rc)
		return rc == -ENOSPC ? STORE_FULL : rc;
	rc = collect_victims(s, until_ns);
	found = s->maker->nr_victims;
	if (s->maker->nr)
		wrote = write_segment(s, until_ns);
	else
		end_segment(s, 0);
	return rc ? rc : wrote ? wrote : found ? 0 : STORE_FULL;
}

static int make_room(struct store *s, uint64_t until_ns)
{
	int rc;

	if (s->maker->write_pending) {
		rc = wait_for_write(s, until_ns);
		if (!rc || s->maker->write_pending)
			return rc;
	}
	rc = demote(s, until_ns);
	for (int i = 0; rc == STORE_FULL && i < MAX_CLEANINGS; i++) {
		rc = clean(s, until_ns);
		if (rc)
			break;
		rc = demote(s, until_ns);
	}
	return rc;
}

int store_make_room(struct store *s, uint64_t until_ns)
{
	int rc = 0;

	fair_lock(&s->lock);
	while (s->making_room && !rc)
		rc = -cond_wait_until(&s->room_made, &s->lock.mutex, until_ns);
	if (!rc) {
		s->making_room = true;
		rc = make_room(s, until_ns);
		s->making_room = false;
		pthread_cond_broadcast(&s->room_made);
	}
	fair_unlock(&s->lock);
	if (health_has_unlogged(s->health))
		health_log(s->health);
	return rc;
}
