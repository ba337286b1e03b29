// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A frame that some process maps is not free, whatever its flags said some
 * minutes ago: the engine neither evicts it first nor counts it as free.
 *
 *   0-255 hot | 256-383 called free, mapped since; used until lately | rest anon
 */
#include "config.h"

#include "tests/one-cpu.h"
#include "tests/tap.h"
#include "tests/unit/engine-vm.h"
#include "tests/unit/swap-works.h"
#include "vmm/policy/class.h"

#define MAPPED	  NR_HOT
#define ANON	  384
#define NR_MAPPED (ANON - MAPPED)
#define START	  UINT64_C(0x10000000)

/* Five scans in thirty use them; what is beyond is not used at all. */
#define SOMETIMES "0-383\n0-383\n0-383\n0-383\n0-383\n"
#define SELDOM	  HOT HOT HOT HOT HOT

static void make_scene(struct vm *vm)
{
	struct rmap_vma_desc d = { START, START + NR_MAPPED * PAGE, 0x10000,
				   RMAP_VM_READ | RMAP_VM_WRITE, { 0, 0 } };
	struct rmap *map = view_map(vm->view);
	struct rmap_vma *vma;
	struct rmap_mm *mm;

	view_wrlock(vm->view);
	rmap_flags_begin(map);
	set_flags(vm, 0, MAPPED, RMAP_PG_ANON);
	set_flags(vm, MAPPED, ANON, RMAP_PG_FREE);
	set_flags(vm, ANON, NR, RMAP_PG_ANON | RMAP_PG_SWAPBACKED);
	rmap_flags_end(map);
	if (rmap_mm_add(map, 77, RMAP_NO_PGD, &mm) ||
	    rmap_vma_add(map, mm, &d, &vma))
		tap_bail("the map refuses a process");
	for (uint64_t i = 0; i < NR_MAPPED; i++)
		if (rmap_map_page(map, vma, START + i * PAGE, MAPPED + i))
			tap_bail("the map refuses a page");
	view_unlock(vm->view);
}

int main(void)
{
	struct engine_stats s;
	struct vm vm;

	check_that_swap_works(PAGE);
	stay_on_one_cpu(NULL);
	vm_prepare(&vm, SOMETIMES SELDOM SELDOM SELDOM SELDOM SELDOM);
	make_scene(&vm);
	vm_start(&vm, 0);
	wait_scans(&vm, 8);
	s = stats_of(&vm);
	is_int(s.memory.nr_of_class[CLASS_FREE], 0, "none counts as free");
	is_int(s.memory.nr_of_class[CLASS_UNKNOWN], NR_MAPPED,
	       "what the mapped ones are is unknown");
	set_target(&vm, NR - NR_MAPPED);
	wait_scans(&vm, 4);
	s = stats_of(&vm);
	is_int(resident(&vm, MAPPED, ANON - 1), NR_MAPPED,
	       "what is mapped does not go first");
	is_int(s.reclaim.nr_evicted_of_class[CLASS_FREE], 0,
	       "none was taken as free");
	is_int(s.reclaim.nr_evicted_of_class[CLASS_ANON], NR_MAPPED,
	       "but what was idle for longest");
	vm_stop(&vm);
	return tap_done();
}
