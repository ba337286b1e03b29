// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine's interface for other threads: queries and settings.
 *
 * Locks: engine lock, or callback_lock; never both, and never the view's.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/engine/engine-internal.h"
#include "vmm/util/bitmap.h"

int engine_check_policy(const struct engine_policy *p, char *why, size_t len)
{
	int rc = key_check_numbers(engine_policy_keys, p, why, len);

	if (rc || (!p->low_bytes == !p->high_bytes &&
		   p->low_bytes <= p->high_bytes))
		return rc;
	snprintf(why, len, "low= and high=, the watermarks of the host's "
		 "available memory, must be given together, low= no more than "
		 "high=");
	return -EINVAL;
}

void engine_get_policy(struct engine *e, struct engine_policy *policy)
{
	engine_lock(e);
	*policy = e->policy;
	engine_unlock(e);
}

int engine_set_policy(struct engine *e, const struct engine_policy *policy,
		      char *why, size_t len)
{
	int rc = engine_check_policy(policy, why, len);

	if (!rc)
		rc = nodes_check(&e->nodes, policy, why, len);
	if (!rc && policy->enabled && !e->config.sink) {
		char reason[256];

		if (!sink_swap.probe(e->config.mem, reason, sizeof(reason)))
			snprintf(reason, sizeof(reason), "the host had no swap "
				 "when it was started: restart it");
		snprintf(why, len, "this VM cannot evict pages: %s", reason);
		rc = -EINVAL;
	}
	if (rc)
		return rc;
	engine_lock(e);
	e->policy = *policy;
	pthread_cond_signal(&e->wake);
	engine_unlock(e);
	return 0;
}

void engine_get_stats(struct engine *e, struct engine_stats *stats)
{
	engine_lock(e);
	*stats = e->stats;
	engine_unlock(e);
}

int engine_get_page(struct engine *e, gfn_t gfn, struct engine_page *page)
{
	static const char *const names[] = { "none", "active", "inactive",
					     "unevictable" };
	enum frame_list list;
	uint64_t hva;

	if (!guest_mem_gfn_to_hva(e->config.mem, gfn, &hva))
		return -ERANGE;
	engine_lock(e);
	list = frame_list_of(&e->history.frames, gfn);
	*page = (struct engine_page){
		.ram = true,
		.resident = list != FRAME_NONE,
		.swapped = frame_is_evicted(&e->history.frames, gfn),
		.age = e->history.frames.age[gfn.v],
		.list = names[list],
		.nr_evictions = e->history.frames.nr_evictions[gfn.v],
		.nr_refaults = e->history.frames.nr_refaults[gfn.v],
	};
	engine_unlock(e);
	return 0;
}

/* The age, as of the last scan, of a frame in RAM or in swap; else 0. */
static unsigned int age_of(const struct engine_history *h, gfn_t gfn)
{
	return frame_list_of(&h->frames, gfn) != FRAME_NONE ||
			       bitmap_test(h->swapped_when_aged, gfn.v)
		       ? frame_age(&h->frames, gfn, h->scan_nr)
		       : 0;
}

int engine_get_ages(struct engine *e, struct gfn_range range, uint8_t *ages)
{
	if (range.start.v > e->scan.nr_frames ||
	    range.nr > e->scan.nr_frames - range.start.v)
		return -ERANGE;
	for (uint64_t i = 0; i < range.nr;) {
		uint64_t end = range.nr - i > LOCK_HOLD_MAX ?
				       i + LOCK_HOLD_MAX :
				       range.nr;

		engine_lock(e);
		for (; i < end; i++)
			ages[i] = age_of(&e->history,
					 GFN(range.start.v + i));
		engine_unlock(e);
	}
	return 0;
}

int engine_get_wss(struct engine *e, uint64_t window_ns,
		   struct wss_estimate *est)
{
	struct wss_window window;
	int rc = -EAGAIN;

	engine_lock(e);
	if (e->history.wss_clock.nr) {
		window = wss_window(&e->history.wss_clock, window_ns);
		wss_estimate(est, &e->history.wss_pages, &window);
		rc = 0;
	}
	engine_unlock(e);
	return rc;
}

uint64_t engine_wss_granule(const struct engine *e)
{
	return e->history.wss_granule;
}

bool engine_source_is_lossy(const struct engine *e)
{
	return e->config.source->lossy;
}

static struct engine_use use_of(const struct guest_mem *mem,
				const struct engine_history *h, gfn_t gfn)
{
	struct engine_use use = { .resident = false };
	uint64_t hva;

	if (!guest_mem_gfn_to_hva(mem, gfn, &hva))
		return use;
	use.resident = frame_list_of(&h->frames, gfn) != FRAME_NONE;
	use.age = frame_age(&h->frames, gfn, h->scan_nr);
	use.observed_age = frame_observed_age(&h->frames, gfn, h->scan_nr);
	use.own_age = !h->wss_has_one_age ||
		      !bitmap_test(h->wss_has_one_age, gfn.v / h->wss_granule);
	return use;
}

void engine_get_uses(struct engine *e, const gfn_t *gfns, size_t nr,
		     struct engine_use *uses)
{
	for (size_t i = 0; i < nr;) {
		size_t end = nr - i > LOCK_HOLD_MAX ? i + LOCK_HOLD_MAX : nr;

		engine_lock(e);
		for (; i < end; i++)
			uses[i] = use_of(e->config.mem, &e->history, gfns[i]);
		engine_unlock(e);
	}
}

void engine_pause(struct engine *e, bool paused)
{
	engine_lock(e);
	e->was_paused |= e->paused;
	e->paused = paused;
	pthread_cond_signal(&e->wake);
	while (paused && e->in_sink_call)
		pthread_cond_wait(&e->sink_idle, &e->lock.mutex);
	engine_unlock(e);
}

void engine_on_scan(struct engine *e,
		    void (*fn)(const struct engine_stats *stats, void *arg),
		    void *arg)
{
	pthread_mutex_lock(&e->callback_lock);
	e->on_scan = fn;
	e->on_scan_arg = arg;
	pthread_mutex_unlock(&e->callback_lock);
}
