// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cheap repeated residency queries.  For a memfd the kernel must be queried
 * page by page (mincore, SEEK_DATA), which for 8 GiB takes a third of a second.
 * But little can have changed since the last time:
 *
 *   faulted in      the page is mapped: found by one scan of page tables
 *   evicted by us   the caller has updated its bitmaps
 *   discarded or    noted by guest_mem_residency_stale(), and queried exactly
 *   prefetched
 *   evicted by      a page that was mapped and no longer is, is queried.
 *   the kernel      Unmapped pages are checked in 1/64 of memory in each call;
 *                   if a quarter of these turns out to be evicted, all are in
 *                   the next call.  Until then an evicted page may count as
 *                   resident, which is harmless: evicting it does nothing, and
 *                   then this is noticed
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "vmm/mem/guest-mem-internal.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/stop-flag.h"

#define BLOCK 512u	/* frames for each bit of `stale` */
#define SWEEP 64u	/* calls in which all memory is checked once */

void guest_mem_residency_stale(struct guest_mem *mem, struct gfn_range range)
{
	uint64_t *stale = __atomic_load_n(&mem->stale, __ATOMIC_ACQUIRE);
	uint64_t first = range.start.v / BLOCK;
	uint64_t last = (range.start.v + range.nr - 1) / BLOCK;

	if (!stale || !range.nr || range.start.v + range.nr < range.nr)
		return;
	for (uint64_t b = first;
	     b <= last && b <= (guest_mem_nr_frames(mem) - 1) / BLOCK; b++)
		__atomic_fetch_or(&stale[b / 64], UINT64_C(1) << b % 64,
				  __ATOMIC_RELEASE);
}

static bool take_stale(struct guest_mem *mem, uint64_t b)
{
	uint64_t bit = UINT64_C(1) << b % 64;

	return (__atomic_load_n(&mem->stale[b / 64], __ATOMIC_RELAXED) & bit) &&
	       (__atomic_fetch_and(&mem->stale[b / 64], ~bit,
				   __ATOMIC_ACQUIRE) & bit);
}

/*
 * Queries residency in r, and adds to *nr_gone the frames that were resident by
 * the bitmap and no longer are; these count as swapped.
 */
static int sweep(const struct guest_mem *mem, struct gfn_range r,
		 uint64_t *resident, uint64_t *swapped, uint64_t *nr_gone)
{
	uint64_t *now = mem->scratch, gone;
	int rc = guest_mem_residency(mem, r, now, NULL);

	for (uint64_t w = r.start.v / 64; !rc && w < (r.start.v + r.nr + 63) / 64;
	     w++) {
		uint64_t mask = bitmap_word_mask(w, r.start.v, r.start.v + r.nr);

		gone = resident[w] & ~now[w] & mask;
		resident[w] = (resident[w] & ~mask) | (now[w] & mask);
		swapped[w] = (swapped[w] | gone) & ~(now[w] & mask);
		*nr_gone += __builtin_popcountll(gone);
	}
	return rc;
}

static int update_slot(struct guest_mem *mem, const struct guest_memslot *s,
		       uint64_t *resident, uint64_t *swapped,
		       unsigned int call_nr, uint64_t *nr_gone,
		       const atomic_bool *stopping)
{
	uint64_t g = s->base.v, end = g + s->nr_pages, next;
	int rc = 0;

	for (; !rc && g < end; g = next) {
		struct gfn_range r = { GFN(g), BLOCK - g % BLOCK };

		if (r.nr > end - g)
			r.nr = end - g;
		next = g + r.nr;
		if (stop_flag_is_set(stopping))
			return -ECANCELED;
		if (take_stale(mem, g / BLOCK))
			rc = guest_mem_residency(mem, r, resident, swapped);
		else if (g / BLOCK % SWEEP == call_nr % SWEEP)
			rc = sweep(mem, r, resident, swapped, nr_gone);
	}
	return rc;
}

