// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A sink that evicts some of the given pages and then fails, as a store does
 * whose device fails during a call: evicted pages are accounted, and the others
 * count neither as refused nor as in use, since the sink may not have tried
 * them.
 */
#include "config.h"

#include "tests/one-cpu.h"
#include "tests/unit/engine-vm.h"
#include "tests/unit/swap-works.h"

static struct reclaim_sink *swap;

/* The first half of it is evicted. */
static int evict_half(struct reclaim_sink *s, const struct gfn_range *r,
		      size_t nr, struct reclaim_result *res)
{
	const struct gfn_range half = { r->start, (r->nr + 1) / 2 };
	int rc = swap->ops->evict(swap, &half, 1, res);

	return rc ? rc : -EIO;
}

static const struct reclaim_sink_ops half_ops = {
	.name = "half", .evict = evict_half,
};
static const struct reclaim_sink_ops half_that_looks_ops = {
	.name = "half that looks",
	.rechecks_accessed = true,
	.evict = evict_half,
};

static void test(const struct reclaim_sink_ops *ops)
{
	struct reclaim_sink half = { .ops = ops };
	struct engine_stats s;
	struct vm vm;

	vm_prepare(&vm, HOT);
	swap = vm.sink;
	vm.sink = &half;
	vm_start(&vm, NR_HOT);
	do {
		wait_scans(&vm, 1);
		s = stats_of(&vm);
	} while (s.memory.nr_swapped < NR - NR_HOT);
	ok(s.scan.nr_scan_errors > 1, "%s: fails again and again", ops->name);
	is_int(s.reclaim.nr_evicted, NR - NR_HOT, "what went is counted");
	is_int(s.reclaim.nr_kept, 0,
	       "what stayed for the time being is not refused");
	is_int(s.reclaim.nr_saved_by_recheck, 0, "nor taken for used");
	set_target(&vm, 0);
	wait_scans(&vm, 2);
	is_int(nr_wrong(&vm, NR_HOT, NR_HOT + 99), 0, "100 come back");
	wait_scans(&vm, 2);
	is_int(stats_of(&vm).reclaim.nr_refaults, 100, "and are refaults");
	vm.sink = swap;
	vm_stop(&vm);
}

int main(void)
{
	check_that_swap_works(1 << 21);
	stay_on_one_cpu(NULL);
	test(&half_ops);
	test(&half_that_looks_ops);
	return tap_done();
}
