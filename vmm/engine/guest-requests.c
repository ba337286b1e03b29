// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory that the guest can return by itself, before any page is evicted:
 *
 *   free memory        by inflating and deflating the balloon: the balloon
 *                      driver allocates the pages, so they are in use nowhere
 *                      else, and the host discards them.  To discard frames
 *                      that the agent has reported as free would not be safe:
 *                      some may be in use again.
 *   clean page cache   the guest drops it, and then it is free memory.
 *
 * This costs neither a write nor space in swap.  While a request is pending,
 * as many pages fewer are evicted.  A guest that returns nothing is treated,
 * except for a request now and then, as one that takes none.
 *
 * Locks: engine lock --> the lock of what carries the request: the agent
 * server's, or the balloon's device lock, which is only taken if it is free.
 */
#include "config.h"

#include <errno.h>

#include "vmm/engine/engine-internal.h"
#include "vmm/util/clock.h"
#include "vmm/util/min-max.h"

#define REQUEST_TIMEOUT_NS (5 * NSEC_PER_SEC)
#define MAX_FAILURES 6	/* from then on, one request every five minutes */
#define SATISFIED_SHARE 8	/* success: 1/8 of what was requested */
#define UNRESPONSIVE 2	/* failures: the guest does not drop page cache */
#define MIN_CACHE    256	/* pages; less is not worth a request */
#define MIN_FREE     1024	/* likewise of free memory */
/* The guest keeps this much free memory: 1/16 of its RAM, at least 32 MiB. */
#define KEEP_SHARE 16
#define KEEP_BYTES (UINT64_C(32) << 20)

/* Updates the balance by the refaults of anonymous memory and of files. */
static void note_refaults(struct engine *e, const struct view_stats *v)
{
	struct guest_requests *r = &e->requests;
	uint64_t anon = e->stats.reclaim.nr_refaults - r->last_refaults,
		 file = 0;
	uint64_t now = v->guest.nr_refaults_file;

	/* A guest that has been restarted counts from 0 again. */
	if (r->has_guest_refaults && now > r->last_guest_refaults)
		file = now - r->last_guest_refaults;
	r->has_guest_refaults = v->agent_connected;
	r->last_guest_refaults = now;
	r->last_refaults = e->stats.reclaim.nr_refaults;
	anon_file_balance_add(&r->balance, anon, file,
			      e->stats.memory.nr_pages);
	e->stats.reclaim.file_share = anon_file_balance_share(&r->balance);
}

bool engine_leaves_cache_to_guest(struct engine *e)
{
	struct view_stats v;

	if (!e->config.guest || !e->config.guest->drop_cache)
		return false;
	view_get_stats(e->config.view, &v);
	return v.agent_connected && v.drops_cache &&
	       e->requests.cache.nr_failures < UNRESPONSIVE;
}

/*
 * Ends a request.  A guest that cannot return memory, or whose reports are
 * false, gets requests less and less often, and between these the engine evicts
 * as many pages as if there were no requests.
 */
static void finish_request(struct guest_request *request, bool satisfied,
			   uint64_t now)
{
	if (satisfied)
		request->nr_failures = 0;
	else if (request->nr_failures < MAX_FAILURES)
		request->nr_failures++;
	request->retry_ns =
		request->nr_failures
			? now + (REQUEST_TIMEOUT_NS << request->nr_failures)
			: 0;
	request->nr_pages = request->nr_requested = 0;
}

static void start_request(struct guest_request *request, uint64_t want,
			  uint64_t value_at_request, uint64_t now)
{
	request->nr_pages = request->nr_requested = want;
	request->value_at_request = value_at_request;
	request->deadline_ns = now + REQUEST_TIMEOUT_NS;
}

