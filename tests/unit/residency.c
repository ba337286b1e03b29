// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cheap query of what is resident gives the same result as the exact one.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/one-cpu.h"
#include "tests/tap.h"
#include "vmm/mem/guest-mem.h"
#include "vmm/sink/sink.h"
#include "vmm/util/bitmap.h"

#define NR    (64 * 512)	/* 128 MiB: 64 blocks, so one a turn */
#define PAGE  4096
#define STEPS 200
#define TRIES 5

static struct guest_mem *mem;
static uint8_t *bytes;
static uint64_t resident[BITMAP_WORDS(NR)], swapped[BITMAP_WORDS(NR)];
static uint64_t exact_r[BITMAP_WORDS(NR)], exact_s[BITMAP_WORDS(NR)];
static unsigned int turn;

/* Frames that were wrong after that step in every try. */
static uint64_t always_wrong[STEPS][BITMAP_WORDS(NR)];

static const struct gfn_range all = { { 0 }, NR };

/* Leaves in wrong those that differ now.  How many are left. */
static uint64_t keep_differing(uint64_t wrong[BITMAP_WORDS(NR)])
{
	uint64_t n = 0;

	if (guest_mem_residency(mem, all, exact_r, exact_s))
		tap_bail("residency can't be read");
	for (uint64_t w = 0; w < BITMAP_WORDS(NR); w++) {
		wrong[w] &= (resident[w] ^ exact_r[w]) |
			    (swapped[w] ^ exact_s[w]);
		n += __builtin_popcountll(wrong[w]);
	}
	return n;
}

static void update(void)
{
	if (guest_mem_residency_update(mem, resident, swapped, turn++,
				       NULL))
		tap_bail("the update fails");
}

static struct gfn_range some(uint64_t most)
{
	uint64_t start = random() % NR, nr = 1 + random() % most;

	return (struct gfn_range){ GFN(start), nr < NR - start ? nr :
							 NR - start };
}

static void touch(struct gfn_range r, uint64_t step)
{
	for (uint64_t g = r.start.v; g < r.start.v + r.nr; g += step)
		bytes[g * PAGE]++;
}

/* As the engine does: it checks again what it evicts. */
static void evict(struct reclaim_sink *sink, struct gfn_range r)
{
	struct reclaim_result res = { 0 };

	if (sink->ops->evict(sink, &r, 1, &res) ||
	    guest_mem_residency(mem, r, resident, swapped))
		tap_bail("eviction fails");
}

/*
 * What the guest, we and devices do: always the same.  How many frames were wrong
 * in this try and all before it.
 */
static uint64_t random_steps(enum guest_mem_backing backing,
			     struct reclaim_sink *sink)
{
	uint64_t wrong = 0;

	srandom(7);
	guest_mem_discard(mem, all);
	memset(resident, 0, sizeof(resident));
	memset(swapped, 0, sizeof(swapped));
	for (int i = 0; i < STEPS; i++) {
		struct gfn_range r = some(2000);

		switch (random() % 6) {
		case 0:
			touch(r, 1);
			break;
		case 1:
			touch(r, 7);
			break;
		case 2:
			guest_mem_discard(mem, r);
			break;
		case 3:
			if (backing == GUEST_MEM_MEMFD)
				guest_mem_unmap(mem, r);
			break;
		case 4:
			if (i)	/* there has been a first look */
				evict(sink, r);
			break;
		case 5:
			sink->ops->prefetch(sink, &r, 1);
			guest_mem_residency_stale(mem, r);
			break;
		}
		update();
		wrong += keep_differing(always_wrong[i]);
	}
	return wrong;
}

/*
 * A host that reclaims meanwhile takes pages by itself, which is seen later and so
 * counted.  It takes other ones each time; what a fault of ours gets wrong is the
 * same.
 */
static void test_random(enum guest_mem_backing backing, struct reclaim_sink *sink,
			const char *name)
{
	uint64_t wrong = 1;

	memset(always_wrong, 0xff, sizeof(always_wrong));
	for (int i = 0; wrong && i < TRIES; i++) {
		wrong = random_steps(backing, sink);
		if (wrong)
			printf("# %s, try %d: %d still differ\n", name, i + 1,
			       (int)wrong);
	}
	ok(!wrong, "%s: as the exact look in %d steps", name, STEPS);
}

/* Until none is kept, as one may be that the kernel has in hand just then. */
static void evict_all(struct reclaim_sink *sink, struct gfn_range r)
{
	for (int i = 0; i < 1000; i++) {
		struct reclaim_result res = { 0 };

		sink->ops->evict(sink, &r, 1, &res);
		if (!res.kept)
			break;
		usleep(10000);
	}
}

/* What the kernel does by itself: here by a sink that the caller does not know. */
static void test_kernel(struct reclaim_sink *sink)
{
	struct gfn_range one = { GFN(5 * 512 + 3), 1 }, many = { GFN(0), NR };
	int late = 0;

	touch(many, 1);
	update();
	evict_all(sink, one);
	update();
	ok(!bitmap_test(resident, one.start.v) &&
	   bitmap_test(swapped, one.start.v),
	   "a mapped page that the kernel took is seen at once");

	touch(many, 1);
	update();
	guest_mem_unmap(mem, many);
	update();
	ok(bitmap_test(resident, one.start.v), "one that is not mapped is there");
	evict_all(sink, one);	/* maps it, and unmaps it */
	while (bitmap_test(resident, one.start.v) && late < 64) {
		update();
		late++;
	}
	ok(!bitmap_test(resident, one.start.v) && late,
	   "it is taken: seen within 64 looks: %d", late);
	evict_all(sink, many);
	update();
	update();
	ok(!bitmap_count(resident, 0, NR), "all of memory, in two");
}

int main(void)
{
	static const struct {
		enum guest_mem_backing backing;
		const char *name;
	} t[] = {
		{ GUEST_MEM_MEMFD, "memfd" }, { GUEST_MEM_ANON, "anonymous" },
	};
	struct reclaim_sink *sink;
	char why[512];

	stay_on_one_cpu(NULL);
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		if (guest_mem_new(&mem, (uint64_t)NR * PAGE, t[i].backing))
			tap_bail("no memory");
		if (sink_swap.probe(mem, why, sizeof(why)))
			tap_fail_all(why);
		if (sink_swap.open(&sink, mem, NULL, why, sizeof(why)))
			tap_bail("%s", why);
		bytes = guest_mem_ptr(mem, GPA(0), (uint64_t)NR * PAGE);
		test_random(t[i].backing, sink, t[i].name);
		if (t[i].backing == GUEST_MEM_MEMFD)
			test_kernel(sink);
		sink->ops->close(sink);
		guest_mem_free(mem);
	}
	return tap_done();
}
