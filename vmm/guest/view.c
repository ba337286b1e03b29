// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The view's lock, table of processes and statistics.
 *
 * A lying agent must not cost the host more than a fixed share of the guest's
 * memory.  So these are limited in proportion to guest frames: processes (1 for
 * 4 frames, as a real one has some page tables), mappings (64 for each frame)
 * and the bytes of regions and mappings (128 for each frame, plus 16 MiB).
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/util/bitmap.h"
#include "vmm/guest/walk-limit.h"
#include "vmm/guest/view-internal.h"

#define MAPPINGS_PER_FRAME 64
#define BYTES_PER_FRAME	   128
#define BYTES_MIN	   (UINT64_C(16) << 20)
#define MAX_MMS		   65536

static int lock_init(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attr;
	int rc;

	/* Else an engine that reads all the time would keep writers out. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr,
		PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	rc = pthread_rwlock_init(lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	return -rc;
}

int view_new(struct view **viewp, struct guest_mem *mem)
{
	uint64_t frames = guest_mem_nr_frames(mem);
	struct rmap_config config = {
		.nr_frames = frames,
		.max_bytes = BYTES_MIN + frames * BYTES_PER_FRAME,
	};
	struct view *view = calloc(1, sizeof(*view));
	int rc;

	if (!view)
		return -ENOMEM;
	rc = lock_init(&view->lock);
	if (rc)
		goto err_view;
	rc = rmap_new(&view->map, &config);
	if (rc)
		goto err_lock;
	view->changed = bitmap_new(BITMAP_WORDS(frames));
	if (!view->changed) {
		rmap_free(view->map);
		rc = -ENOMEM;
		goto err_lock;
	}
	view->mem = mem;
	view->walk = (struct guest_walk){
		.mem = mem, .map = view->map, .levels = 4,
	};
	view->max_mms = frames / 4 + 16;
	if (view->max_mms > MAX_MMS)
		view->max_mms = MAX_MMS;
	view->max_mappings = frames * MAPPINGS_PER_FRAME;
	rmap_set_pte_provider(view->map, &guest_walk_ops, &view->walk);
	*viewp = view;
	return 0;

err_lock:
	pthread_rwlock_destroy(&view->lock);
err_view:
	free(view);
	return rc;
}

void view_free(struct view *view)
{
	if (!view)
		return;
	record_close(view->record);
	rmap_free(view->map);
	pthread_rwlock_destroy(&view->lock);
	free(view->changed);
	free(view->mms);
	free(view);
}

bool view_test_and_clear_changed(struct view *view, uint64_t w)
{
	uint64_t bit = UINT64_C(1) << w % 64;

	/* Other readers may run meanwhile, but bits are set by writers only. */
	if (!(view->changed[w / 64] & bit))
		return false;
	view->changed[w / 64] &= ~bit;
	return true;
}

int view_record(struct view *view, const char *path)
{
	if (view->record)
		return -EEXIST;
	return record_open(&view->record, path, guest_mem_nr_frames(view->mem),
			   RECORD_MAX_BYTES);
}

void view_rdlock(struct view *view)
{
	pthread_rwlock_rdlock(&view->lock);
	walk_limit_begin();
}

void view_wrlock(struct view *view)
{
	pthread_rwlock_wrlock(&view->lock);
	walk_limit_begin();
}

void view_unlock(struct view *view)
{
	pthread_rwlock_unlock(&view->lock);
}

struct rmap *view_map(struct view *view)
{
	return view->map;
}

uint64_t view_mm_index(const struct view *view, uint32_t pid)
{
	uint64_t lo = 0, hi = view->nr_mms;

	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (view_mm_at(view, mid)->pid < pid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct view_mm *view_find_mm(const struct view *view, uint32_t pid)
{
	uint64_t i = view_mm_index(view, pid);
	struct view_mm *m = i < view->nr_mms ? view_mm_at(view, i) : NULL;

	return m && m->pid == pid ? m : NULL;
}

static void describe(const struct view_mm *m, struct view_process *out)
{
	out->pid = m->pid;
	memcpy(out->comm, m->comm, sizeof(out->comm));
	out->nr_vmas = m->nr_vmas;
	out->nr_mapped = m->nr_mapped;
	out->has_pgd = rmap_mm_pgd(m->mm) != RMAP_NO_PGD;
}

bool view_next_process(const struct view *view, uint32_t after,
		       struct view_process *out)
{
	uint64_t i = after == UINT32_MAX ? view->nr_mms :
					   view_mm_index(view, after + 1);

	if (i == view->nr_mms)
		return false;
	describe(view_mm_at(view, i), out);
	return true;
}

bool view_find_process(const struct view *view, uint32_t pid,
		       struct view_process *out)
{
	const struct view_mm *m = view_find_mm(view, pid);

	if (m)
		describe(m, out);
	return m;
}

int view_lookup_pte(const struct view *view, const struct rmap_mm *mm,
		    uint64_t addr, struct guest_walk_entry *entry)
{
	return guest_walk_lookup_entry(&view->walk, mm, addr, entry);
}

void view_get_stats(struct view *view, struct view_stats *stats)
{
	view_rdlock(view);
	*stats = view->stats;
	view_unlock(view);
}
