// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Page tables evicted to a store whose device does not answer: a thread that
 * walks them holds the view's lock, and must not wait.  Reads of the store hang
 * for as long as the test requires.
 *
 * The tables: frame 1 the top, 2 and 3 below it, 4 and 5 the last, with the
 * frames 100 to 107 and 200 to 207.
 */
#include "config.h"

#include <stdlib.h>

#include "vmm/util/bitmap.h"	/* before `w` is a world */
#include "tests/unit/sink-reads.h"
#include "vmm/guest/guest-harvest.h"
#include "vmm/guest/view-internal.h"

#define FRAMES 2048u
#define BASE   (UINT64_C(1) << 30)
#define NEXT   (BASE + 2 * MIB)		/* in the other of the last tables */
#define NR     8u			/* pages of each */

#define P 1u
#define W 2u
#define A 0x20u

static struct view *view;
static uint64_t *young, *examined;
static bool hangs;		/* atomic */
static uint64_t nr_reads;	/* atomic */

static void hang(uint64_t key)
{
	__atomic_fetch_add(&nr_reads, 1, __ATOMIC_RELAXED);
	while (is_done(&hangs))
		usleep(1000);
}

static void set_hangs(bool on)
{
	__atomic_store_n(&hangs, on, __ATOMIC_RELEASE);
}

static volatile uint64_t *table(uint64_t gfn)
{
	return words_at(&w, gfn);
}

static void lay_tables(void)
{
	table(1)[0] = 2 * VMM_PAGE_SIZE | P | W | A;
	table(2)[1] = 3 * VMM_PAGE_SIZE | P | W | A;
	for (unsigned int t = 0; t < 2; t++) {
		table(3)[t] = (4 + t) * VMM_PAGE_SIZE | P | W | A;
		for (uint64_t i = 0; i < NR; i++)
			table(4 + t)[i] = (100 + 100 * t + i) * VMM_PAGE_SIZE |
					  P | A;
	}
}

#define say(t, ...)                                                           \
	view_apply(view, &(struct protocol_message){ .type = PROTOCOL_##t,    \
						     __VA_ARGS__ })

static void tell(void)
{
	const struct protocol_run runs[] = {
		{ BASE, 100, NR, 0 }, { NEXT, 200, NR, 0 },
	};

	say(EPOCH_BEGIN, .epoch = { 1, PROTOCOL_EPOCH_FULL });
	say(MM, .mm = { .pid = 7, .pgd = VMM_PAGE_SIZE, .comm = "test" });
	for (int i = 0; i < 2; i++) {
		say(VMA, .vma = { .start = runs[i].vaddr,
				  .end = runs[i].vaddr + NR * VMM_PAGE_SIZE,
				  .flags = PROTOCOL_VM_READ });
		say(RUNS, .nr = 1, .runs = &runs[i]);
	}
	say(MM_END);
	say(EPOCH_END, .epoch = { 1, 0 });
}

static void harvest(uint64_t first, uint64_t nr)
{
	bitmap_clear_range(young, 0, FRAMES);
	bitmap_clear_range(examined, 0, FRAMES);
	if (guest_harvest(view, (struct gfn_range){ GFN(first), nr }, young,
			  examined, NULL))
		tap_bail("no harvest");
}

/* '?' not known, 'y' used, 'o' not used */
static char state(uint64_t gfn)
{
	return !bitmap_test(examined, gfn) ? '?' :
	       bitmap_test(young, gfn) ? 'y' : 'o';
}

static struct rmap_referenced referenced(uint64_t gfn)
{
	struct rmap_referenced r = { 0 };

	view_rdlock(view);
	if (rmap_page_referenced(view_map(view), gfn, &r))
		tap_bail("frame %llu is not known", (unsigned long long)gfn);
	view_unlock(view);
	return r;
}

static int look(uint64_t addr)
{
	struct guest_walk_entry e;
	int rc;

	view_rdlock(view);
	rc = view_lookup_pte(view, rmap_mm_find(view_map(view), 7), addr, &e);
	view_unlock(view);
	return rc;
}

