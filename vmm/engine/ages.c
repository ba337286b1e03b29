// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The second step of a scan, after the harvest: sets each frame's age and list
 * by what was observed of it.  Frames are counted by age, by age of each 2 MiB
 * block, and for the working set.
 *
 * Locks: lock_hold_begin() takes engine lock -> view lock, for a part of the
 * frames at a time; the sums are published under the engine lock alone.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/engine/engine-internal.h"
#include "vmm/policy/select.h"
#include "vmm/util/bitmap.h"

#define AGE_SINGLY_SCANS 64 /* each frame is aged singly once in so many */
#define NO_BLOCK  UINT64_MAX

/* Completes *seen by the reverse map. */
static void find_referenced(struct engine *e, gfn_t gfn,
			    struct frame_observation *seen)
{
	struct rmap_referenced r;

	lock_hold_charge(e, LOCK_HOLD_WALK);
	if (rmap_page_referenced(view_map(e->config.view), gfn.v, &r))
		return;
	seen->nr_referenced = r.has_accessed_bits ? r.nr_referenced : 0;
	seen->exec = r.vm_flags & RMAP_VM_EXEC;
}

/*
 * Whether the frame is in a locked VMA takes a walk over its mappings.  That is
 * made only for frames that are unevictable already, to find out whether they
 * still are: candidates_choose() detects others when it examines them.
 */
static bool is_unevictable(struct engine *e, gfn_t gfn, enum frame_list list)
{
	if (list == FRAME_UNEVICTABLE) {
		lock_hold_charge(e, LOCK_HOLD_WALK);
		return engine_is_unevictable(&e->config, gfn);
	}
	return engine_class_of(e->config.view, gfn) == CLASS_NEVER ||
	       guest_mem_is_pinned(e->config.mem, gfn);
}

/* Ends the current 2 MiB block. */
static void count_block(struct engine_census *c)
{
	if (c->block_2m != NO_BLOCK)
		c->ages_2m[c->block_age]++;
	c->block_2m = NO_BLOCK;
}

void ages_count(struct engine_census *c, gfn_t gfn, uint64_t nr,
		unsigned int age)
{
	uint64_t block = gfn.v / SELECT_HUGE_PAGES;

	c->ages[age] += nr;
	if (block != c->block_2m) {
		count_block(c);
		c->block_2m = block;
		c->block_age = age;
	} else if (age < c->block_age) {
		c->block_age = age;
	}
}

/* Counts a resident frame by its class. */
static void count_class(struct engine_census *c, const struct frame_table *t,
			gfn_t gfn, uint32_t flags, unsigned int min_idle)
{
	enum frame_class class = frame_class_of(flags);
	unsigned int age = t->age[gfn.v];

	c->classes[class]++;
	if (age < min_idle)
		return;
	if (class == CLASS_CLEAN_FILE)
		c->nr_idle_clean++;
	if (age < frame_min_idle(t, gfn, min_idle))
		c->nr_protected++;
}

/* Moves a resident frame to the unevictable list, or away from it. */
static void update_unevictable(struct engine *e, gfn_t gfn)
{
	struct frame_table *t = &e->history.frames;
	enum frame_list list = frame_list_of(t, gfn);

	if (is_unevictable(e, gfn, list)) {
		if (list != FRAME_UNEVICTABLE)
			frame_move(t, gfn, FRAME_UNEVICTABLE);
	} else if (list == FRAME_UNEVICTABLE) {
		frame_move(t, gfn, FRAME_INACTIVE);
	}
}

static void age_frame(struct engine *e, gfn_t gfn, unsigned int min_idle)
{
	const uint32_t scan = e->history.scan_nr;
	struct engine_census *c = &e->census;
	struct frame_table *t = &e->history.frames;
	struct frame_observation seen = {
		.resident = bitmap_test(e->scan.resident, gfn.v),
		.swapped = bitmap_test(e->scan.swapped, gfn.v),
		.young = bitmap_test(e->scan.young, gfn.v),
		.observed = bitmap_test(e->scan.observed, gfn.v),
		.mapped = bitmap_test(e->scan.young, gfn.v) &&
			  e->config.source->assumed_are_mapped,
	};
	unsigned int idle = frame_age(t, gfn, scan);
	enum frame_event event;

	if (seen.young && frame_list_of(t, gfn) == FRAME_INACTIVE)
		find_referenced(e, gfn, &seen);
	event = frame_observe(t, gfn, &seen, scan, min_idle);
	e->stats.reclaim.nr_refaults += event == FRAME_REFAULT;
	e->requests.nr_received += event == FRAME_GONE && !seen.swapped;
	if (event == FRAME_REFAULT || (event == FRAME_SAME && seen.observed))
		proactive_count(&e->history.proactive, idle,
				event == FRAME_REFAULT);
	if (seen.resident || seen.swapped)
		wss_count(&c->wss_counter, gfn, frame_age(t, gfn, scan),
			  frame_observed_age(t, gfn, scan));
	if (!seen.resident)
		return;
	update_unevictable(e, gfn);
	ages_count(c, gfn, 1, t->age[gfn.v]);
	count_class(c, t, gfn, rmap_page_flags(view_map(e->config.view), gfn.v),
		    min_idle);
}