/* Checks a pending request, or makes one; returns the pages still to come. */
static uint64_t request_cache(struct engine *e, uint64_t over,
			      const struct view_stats *v, uint64_t now)
{
	const struct engine_guest *guest = e->config.guest;
	uint64_t want, clean = v->guest.clean_cache >> VMM_PAGE_SHIFT;
	struct guest_request *request = &e->requests.cache;

	if (request->nr_requested) {
		bool satisfied =
			e->requests.last_clean +
				request->nr_requested / SATISFIED_SHARE <=
			request->value_at_request;

		/* The result shows only in a newer report of the guest. */
		if (now < request->deadline_ns &&
		    (!satisfied ||
		     e->requests.last_epoch <= e->requests.cache_epoch + 1))
			return request->nr_pages;
		finish_request(request, satisfied, now);
	}
	if (!guest->drop_cache || !v->agent_connected || !v->drops_cache ||
	    now < request->retry_ns)
		return 0;
	want = over * anon_file_balance_share(&e->requests.balance);
	want = min_u64(want, e->census.nr_idle_clean);
	want = min_u64(want, clean);
	if (want < MIN_CACHE ||
	    guest->drop_cache(guest->ctx, want << VMM_PAGE_SHIFT))
		return 0;
	start_request(request, want, clean, now);
	e->requests.cache_epoch = v->epoch;
	e->stats.reclaim.nr_cache_requested += want;
	return want;
}

/*
 * Free memory that the guest can return, in pages; nr_free: pages that are free
 * in the guest and resident.
 */
static uint64_t nr_free_to_request(const struct engine_guest *guest,
				   const struct view_stats *v, uint64_t nr_free)
{
	uint64_t keep = v->guest.mem_total / KEEP_SHARE;

	if (keep < KEEP_BYTES)
		keep = KEEP_BYTES;
	if (!guest->give_free || !v->agent_connected ||
	    v->guest.mem_free <= keep)
		return 0;
	return min_u64(nr_free, (v->guest.mem_free - keep) >> VMM_PAGE_SHIFT);
}

/*
 * Checks a pending request, or makes one; returns the pages still to come.  How
 * much the guest returned is measured by the pages that left the host's memory,
 * not by the guest's free memory: that may also grow meanwhile, as when the
 * guest drops page cache.  Pages that become free in this way are not evicted
 * either: the next inflation returns them.  If the balloon is busy, the request
 * is repeated in each scan until the balloon accepts it, which starts the
 * timeout anew, or until it has timed out.
 */
static uint64_t request_free(struct engine *e, uint64_t over,
			     const struct view_stats *v, uint64_t now)
{
	const struct engine_guest *guest = e->config.guest;
	uint64_t nr_free = e->census.classes[CLASS_FREE];
	uint64_t want = min_u64(over, nr_free_to_request(guest, v, nr_free)),
		 received;
	struct guest_request *request = &e->requests.free;
	bool waiting = request->nr_requested;
	int rc;

	if (waiting) {
		received = min_u64(e->requests.nr_received -
					   request->value_at_request,
				   request->nr_requested);
		request->nr_pages = request->nr_requested - received;
		waiting = now < request->deadline_ns &&
			  request->nr_pages >
				  request->nr_requested / SATISFIED_SHARE;
		if (!waiting)
			finish_request(request,
				       received >= request->nr_requested /
							   SATISFIED_SHARE,
				       now);
		else if (request->nr_pages < want)
			request->nr_pages = want;
	}
	if (waiting ? !e->requests.balloon_is_busy : now < request->retry_ns)
		return request->nr_pages;
	if (want < MIN_FREE)
		return request->nr_pages;
	rc = guest->give_free(guest->ctx, want << VMM_PAGE_SHIFT);
	e->requests.balloon_is_busy = rc == -EBUSY;
	if (!rc || (!waiting && rc == -EBUSY))
		start_request(request, want, e->requests.nr_received, now);
	if (!rc)
		e->stats.reclaim.nr_free_requested += want;
	return request->nr_pages;
}

uint64_t request_guest_memory(struct engine *e, uint64_t over)
{
	uint64_t now = clock_now_ns(), nr;
	struct view_stats v;

	if (!e->config.guest)
		return 0;
	view_get_stats(e->config.view, &v);
	engine_lock(e);
	note_refaults(e, &v);
	nr = request_free(e, over, &v, now);
	if (nr < over)
		nr += request_cache(e, over - nr, &v, now);
	e->requests.last_clean = v.guest.clean_cache >> VMM_PAGE_SHIFT;
	e->requests.last_epoch = v.epoch;
	engine_unlock(e);
	return nr;
}
