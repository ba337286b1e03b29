// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest gives free memory by its balloon, and drops page cache, which is then
 * free memory as well.  Whichever comes first, nothing of it is evicted.
 *
 *   0-255 hot | 2048 free | 4096 clean page cache | rest anonymous
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#define NR 8192			/* frames: the balloon is worth asking */

#include "tests/one-cpu.h"
#include "tests/tap.h"
#include "tests/unit/engine-vm.h"
#include "vmm/view/view-internal.h"

#define FREE	 256
#define CLEAN	 (FREE + 2048)
#define ANON	 (CLEAN + 4096)
#define NR_CLEAN (ANON - CLEAN)

static struct {
	uint64_t nr_cache, nr_free;	/* pages asked for, in all */
	unsigned int nr_calls;		/* of take_free */
	int rc;				/* of take_free */
} given;

static int drop_cache(void *ctx, uint64_t nr_bytes)
{
	(void)ctx;
	given.nr_cache += nr_bytes / PAGE;
	return 0;
}

static int take_free(void *ctx, uint64_t nr_bytes)
{
	(void)ctx;
	given.nr_calls++;
	if (!given.rc)
		given.nr_free += nr_bytes / PAGE;
	return given.rc;
}

static const struct engine_guest asks = {
	.drop_cache = drop_cache, .take_free = take_free,
};

static void set_flags(struct vm *vm, uint64_t first, uint64_t end,
		      uint32_t flags)
{
	for (uint64_t g = first; g < end; g++) {
		if (rmap_page_set_flags(view_map(vm->view), g, flags))
			tap_bail("the map refuses the scene");
		bitmap_set(vm->view->changed, g / 64);
	}
}

/* All that is free or clean must go, and nothing else. */
static void start(struct vm *vm, int rc)
{
	memset(&given, 0, sizeof(given));
	given.rc = rc;
	vm_prepare(vm, HOT);
	view_wrlock(vm->view);
	set_flags(vm, 0, FREE, RMAP_PG_ANON);
	set_flags(vm, FREE, CLEAN, RMAP_PG_FREE);
	set_flags(vm, CLEAN, ANON, RMAP_PG_FILE);
	set_flags(vm, ANON, NR, RMAP_PG_ANON);
	vm->view->stats.agent_connected = true;
	vm->view->stats.drops_cache = true;
	vm->view->stats.epoch = 1;
	vm->view->stats.guest.mem_total = UINT64_C(1) << 30;
	vm->view->stats.guest.mem_free = UINT64_C(256) << 20;
	vm->view->stats.guest.clean_cache = NR_CLEAN * PAGE;
	view_unlock(vm->view);
	vm_start_asking(vm, NR - (ANON - FREE), &asks);
	wait_scans(vm, 6);
}

static void discard(struct vm *vm, uint64_t first, uint64_t end)
{
	for (uint64_t g = first; g < end; g++)
		guest_mem_discard(vm->mem, (struct gfn_range){ GFN(g), 1 });
}

/* The page cache is dropped while the balloon still fills. */
static void test_cache_first(void)
{
	struct vm vm;

	start(&vm, 0);
	is_int(given.nr_free, CLEAN - FREE, "the balloon is asked for what is "
					    "free");
	is_int(given.nr_cache, NR_CLEAN, "the guest for its page cache");
	view_wrlock(vm.view);
	set_flags(&vm, CLEAN, ANON, RMAP_PG_FREE);
	vm.view->stats.epoch += 3;
	vm.view->stats.guest.clean_cache = 0;
	view_unlock(vm.view);
	wait_scans(&vm, 4);
	is_int(stats_of(&vm).nr_evicted, 0, "what was dropped is waited for");
	is_int(given.nr_calls, 1, "and the balloon is left alone");
	discard(&vm, FREE, CLEAN);
	wait_scans(&vm, 4);
	is_int(given.nr_free, ANON - FREE, "until it has given: then it is "
					   "asked for the rest");
	discard(&vm, CLEAN, ANON);
	wait_scans(&vm, 4);
	is_int(stats_of(&vm).nr_evicted, 0, "and nothing was evicted");
	is_int(given.nr_calls, 2, "nor asked for once more");
	vm_stop(&vm);
}

/* A balloon that is giving already, or says so. */
static void test_busy(void)
{
	struct vm vm;

	start(&vm, -EBUSY);
	is_int(stats_of(&vm).nr_evicted, 0, "a busy balloon is waited for");
	is_int(stats_of(&vm).nr_free_asked, 0, "what it was not asked for "
					       "counts not");
	while (!stats_of(&vm).nr_evicted)
		wait_scans(&vm, 1);
	ok(1, "but not for ever");
	vm_stop(&vm);
}

int main(void)
{
	struct guest_mem *mem;
	char why[512];

	if (guest_mem_new(&mem, PAGE, GUEST_MEM_ANON))
		tap_bail("no memory");
	if (sink_swap.probe(mem, why, sizeof(why)))
		tap_fail_all(why);
	guest_mem_free(mem);
	stay_on_one_cpu(NULL);
	test_cache_first();
	test_busy();
	return tap_done();
}
