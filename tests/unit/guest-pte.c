// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The access source that reads the guest's own page tables: pages found used,
 * pages that it can't check, and cyclic tables.  The tables: frame 1 the top, 2
 * and 3 below it, 4 the last; frame 5 is its own next one.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tap.h"
#include "vmm/access/source.h"
#include "vmm/guest/guest-harvest.h"
#include "vmm/guest/view-internal.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"

#define FRAMES 8192u
#define PAGE   UINT64_C(4096)
#define BASE   (UINT64_C(1) << 30)
#define HUGE   (BASE + (UINT64_C(2) << 20))

#define P     1u
#define W     2u
#define A     0x20u
#define LARGE 0x80u

static struct guest_mem *mem;
static struct view *view;
static struct access_source *source;
static uint64_t *young, *assumed;

#define say(t, ...)                                                           \
	view_apply(view, &(struct protocol_message){ .type = PROTOCOL_##t,    \
						     __VA_ARGS__ })

static uint64_t *table(unsigned int gfn)
{
	return guest_mem_ptr(mem, GPA(gfn * PAGE), PAGE);
}

static void tell(uint32_t pid, uint64_t pgd, uint64_t addr, uint64_t gfn,
		 uint32_t count)
{
	const struct protocol_run run = { addr, gfn, count, 0 };

	say(MM, .mm = { .pid = pid, .pgd = pgd, .comm = "test" });
	say(VMA, .vma = { .start = addr, .end = addr + count * PAGE,
			  .flags = PROTOCOL_VM_READ });
	say(RUNS, .nr = 1, .runs = &run);
	say(MM_END);
}

static void lay_tables(void)
{
	table(1)[0] = 2 * PAGE | P | W | A;
	table(2)[1] = 3 * PAGE | P | W | A;
	table(3)[0] = 4 * PAGE | P | W | A;
	table(3)[1] = (UINT64_C(4) << 20) | P | W | A | LARGE;
	for (unsigned int i = 0; i < 8; i++)
		table(4)[i] = (100 + i) * PAGE | P | (i < 4 ? A : 0);
	for (int i = 0; i < 512; i++)
		table(5)[i] = 5 * PAGE | P | A;
}

static void harvest(uint64_t first, uint64_t nr)
{
	const struct gfn_range r = { GFN(first), nr };

	if (source->ops->harvest(source, r, young))
		tap_bail("no harvest");
	source->ops->assumed(source, r, assumed);
}

/* 'y' used, 'o' not used, '?' not known */
static char state(uint64_t gfn)
{
	if (bitmap_test(assumed, gfn))
		return bitmap_test(young, gfn) ? '?' : '!';
	return bitmap_test(young, gfn) ? 'y' : 'o';
}

static void is_state(uint64_t first, const char *want, const char *name)
{
	char got[32] = "";

	for (size_t i = 0; i < strlen(want); i++)
		got[i] = state(first + i);
	if (!ok(!strcmp(got, want), "%s", name))
		printf("# got %s, want %s\n", got, want);
}

static void touch(unsigned int i)
{
	table(4)[i] |= A;
}

static void test_use(void)
{
	harvest(0, FRAMES);
	is_state(99, "?yyyyoooo?", "used, not used, and not mapped");
	is_state(1024, "yyyy", "a huge page, used");
	ok(!(table(4)[0] & A) && !(table(3)[1] & A), "the bits are cleared");
	ok(table(3)[0] & A, "those of the tables above stay");
	harvest(0, FRAMES);
	is_state(99, "?oooooooo?", "not used since");
	is_state(1535, "o?", "the huge page neither; behind it nothing is");
	touch(6);
	harvest(0, FRAMES);
	is_state(99, "?ooooooyo?", "one was used");
}

/* Few frames are asked for by the reverse map, and the answers are the same. */
static void test_few(void)
{
	touch(2);
	harvest(98, 12);
	is_state(98, "??ooyooooo??", "a few frames: one was used");
	harvest(98, 12);
	is_state(98, "??oooooooo??", "once");
}

static void test_others(void)
{
	say(EPOCH_BEGIN, .epoch = { 2, 0 });
	tell(8, PROTOCOL_NO_PGD, BASE, 106, 4);
	say(EPOCH_END, .epoch = { 2, 0 });
	harvest(0, FRAMES);
	is_state(100, "oooooo????",
		 "what a process without known tables maps too is not known");
	harvest(98, 14);
	is_state(98, "??oooooo??????", "nor of a few frames");
}

