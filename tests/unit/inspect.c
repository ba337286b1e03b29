// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GET /map, called directly: page tables in guest memory and the agent's data
 * give the guest's side of each page, the host's pagemap the other.  Tables:
 * frame 1 the top, 2 and 3 below it, 4 the last.
 */
#include "config.h"

#include <string.h>

#include "tests/tap.h"
#include "vmm/control/inspect.h"
#include "vmm/guest/view-internal.h"

#define FRAMES 4096u
#define PAGE   UINT64_C(4096)

#define P     1u
#define W     2u
#define A     0x20u
#define D     0x40u
#define LARGE 0x80u
#define NONE  0x100u

#define BASE (UINT64_C(1) << 30)	/* entry 0 of frame 1, 1 of frame 2 */
#define HUGE (BASE + (UINT64_C(2) << 20))	/* entry 1 of frame 3 */
#define WIDE (UINT64_C(2) << 30)

#define BIT(b) (1u << STAT_MAP_##b)

static struct guest_mem *mem;
static struct view *view;
static struct stat_server_config config;
static unsigned int status;
static char why[256];

#define say(t, ...)                                                           \
	view_apply(view, &(struct protocol_message){ .type = PROTOCOL_##t,    \
						     __VA_ARGS__ })

static uint64_t *table(unsigned int gfn)
{
	return guest_mem_ptr(mem, GPA(gfn * PAGE), PAGE);
}

static void tell_region(uint64_t start, uint64_t nr_pages)
{
	say(VMA, .vma = { .start = start, .end = start + nr_pages * PAGE,
			  .flags = PROTOCOL_VM_READ | PROTOCOL_VM_WRITE });
}

static void tell_run(uint64_t addr, uint64_t gfn, uint32_t count)
{
	const struct protocol_run run = { addr, gfn, count, 0 };

	say(RUNS, .nr = 1, .runs = &run);
}

static void tell_all(void)
{
	say(EPOCH_BEGIN, .epoch = { 1, PROTOCOL_EPOCH_FULL });
	say(MM, .mm = { .pid = 7, .pgd = PAGE, .comm = "tables" });
	tell_region(BASE, 8);
	tell_run(BASE, 100, 4);
	tell_region(HUGE, 512);
	tell_region(WIDE, 1 << 18);
	say(MM_END);
	say(MM, .mm = { .pid = 8, .pgd = PROTOCOL_NO_PGD, .comm = "told" });
	tell_region(BASE, 8);
	tell_run(BASE + 2 * PAGE, 200, 3);
	say(MM_END);
	say(EPOCH_END, .epoch = { 1, 0 });
}

static void lay_tables(void)
{
	uint64_t *last = table(4), *wide = table(6);

	table(1)[0] = 2 * PAGE | P | W | A;
	table(2)[1] = 3 * PAGE | P | W | A;
	table(3)[0] = 4 * PAGE | P | W | A;
	table(3)[1] = (UINT64_C(2) << 20) | P | W | A | LARGE;
	last[0] = 100 * PAGE | P | W | A | D;
	last[1] = 101 * PAGE | P | W | A;
	last[2] = 102 * PAGE | P | W | D;
	last[3] = 103 * PAGE | P;
	last[4] = UINT64_C(0x123456) << 12;		/* swap */
	last[5] = 105 * PAGE | NONE;
	last[7] = UINT64_C(0x900000) * PAGE | P;	/* no RAM there */
	/* A GiB of pages, accessed every other: the same table all over. */
	table(2)[2] = 5 * PAGE | P | W | A;
	for (int i = 0; i < 512; i++) {
		table(5)[i] = 6 * PAGE | P | W | A;
		wide[i] = 300 * PAGE | P | (i & 1 ? A : 0);
	}
	*(char *)guest_mem_ptr(mem, GPA(100 * PAGE), 1) = 1;
	*(char *)guest_mem_ptr(mem, GPA(103 * PAGE), 1) = 1;
	*(char *)guest_mem_ptr(mem, GPA(201 * PAGE), 1) = 1;
}

static json_t *map_of(uint32_t pid, uint64_t start, uint64_t end)
{
	return stat_inspect_map(&config, pid, start, end, &status, why,
				sizeof(why));
}

/* The bits of the page at `addr`, in an answer from `start`; ~0: not in it. */
static uint32_t bits_at(const json_t *map, uint64_t start, uint64_t addr)
{
	const json_t *run;
	size_t i;

	json_array_foreach(json_object_get(map, "runs"), i, run) {
		start += json_integer_value(json_array_get(run, 0)) * PAGE;
		if (addr < start)
			return json_integer_value(json_array_get(run, 1));
	}
	return ~0u;
}

