// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The soft source, with our own accesses to guest memory: what was touched is
 * young, whatever the budget; what was not is idle, once it had its turn.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/tap.h"
#include "vmm/access/source.h"
#include "vmm/util/bitmap.h"

#define NR    8192u		/* frames: 32 MiB, 16 chunks */
#define PAGE  4096
#define WORDS BITMAP_WORDS(NR)

static const struct gfn_range all = { GFN(0), NR };
static struct guest_mem *mem;
static uint64_t young[WORDS], touched[WORDS];

static volatile uint8_t *page(uint64_t gfn)
{
	return guest_mem_ptr(mem, GPA(gfn * PAGE), PAGE);
}

/* Reads, or writes, one page in `step`. */
static void touch(uint64_t first, uint64_t step, bool write)
{
	memset(touched, 0, sizeof(touched));
	for (uint64_t g = first; g < NR; g += step) {
		if (write)
			page(g)[8] = g;
		else
			(void)page(g)[8];
		bitmap_set(touched, g);
	}
}

static struct access_source *open_soft(const char *name)
{
	const struct access_target target = { .mem = mem, .vm_fd = -1 };
	struct access_source *src = NULL;
	char why[512];

	if (access_open(&src, name, &target, why, sizeof(why)))
		tap_bail("%s: %s", name, why);
	return src;
}

static bool harvest(struct access_source *src)
{
	memset(young, 0xff, sizeof(young));
	return !src->ops->harvest(src, all, young);
}

static bool exact(void)
{
	return !memcmp(young, touched, sizeof(young));
}

static bool covers(void)
{
	for (size_t w = 0; w < WORDS; w++)
		if (touched[w] & ~young[w])
			return false;
	return true;
}

/* What is young and not said to be assumed was touched. */
static bool proven_is_true(struct access_source *src, uint64_t *nr_assumed)
{
	uint64_t assumed[WORDS];

	memset(assumed, 0xff, sizeof(assumed));
	src->ops->assumed(src, all, assumed);
	*nr_assumed = bitmap_count(assumed, 0, NR);
	for (size_t w = 0; w < WORDS; w++)
		if (young[w] & ~assumed[w] & ~touched[w])
			return false;
	return true;
}

static void test_exact(void)
{
	struct access_source *src = open_soft("soft,faults=1000000000");
	uint64_t nr_assumed;

	is_int(src->ops->arm(src, all), 0, "armed");
	touch(3, 7, false);
	ok(harvest(src), "harvested");
	if (src->granule_pages == 1)
		ok(exact(), "what was read is young, its neighbours are not");
	else
		ok(covers(), "what was read is young (with neighbours: this "
		   "kernel can't be kept from mapping around faults)");
	touch(5, 11, true);
	ok(harvest(src) && exact(), "then what was written");
	touch(NR, 1, true);
	ok(harvest(src) && exact(), "then nothing");
	ok(harvest(src) && exact(), "and nothing again");
	ok(proven_is_true(src, &nr_assumed) && !nr_assumed,
	   "and none of it is assumed");
	access_close(src);
}

static void test_parts(void)
{
	struct access_source *src = open_soft("soft,faults=1000000000");
	const struct gfn_range part = { GFN(700), 100 };

	src->ops->arm(src, all);
	touch(0, 1, true);
	memset(young, 0, sizeof(young));
	bitmap_set(young, 5);
	is_int(src->ops->harvest(src, part, young), 0, "a part is harvested");
	is_int(bitmap_count(young, 700, 800), 100, "... and young");
	ok(bitmap_test(young, 5) && bitmap_count(young, 0, NR) == 101,
	   "... and the bits of others stay");
	is_int(src->ops->arm(src, part), 0, "a part is armed");
	harvest(src);
	is_int(bitmap_count(young, 700, 800), 0, "... and is idle then");
	is_int(bitmap_count(young, 0, NR), NR - 100, "the rest is not");
	access_close(src);
}

/* A budget of nearly nothing: never idle by mistake. */
static void test_budget(void)
{
	struct access_source *src = open_soft("soft,faults=1");
	const struct timespec more = { .tv_nsec = 20000000 };
	unsigned int good = 0, proven = 0, rounds = 200, n;
	uint64_t nr, nr_assumed = 0;
	bool idle = false;

	touch(0, 1, true);
	ok(harvest(src) && exact(), "mapped pages are young before their turn");
	srand(1);
	for (unsigned int i = 0; i < rounds; i++) {
		touch(rand() % 50, 1 + rand() % 100, rand() % 2);
		good += harvest(src) && covers();
		proven += proven_is_true(src, &nr);
		nr_assumed += nr;
	}
	is_int(good, rounds, "each touched page was young in its window");
	is_int(proven, rounds, "the others were said to be assumed");
	ok(nr_assumed, "and were some");
	access_close(src);

	/* 128 faults a chunk are expected, 20 ms earn 200: a turn at least. */
	src = open_soft("soft,faults=10000");
	touch(0, 1, true);
	harvest(src);
	for (n = 0; n < 1000 && !idle; n++) {
		nanosleep(&more, NULL);
		memset(touched, 0, sizeof(touched));
		idle = harvest(src) && exact();
	}
	ok(idle, "everything has its turn and is idle in the end");
	access_close(src);
}

/* Contents survive all of it. */
static void test_contents(void)
{
	struct access_source *src = open_soft("soft");
	uint64_t wrong = 0;

	for (uint64_t g = 0; g < NR; g++)
		memset((void *)page(g), (int)(g * 31 >> 3), PAGE);
	for (int i = 0; i < 3; i++) {
		src->ops->arm(src, all);
		harvest(src);
	}
	for (uint64_t g = 0; g < NR; g++)
		for (int i = 0; i < PAGE; i++)
			wrong += page(g)[i] != (uint8_t)(g * 31 >> 3);
	is_int(wrong, 0, "no byte changed");
	access_close(src);
}

static void refused(const char *name, int err, const char *text)
{
	const struct access_target target = { .mem = mem, .vm_fd = -1 };
	struct access_source *src;
	char why[512];

	ok(access_open(&src, name, &target, why, sizeof(why)) == err,
	   "%s is refused", name);
	ok(strstr(why, text), "... saying \"%s\": %s", text, why);
}

int main(void)
{
	if (guest_mem_new(&mem, NR * PAGE, GUEST_MEM_MEMFD))
		tap_bail("no memory");
	test_exact();
	test_parts();
	test_budget();
	test_contents();
	refused("soft,faults=0", -EINVAL, "faults a second");
	refused("soft,faults=-5", -EINVAL, "faults a second");
	refused("soft,faults=", -EINVAL, "faults a second");
	refused("soft,faults=99999999999999999999", -EINVAL, "faults a second");
	refused("soft,speed=1", -EINVAL, "faults=N");
	refused("damon,faults=1", -EINVAL, "no options");
	refused("sof", -EINVAL, "no access source");
	guest_mem_free(mem);
	if (guest_mem_new(&mem, NR * PAGE, GUEST_MEM_ANON))
		tap_bail("no memory");
	refused("soft", -EOPNOTSUPP, "--mem-backing memfd");
	is_int(guest_mem_unmap(mem, all), -EINVAL,
	       "anonymous memory is never unmapped");
	guest_mem_free(mem);
	return tap_done();
}