static void test_away(uint64_t gfn)
{
	bool all = gfn < 4;	/* both of the last tables are below it */
	struct rmap_referenced r;

	lay_tables();
	if (world_evict(&w, gfn, 1) != 1)
		tap_bail("a table is not evicted");
	set_hangs(true);
	r = referenced(100);
	ok(r.nr_mappings == 1 && !r.nr_referenced && !r.has_accessed_bits,
	   "table %u is away: no answer of a page below it",
	   (unsigned int)gfn);
	is_int(look(BASE), -ENOENT, "nor a look");
	harvest(100, 4);
	ok(state(100) == '?', "nor a harvest of few frames");
	r = referenced(200);
	ok(r.nr_mappings == 1 && r.has_accessed_bits == !all,
	   all ? "none of another" : "another is answered");
	is_int(look(NEXT), all ? -ENOENT : 0, "so is a look");
	if (!all)
		table(5)[1] |= A;
	harvest(0, FRAMES);
	ok(state(100) == '?' && state(201) == (all ? '?' : 'y'),
	   "a harvest of all: the same");
	is_int(load64(&nr_reads), 0, "nothing was read from the store");
	set_hangs(false);
}

static bool is_back(void *arg)
{
	return !guest_mem_is_evicted(w.mem, GFN(*(uint64_t *)arg));
}

/* A touch reads it back, with its bits. */
static void test_back(uint64_t gfn)
{
	struct rmap_referenced r;

	has_number(&w, gfn, 0);
	/* Who touched it goes on a moment before that is noted. */
	if (!wait_until(is_back, &gfn))
		tap_bail("a table is not back");
	ok(load64(&nr_reads) == 1, "table %u is touched: it is read, once",
	   (unsigned int)gfn);
	__atomic_store_n(&nr_reads, 0, __ATOMIC_RELAXED);
	r = referenced(103);
	ok(r.has_accessed_bits && r.nr_referenced == 1,
	   "and what was used before is seen");
	r = referenced(103);
	ok(r.has_accessed_bits && !r.nr_referenced, "once");
}

/* Between the check whether a table is evicted, and the reading. */
static void test_held(void)
{
	void *p;

	is_int(guest_mem_pin_page(w.mem, GFN(300), &p), 0, "a page is held");
	ok(p == (void *)words_at(&w, 300), "and had");
	set_number(&w, 300, 3);
	is_int(world_evict(&w, 299, 3), 2,
	       "it is not evicted, those around it are");
	ok(!guest_mem_is_evicted(w.mem, GFN(300)) && has_number(&w, 300, 3),
	   "it is what it was");
	is_int(world_stats(&w).store.nr_pages, 2, "and not in the store");
	guest_mem_unpin_page(w.mem, GFN(300));
	is_int(world_evict(&w, 300, 1), 1, "not held any more it is");
	is_int(guest_mem_pin_page(w.mem, GFN(300), &p), -EAGAIN,
	       "and then can't be held");
	ok(!guest_mem_is_pinned(w.mem, GFN(300)), "nor is it");
	is_int(guest_mem_pin_page(w.mem, GFN(FRAMES), &p), -EFAULT,
	       "beyond RAM there is none");
}

/* Those of a slow node are in memory. */
static void test_slow_memory(void)
{
	struct guest_mem *mem;
	void *p;

	if (guest_mem_new(&mem, 2 * MIB, GUEST_MEM_ANON) ||
	    guest_mem_set_evicted(mem, GFN(3), true))
		tap_bail("no memory");
	is_int(guest_mem_pin_page(mem, GFN(3), &p), -EAGAIN, "away");
	guest_mem_set_accessible_in_place(mem, true);
	is_int(guest_mem_pin_page(mem, GFN(3), &p), 0,
	       "away in slower memory: it can be read");
	guest_mem_free(mem);
}

int main(void)
{
	world_require();
	signal(SIGALRM, on_alarm);
	alarm(600);
	young = bitmap_new(FRAMES);
	examined = bitmap_new(FRAMES);
	for (size_t i = 0; i < NR_BACKINGS; i++) {
		printf("# %s\n", backings[i].name);
		world_open(&w, FRAMES * VMM_PAGE_SIZE, backings[i].backing,
			   "shards=1");
		if (view_new(&view, w.mem))
			tap_bail("no memory");
		tell();
		set_hook(hang);
		for (uint64_t gfn = 1; gfn <= 4; gfn++) {
			test_away(gfn);
			test_back(gfn);
		}
		set_hook(NULL);
		for (uint64_t gfn = 299; gfn < 302; gfn++)
			set_number(&w, gfn, 1);
		test_held();
		view_free(view);
		world_close(&w);
	}
	test_slow_memory();
	free(young);
	free(examined);
	return tap_done();
}