static void test_tables(void)
{
	const uint32_t present = BIT(REGION) | BIT(MAPPED) | BIT(PRESENT);
	const uint32_t want[] = {
		present | BIT(ACCESSED) | BIT(DIRTY) | BIT(RESIDENT),
		present | BIT(ACCESSED),
		present | BIT(DIRTY),
		present | BIT(RESIDENT),
		BIT(REGION) | BIT(GUEST_SWAP),
		BIT(REGION) | BIT(NO_ACCESS),
		BIT(REGION),
		BIT(REGION) | BIT(PRESENT) | BIT(NOT_RAM),
	};
	static const char *const what[] = {
		"written", "read", "dirty, not accessed since", "not accessed",
		"in the guest's swap", "without access", "nothing",
		"a frame that is not RAM",
	};
	json_t *map = map_of(7, BASE - PAGE, HUGE + 512 * PAGE);

	ok(map && json_is_true(json_object_get(map, "has_pgd")),
	   "/map of a process whose tables are known");
	is_int(bits_at(map, BASE - PAGE, BASE - PAGE), 0, "outside a region");
	for (unsigned int i = 0; i < 8; i++)
		is_int(bits_at(map, BASE - PAGE, BASE + i * PAGE), want[i],
		       what[i]);
	is_int(bits_at(map, BASE - PAGE, HUGE) & ~BIT(RESIDENT),
	       BIT(REGION) | BIT(PRESENT) | BIT(ACCESSED) | BIT(HUGE),
	       "a huge page");
	is_int(json_integer_value(json_object_get(map, "next")),
	       HUGE + 512 * PAGE, "all is told at once");
	ok(json_object_get(map, "no_ages"), "without a source: why no ages");
	json_decref(map);
}

static void test_told(void)
{
	const uint32_t mapped = BIT(REGION) | BIT(MAPPED);
	json_t *map = map_of(8, BASE, BASE + 8 * PAGE);

	ok(json_is_false(json_object_get(map, "has_pgd")),
	   "/map of one whose tables are not");
	is_int(bits_at(map, BASE, BASE), BIT(REGION), "nothing told");
	is_int(bits_at(map, BASE, BASE + 2 * PAGE), mapped, "told, absent");
	is_int(bits_at(map, BASE, BASE + 3 * PAGE), mapped | BIT(RESIDENT),
	       "told, and resident");
	is_int(bits_at(map, BASE, BASE + 5 * PAGE), BIT(REGION), "behind it");
	json_decref(map);
}

/* A guest can make each page differ from the next: answers stay bounded. */
static void test_bounds(void)
{
	const uint64_t end = WIDE + (UINT64_C(1) << 30);
	uint64_t at = WIDE, odd = 0, next = WIDE;
	unsigned int nr = 0;
	bool sound = true;

	for (; at < end && nr < 1000; nr++, at = next) {
		json_t *map = map_of(7, at, end);
		size_t runs = json_array_size(json_object_get(map, "runs"));

		next = json_integer_value(json_object_get(map, "next"));
		sound &= map && runs && runs <= STAT_MAP_MAX_RUNS && next > at;
		sound &= !!(bits_at(map, at, at) & BIT(ACCESSED)) ==
			 (at / PAGE & 1);
		odd += runs;
		json_decref(map);
		if (!sound)
			break;
	}
	ok(sound && at == end && odd == 1 << 18,
	   "2^18 pages that all differ, in %u answers", nr);
}

static json_t *referenced(uint64_t gfn)
{
	return stat_page_referenced(&config, GFN(gfn), &status, why,
				    sizeof(why));
}

static void test_referenced(void)
{
	json_t *j = referenced(100), *user;

	user = json_array_get(json_object_get(j, "referenced_by"), 0);
	ok(json_integer_value(json_object_get(j, "nr_referenced")) == 1 &&
	   json_integer_value(json_object_get(user, "pid")) == 7 &&
	   (uint64_t)json_integer_value(json_object_get(user, "address")) ==
		   BASE, "/referenced names who used a page, and where");
	json_decref(j);
	j = referenced(100);
	ok(json_is_true(json_object_get(j, "has_accessed_bits")) &&
	   json_is_false(json_object_get(j, "partial")) &&
	   json_integer_value(json_object_get(j, "nr_mappings")) == 1 &&
	   json_integer_value(json_object_get(j, "nr_referenced")) == 0,
	   "once: the bit is cleared");
	json_decref(j);
	j = referenced(201);
	ok(json_is_false(json_object_get(j, "has_accessed_bits")) &&
	   json_integer_value(json_object_get(j, "nr_mappings")) == 1,
	   "without a page table: mapped, and no more is known");
	json_decref(j);
	ok(!referenced(FRAMES) && status == 404, "a frame that is no RAM");
}

static void test_refusals(void)
{
	ok(!map_of(9, BASE, BASE + PAGE) && status == 404 && strstr(why, "9"),
	   "no such process");
	ok(!map_of(7, BASE, BASE) && status == 400, "an empty range");
	ok(!map_of(7, BASE, UINT64_MAX) && status == 400,
	   "a range beyond all addresses");
}

int main(void)
{
	if (guest_mem_new(&mem, FRAMES * PAGE, GUEST_MEM_ANON) ||
	    view_new(&view, mem))
		tap_bail("no memory");
	config.mem = mem;
	config.view = view;
	lay_tables();
	tell_all();
	test_tables();
	test_told();
	test_bounds();
	test_referenced();
	test_refusals();
	view_free(view);
	guest_mem_free(mem);
	return tap_done();
}
