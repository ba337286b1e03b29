// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Room in the store.  The oldest pages in memory go to the device, a segment at
 * a time; and on the device, what is left in segments that are mostly dropped
 * goes to new ones.  Both take copies under the lock, write without it, and
 * then move those pages that are still where they were.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm/store/store-internal.h"

/* A segment has this many records at most, of the smallest kind. */
#define MAX_RECORDS (LOG_SEGMENT_BYTES / 32)
#define MAX_VICTIMS 16
#define MAX_CLEANINGS 4

struct moving {
	struct log_record to;
	uint64_t from;		/* TIER_FAR: its place until now */
	uint8_t seq;		/* TIER_MEM: of the put that it is */
};

struct room {
	size_t nr;		/* records of the segment being made */
	struct moving moving[MAX_RECORDS];
	uint8_t victim[LOG_SEGMENT_BYTES];
};

int room_new(struct room **roomp)
{
	*roomp = malloc(sizeof(**roomp));
	return *roomp ? 0 : -ENOMEM;
}

void room_free(struct room *room)
{
	free(room);
}

/* Objects in memory move, too, when holes are filled: there the put counts. */
static bool is_unchanged(const struct store_entry *e, const struct moving *m,
			 enum store_tier tier)
{
	return e->tier == tier && e->sum == m->to.sum && e->len == m->to.len &&
	       (tier == TIER_MEM ? e->seq == m->seq : e->where == m->from);
}

/* The pages that have not changed move; the others' copies are dropped. */
static void settle(struct store *s, enum store_tier tier)
{
	const struct room *r = s->scratch;

	log_commit(s->log);
	for (size_t i = 0; i < r->nr; i++) {
		const struct log_record *to = &r->moving[i].to;
		struct store_entry *e = &s->entries[to->key];

		if (!is_unchanged(e, &r->moving[i], tier)) {
			log_drop(s->log, to->at, to->len);
			continue;
		}
		if (tier == TIER_MEM) {
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

/* Writes the segment without the lock, which is held before and after. */
static int write_segment(struct store *s, enum store_tier tier)
{
	int rc;

	pthread_mutex_unlock(&s->lock);
	rc = log_write(s->log);
	pthread_mutex_lock(&s->lock);
	if (rc) {
		log_abort(s->log);
		s->stats.nr_write_errors++;
		return rc;
	}
	settle(s, tier);
	return 0;
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

static void collect_oldest(struct store *s)
{
	struct fifo_line line;

	while (fifo_pop(s->queue, &line)) {
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

static bool never_stale(struct fifo_line line, void *arg)
{
	return false;
}

/* After a write that failed they are still in memory, and still to go. */
static void queue_again(struct store *s)
{
	const struct room *r = s->scratch;

	for (size_t i = 0; i < r->nr; i++) {
		const struct moving *m = &r->moving[i];
		const struct fifo_line line = { m->to.key, m->seq };

		if (is_unchanged(&s->entries[m->to.key], m, TIER_MEM))
			fifo_push(s->queue, line, never_stale, NULL);
	}
}

static int demote(struct store *s)
{
	int rc = log_begin(s->log, false);

	if (rc)
		return rc;
	s->scratch->nr = 0;
	collect_oldest(s);
	if (!s->scratch->nr) {
		log_abort(s->log);
		return -ENOSPC;
	}
	rc = write_segment(s, TIER_MEM);
	if (rc)
		queue_again(s);
	return rc;
}

/* What is live of a victim's bytes; false when the new segment is full. */
static bool collect_live(struct store *s, uint64_t at)
{
	struct log_record record;
	const void *data;
	size_t pos = 0;

	while (log_next(s->scratch->victim, at, &pos, &record, &data)) {
		const struct store_entry *e;

		if (record.key >= s->nr_keys)
			continue;
		e = &s->entries[record.key];
		if (e->tier == TIER_FAR && e->where == record.at &&
		    !add(s, &record, data, 0))
			return false;
	}
	return true;
}

/* Some victims' live records become one segment. */
static int clean(struct store *s)
{
	uint64_t victims[MAX_VICTIMS];
	unsigned int nr = 0;
	bool fits = true;
	int rc = log_begin(s->log, true), wrote = 0;

	if (rc)
		return rc;
	s->scratch->nr = 0;
	while (fits && nr < MAX_VICTIMS && log_victim(s->log, &victims[nr])) {
		uint64_t at = victims[nr++];

		pthread_mutex_unlock(&s->lock);
		rc = log_read_segment(s->log, at, s->scratch->victim);
		pthread_mutex_lock(&s->lock);
		if (rc) {
			s->stats.nr_read_errors++;
			break;
		}
		fits = collect_live(s, at);
	}
	if (s->scratch->nr)
		wrote = write_segment(s, TIER_FAR);
	else
		log_abort(s->log);
	for (unsigned int i = 0; i < nr; i++)
		log_unpin(s->log, victims[i]);
	return rc ? rc : wrote ? wrote : nr ? 0 : -ENOSPC;
}

int store_make_room(struct store *s)
{
	int rc;

	pthread_mutex_lock(&s->room);
	pthread_mutex_lock(&s->lock);
	rc = demote(s);
	for (int i = 0; rc == -ENOSPC && i < MAX_CLEANINGS; i++) {
		rc = clean(s);
		if (rc)
			break;
		rc = demote(s);
	}
	pthread_mutex_unlock(&s->lock);
	pthread_mutex_unlock(&s->room);
	return rc;
}
