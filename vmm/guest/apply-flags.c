// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Flags of frames, as the agent reports them.  It reads the flags of all
 * frames, and then, process by process, the mappings:
 *
 *	EPOCH_BEGIN  FLAGS ... FLAGS  MM ... MM_END  MM ... MM_END  EPOCH_END
 *	             |---------- one reading of flags --------------|
 *
 * In most epochs it reads no flags.  Old flags that the mappings of such an
 * epoch contradict or make obsolete are not valid any more: see
 * rmap_page_flags().
 */
#include "config.h"

#include "vmm/guest/view-internal.h"
#include "vmm/util/bitmap.h"

#define PIECE 4096	/* frames whose flags are cleared at a time */

/*
 * Called for the first flags of an epoch.  In that epoch the agent has read the
 * flags of all frames, and reports those that changed.
 */
static void begin_flags(struct view *view)
{
	if (view->receiving_flags)
		return;
	rmap_flags_begin(view->map);
	record_flags_scan(view->record, RECORD_SCAN_BEGINS);
	view->receiving_flags = view->has_flags = true;
}

void view_end_flags(struct view *view)
{
	if (!view->receiving_flags)
		return;
	rmap_flags_end(view->map);
	record_flags_scan(view->record, RECORD_SCAN_ENDS);
	view->receiving_flags = false;
}

void view_cancel_flags(struct view *view)
{
	if (!view->receiving_flags)
		return;
	rmap_flags_cancel(view->map);
	record_flags_scan(view->record, RECORD_SCAN_CANCELLED);
	bitmap_set_range(view->changed, 0,
			 BITMAP_WORDS(guest_mem_nr_frames(view->mem)));
	view->receiving_flags = false;
}

/* *nr_done: as in view_yield_write_lock().  False: stopped before the end. */
static bool set_flags(struct view *view, const struct protocol_flags *f,
		      uint64_t *nr_done)
{
	for (uint32_t k = 0; k < f->count; k++) {
		uint64_t gfn = f->gfn + k;
		uint32_t before = rmap_page_flags(view->map, gfn);

		if (!rmap_page_set_flags(view->map, gfn, f->flags))
			record_flags(view->record, GFN(gfn), f->flags);
		view_note_flags(view, GFN(gfn), before);
		if (!view_yield_write_lock(view, nr_done))
			return false;
	}
	return true;
}

void view_apply_flags(struct view *view, const struct protocol_message *msg)
{
	uint64_t nr_done = 0;

	begin_flags(view);
	for (uint32_t i = 0; i < msg->nr; i++)
		if (!set_flags(view, &msg->flags[i], &nr_done))
			return;
}

void view_forget_flags(struct view *view)
{
	uint64_t frames = guest_mem_nr_frames(view->mem), nr_done = 0;

	for (uint64_t gfn = 0; view->has_flags && gfn < frames;) {
		uint64_t left = frames - gfn;
		struct protocol_flags f = {
			.gfn = gfn, .count = left < PIECE ? left : PIECE,
		};

		if (!set_flags(view, &f, &nr_done))
			return;
		gfn += f.count;
	}
	view->has_flags = false;
}
