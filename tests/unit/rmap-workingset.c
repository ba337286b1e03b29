// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rule of rmap/workingset.h for a machine small enough to calculate: pages
 * 0 .. n-1 are used in a loop with room for `inactive` of them in addition to
 * `active` unused ones.  Had the active pages made room, the inactive list
 * could hold inactive + active pages, and a round of up to so many would not
 * fault: exactly those rounds must be activated.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "rmap/workingset.h"
#include "tests/tap.h"

#define MAX_PAGES 64

static bool activated_in_a_round(unsigned int n, unsigned int inactive,
				 unsigned int active)
{
	unsigned int list[MAX_PAGES], nr = 0;
	uint32_t shadow[MAX_PAGES] = { 0 };
	struct rmap_workingset ws = { 0 };

	for (unsigned int i = 0; i < 2 * n; i++) {
		unsigned int page = i % n;
		struct rmap_refault r = { .activate = false };
		bool resident = false;

		for (unsigned int k = 0; k < nr; k++)
			resident |= list[k] == page;
		if (resident)
			continue;
		if (shadow[page] &&
		    !rmap_workingset_refault(&ws, shadow[page], active, &r) &&
		    r.activate)
			return true;	/* what follows is another machine */
		if (nr == inactive) {	/* evict the oldest, list[0] */
			shadow[list[0]] = rmap_workingset_evict(&ws, false);
			memmove(list, list + 1, --nr * sizeof(list[0]));
		}
		list[nr++] = page;
	}
	return false;
}

static void test_rounds(void)
{
	bool good = true;

	for (unsigned int inactive = 1; inactive < 12; inactive++) {
		for (unsigned int active = 0; active < 12; active++) {
			for (unsigned int n = inactive + 1; n < 40; n++) {
				bool fits = n <= inactive + active;

				good &= activated_in_a_round(n, inactive,
							     active) == fits;
			}
		}
	}
	ok(good, "a round is activated if all of memory could hold it, only");
}

static void test_shadows(void)
{
	struct rmap_workingset ws = { .age = 0 };
	struct rmap_refault r = { .distance = 77 };
	uint32_t a, b;

	is_int(rmap_workingset_refault(&ws, 0, 5, &r), -EINVAL,
	       "0 is no shadow");
	ok(r.distance == 77 && !ws.nr_refaults, "and changes nothing");
	a = rmap_workingset_evict(&ws, false);
	b = rmap_workingset_evict(&ws, true);
	ok(a && b && a != b, "shadows are not 0");
	rmap_workingset_activate(&ws);
	ok(!rmap_workingset_refault(&ws, a, 2, &r) && r.distance == 3 &&
	   !r.activate && !r.restored, "3 moves, 2 active: stays inactive");
	ok(!rmap_workingset_refault(&ws, b, 2, &r) && r.distance == 2 &&
	   r.activate && r.restored, "2 moves, 2 active: active again");
	ok(ws.nr_refaults == 2 && ws.nr_activated == 1 && ws.nr_restored == 1,
	   "counted");
	ws.age = (UINT64_C(5) << RMAP_WORKINGSET_AGE_BITS) - 1;
	a = rmap_workingset_evict(&ws, false);
	ws.age += 9;
	ok(!rmap_workingset_refault(&ws, a, 10, &r) && r.distance == 10 &&
	   r.activate, "the distance is right across a wrap of the age");
}

int main(void)
{
	test_rounds();
	test_shadows();
	return tap_done();
}
