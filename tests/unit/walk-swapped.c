// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Page tables that the host's kernel has swapped out.  A frame has as many
 * candidate places as a walk checks, in as many processes, each with its own
 * tables: one walk would swap in 4,096 of them, with the view's lock held.
 *
 * Tables that are read are counted, not timed: functions that wrap the real
 * ones (--wrap) count them, and report each as paged in; as if the kernel
 * swapped a table out right after each use.
 */
#include "config.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "guest-agent/protocol.h"
#include "tests/tap.h"
#include "vmm/engine/engine-internal.h"
#include "vmm/guest/guest-harvest.h"
#include "vmm/guest/view-internal.h"
#include "vmm/guest/walk-limit.h"
#include "vmm/util/bitmap.h"

#define PAGE	UINT64_C(4096)
#define FRAMES	32768u
#define NR_MMS	RMAP_WALK_MAX
#define NR_KEPT 16u	/* frames, each at a place of every process */
#define FIRST	100u	/* of these frames */
#define LEVELS	4u
#define BASE	(UINT64_C(1) << 39)

#define P 1u
#define A 0x20u

/*
 * Beyond the limit: what is read until the count is looked at again.  A bit is
 * cleared in the last table, which is read once more.
 */
#define MOST (WALK_PAGE_INS + WALK_LOOKUPS_PER_CHECK * (LEVELS + 1))

static struct guest_mem *mem;
static struct view *view;
static bool swapped;
static uint64_t nr_read, in_hold, most_in_hold;

int __real_guest_mem_pin_page(struct guest_mem *m, gfn_t gfn, void **page);
int __wrap_guest_mem_pin_page(struct guest_mem *m, gfn_t gfn, void **page);
int __wrap_guest_mem_pin_page(struct guest_mem *m, gfn_t gfn, void **page)
{
	nr_read++;
	if (++in_hold > most_in_hold)
		most_in_hold = in_hold;
	return __real_guest_mem_pin_page(m, gfn, page);
}

int __real_getrusage(int who, struct rusage *usage);
int __wrap_getrusage(int who, struct rusage *usage);
int __wrap_getrusage(int who, struct rusage *usage)
{
	int rc = __real_getrusage(who, usage);

	if (!rc && who == RUSAGE_THREAD)
		usage->ru_majflt = swapped ? (long)nr_read : 0;
	return rc;
}

void __real_view_unlock(struct view *v);
void __wrap_view_unlock(struct view *v);
void __wrap_view_unlock(struct view *v)
{
	in_hold = 0;
	__real_view_unlock(v);
}

static void begin(bool in_swap)
{
	swapped = in_swap;
	nr_read = most_in_hold = 0;
}

/* --- the guest --------------------------------------------------------------- */
static uint64_t *table(uint64_t gfn)
{
	return guest_mem_ptr(mem, gfn_to_gpa(GFN(gfn)), PAGE);
}

static uint64_t top_of(uint32_t pid)
{
	return 4096 + (uint64_t)(pid - 1) * LEVELS;
}

static void set_accessed(void)
{
	for (uint32_t pid = 1; pid <= NR_MMS; pid++)
		for (uint64_t i = 0; i < NR_KEPT; i++)
			table(top_of(pid) + 3)[i] = (FIRST + i) * PAGE | P | A;
}

#define say(t, ...)                                                           \
	view_apply(view, &(struct protocol_message){ .type = PROTOCOL_##t,    \
						     __VA_ARGS__ })

static void tell(void)
{
	const struct protocol_run run = { BASE, FIRST, NR_KEPT, 0 };

	view_apply_reset(view);
	say(HELLO, .hello = { 4096, PROTOCOL_FEAT_PFN | PROTOCOL_FEAT_PGD,
			      FRAMES });
	say(EPOCH_BEGIN, .epoch = { 1, PROTOCOL_EPOCH_FULL });
	for (uint32_t pid = 1; pid <= NR_MMS; pid++) {
		uint64_t top = top_of(pid);

		table(top)[1] = (top + 1) * PAGE | P;
		table(top + 1)[0] = (top + 2) * PAGE | P;
		table(top + 2)[0] = (top + 3) * PAGE | P;
		say(MM, .mm = { pid, 0, top * PAGE, "test" });
		say(VMA, .vma = { BASE, BASE + NR_KEPT * PAGE, 0, 0, 0,
				  PROTOCOL_VM_READ, PROTOCOL_VMA_NEW });
		say(RUNS, .nr = 1, .runs = &run);
		say(MM_END, .pid = pid);
	}
	say(EPOCH_END, .epoch = { 1, 0 });
}

static struct rmap_referenced referenced(uint64_t gfn)
{
	struct rmap_referenced r = { 0 };

	if (rmap_page_referenced(view_map(view), gfn, &r))
		tap_bail("rmap_page_referenced");
	return r;
}