/*
 * Finds frames that became mapped, and frames that were mapped and are evicted.
 * Works on words of the bitmaps: if a frame of a word is no longer mapped, all
 * frames of the word are queried.
 */
static int update_mapped(struct guest_mem *mem, uint64_t nr, uint64_t *resident,
			 uint64_t *swapped, const atomic_bool *stopping)
{
	uint64_t nr_gone = 0;	/* not used: no reason to check all memory */
	int rc = mapped_until(mem, (struct gfn_range){ GFN(0), nr },
			      mem->scratch, stopping);

	for (uint64_t w = 0; !rc && w < BITMAP_WORDS(nr); w++) {
		uint64_t now = mem->scratch[w], left = nr - w * 64;
		uint64_t unmapped = mem->mapped[w] & ~now & resident[w];

		mem->mapped[w] = now;
		resident[w] |= now;
		swapped[w] &= ~now;
		if (stop_flag_is_set(stopping))
			rc = -ECANCELED;
		else if (unmapped)
			rc = sweep(mem, (struct gfn_range){ GFN(w * 64),
				   left < 64 ? left : 64 }, resident, swapped,
				   &nr_gone);
	}
	return rc;
}

/* Allocates the bitmaps of mem.  After -ENOMEM mem may own some of them. */
static int get_bitmaps(struct guest_mem *mem)
{
	uint64_t nr = guest_mem_nr_frames(mem);
	uint64_t *stale = bitmap_new(nr / BLOCK + 1);

	if (!mem->scratch)
		mem->scratch = bitmap_new(nr);
	if (!mem->mapped)
		mem->mapped = bitmap_new(nr);
	if (!mem->scratch || !mem->mapped || !stale) {
		free(stale);
		return -ENOMEM;
	}
	mem->must_scan_all = true;
	__atomic_store_n(&mem->stale, stale, __ATOMIC_RELEASE);
	return 0;
}

static int scan_all(struct guest_mem *mem, uint64_t *resident,
		    uint64_t *swapped, const atomic_bool *stopping)
{
	struct gfn_range all = { GFN(0), guest_mem_nr_frames(mem) };
	int rc;

	/*
	 * Clear these first: frames discarded from now on are checked again
	 * next time.
	 */
	for (uint64_t b = 0; mem->stale && b <= (all.nr - 1) / BLOCK; b++)
		take_stale(mem, b);
	rc = residency_until(mem, all, resident, swapped, stopping);
	mem->must_scan_all = rc;
	return rc;
}

int guest_mem_residency_update(struct guest_mem *mem, uint64_t *resident,
			       uint64_t *swapped, unsigned int call_nr,
			       const atomic_bool *stopping)
{
	struct gfn_range all = { GFN(0), guest_mem_nr_frames(mem) };
	uint64_t nr_gone = 0, nr = bitmap_count(resident, 0, all.nr);
	int rc;

	/*
	 * A sink of ours evicts pages without the kernel's knowledge; and for
	 * another process' memory we know only what it has mapped.
	 */
	if (!guest_mem_is_shared(mem) || mem->evicted ||
	    guest_mem_pid(mem) != getpid())
		return residency_until(mem, all, resident, swapped, stopping);
	rc = mem->stale ? 0 : get_bitmaps(mem);
	if (rc)
		return rc;
	if (mem->must_scan_all)
		return scan_all(mem, resident, swapped, stopping);
	mem->must_scan_all = true;	/* in case this call fails halfway */
	rc = update_mapped(mem, all.nr, resident, swapped, stopping);
	for (unsigned int i = 0; !rc && i < mem->nr_slots; i++)
		rc = update_slot(mem, &mem->slots[i], resident, swapped,
				 call_nr, &nr_gone, stopping);
	if (!rc)
		mem->must_scan_all = nr_gone > nr / SWEEP / 4 + 16;
	return rc;
}
