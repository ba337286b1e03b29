// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine's loop, which makes one scan after the other:
 *
 *   residency -> harvest -> age every frame -> over the target? -> candidates
 *       (/proc/PID/pagemap)                          |              |
 *                                                    no       page_referenced
 *                                                    |              |
 *                            wait <------------------+    recheck -> sink
 *
 * Slow operations (residency, harvest, the sink) run without the lock, on
 * bitmaps that only this thread uses; the frame table is changed under the
 * lock, a part at a time, so that readers never wait long (engine-lock.h).
 *
 * Locks: callback_lock -> engine lock.  Neither is held when a part of the scan
 * in another file is called: that takes its own.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/engine/engine.h"
#include "vmm/engine/engine-internal.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"
#include "vmm/util/error-text.h"
#include "vmm/util/log.h"
#include "vmm/util/min-max.h"

#define MAX_BACKOFF   5		/* times that failures double the period */
#define MAX_BACKOFF_NS (60 * NSEC_PER_SEC)
#define ERROR_LOG_NS (60 * NSEC_PER_SEC)
#define REST_MARGIN   64	/* at rest: up to 1/64 above the target */

/* An error that lasts is logged again now and then, not in each scan. */
void engine_set_error(struct engine *e, const char *what, int rc)
{
	char text[sizeof(e->stats.scan.last_error)];
	uint64_t now = clock_now_ns();
	bool is_new;

	snprintf(text, sizeof(text), "%s: %s", what, error_text(-rc));
	engine_lock(e);
	is_new = strcmp(e->stats.scan.last_error, text) ||
		 now - e->error_logged_ns >= ERROR_LOG_NS;
	if (is_new)
		e->error_logged_ns = now;
	e->stats.scan.nr_scan_errors++;
	memcpy(e->stats.scan.last_error, text, sizeof(text));
	engine_unlock(e);
	if (!is_new)
		return;
	/* -ESRCH: the guest's process has ended, which others report. */
	log_limited(&e->limit,
		    rc == -ESRCH ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN,
		    "%s; will retry", text);
}

int engine_harvest(struct access_source *source, struct engine_scan *scan,
		   struct gfn_range range)
{
	const struct access_source_ops *ops = source->ops;
	uint64_t g = range.start.v, end = g + range.nr;
	int rc = ops->harvest(source, range, scan->harvested);
	/*
	 * A source that failed may have cleared bits without reporting them: so
	 * all resident frames of the range count as accessed.
	 */
	const uint64_t *touched = rc ? scan->resident : scan->harvested;
	bool guesses = ops->assumed && !rc;

	if (guesses)
		ops->assumed(source, range, scan->assumed);
	for (; (g = bitmap_next(touched, g, end)) < end; g++) {
		bitmap_set(scan->pending_young, g);
		if (!rc && !(guesses && bitmap_test(scan->assumed, g)))
			bitmap_set(scan->pending_observed, g);
	}
	return rc;
}

/*
 * Whether eviction has brought the guest to its target, apart from small
 * fluctuations.  False for a guest that has not grown to its target yet: its
 * ages will be needed.
 */
static bool is_at_rest(struct engine *e)
{
	uint64_t resident = engine_scan_nr_resident(&e->scan), target;

	target = e->scan_policy.enabled && e->stats.reclaim.nr_evicted &&
				 !nodes_have_targets(&e->scan_policy)
			 ? e->scan_policy.target_bytes >> VMM_PAGE_SHIFT
			 : 0;
	return target && resident <= target + target / REST_MARGIN;
}

/*
 * Takes over what this harvest has found, and what rechecks and failed scans
 * have found since the last scan.
 */
static void take_pending(struct engine_scan *scan)
{
	for (uint64_t w = 0; w < BITMAP_WORDS(scan->nr_frames); w++) {
		scan->young[w] = scan->pending_young[w];
		scan->observed[w] = scan->pending_observed[w];
		scan->pending_young[w] = scan->pending_observed[w] = 0;
	}
	scan->nr_young = bitmap_count(scan->young, 0, scan->nr_frames);
}

/* Fills the bitmaps of the scan.  0 or -errno, reported unless -ECANCELED. */
static int harvest_all(struct engine *e)
{
	const struct guest_memslot *slots;
	unsigned int nr;
	int rc;

	if (e->config.sink && e->config.sink->ops->find_evicted) {
		rc = e->config.sink->ops->find_evicted(e->config.sink);
		if (rc == -ECANCELED)
			return rc;
		if (rc) {
			engine_set_error(e, "cannot read which pages are "
					 "evicted", rc);
			return rc;
		}
	}
	e->scan.harvest_start_ns = clock_now_ns();
	rc = guest_mem_residency_update(e->config.mem, e->scan.resident,
					e->scan.swapped, e->scan.nr_begun++,
					&e->stopping);
	if (rc == -ECANCELED)
		return rc;
	if (rc) {
		engine_set_error(e, "cannot read which pages are resident", rc);
		return rc;
	}
	rc = engine_find_huge(e);
	if (rc)
		return rc;
	e->config.source->at_rest = is_at_rest(e);
	slots = guest_mem_slots(e->config.mem, &nr);
	for (unsigned int i = 0; i < nr; i++) {
		struct gfn_range r = { slots[i].base, slots[i].nr_pages };

		rc = engine_is_stopping(e)
			     ? -ECANCELED
			     : engine_harvest(e->config.source, &e->scan, r);
		if (rc == -ECANCELED)
			return rc;
		if (rc) {
			engine_set_error(e, "cannot read accessed bits", rc);
			return rc;
		}
	}
	e->config.source->at_rest = false;
	take_pending(&e->scan);
	e->scan.harvest_end_ns = clock_now_ns();
	return 0;
}

