// SPDX-License-Identifier: GPL-2.0-or-later
/* The store sink: eviction, in the engine's thread. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "vmm/sink/sink-store-internal.h"
#include "vmm/util/error-text.h"
#include "vmm/util/stop-flag.h"

/* Sets pages of the range in state NONE to EVICTING; returns how many. */
static uint64_t set_evicting(struct sink_store *s, struct gfn_range r)
{
	pthread_mutex_t *lock = &sink_store_shard(s, r.start)->lock;
	uint64_t nr = 0;

	pthread_mutex_lock(lock);
	for (uint64_t g = r.start.v; g < r.start.v + r.nr; g++)
		if (s->states[g] == PAGE_NONE) {
			sink_store_set_state(s, GFN(g), PAGE_EVICTING);
			nr++;
		}
	pthread_mutex_unlock(lock);
	return nr;
}

/* Cancels the eviction of a page; under the lock. */
static void cancel_evict(struct sink_store *s, gfn_t gfn)
{
	sink_store_set_state(s, gfn, PAGE_NONE);
	store_drop(s->store, gfn.v);
	guest_faults_protect(s->faults, (struct gfn_range){ gfn, 1 }, false);
}

/*
 * Puts copies of EVICTING pages into the store.  After a failure, -errno,
 * s->first_not_put is the first frame that was not put.
 */
static int copy_to_store(struct sink_store *s, struct gfn_range r)
{
	int rc = 0;

	for (uint64_t g = r.start.v; !rc && g < r.start.v + r.nr; g++) {
		const void *p = guest_mem_ptr(s->mem, gfn_to_gpa(GFN(g)),
					      VMM_PAGE_SIZE);

		if (sink_store_peek(s, GFN(g)) != PAGE_EVICTING)
			continue;
		/* Checked each time: a slow device may take a second a page. */
		if (stop_flag_is_set(s->sink.stopping)) {
			s->first_not_put = g;
			return -ECANCELED;
		}
		/*
		 * Copy the page, so that a write meanwhile does not change it.
		 */
		memcpy(s->page, p, VMM_PAGE_SIZE);
		rc = store_put(s->store, s->coder, g, s->page);
		sink_store_note_put(s, rc);
		if (rc)
			s->first_not_put = g;
	}
	return rc;
}

/*
 * Under the lock: marks the page as evicted.  False: it stays, as a reader that
 * can't wait for a refault has pinned it right now (guest_mem_pin_page()).
 */
static bool set_stored(struct sink_store *s, gfn_t gfn)
{
	sink_store_set_state(s, gfn, PAGE_STORED);
	if (!guest_mem_is_pinned(s->mem, gfn))
		return true;
	cancel_evict(s, gfn);
	return false;
}

/*
 * Under the lock: drops STORED pages from guest memory.  Copies of them are in
 * the store, and they were not written to since.
 */
static void drop_stored(struct sink_store *s, struct gfn_range r)
{
	uint64_t end = r.start.v + r.nr;

	if (!guest_mem_drop(s->mem, r))
		return;
	/* Some may have been dropped: retry one by one, to know which. */
	for (uint64_t g = r.start.v; g < end; g++)
		if (guest_mem_drop(s->mem, (struct gfn_range){ GFN(g), 1 }))
			cancel_evict(s, GFN(g));
}

/*
 * Drops from guest memory the pages that are still EVICTING and have been put,
 * which are below put_end; the others stay.
 */
static void drop_evicting(struct sink_store *s, struct gfn_range r,
			  uint64_t put_end)
{
	pthread_mutex_t *lock = &sink_store_shard(s, r.start)->lock;
	uint64_t end = r.start.v + r.nr;

	pthread_mutex_lock(lock);
	for (uint64_t g = r.start.v, next; g < end; g = next) {
		next = g + 1;
		if (s->states[g] != PAGE_EVICTING) {
			/*
			 * A copy may have been put of a page whose eviction was
			 * cancelled.
			 */
			if (s->states[g] == PAGE_NONE)
				store_drop(s->store, g);
			continue;
		}
		if (g >= put_end) {
			cancel_evict(s, GFN(g));
			continue;
		}
		for (next = g; next < put_end &&
		     s->states[next] == PAGE_EVICTING &&
		     set_stored(s, GFN(next)); next++)
			;
		if (next > g)
			drop_stored(s, (struct gfn_range){ GFN(g), next - g });
		else
			next++;
	}
	pthread_mutex_unlock(lock);
}

/* Evicts a run of resident pages of one shard. */
int sink_store_evict_run(struct sink_store *s, struct gfn_range r)
{
	uint64_t put_end = r.start.v + r.nr;
	int rc = guest_faults_watch(s->faults, r);

	if (rc)
		sink_store_note(s, "cannot register pages with userfaultfd, so "
				"they stay in guest memory: %s%s",
				error_text(-rc), rc == -ENOMEM ?
				"; raise vm.max_map_count" : "");
	if (rc || !set_evicting(s, r))
		return rc;
	rc = guest_faults_protect(s->faults, r, true);
	if (rc) {
		put_end = r.start.v;
	} else {
		rc = copy_to_store(s, r);
		if (rc)
			put_end = s->first_not_put;
	}
	drop_evicting(s, r, put_end);
	return rc;
}
