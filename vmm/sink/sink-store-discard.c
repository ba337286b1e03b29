// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store sink: pages that the guest discards.  They are removed from the
 * store ("forget") and from guest memory ("drop") in one hold of the shard's
 * lock, which eviction takes, too.  With the lock released in between, both
 * orders would be wrong:
 *
 *	forget, unlock, drop	an eviction in between puts what is about to be
 *				dropped into the store, and the guest reads it
 *				where it was promised zeros
 *	drop, unlock, forget	a page that the guest wrote to, and that was
 *				evicted, in between is forgotten
 */
#include "config.h"

#include "vmm/sink/sink-store-internal.h"

/*
 * Pages per hold of the lock, aligned, so that a huge page is dropped as a
 * whole.
 */
#define PART_PAGES 512u

/*
 * Under the lock: removes the page from the store.  True: a thread may be
 * waiting for the page.  After a failure *rc is -errno, and the page is as
 * before.
 */
static bool forget(struct sink_store *s, gfn_t gfn, int *rc)
{
	enum page_state state = s->states[gfn.v];
	int failed = 0;

	if (state == PAGE_NONE)
		return false;
	if (state >= PAGE_STORED)
		store_drop(s->store, gfn.v);
	if (state == PAGE_LOST)
		failed = guest_faults_unpoison(s->faults, gfn);
	if (failed)
		*rc = failed;
	else
		sink_store_set_state(s, gfn, PAGE_NONE);
	return true;
}

static int discard_part(struct sink_store *s, struct gfn_range r)
{
	pthread_mutex_t *lock = &sink_store_shard(s, r.start)->lock;
	bool wake = false;
	int rc = 0, drop_rc;

	pthread_mutex_lock(lock);
	for (uint64_t g = r.start.v; g < r.start.v + r.nr; g++)
		wake |= forget(s, GFN(g), &rc);
	drop_rc = guest_mem_drop(s->mem, r);
	if (wake)
		guest_faults_wake(s->faults, r);
	pthread_mutex_unlock(lock);
	return drop_rc ? drop_rc : rc;
}

int sink_store_discard(void *arg, struct gfn_range r)
{
	uint64_t g = r.start.v, end = g + r.nr, next;
	int rc = 0;

	/* Parts are aligned, so each lies within one shard. */
	for (; !rc && g < end; g = next) {
		next = (g / PART_PAGES + 1) * PART_PAGES;
		if (next > end)
			next = end;
		rc = discard_part(arg, (struct gfn_range){ GFN(g), next - g });
	}
	return rc;
}