/* What happens once the lock was released `countdown` more times. */
static unsigned int countdown;
static void (*event)(void);

void __real_view_unlock(struct view *v);
void __wrap_view_unlock(struct view *v);

void __wrap_view_unlock(struct view *v)
{
	__real_view_unlock(v);
	if (countdown && !--countdown)
		event();
}

static void learn_pgd(void)
{
	say(MM, .mm = { .pid = 8, .flags = PROTOCOL_MM_DELTA,
			.pgd = 10 * PAGE, .comm = "test" });
	say(MM_END);
}

static void forget_pgd(void)
{
	say(MM, .mm = { .pid = 8, .flags = PROTOCOL_MM_DELTA,
			.pgd = PROTOCOL_NO_PGD, .comm = "test" });
	say(MM_END);
}

static void start_process(void)
{
	tell(3, 10 * PAGE, BASE, 100, 2);
}

/*
 * The harvest releases the lock after the first look at the view, after each of
 * the two processes and at the end of the first pass; then again in the second.
 */
static void test_meanwhile(void)
{
	char name[80];

	for (unsigned int k = 1; k <= 7; k++) {
		countdown = k;
		event = learn_pgd;
		harvest(0, FRAMES);
		snprintf(name, sizeof(name), "tables known meanwhile (%u): its "
			 "frames are not", k);
		is_state(104, "oo????", name);
		forget_pgd();
	}
	for (unsigned int k = 1; k <= 4; k++) {
		countdown = k;
		event = start_process;
		harvest(0, FRAMES);
		snprintf(name, sizeof(name), "a process starts meanwhile (%u): "
			 "its frames are not known", k);
		is_state(100, "??oooo????", name);
		say(FORGET, .pid = 3);
	}
}

static void test_stop(void)
{
	const struct gfn_range few = { GFN(98), 12 }, many = { GFN(0), FRAMES };
	atomic_bool stopping = true;

	touch(2);
	source->stopping = &stopping;
	is_int(source->ops->harvest(source, many, young), -ECANCELED,
	       "who is to stop does not walk the tables");
	is_int(source->ops->harvest(source, few, young), -ECANCELED,
	       "nor ask for a few frames");
	ok(table(4)[2] & A, "... and no bit is cleared");
	source->stopping = NULL;
}

static void test_hostile(void)
{
	uint64_t from = clock_now_ns(), all = 0;

	say(EPOCH_BEGIN, .epoch = { 3, 0 });
	tell(9, 5 * PAGE, BASE, 300, 1);
	say(EPOCH_END, .epoch = { 3, 0 });
	harvest(0, FRAMES);
	for (uint64_t g = 0; g < FRAMES; g++)
		all += state(g) == '?';
	is_int(all, FRAMES, "tables without end: nothing is known");
	printf("# after %llu ms\n",
	       (unsigned long long)(clock_now_ns() - from) / 1000000);
}

static void test_refusals(void)
{
	const struct access_target target = { .mem = mem, .vm_fd = -1 };
	struct access_source *s;
	char why[512];

	ok(access_open(&s, "guest-pte", &target, why, sizeof(why)) < 0 &&
	   strstr(why, "agent"), "without an agent it is refused");
}

int main(void)
{
	const struct access_guest guest = { guest_harvest, NULL };
	struct access_guest g = guest;
	struct access_target target = { .vm_fd = -1, .guest = &g };
	char why[512];

	if (guest_mem_new(&mem, FRAMES * PAGE, GUEST_MEM_ANON) ||
	    view_new(&view, mem))
		tap_bail("no memory");
	g.ctx = view;
	target.mem = mem;
	young = bitmap_new(FRAMES);
	assumed = bitmap_new(FRAMES);
	test_refusals();
	if (access_open(&source, "guest-pte", &target, why, sizeof(why)))
		tap_bail("no source: %s", why);
	lay_tables();
	say(EPOCH_BEGIN, .epoch = { 1, PROTOCOL_EPOCH_FULL });
	tell(7, PAGE, BASE, 100, 8);
	say(EPOCH_END, .epoch = { 1, 0 });
	test_use();
	test_few();
	test_others();
	test_meanwhile();
	test_stop();
	test_hostile();
	access_close(source);
	view_free(view);
	guest_mem_free(mem);
	free(young);
	free(assumed);
	return tap_done();
}
