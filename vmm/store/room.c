// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Room in the store.  The oldest pages in memory go to the device, a segment at
 * a time; and on the device, what is left in segments that are mostly dropped
 * goes to new ones.  Both take copies under the lock, write without it, and
 * then move those pages that are still where they were.
 *
 * There may be any number of stale lines in the queue, and thousands of records
 * in a segment: faults, which need the lock, are let through every MAX_ITEMS.
 * Meanwhile pages may change, as they may while a segment is written.
 *
 * A write that has no answer in time is left to end; the pages stay where they
 * are, and who makes room next settles it, or fails at once while it runs.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm/store/store-internal.h"
#include "vmm/util/cond.h"

/* A segment has this many records at most, of the smallest kind. */
#define MAX_RECORDS (LOG_SEGMENT_BYTES / 32)
#define MAX_VICTIMS 16
#define MAX_CLEANINGS 4
/* Lines and records that are gone through in one hold of the lock. */
#define MAX_ITEMS     2048

struct moving {
	struct log_record to;
	uint64_t from;		/* TIER_FAR: its place until now */
	uint8_t seq;		/* TIER_MEM: of the put that it is */
};

struct room {
	size_t nr;		/* records of the segment being made */
	enum store_tier tier;	/* where they come from */
	bool is_written;	/* no answer of the device so far */
	unsigned int nr_items;	/* gone through since others had the lock */
	unsigned int nr_victims;
	unsigned int nr_whole;	/* of them: all that is live was to be moved */
	uint64_t victims[MAX_VICTIMS];	/* pinned segments they come from */
	struct moving moving[MAX_RECORDS];
	uint8_t victim[LOG_SEGMENT_BYTES];
};

int room_new(struct room **roomp)
{
	*roomp = malloc(sizeof(**roomp));
	if (!*roomp)
		return -ENOMEM;
	(*roomp)->is_written = false;
	(*roomp)->nr_victims = (*roomp)->nr_whole = (*roomp)->nr_items = 0;
	return 0;
}

void room_free(struct room *room)
{
	free(room);
}

/*
 * Before each line or record, with no pointer into what the lock guards.  Only of
 * the thread that makes room.
 */
static void take_turn(struct store *s)
{
	if (++s->scratch->nr_items <= MAX_ITEMS)
		return;
	fair_unlock(&s->lock);
	fair_lock_after_others(&s->lock);
	s->scratch->nr_items = 1;
}

/* Objects in memory move, too, when holes are filled: there the put counts. */
static bool is_unchanged(const struct store_entry *e, const struct moving *m,
			 enum store_tier tier)
{
	return e->tier == tier && e->sum == m->to.sum && e->len == m->to.len &&
	       (tier == TIER_MEM ? e->seq == m->seq : e->where == m->from);
}

/*
 * The pages that have not changed move; the others' copies are dropped.  Those
 * still to come count as live: the segment is not freed before.
 */
