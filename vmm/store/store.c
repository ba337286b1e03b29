// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/store/store-internal.h"
#include "vmm/util/cond.h"

#define MIN_MEM	    (UINT64_C(1) << 20)
#define MAX_KEYS    (UINT64_C(1) << 56)
#define ROOM_TRIES  8	/* other threads may take the room that was made */
#define RELEASES_PER_CHECK 256
#define MOVES_PER_CHECK	   512

static int make_parts(struct store *s, const struct store_config *config)
{
	const char *name = config->device ? config->device->name : "memory";
	int rc;

	s->entries = calloc(s->nr_keys + !s->nr_keys, sizeof(*s->entries));
	s->queue = fifo_new();
	s->health = health_new(name ? name : "the device");
	if (!s->entries || !s->queue || !s->health)
		return -ENOMEM;
	rc = slab_new(&s->slab, config->mem_bytes);
	if (!rc && config->device)
		rc = compaction_new(&s->compaction);
	if (!rc && config->device)
		rc = log_new(&s->log, config->device, s->nr_keys, s->health,
			     config->timeout_ns);
	return rc;
}

int store_new(struct store **storep, const struct store_config *config)
{
	struct store *s;
	int rc;

	if (config->mem_bytes < MIN_MEM || config->nr_keys >= MAX_KEYS)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	fair_lock_init(&s->lock);
	cond_init(&s->room_made);
	s->nr_keys = config->nr_keys;
	rc = make_parts(s, config);
	if (rc) {
		store_free(s);
		return rc;
	}
	*storep = s;
	return 0;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	log_free(s->log);
	health_put(s->health);
	slab_free(s->slab);
	fifo_free(s->queue);
	compaction_free(s->compaction);
	free(s->entries);
	pthread_cond_destroy(&s->room_made);
	fair_lock_destroy(&s->lock);
	free(s);
}

static void object_moved(uint64_t key, uint64_t from, uint64_t to, void *arg)
{
	struct store *s = arg;

	s->entries[key].where = to;
}

/* Holes are filled when they are a fifth of the memory, a few at a time. */
void store_release(struct store *s, uint64_t handle)
{
	struct slab_stats slab;

	slab_release(s->slab, handle);
	s->stats.nr_mem--;
	if (++s->nr_released < RELEASES_PER_CHECK)
		return;
	s->nr_released = 0;
	slab_get_stats(s->slab, &slab);
	if (slab.block_bytes > slab.slot_bytes + slab.slot_bytes / 4 + MIN_MEM)
		slab_compact(s->slab, MOVES_PER_CHECK, object_moved, s);
}

/* Under the lock.  The entry is TIER_NONE afterwards. */
static void forget(struct store *s, uint64_t key)
{
	struct store_entry *e = &s->entries[key];

	switch ((enum store_tier)e->tier) {
	case TIER_NONE:
		return;
	case TIER_SAME:
		s->stats.nr_same--;
		break;
	case TIER_MEM:
		e->tier = TIER_NONE;
		store_release(s, e->where);
		break;
	case TIER_FAR:
		log_drop(s->log, e->where, e->len);
		s->stats.nr_far--;
		break;
	case TIER_DAMAGED:
		break;
	}
	e->tier = TIER_NONE;
	s->stats.nr_pages--;
}

static bool is_stale(struct fifo_line line, void *arg)
{
	const struct store *s = arg;
	const struct store_entry *e = &s->entries[line.key];

	return e->tier != TIER_MEM || e->seq != line.seq;
}

