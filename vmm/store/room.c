// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes room in the store.  Demoting moves the oldest pages in memory to the
 * device, a segment at a time.  If no segment is free for that, cleaning moves
 * the live records of some segments (the victims: log_victim()) to a new one.
 * Both copy the pages under the store's lock, write the segment without it, and
 * then let the entries of those pages that have not changed meanwhile refer to
 * the new copy.
 *
 * There may be any number of stale lines in the queue (fifo.h), and thousands
 * of records in a segment: after MAX_ITEMS of them the lock is released for
 * other threads, such as those that serve faults.  Meanwhile pages may change,
 * as they may while a segment is written.
 *
 * A write past its timeout continues in the background, and its pages stay
 * where they are.  The next thread that makes room handles its result, or, as
 * long as there is none, fails at once.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm/store/store-internal.h"
#include "vmm/util/cond.h"

/* A record takes 32 bytes or more: a header of 24, and 8 or more of data. */
#define MAX_RECORDS (LOG_SEGMENT_BYTES / 32)
#define MAX_VICTIMS 16		/* cleaned into one new segment */
#define MAX_CLEANINGS 4		/* in one call of store_make_room() */
/* Lines and records processed before the lock is released for others. */
#define MAX_ITEMS     2048

/* A page whose copy is in the segment being made. */
struct move {
	struct log_record to;
	uint64_t from;		/* of TIER_FAR: its old offset */
	uint8_t seq;		/* of TIER_MEM: of its put */
};

/* Guarded by the store's lock, except for victim_buf. */
struct compaction {
	size_t nr;		/* records of the segment being made */
	enum store_tier tier;	/* where all these come from */
	bool write_pending;	/* the write was started; no answer so far */
	unsigned int nr_items;	/* processed since the lock was yielded */
	unsigned int nr_victims;
	unsigned int nr_complete;	/* of these: all records collected */
	uint64_t victims[MAX_VICTIMS];	/* offsets of segments; pinned */
	struct move moves[MAX_RECORDS];
	/* One victim's bytes; belongs to the thread that makes room. */
	uint8_t victim_buf[LOG_SEGMENT_BYTES];
};

int compaction_new(struct compaction **roomp)
{
	*roomp = malloc(sizeof(**roomp));
	if (!*roomp)
		return -ENOMEM;
	(*roomp)->write_pending = false;
	(*roomp)->nr_victims = (*roomp)->nr_complete = (*roomp)->nr_items = 0;
	return 0;
}

void compaction_free(struct compaction *room)
{
	free(room);
}

/*
 * Called before each line or record, by the thread that makes room, when it
 * relies on nothing that it has read under the lock.
 */
static void yield_lock_if_due(struct store *s)
{
	if (++s->compaction->nr_items <= MAX_ITEMS)
		return;
	fair_unlock(&s->lock);
	fair_lock_after_others(&s->lock);
	s->compaction->nr_items = 1;
}

/*
 * Whether the page is still the one that was copied.  An object in memory gets
 * another handle when slab_compact() moves it: so the seq of its put is
 * compared.
 */
static bool is_unchanged(const struct store_entry *e, const struct move *m,
			 enum store_tier tier)
{
	return e->tier == tier && e->sum == m->to.sum && e->len == m->to.len &&
	       (tier == TIER_MEM ? e->seq == m->seq : e->where == m->from);
}

/*
 * After the write: makes the new copy of each page that has not changed the
 * valid one, and drops the other copies.  All records count as live from
 * log_commit() on, so the segment is not freed before the last is processed.
 */
