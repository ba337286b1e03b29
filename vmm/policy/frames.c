// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm/policy/frames.h"
#include "vmm/policy/use-history.h"
#include "vmm/util/bitmap.h"

#define STATE_LIST	 0x03
#define STATE_REFERENCED 0x04
#define STATE_EVICTED	 0x08
#define STATE_PROTECTION 0x70	/* level, 0 to 7 */
#define PROTECTION_SHIFT 4
#define PROTECTION_MAX	 7

/*
 * A refault is early within this many times the number of scans for which the
 * frame had to be idle.
 */
#define EARLY_FACTOR	 16

static void *lazy_array(uint64_t nr, size_t size)
{
	void *p = mmap(NULL, nr * size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void free_array(void *p, uint64_t nr, size_t size)
{
	if (p)
		munmap(p, nr * size);
}

int frame_table_init(struct frame_table *t, uint64_t nr_frames)
{
	memset(t, 0, sizeof(*t));
	if (!nr_frames || nr_frames >= FRAME_NIL)
		return -EFBIG;
	t->nr = nr_frames;
	for (unsigned int l = 0; l < FRAME_NR_LISTS; l++)
		t->head[l] = t->tail[l] = FRAME_NIL;
	t->age = lazy_array(nr_frames, sizeof(*t->age));
	t->state = lazy_array(nr_frames, sizeof(*t->state));
	t->age_gap = lazy_array(nr_frames, sizeof(*t->age_gap));
	t->history = lazy_array(nr_frames, sizeof(*t->history));
	t->active_or_unevictable = lazy_array(
		BITMAP_WORDS(nr_frames), sizeof(*t->active_or_unevictable));
	t->next = lazy_array(nr_frames, sizeof(*t->next));
	t->prev = lazy_array(nr_frames, sizeof(*t->prev));
	t->nr_evictions = lazy_array(nr_frames, sizeof(*t->nr_evictions));
	t->nr_refaults = lazy_array(nr_frames, sizeof(*t->nr_refaults));
	if (t->age && t->state && t->age_gap && t->history &&
	    t->active_or_unevictable && t->next && t->prev && t->nr_evictions &&
	    t->nr_refaults)
		return 0;
	frame_table_destroy(t);
	return -ENOMEM;
}

void frame_table_destroy(struct frame_table *t)
{
	free_array(t->age, t->nr, sizeof(*t->age));
	free_array(t->state, t->nr, sizeof(*t->state));
	free_array(t->age_gap, t->nr, sizeof(*t->age_gap));
	free_array(t->history, t->nr, sizeof(*t->history));
	free_array(t->active_or_unevictable, BITMAP_WORDS(t->nr),
		   sizeof(*t->active_or_unevictable));
	free_array(t->next, t->nr, sizeof(*t->next));
	free_array(t->prev, t->nr, sizeof(*t->prev));
	free_array(t->nr_evictions, t->nr, sizeof(*t->nr_evictions));
	free_array(t->nr_refaults, t->nr, sizeof(*t->nr_refaults));
	memset(t, 0, sizeof(*t));
}

enum frame_list frame_list_of(const struct frame_table *t, gfn_t gfn)
{
	return t->state[gfn.v] & STATE_LIST;
}

bool frame_is_evicted(const struct frame_table *t, gfn_t gfn)
{
	return t->state[gfn.v] & STATE_EVICTED;
}

static void unlink_frame(struct frame_table *t, gfn_t gfn)
{
	enum frame_list l = frame_list_of(t, gfn);
	uint32_t next = t->next[gfn.v], prev = t->prev[gfn.v];

	if (l == FRAME_NONE)
		return;
	if (prev == FRAME_NIL)
		t->head[l] = next;
	else
		t->next[prev] = next;
	if (next == FRAME_NIL)
		t->tail[l] = prev;
	else
		t->prev[next] = prev;
	t->count[l]--;
	t->state[gfn.v] &= ~STATE_LIST;
	if (l != FRAME_INACTIVE)
		bitmap_clear(t->active_or_unevictable, gfn.v);
}

void frame_move(struct frame_table *t, gfn_t gfn, enum frame_list to)
{
	uint32_t head;

	unlink_frame(t, gfn);
	if (to == FRAME_NONE)
		return;
	head = t->head[to];
	t->next[gfn.v] = head;
	t->prev[gfn.v] = FRAME_NIL;
	if (head == FRAME_NIL)
		t->tail[to] = gfn.v;
	else
		t->prev[head] = gfn.v;
	t->head[to] = gfn.v;
	t->count[to]++;
	t->state[gfn.v] |= to;
	if (to != FRAME_INACTIVE)
		bitmap_set(t->active_or_unevictable, gfn.v);
}

bool frames_would_only_age(const struct frame_table *t, uint64_t w)
{
	const uint64_t any = (STATE_REFERENCED | STATE_PROTECTION) *
			     UINT64_C(0x0101010101010101);
	uint64_t states[8], all = 0;

	if (t->active_or_unevictable[w] || (w + 1) * 64 > t->nr)
		return false;
	memcpy(states, t->state + w * 64, sizeof(states));
	for (int i = 0; i < 8; i++)
		all |= states[i];
	return !(all & any);
}

static unsigned int protection_of(const struct frame_table *t, gfn_t gfn)
{
	return (t->state[gfn.v] & STATE_PROTECTION) >> PROTECTION_SHIFT;
}

static void set_protection(struct frame_table *t, gfn_t gfn,
			   unsigned int protection)
{
	t->state[gfn.v] = (t->state[gfn.v] & ~STATE_PROTECTION) |
			  protection << PROTECTION_SHIFT;
}

unsigned int frame_min_idle(const struct frame_table *t, gfn_t gfn,
			    unsigned int min_idle)
{
	unsigned int n = min_idle << protection_of(t, gfn);

	return n < FRAME_AGE_MAX ? n : FRAME_AGE_MAX;
}

static void increment(uint8_t *n)
{
	if (*n < FRAME_COUNT_MAX)
		++*n;
}

void frame_set_evicted(struct frame_table *t, gfn_t gfn, uint32_t scan)
{
	unlink_frame(t, gfn);
	t->state[gfn.v] = (t->state[gfn.v] & ~STATE_REFERENCED) | STATE_EVICTED;
	t->next[gfn.v] = scan;
	t->prev[gfn.v] = rmap_workingset_evict(&t->ws, protection_of(t, gfn));
	increment(&t->nr_evictions[gfn.v]);
}

void frame_clear_evicted(struct frame_table *t, gfn_t gfn)
{
	t->state[gfn.v] &= ~STATE_EVICTED;
}

static unsigned int saturate_age(uint64_t age)
{
	return age < FRAME_AGE_MAX ? age : FRAME_AGE_MAX;
}

/* For a frame on no list `next` is the scan that evicted it. */
unsigned int frame_age(const struct frame_table *t, gfn_t gfn,
		       uint32_t scan)
{
	uint64_t age = t->age[gfn.v];

	if (frame_list_of(t, gfn) == FRAME_NONE)
		age += scan - t->next[gfn.v];
	return saturate_age(age);
}

unsigned int frame_observed_age(const struct frame_table *t, gfn_t gfn,
				uint32_t scan)
{
	return saturate_age(frame_age(t, gfn, scan) + t->age_gap[gfn.v]);
}

uint16_t frame_history(const struct frame_table *t, gfn_t gfn)
{
	uint16_t history = t->history[gfn.v];

	return history == USE_HISTORY_NONE && t->age_gap[gfn.v] ?
		       use_history_add(USE_HISTORY_NONE, 0) : history;
}

/*
 * Ages as of now, had there been no access.  If the access is only assumed, the
 * frame keeps its observed age.  The gap before a use is the time for which it
 * was known to be idle: a frame that the source seldom looks at, and that is
 * used each time that it does, is used often.
 */
static void record_use(struct frame_table *t, gfn_t gfn, bool observed,
		       unsigned int age, unsigned int observed_age)
{
	unsigned int age_gap = observed ? 0 : saturate_age(observed_age);

	if (observed)
		t->history[gfn.v] =
			use_history_add(frame_history(t, gfn), age);
	t->age[gfn.v] = 0;
	/* Not written where it is 0 already, so that it uses no memory. */
	if (t->age_gap[gfn.v] != age_gap)
		t->age_gap[gfn.v] = age_gap;
}

void frame_record_use(struct frame_table *t, gfn_t gfn, bool observed)
{
	record_use(t, gfn, observed, t->age[gfn.v] + 1,
		   t->age[gfn.v] + t->age_gap[gfn.v]);
}

static enum frame_event observe_refault(struct frame_table *t, gfn_t gfn,
					const struct frame_observation *seen,
					uint32_t scan, unsigned int min_idle)
{
	unsigned int protection = protection_of(t, gfn);
	uint32_t distance = scan - t->next[gfn.v];
	bool early = distance <= EARLY_FACTOR * (min_idle << protection);
	struct rmap_refault r = { 0 };

	rmap_workingset_refault(&t->ws, t->prev[gfn.v], t->count[FRAME_ACTIVE],
				&r);
	increment(&t->nr_refaults[gfn.v]);
	record_use(t, gfn, seen->observed || seen->mapped,
		   frame_age(t, gfn, scan),
		   frame_observed_age(t, gfn, scan));
	t->state[gfn.v] &= ~STATE_EVICTED;
	if (early && protection < PROTECTION_MAX)
		protection++;
	else if (!early)
		protection = 0;
	set_protection(t, gfn, protection);
	frame_move(t, gfn, early || r.activate ? FRAME_ACTIVE :
						 FRAME_INACTIVE);
	return FRAME_REFAULT;
}

static enum frame_event
observe_newly_resident(struct frame_table *t, gfn_t gfn,
		       const struct frame_observation *seen, uint32_t scan,
		       unsigned int min_idle)
{
	if (frame_is_evicted(t, gfn))
		return observe_refault(t, gfn, seen, scan, min_idle);
	/* It may have been used before, but it is not known when. */
	record_use(t, gfn, seen->observed, frame_age(t, gfn, scan),
		   FRAME_AGE_MAX);
	t->state[gfn.v] &= ~STATE_REFERENCED;
	frame_move(t, gfn, FRAME_INACTIVE);
	return FRAME_NEW;
}

static enum frame_event observe_absent(struct frame_table *t, gfn_t gfn,
				       const struct frame_observation *seen,
				       uint32_t scan)
{
	enum frame_event event = frame_list_of(t, gfn) == FRAME_NONE ?
					 FRAME_SAME : FRAME_GONE;

	/*
	 * Neither resident nor in swap: discarded, so its history is void.  Not
	 * written where nothing changes, so that it uses no memory.
	 */
	if (!seen->swapped) {
		if (t->state[gfn.v] & ~STATE_LIST)
			t->state[gfn.v] &= STATE_LIST;
		if (t->history[gfn.v])
			t->history[gfn.v] = USE_HISTORY_NONE;
	}
	unlink_frame(t, gfn);
	/* The host evicted it, in this scan or the last: assume the latter. */
	if (event == FRAME_GONE)
		t->next[gfn.v] = scan - 1;
	return event;
}

static void observe_young(struct frame_table *t, gfn_t gfn,
			  const struct frame_observation *seen)
{
	record_use(t, gfn, seen->observed, t->age[gfn.v] + 1,
		   t->age[gfn.v] + 1 + t->age_gap[gfn.v]);
	if (frame_list_of(t, gfn) != FRAME_INACTIVE)
		return;
	if (seen->nr_referenced > 1 || seen->exec ||
	    (t->state[gfn.v] & STATE_REFERENCED)) {
		t->state[gfn.v] &= ~STATE_REFERENCED;
		rmap_workingset_activate(&t->ws);
		frame_move(t, gfn, FRAME_ACTIVE);
	} else {
		t->state[gfn.v] |= STATE_REFERENCED;
		frame_move(t, gfn, FRAME_INACTIVE);
	}
}

enum frame_event frame_observe(struct frame_table *t, gfn_t gfn,
			       const struct frame_observation *seen,
			       uint32_t scan, unsigned int min_idle)
{
	if (!seen->resident)
		return observe_absent(t, gfn, seen, scan);
	if (frame_list_of(t, gfn) == FRAME_NONE)
		return observe_newly_resident(t, gfn, seen, scan, min_idle);
	if (seen->young) {
		observe_young(t, gfn, seen);
		return FRAME_SAME;
	}
	if (t->age[gfn.v] < FRAME_AGE_MAX)
		t->age[gfn.v]++;
	t->state[gfn.v] &= ~STATE_REFERENCED;
	if (frame_list_of(t, gfn) == FRAME_ACTIVE && t->age[gfn.v] >= min_idle)
		frame_move(t, gfn, FRAME_INACTIVE);
	return FRAME_SAME;
}