/* Under the lock. */
static int put_in_memory(struct store *s, uint64_t key,
			 const struct page_code *code, uint32_t sum)
{
	struct store_entry *e = &s->entries[key];
	const struct fifo_line line = { key, (uint8_t)(e->seq + 1) };
	uint64_t handle = slab_alloc(s->slab, code->len, key);
	int rc;

	if (handle == SLAB_NONE)
		return -ENOSPC;
	rc = s->log ? fifo_push(s->queue, line, is_stale, s) : 0;
	if (rc) {
		slab_release(s->slab, handle);
		return rc;
	}
	memcpy(slab_data(s->slab, handle), code->data, code->len);
	*e = (struct store_entry){
		.where = handle, .sum = sum, .len = code->len,
		.tier = TIER_MEM, .kind = code->kind, .seq = line.seq,
	};
	s->stats.nr_mem++;
	s->stats.nr_pages++;
	return 0;
}

/* Under the lock. */
static int put_code(struct store *s, uint64_t key, const struct page_code *code,
		    uint32_t sum)
{
	struct store_entry *e = &s->entries[key];

	forget(s, key);
	if (code->kind != PAGE_SAME)
		return put_in_memory(s, key, code, sum);
	e->where = code->word;
	e->kind = PAGE_SAME;
	e->tier = TIER_SAME;
	e->sum = sum;
	s->stats.nr_same++;
	s->stats.nr_pages++;
	return 0;
}

uint64_t store_timeout_ns(const struct store *s)
{
	return s->log ? log_timeout_ns(s->log) : 0;
}

/* The deadline of a call that starts now. */
static uint64_t end_of_call(const struct store *s)
{
	return clock_now_ns() + store_timeout_ns(s);
}

/* 0 or -errno as store_put(), but STORE_FULL if no room could be made. */
static int put_with_room(struct store *s, uint64_t key,
			 const struct page_code *code, uint32_t sum,
			 uint64_t until)
{
	int rc = 0;

	for (int i = 0; !rc && i < ROOM_TRIES; i++) {
		fair_lock(&s->lock);
		rc = put_code(s, key, code, sum);
		s->stats.nr_puts += !rc;
		fair_unlock(&s->lock);
		if (rc != -ENOSPC)
			return rc;
		rc = s->log ? store_make_room(s, until) : STORE_FULL;
	}
	return rc ? rc : STORE_FULL;
}

int store_put(struct store *s, struct page_coder *coder, uint64_t key,
	      const void *page)
{
	uint64_t until = end_of_call(s);
	uint32_t sum = page_checksum(page);
	struct page_code code;
	int rc;

	if (key >= s->nr_keys)
		return -EINVAL;
	page_encode(coder, page, &code);
	rc = put_with_room(s, key, &code, sum, until);
	if (rc != STORE_FULL)
		return rc;
	fair_lock(&s->lock);
	s->stats.nr_full++;
	fair_unlock(&s->lock);
	return -ENOSPC;
}

/*
 * Copies the entry, and of a page in memory its data; pins the segment of one
 * on the device, so that the page can be read without the lock.
 */
static int look_up(struct store *s, uint64_t key, struct store_entry *e,
		   void *data)
{
	int rc = 0;

	fair_lock(&s->lock);
	*e = s->entries[key];
	switch ((enum store_tier)e->tier) {
	case TIER_NONE:
		rc = -ENOENT;
		break;
	case TIER_SAME:
		break;
	case TIER_MEM:
		memcpy(data, slab_data(s->slab, e->where), e->len);
		break;
	case TIER_FAR:
		log_pin(s->log, e->where);
		s->stats.nr_gets_far++;
		break;
	case TIER_DAMAGED:
		rc = -EBADMSG;
		break;
	}
	fair_unlock(&s->lock);
	return rc;
}

static int read_far(struct store *s, uint64_t key, const struct store_entry *e,
		    void *data, uint64_t until_ns)
{
	const struct log_record r = {
		.key = key, .at = e->where, .sum = e->sum, .len = e->len,
		.kind = e->kind,
	};
	int rc = log_read(s->log, &r, data, until_ns);

	fair_lock(&s->lock);
	log_unpin(s->log, e->where);
	fair_unlock(&s->lock);
	return rc;
}