static void settle(struct store *s)
{
	const struct room *r = s->scratch;

	log_commit(s->log);
	for (size_t i = 0; i < r->nr; i++) {
		const struct log_record *to = &r->moving[i].to;
		struct store_entry *e = &s->entries[to->key];

		take_turn(s);
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
 * After a write that failed they are still in memory, and still to go.  Where
 * there is no memory for the line, the page stays until it is put again.
 */
static void queue_again(struct store *s)
{
	const struct room *r = s->scratch;

	for (size_t i = 0; i < r->nr; i++) {
		const struct moving *m = &r->moving[i];
		const struct fifo_line line = { m->to.key, m->seq };

		take_turn(s);
		if (is_unchanged(&s->entries[m->to.key], m, TIER_MEM))
			fifo_push(s->queue, line, never_stale, NULL);
	}
}

/* What is live in them still was not where it should be, or was wrong. */
static void check_victims(struct store *s)
{
	const struct room *r = s->scratch;

	for (unsigned int i = 0; i < r->nr_whole; i++)
		if (log_victim_is_wrong(s->log, r->victims[i]))
			health_wrong_segment(s->health, r->victims[i]);
}

/* The device's answer, or that there was nothing to write. */
static void end_segment(struct store *s, int rc)
{
	struct room *r = s->scratch;

	r->is_written = false;
	if (!rc && r->nr) {
		settle(s);
	} else {
		log_abort(s->log, rc);
		if (r->tier == TIER_MEM)
			queue_again(s);
	}
	if (!rc)
		check_victims(s);
	r->nr_whole = 0;
	while (r->nr_victims)
		log_unpin(s->log, r->victims[--r->nr_victims]);
}

/*
 * Without the lock, which is held before and after.  -ETIMEDOUT: no answer so
 * far (is_written), or the request was cancelled before it began.
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
	s->scratch->is_written = true;
	return wait_for_write(s, until_ns);
}

static int begin_segment(struct store *s, enum store_tier tier)
{
	s->scratch->nr = 0;
	s->scratch->tier = tier;
	return log_begin(s->log, tier == TIER_FAR);
}

static bool add(struct store *s, const struct log_record *record,
		const void *data, uint8_t seq)
{
	struct room *r = s->scratch;
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
	take_turn(s);
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
		if (!add(s, &record, slab_data(s->slab, e->where), e->seq)) {
			fifo_unpop(s->queue, line);
			break;
		}
	}
}

/* STORE_FULL: there is no segment, or nothing to write. */
static int demote(struct store *s, uint64_t until_ns)
{
	int rc = begin_segment(s, TIER_MEM);

	if (rc)
		return rc == -ENOSPC ? STORE_FULL : rc;
	collect_oldest(s);
	if (s->scratch->nr)
		return write_segment(s, until_ns);
	end_segment(s, 0);
	return STORE_FULL;
}

static bool is_right(const struct store_entry *e, const struct log_record *r,
		     const void *data)
{
	return e->sum == r->sum && e->len == r->len && e->kind == r->kind &&
	       page_code_checksum(data, r->len) == r->data_sum;
}

/*
 * What is live of a victim's bytes; false when the new segment is full.  What
 * is wrong stays where it is: whoever needs the page may read it right.
 */
static bool collect_live(struct store *s, uint64_t at)
{
	struct log_record record;
	const void *data;
	size_t pos = 0;

	while (log_next(s->scratch->victim, at, &pos, &record, &data)) {
		const struct store_entry *e;

		take_turn(s);
		if (record.key >= s->nr_keys)
			continue;
		e = &s->entries[record.key];
		if (e->tier != TIER_FAR || e->where != record.at)
			continue;
		if (is_right(e, &record, data) &&
		    !add(s, &record, data, 0))
			return false;
	}
	return true;
}

/* Of some victims, as many as fit, while there is time. */
static int collect_victims(struct store *s, uint64_t until_ns)
{
	struct room *r = s->scratch;
	bool fits = true;
	int rc = 0;

	while (fits && !rc && r->nr_victims < MAX_VICTIMS &&
	       log_victim(s->log, &r->victims[r->nr_victims])) {
		uint64_t at = r->victims[r->nr_victims++];

		fair_unlock(&s->lock);
		rc = log_read_segment(s->log, at, r->victim, until_ns);
		fair_lock(&s->lock);
		if (!rc)
			fits = collect_live(s, at);
		else
			log_victim_failed(s->log, at);
		r->nr_whole += !rc && fits;
	}
	return rc;
}

/* Some victims' live records become one segment.  STORE_FULL: no victims. */
static int clean(struct store *s, uint64_t until_ns)
{
	int rc = begin_segment(s, TIER_FAR), wrote = 0;
	bool found;

	if (rc)
		return rc == -ENOSPC ? STORE_FULL : rc;
	rc = collect_victims(s, until_ns);
	found = s->scratch->nr_victims;
	if (s->scratch->nr)
		wrote = write_segment(s, until_ns);
	else
		end_segment(s, 0);
	return rc ? rc : wrote ? wrote : found ? 0 : STORE_FULL;
}

static int make_room(struct store *s, uint64_t until_ns)
{
	int rc;

	if (s->scratch->is_written) {
		rc = wait_for_write(s, until_ns);
		if (!rc || s->scratch->is_written)
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
	while (s->makes_room && !rc)
		rc = -cond_wait_until(&s->room, &s->lock.mutex, until_ns);
	if (!rc) {
		s->makes_room = true;
		rc = make_room(s, until_ns);
		s->makes_room = false;
		pthread_cond_broadcast(&s->room);
	}
	fair_unlock(&s->lock);
	if (health_has_news(s->health))
		health_say(s->health);
	return rc;
}
