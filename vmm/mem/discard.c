// SPDX-License-Identifier: GPL-2.0-or-later
/* Discards pages; marks pages that a sink has evicted or lost. */
#include "config.h"

#include <errno.h>
#include <sys/mman.h>

#include "vmm/mem/guest-mem-internal.h"
#include "vmm/util/bitmap.h"

/* Points *p to a range that can be dropped.  0, -EFAULT or -EOPNOTSUPP. */
static int range_to_drop(const struct guest_mem *mem, struct gfn_range range,
			 void **p)
{
	uint64_t hva;

	/* Check before shifting: the guest can pass any frame number. */
	if (!guest_mem_gfn_to_hva(mem, range.start, &hva) ||
	    range.nr > SIZE_MAX >> VMM_PAGE_SHIFT)
		return -EFAULT;
	*p = guest_mem_ptr(mem, gfn_to_gpa(range.start),
			   range.nr << VMM_PAGE_SHIFT);
	if (!*p)
		return -EFAULT;
	return guest_mem_is_hugetlb(mem) ? -EOPNOTSUPP : 0;
}

int guest_mem_drop(struct guest_mem *mem, struct gfn_range range)
{
	void *p;
	int rc = range_to_drop(mem, range, &p);

	if (rc)
		return rc;
	/* Shared memory must be freed in the file. */
	return madvise(p, range.nr << VMM_PAGE_SHIFT,
		       guest_mem_is_shared(mem) ? MADV_REMOVE :
						  MADV_DONTNEED) ? -errno : 0;
}

static void set_holes(struct guest_mem *mem, struct gfn_range range)
{
	uint64_t b = range.start.v / GUEST_MEM_HUGE_PAGES;
	uint64_t last = (range.start.v + range.nr - 1) / GUEST_MEM_HUGE_PAGES;

	for (; mem->has_holes && b <= last; b++)
		__atomic_fetch_or(&mem->has_holes[b / 64],
				  UINT64_C(1) << b % 64, __ATOMIC_RELAXED);
}

bool guest_mem_has_holes(const struct guest_mem *mem, gfn_t gfn)
{
	uint64_t b = gfn.v / GUEST_MEM_HUGE_PAGES;

	return mem->has_holes && gfn.v < guest_mem_nr_frames(mem) &&
	       __atomic_load_n(&mem->has_holes[b / 64], __ATOMIC_RELAXED) >>
	       b % 64 & 1;
}

int guest_mem_discard(struct guest_mem *mem, struct gfn_range range)
{
	void *p;
	int rc = range_to_drop(mem, range, &p);

	if (rc)
		return rc;
	/* First, so that no collapse undoes it. */
	set_holes(mem, range);
	rc = mem->discard ? mem->discard(mem->discard_arg, range) :
			    guest_mem_drop(mem, range);
	/* Some pages may have been dropped even if others failed. */
	guest_mem_residency_stale(mem, range);
	if (rc)
		return rc;
	__atomic_fetch_add(&mem->nr_discarded, range.nr, __ATOMIC_RELAXED);
	return 0;
}

uint64_t guest_mem_nr_discarded(const struct guest_mem *mem)
{
	return __atomic_load_n(&mem->nr_discarded, __ATOMIC_RELAXED);
}

void guest_mem_set_owner(struct guest_mem *mem,
			 int (*discard)(void *arg, struct gfn_range range),
			 void *arg)
{
	mem->discard_arg = arg;
	mem->discard = discard;
}

/* Pairs with guest_mem_pin_page(), which needs this memory order: see there. */
static void set_bit(uint64_t *map, gfn_t gfn, bool on)
{
	uint64_t bit = UINT64_C(1) << gfn.v % 64;

	if (on)
		__atomic_fetch_or(&map[gfn.v / 64], bit, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&map[gfn.v / 64], ~bit, __ATOMIC_SEQ_CST);
}

static bool has_bit(const struct guest_mem *mem, const uint64_t *map,
		    gfn_t gfn)
{
	return map && gfn.v < guest_mem_nr_frames(mem) &&
	       __atomic_load_n(&map[gfn.v / 64], __ATOMIC_SEQ_CST) >>
	       gfn.v % 64 & 1;
}

/*
 * The bitmaps are allocated by the first call, which a sink makes when it
 * opens, before there is a second thread.
 */
int guest_mem_set_evicted(struct guest_mem *mem, gfn_t gfn, bool evicted)
{
	if (!mem->evicted)
		mem->evicted = bitmap_new(guest_mem_nr_frames(mem));
	if (!mem->lost)
		mem->lost = bitmap_new(guest_mem_nr_frames(mem));
	if (!mem->evicted || !mem->lost)
		return -ENOMEM;
	set_bit(mem->evicted, gfn, evicted);
	return 0;
}

bool guest_mem_is_evicted(const struct guest_mem *mem, gfn_t gfn)
{
	return has_bit(mem, mem->evicted, gfn);
}

void guest_mem_set_lost(struct guest_mem *mem, gfn_t gfn, bool lost)
{
	set_bit(mem->lost, gfn, lost);
}

bool guest_mem_is_lost(const struct guest_mem *mem, gfn_t gfn)
{
	return has_bit(mem, mem->lost, gfn);
}

void guest_mem_set_accessible_in_place(struct guest_mem *mem, bool stays)
{
	mem->accessible_in_place = stays;
}