/* *e: the entry that was read, even if its data are damaged (-EBADMSG). */
static int get(struct store *s, struct page_coder *coder, uint64_t key,
	       void *page, struct store_entry *e, uint64_t until_ns)
{
	uint8_t data[SLAB_MAX_SIZE];
	struct page_code code;
	int rc = look_up(s, key, e, data);

	if (!rc && e->tier == TIER_FAR)
		rc = read_far(s, key, e, data, until_ns);
	code = (struct page_code){
		.kind = e->kind, .word = e->where, .len = e->len, .data = data,
	};
	if (!rc)
		rc = page_decode(coder, &code, page);
	return !rc && page_checksum(page) != e->sum ? -EBADMSG : rc;
}

/*
 * The data read for e are wrong: marks the page as lost and counts it once.
 * False: the page was dropped, put again, or moved since, and must be looked up
 * again.
 */
static bool mark_damaged(struct store *s, uint64_t key,
			 const struct store_entry *e)
{
	struct store_entry *now = &s->entries[key];
	bool is_same;

	fair_lock(&s->lock);
	is_same = now->tier == e->tier && now->where == e->where &&
		  now->seq == e->seq;
	if (is_same && e->tier != TIER_DAMAGED) {
		forget(s, key);
		now->tier = TIER_DAMAGED;
		s->stats.nr_pages++;
		health_damaged(s->health, key);
	}
	fair_unlock(&s->lock);
	return is_same;
}

/*
 * A device can return wrong data once and right data the next time, as when
 * another copy of a mirror answers: a page counts as lost if it was wrong
 * twice.
 */
int store_get(struct store *s, struct page_coder *coder, uint64_t key,
	      void *page)
{
	uint64_t until = end_of_call(s);
	bool read_twice = false, over = false;
	struct store_entry e;
	int rc;

	if (key >= s->nr_keys)
		return -ENOENT;
	while (!over) {
		rc = get(s, coder, key, page, &e, until);
		if (rc == -EBADMSG && e.tier == TIER_FAR && !read_twice)
			read_twice = true;
		else
			over = rc != -EBADMSG || mark_damaged(s, key, &e);
	}
	if (rc == -EBADMSG)
		health_log(s->health);
	return rc;
}

void store_drop(struct store *s, uint64_t key)
{
	fair_lock(&s->lock);
	if (key < s->nr_keys)
		forget(s, key);
	fair_unlock(&s->lock);
}

bool store_has(struct store *s, uint64_t key)
{
	bool has;

	fair_lock(&s->lock);
	has = key < s->nr_keys && s->entries[key].tier != TIER_NONE;
	fair_unlock(&s->lock);
	return has;
}

static void get_health(const struct store *s, struct store_stats *stats)
{
	struct health_stats h;

	health_get_stats(s->health, &h);
	stats->device_state = s->log ? h.state : DEVICE_NONE;
	stats->nr_late_reads = h.nr_late_reads;
	stats->nr_late_writes = h.nr_late_writes;
	stats->nr_read_errors = h.nr_read_errors;
	stats->nr_write_errors = h.nr_write_errors;
	stats->nr_no_space = h.nr_no_space;
	stats->nr_disconnected = h.nr_disconnected;
	stats->nr_damaged = h.nr_damaged;
	stats->nr_wrong_segments = h.nr_wrong_segments;
	memcpy(stats->last_error, h.last_error, sizeof(h.last_error));
	stats->last_error_ns = h.last_error_ns;
}

void store_get_stats(struct store *s, struct store_stats *stats)
{
	struct slab_stats slab;
	struct log_stats log = { 0 };

	fair_lock(&s->lock);
	*stats = s->stats;
	slab_get_stats(s->slab, &slab);
	if (s->log)
		log_get_stats(s->log, &log);
	fair_unlock(&s->lock);
	stats->mem_used_bytes = slab.slot_bytes;
	stats->mem_block_bytes = slab.block_bytes;
	stats->far_live_bytes = log.live_bytes;
	stats->far_used_bytes = log.used_bytes;
	stats->far_lost_bytes = log.lost_bytes;
	get_health(s, stats);
}
