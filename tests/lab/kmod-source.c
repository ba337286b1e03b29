// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The access source over the kvm-young module: frames instead of addresses,
 * ranges of any alignment, frames that are not memory.  `kmod-source absent`
 * tests its message when the module is not loaded.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lab/kmod-guest.h"
#include "tests/tap.h"
#include "vmm/access/source.h"
#include "vmm/access/sources.h"
#include "vmm/util/bitmap.h"

#define DATA_BYTES (32UL << 20)
#define DATA_GFN   (GUEST_DATA_GPA / GUEST_PAGE)
#define NR_PAGES   (DATA_BYTES / GUEST_PAGE)
#define NR_FRAMES  (DATA_GFN + NR_PAGES)

static char why[512];

static void test_absent(void)
{
	struct access_target target = { .vm_fd = -1 };

	is_int(access_source_kvm_young.probe(&target, why, sizeof(why)),
	       -ENOENT, "no device, no source");
	ok(strstr(why, "not loaded") && strstr(why, "make kmod"),
	   "it says what to do: %s", why);
}

/* Every third of the first pages, every fifth of the rest. */
static bool is_hot(uint64_t page)
{
	return page < 1000 ? page % 3 == 0 : page % 5 == 0;
}

static void harvest(struct access_source *src, struct guest *g, uint64_t first,
		    uint64_t nr, const char *name)
{
	uint64_t *young = bitmap_new(NR_FRAMES + 256);
	struct gfn_range range = { GFN(DATA_GFN + first), nr };
	uint64_t wrong = 0, outside = 0, hits = 0;
	int err;

	/* One bit on each side must stay, all inside must be written. */
	bitmap_set_range(young, DATA_GFN + first - 1,
			 DATA_GFN + first + nr + 1);
	guest_wait_rounds(g, 3);
	err = src->ops->harvest(src, range, young);
	for (uint64_t i = first; i < first + nr; i++) {
		bool hot = i < NR_PAGES && is_hot(i);

		hits += hot;
		wrong += bitmap_test(young, DATA_GFN + i) != hot;
	}
	outside = bitmap_test(young, DATA_GFN + first - 1) +
		  bitmap_test(young, DATA_GFN + first + nr);
	ok(!err && hits && !wrong && outside == 2,
	   "%s: error %d, %lu young, %lu wrong, %lu of 2 neighbours kept", name,
	   err, (unsigned long)hits, (unsigned long)wrong,
	   (unsigned long)outside);
	free(young);
}

static void test_source(void)
{
	static uint32_t list[NR_PAGES];
	struct access_target target;
	struct access_source *src;
	struct guest_mem *mem;
	struct guest g;
	uint32_t nr = 0;
	int err;

	/* Memory from 0 to the end of the data, most of it never touched. */
	if (guest_mem_new(&mem, GUEST_DATA_GPA + DATA_BYTES, GUEST_MEM_ANON))
		tap_bail("guest_mem_new");
	guest_make_in(&g, guest_mem_ptr(mem, GPA(0), GUEST_CONTROL_BYTES),
		      guest_mem_ptr(mem, GPA(GUEST_DATA_GPA), DATA_BYTES),
		      DATA_BYTES);
	target = (struct access_target){ .mem = mem, .vm_fd = -1 };
	is_int(access_source_kvm_young.probe(&target, why, sizeof(why)), -EBADF,
	       "refused without the VM's descriptor");
	target.vm_fd = g.vm_fd;

	err = access_selftest(&access_source_kvm_young, why, sizeof(why));
	ok(!err, "passes the self-test%s%s", err ? ": " : "", err ? why : "");
	err = access_open(&src, "auto", &target, why, sizeof(why));
	if (!ok(!err, "auto finds a source%s%s", err ? ": " : "",
		err ? why : ""))
		return;
	ok(!strcmp(src->ops->name, "kvm-young"), "and this is the one: %s",
	   src->ops->name);
	is_int(src->cost, ACCESS_COST_WALK, "at the cost of a walk");

	for (uint32_t i = 0; i < NR_PAGES; i++)
		list[i] = i;
	guest_set_list(&g, list, NR_PAGES, false);
	guest_start(&g);
	guest_wait_rounds(&g, 2);
	for (uint32_t i = 0; i < NR_PAGES; i++)
		if (is_hot(i))
			list[nr++] = i;
	guest_set_list(&g, list, nr, false);
	guest_wait_rounds(&g, 2);
	is_int(src->ops->arm(src, (struct gfn_range){ GFN(0), NR_FRAMES }), 0,
	       "arms all of the memory");
	harvest(src, &g, 64, 4096, "words of frames");
	harvest(src, &g, 3, 1, "one page");
	harvest(src, &g, 901, 333, "any frames");
	harvest(src, &g, NR_PAGES - 100, 200, "past the end of memory");
	access_close(src);
	guest_free(&g);
	guest_mem_free(mem);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "absent"))
		test_absent();
	else
		test_source();
	return tap_done();
}