static void commit_moves(struct store *s)
{
	const struct compaction *r = s->compaction;

	log_commit(s->log);
	for (size_t i = 0; i < r->nr; i++) {
		const struct log_record *to = &r->moves[i].to;
		struct store_entry *e = &s->entries[to->key];

		yield_lock_if_due(s);
		if (!is_unchanged(e, &r->moves[i], r->tier)) {
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
 * After a failed write: the pages are still in memory, and are queued again, as
 * the newest.  If fifo_push() fails, the page stays in memory until it is
 * dropped or put again.
 */
static void requeue(struct store *s)
{
	const struct compaction *r = s->compaction;

	for (size_t i = 0; i < r->nr; i++) {
		const struct move *m = &r->moves[i];
		const struct fifo_line line = { m->to.key, m->seq };

		yield_lock_if_due(s);
		if (is_unchanged(&s->entries[m->to.key], m, TIER_MEM))
			fifo_push(s->queue, line, never_stale, NULL);
	}
}

/*
 * Reports victims of which records are live still, although all valid ones were
 * moved: these records are missing or damaged.
 */
static void report_wrong_victims(struct store *s)
{
	const struct compaction *r = s->compaction;

	for (unsigned int i = 0; i < r->nr_complete; i++)
		if (log_victim_mark_wrong(s->log, r->victims[i]))
			health_wrong_segment(s->health, r->victims[i]);
}

/* Ends the segment being made.  rc: of its write, or 0 if it is empty. */
static void end_segment(struct store *s, int rc)
{
	struct compaction *r = s->compaction;

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
 * Waits for the result with the lock released, and ends the segment.
 * -ETIMEDOUT: there is none so far (write_pending stays set), or the request
 * was cancelled before it was started.
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

/* Starts the write, and waits for its result.  Returns as wait_for_write(). */
static int write_segment(struct store *s, uint64_t until_ns)
{
	int rc = log_write(s->log);

	if (rc) {
		end_segment(s, rc);
		return rc;
	}
	s->compaction->write_pending = true;
	return wait_for_write(s, until_ns);
}

static int begin_segment(struct store *s, enum store_tier tier)
{
	s->compaction->nr = 0;
	s->compaction->tier = tier;
	return log_begin(s->log, tier == TIER_FAR);
}

/* Adds a copy of a page to the segment being made; false: that is full. */
static bool add_record(struct store *s, const struct log_record *record,
		       const void *data, uint8_t seq)
{
	struct compaction *r = s->compaction;
	struct move *m = &r->moves[r->nr];

	if (r->nr == MAX_RECORDS)
		return false;
	*m = (struct move){ *record, record->at, seq };
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

/* Copies the oldest pages in memory to the segment, until it is full. */
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
	if (s->compaction->nr)
		return write_segment(s, until_ns);
	end_segment(s, 0);
	return STORE_FULL;
}

/* Whether a record, as read from the device, is the entry's, and undamaged. */
static bool is_intact(const struct store_entry *e, const struct log_record *r,
		      const void *data)
{
	return e->sum == r->sum && e->len == r->len && e->kind == r->kind &&
	       page_code_checksum(data, r->len) == r->data_sum;
}

/*
 * Copies the live records of a victim to the segment; false when that is full.
 * Damaged records stay where they are: a get may read the page correctly.
 */
static bool collect_live(struct store *s, uint64_t at)
{
	struct log_record record;
	const void *data;
	size_t pos = 0;

	while (log_next(s->compaction->victim_buf, at, &pos, &record, &data)) {
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

/*
 * Collects the live records of as many victims as fit, until until_ns.  0, or
 * the error of a read, after which there may be records to write all the same.
 */
static int collect_victims(struct store *s, uint64_t until_ns)
{
	struct compaction *r = s->compaction;
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
 * Moves the live records of some victims to one segment.  STORE_FULL: there is
 * no victim, or no free segment.
 */
static int clean(struct store *s, uint64_t until_ns)
{
	int rc = begin_segment(s, TIER_FAR), wrote = 0;
	bool found;

	if (rc)
		return rc == -ENOSPC ? STORE_FULL : rc;
	rc = collect_victims(s, until_ns);
	found = s->compaction->nr_victims;
	if (s->compaction->nr)
		wrote = write_segment(s, until_ns);
	else
		end_segment(s, 0);
	return rc ? rc : wrote ? wrote : found ? 0 : STORE_FULL;
}

static int make_room(struct store *s, uint64_t until_ns)
{
	int rc;

	if (s->compaction->write_pending) {
		rc = wait_for_write(s, until_ns);
		if (!rc || s->compaction->write_pending)
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
