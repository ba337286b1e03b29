// SPDX-License-Identifier: GPL-2.0-or-later
/* Pinned memory: a count for each frame, changed by any thread. */
#include "config.h"

#include <errno.h>

#include "vmm/mem/guest-mem.h"
#include "vmm/mem/guest-mem-internal.h"

/*
 * Never reached: see GUEST_MEM_MAX_PINS.  If it were, the frame would stay
 * pinned for ever, which loses no data.
 */
#define PIN_COUNT_MAX UINT16_MAX

_Static_assert(GUEST_MEM_MAX_PINS < PIN_COUNT_MAX, "a count never gets there");

static void change_pins(struct guest_mem *mem, gpa_t gpa, uint64_t len,
			bool pin)
{
	uint64_t first = gpa.v >> VMM_PAGE_SHIFT, last;

	if (!mem->pin_counts || !len || gpa.v + len < gpa.v)
		return;
	last = (gpa.v + len - 1) >> VMM_PAGE_SHIFT;
	for (uint64_t g = first; g <= last && g < guest_mem_nr_frames(mem); g++) {
		uint16_t n =
			__atomic_load_n(&mem->pin_counts[g], __ATOMIC_RELAXED);

		while (n != PIN_COUNT_MAX && (pin || n) &&
		       !__atomic_compare_exchange_n(&mem->pin_counts[g], &n,
						    pin ? n + 1 : n - 1, false,
						    __ATOMIC_SEQ_CST,
						    __ATOMIC_RELAXED))
			;
	}
}

void guest_mem_pin(struct guest_mem *mem, gpa_t gpa, uint64_t len)
{
	change_pins(mem, gpa, len, true);
}

void guest_mem_unpin(struct guest_mem *mem, gpa_t gpa, uint64_t len)
{
	change_pins(mem, gpa, len, false);
}

bool guest_mem_is_pinned(const struct guest_mem *mem, gfn_t gfn)
{
	return mem->pin_counts && gfn.v < guest_mem_nr_frames(mem) &&
	       __atomic_load_n(&mem->pin_counts[gfn.v], __ATOMIC_SEQ_CST);
}

/* Whether a sink can evict frames to a place where an access has to wait. */
static bool can_be_evicted(const struct guest_mem *mem)
{
	return mem->evicted && !mem->accessible_in_place;
}

/*
 * This pins the frame, then checks whether it is marked as evicted; a sink
 * marks it as evicted, then checks whether it is pinned.  As all threads see
 * these in one order (SEQ_CST), at least one of the two sees what the other has
 * done.
 */
int guest_mem_pin_page(struct guest_mem *mem, gfn_t gfn, void **page)
{
	void *p;

	if (gfn.v >= guest_mem_nr_frames(mem))
		return -EFAULT;
	p = guest_mem_ptr(mem, gfn_to_gpa(gfn), VMM_PAGE_SIZE);
	if (!p)
		return -EFAULT;
	*page = p;
	if (!can_be_evicted(mem))
		return 0;
	guest_mem_pin(mem, gfn_to_gpa(gfn), VMM_PAGE_SIZE);
	if (!guest_mem_is_evicted(mem, gfn) && !guest_mem_is_lost(mem, gfn))
		return 0;
	guest_mem_unpin(mem, gfn_to_gpa(gfn), VMM_PAGE_SIZE);
	return -EAGAIN;
}

void guest_mem_unpin_page(struct guest_mem *mem, gfn_t gfn)
{
	if (can_be_evicted(mem))
		guest_mem_unpin(mem, gfn_to_gpa(gfn), VMM_PAGE_SIZE);
}
