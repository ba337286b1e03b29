// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fast path of aging, for 64 frames at a time if nothing but their age has
 * changed since the last scan: none was accessed, changed residency, or may
 * change its list.  Their age grows by one scan.  Mostly all 64 have the same
 * age.
 *
 * Locks: the caller holds engine lock and view lock; neither is released here.
 */
#include "config.h"

#include <string.h>

#include "vmm/engine/engine-internal.h"

#define WORD_FRAMES 64

static bool all_equal(const uint8_t *bytes)
{
	/* Each byte equals the one before it. */
	return !memcmp(bytes, bytes + 1, WORD_FRAMES - 1);
}

static unsigned int one_older(unsigned int age)
{
	return age < FRAME_AGE_MAX ? age + 1 : age;
}

static unsigned int observed_age_of(const struct frame_table *t, gfn_t gfn)
{
	unsigned int age = t->age[gfn.v] + t->age_gap[gfn.v];

	return age < FRAME_AGE_MAX ? age : FRAME_AGE_MAX;
}

static void age_one(struct engine_census *c, struct frame_table *t,
		    const struct rmap *map, gfn_t gfn, unsigned int min_idle)
{
	unsigned int age = t->age[gfn.v] = one_older(t->age[gfn.v]);

	wss_count(&c->wss_counter, gfn, age, observed_age_of(t, gfn));
	ages_count(c, gfn, 1, age);
	if (age >= min_idle &&
	    frame_class_of(rmap_page_flags(map, gfn.v)) == CLASS_CLEAN_FILE)
		c->nr_idle_clean++;
}

/* For a word whose 64 frames are all resident and have the same age. */
static void age_equal_frames(struct engine_census *c, struct engine_history *h,
			     uint64_t w, unsigned int min_idle)
{
	struct frame_table *t = &h->frames;
	unsigned int age = one_older(t->age[w * WORD_FRAMES]);
	gfn_t first = GFN(w * WORD_FRAMES);

	memset(t->age + w * WORD_FRAMES, age, WORD_FRAMES);
	wss_count_run(&c->wss_counter, first, WORD_FRAMES, age,
		      observed_age_of(t, first));
	ages_count(c, first, WORD_FRAMES, age);
	if (age >= min_idle)
		c->nr_idle_clean += h->word_classes[w].nr[CLASS_CLEAN_FILE];
}

/*
 * Frames in swap: neighbours that were evicted in the same scan and at the same
 * age are counted at once.
 */
static void count_evicted_run(struct engine_census *c,
			      const struct engine_history *h, uint64_t gfn,
			      uint64_t end)
{
	const struct frame_table *t = &h->frames;
	uint64_t next;

	for (; gfn < end; gfn = next) {
		next = gfn + 1;
		while (next < end && t->next[next] == t->next[gfn] &&
		       t->age[next] == t->age[gfn] &&
		       t->age_gap[next] == t->age_gap[gfn])
			next++;
		wss_count_run(&c->wss_counter, GFN(gfn), next - gfn,
			      frame_age(t, GFN(gfn), h->scan_nr),
			      frame_observed_age(t, GFN(gfn), h->scan_nr));
	}
}

bool ages_unchanged_word(struct engine *e, uint64_t w, unsigned int min_idle)
{
	struct engine_census *c = &e->census;
	struct frame_table *t = &e->history.frames;
	uint64_t resident = e->scan.resident[w],
		 evicted = e->scan.swapped[w] & ~resident;
	uint64_t g = w * WORD_FRAMES, end = g + WORD_FRAMES, next;

	if (e->scan.young[w] || resident != e->history.resident_when_aged[w] ||
	    e->scan.swapped[w] != e->history.swapped_when_aged[w] ||
	    !frames_would_only_age(t, w))
		return false;
	for (int k = 0; k < NR_FRAME_CLASSES; k++)
		c->classes[k] += e->history.word_classes[w].nr[k];
	if (resident == UINT64_MAX && all_equal(t->age + g) &&
	    all_equal(t->age_gap + g)) {
		age_equal_frames(c, &e->history, w, min_idle);
		return true;
	}
	/* In ascending order, as the counter of the working set requires. */
	for (; g < end; g = next) {
		next = g + 1;
		if (resident >> g % WORD_FRAMES & 1) {
			age_one(c, t, view_map(e->config.view), GFN(g),
				min_idle);
		} else if (evicted >> g % WORD_FRAMES & 1) {
			while (next < end && evicted >> next % WORD_FRAMES & 1)
				next++;
			count_evicted_run(c, &e->history, g, next);
		}
	}
	return true;
}
