// SPDX-License-Identifier: GPL-2.0-or-later
/* What others may ask and tell the engine; each call takes its lock. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/engine/engine-internal.h"
#include "vmm/util/bitmap.h"

#define MIN_PERIOD_MS 10
#define MAX_PERIOD_MS (3600 * 1000)

int engine_check_policy(const struct engine_policy *p, char *why, size_t len)
{
	if (p->scan_period_ms < MIN_PERIOD_MS ||
	    p->scan_period_ms > MAX_PERIOD_MS)
		snprintf(why, len, "a scan period of %u ms: it is %d ms to %d s",
			 p->scan_period_ms, MIN_PERIOD_MS, MAX_PERIOD_MS / 1000);
	else if (p->min_idle_scans < 1 || p->min_idle_scans >= FRAME_AGE_MAX)
		snprintf(why, len, "idle for %u scans: it is 1 to %d",
			 p->min_idle_scans, FRAME_AGE_MAX - 1);
	else if (p->cpu_percent < 1 || p->cpu_percent > 100)
		snprintf(why, len, "a CPU quota of %u %%: it is 1 to 100",
			 p->cpu_percent);
	else if (p->proactive_ppm > 1000000)
		snprintf(why, len, "a promotion budget of %u millionths: it is "
			 "up to 100%% of the working set", p->proactive_ppm);
	else if (p->psi_limit > 10000)
		snprintf(why, len, "a PSI limit of %u hundredths: it is up to "
			 "100%%", p->psi_limit);
	else if (!p->low_bytes != !p->high_bytes ||
		 p->low_bytes > p->high_bytes)
		snprintf(why, len, "watermarks of the host's available memory: "
			 "low= and high= are given both, low at most high");
	else
		return 0;
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
		rc = nodes_check(e, policy, why, len);
	if (!rc && policy->enabled && !e->config.sink) {
		char reason[256];

		if (!sink_swap.probe(e->config.mem, reason, sizeof(reason)))
			snprintf(reason, sizeof(reason), "it was started when "
				 "the host had no swap: start it again");
		snprintf(why, len, "this VM can't evict pages: %s", reason);
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
	list = frame_list_of(&e->frames, gfn.v);
	*page = (struct engine_page){
		.ram = true,
		.resident = list != FRAME_NONE,
		.swapped = frame_is_evicted(&e->frames, gfn.v),
		.age = e->frames.age[gfn.v],
		.list = names[list],
		.nr_evictions = e->frames.nr_evictions[gfn.v],
		.nr_refaults = e->frames.nr_refaults[gfn.v],
	};
	engine_unlock(e);
	return 0;
}

/* Of what is in RAM or in swap, as of the last scan; else 0. */
static unsigned int age_of(const struct engine *e, uint64_t gfn)
{
	return frame_list_of(&e->frames, gfn) != FRAME_NONE ||
			       bitmap_test(e->seen_swapped, gfn) ?
		       frame_age(&e->frames, gfn, e->scan) : 0;
}

int engine_get_ages(struct engine *e, struct gfn_range range, uint8_t *ages)
{
	if (range.start.v > e->nr_frames ||
	    range.nr > e->nr_frames - range.start.v)
		return -ERANGE;
	for (uint64_t i = 0; i < range.nr;) {
		uint64_t end = range.nr - i > HOLD_MAX ? i + HOLD_MAX : range.nr;

		engine_lock(e);
		for (; i < end; i++)
			ages[i] = age_of(e, range.start.v + i);
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
	if (e->wss_clock.nr) {
		window = wss_window(&e->wss_clock, window_ns);
		wss_estimate(est, &e->wss_pages, &window);
		rc = 0;
	}
	engine_unlock(e);
	return rc;
}

uint64_t engine_wss_granule(const struct engine *e)
{
	return e->wss_granule;
}

bool engine_source_is_lossy(const struct engine *e)
{
	return e->config.source->lossy;
}

static struct engine_use use_of(const struct engine *e, uint64_t gfn)
{
	struct engine_use use = { .scanned = false };
	uint64_t hva;

	if (!guest_mem_gfn_to_hva(e->config.mem, GFN(gfn), &hva))
		return use;
	use.scanned = frame_list_of(&e->frames, gfn) != FRAME_NONE;
	use.age = frame_age(&e->frames, gfn, e->scan);
	use.proven_age = frame_proven_age(&e->frames, gfn, e->scan);
	use.apart = !e->wss_alike ||
		    !bitmap_test(e->wss_alike, gfn / e->wss_granule);
	return use;
}

void engine_get_uses(struct engine *e, const uint64_t *gfns, size_t nr,
		     struct engine_use *uses)
{
	for (size_t i = 0; i < nr;) {
		size_t end = nr - i > HOLD_MAX ? i + HOLD_MAX : nr;

		engine_lock(e);
		for (; i < end; i++)
			uses[i] = use_of(e, gfns[i]);
		engine_unlock(e);
	}
}

void engine_hold(struct engine *e, bool held)
{
	engine_lock(e);
	e->was_held |= e->held;
	e->held = held;
	pthread_cond_signal(&e->wake);
	while (held && e->moving)
		pthread_cond_wait(&e->rests, &e->lock.mutex);
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