/* Ages frames from..to-1 of word w one by one. */
static void age_word(struct engine *e, uint64_t w, uint64_t from, uint64_t to,
		     unsigned int min_idle)
{
	uint64_t before[NR_FRAME_CLASSES];

	memcpy(before, e->census.classes, sizeof(before));
	for (uint64_t g = from; g < to; g++)
		age_frame(e, GFN(g), min_idle);
	e->history.resident_when_aged[w] = e->scan.resident[w];
	e->history.swapped_when_aged[w] = e->scan.swapped[w];
	for (int c = 0; c < NR_FRAME_CLASSES; c++)
		e->history.word_classes[w].nr[c] =
			e->census.classes[c] - before[c];
}

/*
 * Most of a large guest is idle most of the time: such frames are aged 64 at a
 * time (ages-unchanged.c).  Once in AGE_SINGLY_SCANS scans each is aged singly
 * all the same, because of changes that the fast path does not detect.  False:
 * the engine is to stop.
 */
static bool age_slot(struct engine *e, uint64_t from, uint64_t to)
{
	const unsigned int min_idle = e->scan_policy.min_idle_scans;

	for (uint64_t next; from < to; from = next) {
		uint64_t w = from / 64;
		bool whole = from % 64 == 0 && to - from >= 64;

		if (!lock_hold_charge(e, 64))
			return false;
		next = (w + 1) * 64 < to ? (w + 1) * 64 : to;
		if (!whole || view_test_and_clear_changed(e->config.view, w) ||
		    w % AGE_SINGLY_SCANS ==
			    e->history.scan_nr % AGE_SINGLY_SCANS ||
		    !ages_unchanged_word(e, w, min_idle))
			age_word(e, w, from, next, min_idle);
	}
	return true;
}

static bool age_slots(struct engine *e)
{
	const struct guest_memslot *slots;
	bool all = true;
	unsigned int nr;

	slots = guest_mem_slots(e->config.mem, &nr);
	lock_hold_begin(e);
	for (unsigned int i = 0; i < nr && all; i++)
		all = age_slot(e, slots[i].base.v,
			       slots[i].base.v + slots[i].nr_pages);
	lock_hold_end(e);
	return all;
}

bool engine_age_all(struct engine *e)
{
	struct wss_window window;
	struct wss_estimate est;

	memset(e->census.ages, 0, sizeof(e->census.ages));
	memset(e->census.ages_2m, 0, sizeof(e->census.ages_2m));
	memset(e->census.classes, 0, sizeof(e->census.classes));
	e->census.nr_idle_clean = e->census.nr_protected = 0;
	e->census.block_2m = NO_BLOCK;
	wss_count_begin(&e->census.wss_counter, &e->census.wss_pages,
			e->history.wss_granule, e->history.wss_has_one_age);
	if (!age_slots(e))
		return false;
	engine_lock(e);
	count_block(&e->census);
	wss_count_end(&e->census.wss_counter);
	wss_clock_add(&e->history.wss_clock, e->scan.harvest_start_ns,
		      e->scan.harvest_end_ns);
	e->history.wss_pages = e->census.wss_pages;
	window = wss_window(&e->history.wss_clock, WSS_DEFAULT_WINDOW_NS);
	wss_estimate(&est, &e->history.wss_pages, &window);
	proactive_tick(&e->history.proactive, e->scan.harvest_end_ns, est.pages,
		       e->scan_policy.proactive_ppm,
		       e->scan_policy.min_idle_scans);
	engine_unlock(e);
	return true;
}

int engine_set_ages(struct engine *e, const uint8_t *ages, uint64_t nr)
{
	uint8_t *import = calloc(e->scan.nr_frames, 1), *old;

	if (!import)
		return -ENOMEM;
	memcpy(import, ages, nr < e->scan.nr_frames ? nr : e->scan.nr_frames);
	engine_lock(e);
	old = e->import;
	e->import = import;
	engine_unlock(e);
	free(old);
	return 0;
}

void engine_discount_refaults(struct engine *e)
{
	bool was_paused;

	engine_lock(e);
	was_paused = e->was_paused;
	e->was_paused = false;
	engine_unlock(e);
	if (!was_paused)
		return;
	lock_hold_begin(e);
	for (uint64_t g = 0;
	     (g = bitmap_next(e->scan.resident, g, e->scan.nr_frames)) <
		     e->scan.nr_frames &&
	     lock_hold_charge(e, 1);
	     g++)
		if (frame_is_evicted(&e->history.frames, GFN(g)) &&
		    !bitmap_test(e->scan.young, g))
			frame_clear_evicted(&e->history.frames, GFN(g));
	lock_hold_end(e);
}

void engine_import_ages(struct engine *e)
{
	struct frame_table *t = &e->history.frames;
	uint8_t *import;

	engine_lock(e);
	import = e->import;
	e->import = NULL;
	engine_unlock(e);
	if (!import)
		return;
	lock_hold_begin(e);
	for (uint64_t g = 0; g < e->scan.nr_frames && lock_hold_charge(e, 1);
	     g++) {
		/* An evicted frame's age also grows with the scans since. */
		unsigned int now = frame_age(t, GFN(g), e->history.scan_nr);

		if (import[g] > now &&
		    (frame_list_of(t, GFN(g)) != FRAME_NONE ||
		     bitmap_test(e->scan.swapped, g)) &&
		    !bitmap_test(e->scan.young, g))
			t->age[g] += import[g] - now;
	}
	lock_hold_end(e);
	free(import);
}
