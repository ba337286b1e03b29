// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The end of a full report that names only half of very many processes: the
 * others are removed in one pass over the table, in steps, between which
 * readers find a consistent table.  The work done while the lock is held is
 * counted: our functions wrap memmove(), rmap_mm_remove() and view_unlock()
 * (-Wl,--wrap).
 */
#include "config.h"

#include <string.h>

#include "tests/tap.h"
#include "vmm/guest/view-internal.h"

#define FRAMES	 (UINT64_C(1) << 18)	/* 1 GiB, untouched */
#define NR	 65536u		/* processes: as many as a view takes */
#define MOST	 4096u		/* that go in one hold */
#define PAGES_AT 60000u		/* the first of some that have pages */

static struct guest_mem *mem;
static struct view *view;
static bool counts;
static uint64_t nr_holds, moved, removed, most_moved, most_removed, total_moved;
static uint64_t nr_wrong;	/* looks at the table that found it so */
static unsigned int stop_at;	/* in this hold the service ends; 0: never */

void *__real_memmove(void *to, const void *from, size_t len);
void *__wrap_memmove(void *to, const void *from, size_t len);
void __real_rmap_mm_remove(struct rmap *map, struct rmap_mm *mm);
void __wrap_rmap_mm_remove(struct rmap *map, struct rmap_mm *mm);
void __real_view_unlock(struct view *v);
void __wrap_view_unlock(struct view *v);

void *__wrap_memmove(void *to, const void *from, size_t len)
{
	moved += len;
	return __real_memmove(to, from, len);
}

void __wrap_rmap_mm_remove(struct rmap *map, struct rmap_mm *mm)
{
	removed++;
	__real_rmap_mm_remove(map, mm);
}

/* All that the map has, by rising pids, and each is found by its own. */
static void look(void)
{
	struct view_process p = { 0 }, found;
	uint64_t nr = 0, nr_found = 0;
	struct rmap_stats s;

	while (view_next_process(view, p.pid, &p)) {
		nr++;
		nr_found += view_find_process(view, p.pid, &found) &&
			    found.pid == p.pid &&
			    rmap_mm_find(view->map, p.pid);
	}
	rmap_get_stats(view->map, &s);
	nr_wrong += nr != s.nr_mms || nr_found != nr || view->nr_mms != nr;
}

void __wrap_view_unlock(struct view *v)
{
	if (!counts) {
		__real_view_unlock(v);
		return;
	}
	look();
	nr_holds++;
	total_moved += moved;
	if (moved > most_moved)
		most_moved = moved;
	if (removed > most_removed)
		most_removed = removed;
	moved = removed = 0;
	if (nr_holds == stop_at)
		view_apply_stop(view);
	__real_view_unlock(v);
}

#define say(t, ...)                                                           \
	view_apply(view, &(struct protocol_message){ .type = PROTOCOL_##t,    \
						     __VA_ARGS__ })

static void tell(uint32_t pid, bool has_pages)
{
	const struct protocol_run run = { 0x10000, pid, 4, 0 };

	say(MM, .mm = { pid, 0, PROTOCOL_NO_PGD, "test" });
	if (has_pages) {
		say(VMA, .vma = { .start = 0x10000, .end = 0x14000,
				  .flags = PROTOCOL_VM_READ });
		say(RUNS, .nr = 1, .runs = &run);
	}
	say(MM_END, .pid = pid);
}

/* A full report, of each step-th process. */
static void report(uint64_t nr, unsigned int step)
{
	say(EPOCH_BEGIN, .epoch = { nr, PROTOCOL_EPOCH_FULL });
	for (uint32_t pid = 1; pid <= NR; pid += step)
		tell(pid, pid > PAGES_AT && pid < PAGES_AT + 1000);
	counts = true;
	nr_holds = total_moved = most_moved = most_removed = nr_wrong = 0;
	moved = removed = 0;
	say(EPOCH_END, .epoch = { nr, 0 });
	counts = false;
}

static void check(const char *what, uint64_t nr)
{
	const uint64_t table = NR * sizeof(struct view_mm);

	ok(view->nr_mms == nr, "%s: %llu processes are left", what,
	   (unsigned long long)view->nr_mms);
	ok(total_moved <= table, "%s: what is moved at once, %llu bytes, is no "
	   "more than the table", what, (unsigned long long)total_moved);
	ok(most_removed <= MOST, "%s: %llu have gone in one hold, at most",
	   what, (unsigned long long)most_removed);
	ok(nr_holds && !nr_wrong, "%s: after each of %llu holds the table is "
	   "whole", what, (unsigned long long)nr_holds);
}

int main(void)
{
	struct view_process p;

	if (guest_mem_new(&mem, FRAMES * VMM_PAGE_SIZE, GUEST_MEM_ANON) ||
	    view_new(&view, mem))
		tap_bail("no memory");
	report(1, 1);
	check("all are told", NR);
	report(2, 2);
	check("half are told again", NR / 2);
	ok(view_find_process(view, PAGES_AT + 1, &p) && p.nr_mapped == 4 &&
	   !view_find_process(view, PAGES_AT + 2, &p) &&
	   !view_find_process(view, 0, &p),
	   "those that were, with their pages");
	report(3, 1);
	stop_at = 3;
	report(4, 2);
	stop_at = 0;
	view->stop = false;
	ok(view->nr_mms > NR / 2 && view->nr_mms < NR,
	   "the service ends meanwhile: %llu are left",
	   (unsigned long long)view->nr_mms);
	look();
	is_int(nr_wrong, 0, "in a whole table");
	report(5, 4);
	check("another service, and a quarter", NR / 4);
	view_free(view);
	guest_mem_free(mem);
	return tap_done();
}