static struct rmap_referenced in_memory(uint64_t gfn)
{
	struct rmap_referenced r;

	begin(false);
	view_rdlock(view);
	r = referenced(gfn);
	view_unlock(view);
	return r;
}

/* --- tests ------------------------------------------------------------------- */
static void test_walk(void)
{
	struct rmap_referenced r;
	unsigned int first;

	set_accessed();
	r = in_memory(FIRST);
	ok(r.nr_mappings == NR_MMS && r.nr_referenced == NR_MMS &&
	   nr_read >= LEVELS * NR_MMS,
	   "tables in memory: all %u places are looked at, %llu tables read",
	   r.nr_referenced, (unsigned long long)nr_read);

	begin(true);
	set_accessed();
	view_rdlock(view);
	r = referenced(FIRST);
	first = r.nr_referenced;
	ok(most_in_hold <= MOST && walk_limit_reached(),
	   "in swap: %llu tables are read, at most %u",
	   (unsigned long long)most_in_hold, MOST);
	ok(r.nr_mappings == NR_MMS && first && first < NR_MMS,
	   "%u places by them, the others by what the map was told", first);
	r = referenced(FIRST + 1);
	ok(!r.has_accessed_bits && r.nr_mappings == NR_MMS &&
	   most_in_hold <= MOST, "another frame in this hold: none");
	view_unlock(view);
	view_rdlock(view);
	r = referenced(FIRST + 1);
	view_unlock(view);
	ok(r.nr_referenced, "in the next hold there are some again");
	/* Those of the first walk are clear; the others are still set. */
	is_int(in_memory(FIRST).nr_referenced, NR_MMS - first,
	       "bits that were not looked at are found later");
}

/* The walk ends between a look that found a bit set and the next, to clear it. */
static void test_between(void)
{
	struct guest_walk_entry entry;
	unsigned int nr;

	begin(true);
	set_accessed();
	view_rdlock(view);
	/* One look before: those that clear are the even ones from now on. */
	if (view_lookup_pte(view, rmap_mm_find(view_map(view), 1), BASE,
			    &entry))
		tap_bail("view_lookup_pte");
	nr = referenced(FIRST).nr_referenced;
	view_unlock(view);
	is_int(in_memory(FIRST).nr_referenced, NR_MMS - nr + 1,
	       "a bit that was found set counts, and stays set");
}

/*
 * The engine's hold ends with it, so that each frame's walk has its share; and
 * where tables are in memory after one walk of so many places.
 */
static void test_engine_hold(bool in_swap, uint64_t most)
{
	struct engine e = { .config.view = view };
	unsigned int nr_seen = 0;

	fair_lock_init(&e.lock);
	begin(in_swap);
	set_accessed();
	lock_hold_begin(&e);
	for (uint64_t i = 0;
	     i < NR_KEPT && lock_hold_charge(&e, LOCK_HOLD_WALK); i++)
		nr_seen += referenced(FIRST + i).nr_referenced > 0;
	lock_hold_end(&e);
	ok(most_in_hold <= most && nr_read > most,
	   "%s: %u frames: %llu tables are read, %llu in a hold, at most %llu",
	   in_swap ? "in swap" : "in memory", NR_KEPT,
	   (unsigned long long)nr_read, (unsigned long long)most_in_hold,
	   (unsigned long long)most);
	is_int(nr_seen, NR_KEPT, "and each is looked for in some");
}

/* A harvest of few frames asks the map of each, and does as the engine. */
static void test_harvest(void)
{
	const struct gfn_range range = { GFN(FIRST), NR_KEPT };
	uint64_t *young = bitmap_new(BITMAP_WORDS(FRAMES));
	uint64_t *examined = bitmap_new(BITMAP_WORDS(FRAMES));
	unsigned int nr_young = 0;

	if (!young || !examined)
		tap_bail("no memory");
	begin(true);
	set_accessed();
	guest_harvest(view, range, young, examined, NULL);
	for (uint64_t g = FIRST; g < FIRST + NR_KEPT; g++)
		nr_young += bitmap_test(young, g);
	ok(most_in_hold <= MOST && nr_young == NR_KEPT,
	   "a harvest of %u frames: %u young, at most %llu tables in a hold",
	   NR_KEPT, nr_young, (unsigned long long)most_in_hold);
	free(young);
	free(examined);
}

int main(void)
{
	if (guest_mem_new(&mem, FRAMES * PAGE, GUEST_MEM_ANON) ||
	    view_new(&view, mem))
		tap_bail("no memory");
	tell();
	test_walk();
	test_between();
	test_engine_hold(true, MOST);
	/* Looks of one walk more, which clears all bits that it finds. */
	test_engine_hold(false,
			 (WALK_LOOKUPS + 2 * NR_MMS) * (LEVELS + 1));
	test_harvest();
	view_free(view);
	guest_mem_free(mem);
	return tap_done();
}