/*
 * Publishes the results of a scan as statistics.  good: the frames were aged;
 * failed: an error was reported in this scan.
 */
static void publish(struct engine *e, uint64_t start_ns, uint64_t cpu_ns,
		    bool good, bool failed)
{
	const uint64_t nr_resident =
		bitmap_count(e->scan.resident, 0, e->scan.nr_frames);
	const uint64_t nr_swapped =
		bitmap_count(e->scan.swapped, 0, e->scan.nr_frames);
	const uint64_t nr_huge = e->scan.huge ?
		bitmap_count(e->scan.huge, 0, e->scan.nr_frames) : 0;
	struct engine_stats *s = &e->stats;
	struct engine_node nodes[GUEST_NUMA_NODES] = { 0 };

	nodes_count(&e->nodes, e->scan.resident, e->scan.swapped, nodes);
	engine_lock(e);
	s->scan.nr_scans += good;
	s->scan.last_scan_ns = clock_now_ns() - start_ns;
	s->scan.scan_cpu_ns_total += cpu_ns;
	if (good) {
		s->memory.nr_resident = nr_resident;
		s->memory.nr_swapped = nr_swapped;
		s->scan.nr_young = e->scan.nr_young;
		s->memory.nr_huge = nr_huge;
		s->memory.nr_nodes = e->nodes.nr;
		memcpy(s->memory.nodes, nodes, sizeof(s->memory.nodes));
		memcpy(s->memory.age_pages, e->census.ages,
		       sizeof(s->memory.age_pages));
		memcpy(s->memory.age_2m, e->census.ages_2m,
		       sizeof(s->memory.age_2m));
		memcpy(s->memory.nr_of_class, e->census.classes,
		       sizeof(s->memory.nr_of_class));
		s->memory.nr_idle_clean = e->census.nr_idle_clean;
		s->memory.nr_protected = e->census.nr_protected;
	}
	if (!failed)
		s->scan.last_error[0] = 0;
	s->memory.nr_active = e->history.frames.count[FRAME_ACTIVE];
	s->memory.nr_inactive = e->history.frames.count[FRAME_INACTIVE];
	s->reclaim.nr_activated = e->history.frames.ws.nr_activated;
	s->reclaim.nr_restored = e->history.frames.ws.nr_restored;
	s->memory.nr_unevictable = e->history.frames.count[FRAME_UNEVICTABLE];
	s->memory.nr_discarded = guest_mem_nr_discarded(e->config.mem);
	engine_unlock(e);
}

static void call_back(struct engine *e)
{
	struct engine_stats stats;

	pthread_mutex_lock(&e->callback_lock);
	if (e->on_scan) {
		engine_get_stats(e, &stats);
		e->on_scan(&stats, e->on_scan_arg);
	}
	pthread_mutex_unlock(&e->callback_lock);
}

/*
 * The CPU time that reclaim may take in a scan: as much as the scan spent on
 * observing (observed_ns), or the quota's share of a period if that is longer.
 * The next scan continues.  So a large guest far over its target is reclaimed
 * from evenly and by fresh ages, not for seconds at a time with a long pause
 * after that.
 */
static uint64_t reclaim_share_ns(const struct engine_policy *p,
				 uint64_t observed_ns)
{
	return max_u64(observed_ns, p->scan_period_ms * NSEC_PER_MSEC *
					p->cpu_percent / 100);
}

/* Returns the CPU time that the scan took, ns. */
static uint64_t scan(struct engine *e)
{
	uint64_t start = clock_now_ns(), cpu = engine_cpu_ns(e), now;
	const uint64_t nr_errors = e->stats.scan.nr_scan_errors;
	bool good;
	int rc;

	engine_get_policy(e, &e->scan_policy);
	rc = harvest_all(e);
	good = !rc;
	if (good) {
		engine_lock(e);
		e->history.scan_nr++;
		engine_unlock(e);
		e->nr_failed = 0;
		engine_discount_refaults(e);
		engine_prefetch(e);
		engine_learn_prices(e);
		good = engine_age_all(e);
		engine_import_ages(e);
		now = engine_cpu_ns(e);
		e->pass.cpu_limit_ns =
			now + reclaim_share_ns(&e->scan_policy, now - cpu);
		rc = engine_reclaim(e);
		if (!rc)
			engine_update_blocks(e);
	} else if (e->nr_failed < MAX_BACKOFF) {
		e->nr_failed++;
	}
	cpu = engine_cpu_ns(e) - cpu;
	/* A partial scan does not count, and is not published. */
	if (engine_is_stopping(e))
		return cpu;
	publish(e, start, cpu, good,
		rc || e->stats.scan.nr_scan_errors != nr_errors);
	call_back(e);
	return cpu;
}

