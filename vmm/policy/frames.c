// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm/policy/frames.h"

#define STATE_LIST	 0x03
#define STATE_REFERENCED 0x04
#define STATE_EVICTED	 0x08
#define STATE_LEVEL	 0x70	/* of protection, 0 to 7 */
#define LEVEL_SHIFT	 4
#define LEVEL_MAX	 7

/* A refault within so many times its idle time was an eviction too early. */
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
	t->next = lazy_array(nr_frames, sizeof(*t->next));
	t->prev = lazy_array(nr_frames, sizeof(*t->prev));
	t->nr_evictions = lazy_array(nr_frames, sizeof(*t->nr_evictions));
	t->nr_refaults = lazy_array(nr_frames, sizeof(*t->nr_refaults));
	if (t->age && t->state && t->next && t->prev && t->nr_evictions &&
	    t->nr_refaults)
		return 0;
	frame_table_destroy(t);
	return -ENOMEM;
}

void frame_table_destroy(struct frame_table *t)
{
	free_array(t->age, t->nr, sizeof(*t->age));
	free_array(t->state, t->nr, sizeof(*t->state));
	free_array(t->next, t->nr, sizeof(*t->next));
	free_array(t->prev, t->nr, sizeof(*t->prev));
	free_array(t->nr_evictions, t->nr, sizeof(*t->nr_evictions));
	free_array(t->nr_refaults, t->nr, sizeof(*t->nr_refaults));
	memset(t, 0, sizeof(*t));
}

enum frame_list frame_list_of(const struct frame_table *t, uint64_t gfn)
{
	return t->state[gfn] & STATE_LIST;
}

bool frame_is_evicted(const struct frame_table *t, uint64_t gfn)
{
	return t->state[gfn] & STATE_EVICTED;
}

static void unlink_frame(struct frame_table *t, uint64_t gfn)
{
	enum frame_list l = frame_list_of(t, gfn);
	uint32_t next = t->next[gfn], prev = t->prev[gfn];

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
	t->state[gfn] &= ~STATE_LIST;
}

void frame_move(struct frame_table *t, uint64_t gfn, enum frame_list to)
{
	uint32_t head;

	unlink_frame(t, gfn);
	if (to == FRAME_NONE)
		return;
	head = t->head[to];
	t->next[gfn] = head;
	t->prev[gfn] = FRAME_NIL;
	if (head == FRAME_NIL)
		t->tail[to] = gfn;
	else
		t->prev[head] = gfn;
	t->head[to] = gfn;
	t->count[to]++;
	t->state[gfn] |= to;
}

static unsigned int level_of(const struct frame_table *t, uint64_t gfn)
{
	return (t->state[gfn] & STATE_LEVEL) >> LEVEL_SHIFT;
}

static void set_level(struct frame_table *t, uint64_t gfn, unsigned int level)
{
	t->state[gfn] = (t->state[gfn] & ~STATE_LEVEL) | level << LEVEL_SHIFT;
}

unsigned int frame_min_idle(const struct frame_table *t, uint64_t gfn,
			    unsigned int min_idle)
{
	unsigned int n = min_idle << level_of(t, gfn);

	return n < FRAME_AGE_MAX ? n : FRAME_AGE_MAX;
}

static void count(uint8_t *n)
{
	if (*n < FRAME_COUNT_MAX)
		++*n;
}

void frame_set_evicted(struct frame_table *t, uint64_t gfn, uint32_t scan)
{
	unlink_frame(t, gfn);
	t->state[gfn] = (t->state[gfn] & ~STATE_REFERENCED) | STATE_EVICTED;
	t->next[gfn] = scan;
	count(&t->nr_evictions[gfn]);
}

static enum frame_event refault(struct frame_table *t, uint64_t gfn,
				uint32_t scan, unsigned int min_idle)
{
	unsigned int level = level_of(t, gfn);
	uint32_t distance = scan - t->next[gfn];
	bool early = distance <= EARLY_FACTOR * (min_idle << level);

	count(&t->nr_refaults[gfn]);
	t->state[gfn] &= ~STATE_EVICTED;
	if (early && level < LEVEL_MAX)
		level++;
	else if (!early)
		level = 0;
	set_level(t, gfn, level);
	t->age[gfn] = 0;
	frame_move(t, gfn, early ? FRAME_ACTIVE : FRAME_INACTIVE);
	return FRAME_REFAULT;
}

static enum frame_event arrive(struct frame_table *t, uint64_t gfn,
			       uint32_t scan, unsigned int min_idle)
{
	if (frame_is_evicted(t, gfn))
		return refault(t, gfn, scan, min_idle);
	t->age[gfn] = 0;
	t->state[gfn] &= ~STATE_REFERENCED;
	frame_move(t, gfn, FRAME_INACTIVE);
	return FRAME_NEW;
}

static enum frame_event leave(struct frame_table *t, uint64_t gfn,
			      const struct frame_look *look)
{
	enum frame_event event = frame_list_of(t, gfn) == FRAME_NONE ?
					 FRAME_SAME : FRAME_GONE;

	/* Neither here nor in swap: discarded, its past is over. */
	if (!look->swapped)
		t->state[gfn] &= STATE_LIST;
	unlink_frame(t, gfn);
	return event;
}

static void use(struct frame_table *t, uint64_t gfn,
		const struct frame_look *look)
{
	t->age[gfn] = 0;
	if (frame_list_of(t, gfn) != FRAME_INACTIVE)
		return;
	if (look->nr_referenced > 1 || look->exec ||
	    (t->state[gfn] & STATE_REFERENCED)) {
		t->state[gfn] &= ~STATE_REFERENCED;
		frame_move(t, gfn, FRAME_ACTIVE);
	} else {
		t->state[gfn] |= STATE_REFERENCED;
		frame_move(t, gfn, FRAME_INACTIVE);
	}
}

enum frame_event frame_observe(struct frame_table *t, uint64_t gfn,
			       const struct frame_look *look, uint32_t scan,
			       unsigned int min_idle)
{
	if (!look->resident)
		return leave(t, gfn, look);
	if (frame_list_of(t, gfn) == FRAME_NONE)
		return arrive(t, gfn, scan, min_idle);
	if (look->young) {
		use(t, gfn, look);
		return FRAME_SAME;
	}
	if (t->age[gfn] < FRAME_AGE_MAX)
		t->age[gfn]++;
	t->state[gfn] &= ~STATE_REFERENCED;
	if (frame_list_of(t, gfn) == FRAME_ACTIVE && t->age[gfn] >= min_idle)
		frame_move(t, gfn, FRAME_INACTIVE);
	return FRAME_SAME;
}