/*
 * The time from the start of one scan to that of the next.  The CPU quota makes
 * it longer after a scan that used more than its share; failed scans in a row
 * double it, up to a minute.  cpu_ns: CPU time of the last scan.
 */
static uint64_t period_ns(const struct engine_policy *p, unsigned int nr_failed,
			  uint64_t cpu_ns)
{
	uint64_t period = p->scan_period_ms * NSEC_PER_MSEC;
	uint64_t backoff = period << nr_failed;
	uint64_t least = cpu_ns * 100 / p->cpu_percent;

	if (backoff > MAX_BACKOFF_NS)
		backoff = MAX_BACKOFF_NS;
	return max_u64(max_u64(period, backoff), least);
}

static void *engine_thread(void *arg)
{
	struct engine *e = arg;
	uint64_t last, cpu = 0;

	pthread_setname_np(pthread_self(), "vmm-engine");
	last = clock_now_ns();
	engine_lock(e);
	while (!e->stopping) {
		uint64_t due = last + period_ns(&e->policy, e->nr_failed, cpu);
		struct timespec ts = { due / NSEC_PER_SEC, due % NSEC_PER_SEC };

		if (e->paused) {
			pthread_cond_wait(&e->wake, &e->lock.mutex);
			last = clock_now_ns();
			continue;
		}
		e->stats.scan.period_ns = due - last;
		/* A changed policy wakes us, and changes the due time. */
		if (clock_now_ns() < due) {
			pthread_cond_timedwait(&e->wake, &e->lock.mutex, &ts);
			continue;
		}
		engine_unlock(e);
		last = clock_now_ns();
		cpu = scan(e);
		engine_lock(e);
	}
	engine_unlock(e);
	return NULL;
}

void engine_scan_now(struct engine *e)
{
	scan(e);
}

static int alloc_all(struct engine *e)
{
	const struct engine_config *c = &e->config;
	uint64_t nr_frames = guest_mem_nr_frames(c->mem);
	bool huge = guest_mem_has_thp(c->mem);
	int rc = nodes_init(&e->nodes, c->numa, c->mem, &c->policy);

	if (!rc)
		rc = engine_history_init(&e->history, nr_frames,
					 max_u64(c->source->granule_pages,
						 guest_mem_leaf_pages(c->mem)));
	if (!rc)
		rc = engine_scan_init(&e->scan, nr_frames, huge);
	if (!rc)
		rc = engine_pass_init(&e->pass, nr_frames, huge);
	return rc;
}

static void destroy(struct engine *e)
{
	/* Source and sink outlive the engine. */
	e->config.source->stopping = NULL;
	if (e->config.sink)
		e->config.sink->stopping = NULL;
	engine_history_destroy(&e->history);
	engine_scan_destroy(&e->scan);
	engine_pass_destroy(&e->pass);
	free(e->import);
	prefetch_free(e->prefetch);
	pthread_mutex_destroy(&e->callback_lock);
	pthread_cond_destroy(&e->wake);
	pthread_cond_destroy(&e->sink_idle);
	fair_lock_destroy(&e->lock);
	free(e);
}

int engine_new(struct engine **enginep, const struct engine_config *config)
{
	struct engine *e = calloc(1, sizeof(*e));
	pthread_condattr_t attr;
	char why[128];
	int rc;

	if (!e)
		return -ENOMEM;
	e->config = *config;
	e->on_scan = config->on_scan;
	e->on_scan_arg = config->on_scan_arg;
	e->policy = config->policy;
	snprintf(e->stats.source, sizeof(e->stats.source), "%s",
		 config->source->ops->name);
	snprintf(e->stats.sink, sizeof(e->stats.sink), "%s",
		 config->sink ? config->sink->ops->name : "none");
	e->pass.batch = config->source->cost == ACCESS_COST_RMAP
				? ENGINE_BATCH
				: ENGINE_BATCH / 4;
	config->source->stopping = &e->stopping;
	if (config->sink)
		config->sink->stopping = &e->stopping;
	e->stats.source_granule_pages = config->source->granule_pages;
	e->stats.memory.nr_pages = guest_mem_nr_pages(config->mem);
	fair_lock_init(&e->lock);
	pthread_mutex_init(&e->callback_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&e->wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_cond_init(&e->sink_idle, NULL);
	rc = engine_check_policy(&config->policy, why, sizeof(why));
	if (!rc)
		rc = alloc_all(e);
	if (!rc && !config->is_stepped)
		rc = -pthread_create(&e->thread, NULL, engine_thread, e);
	if (rc) {
		destroy(e);
		return rc;
	}
	*enginep = e;
	return 0;
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	/* Not under the lock: the thread checks it while it holds the lock. */
	e->stopping = true;
	engine_lock(e);
	pthread_cond_signal(&e->wake);
	engine_unlock(e);
	if (!e->config.is_stepped)
		pthread_join(e->thread, NULL);
	destroy(e);
}
