// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Huge pages in reclaim, with a recorded trace for accessed bits and the host's
 * real huge pages and swap.  Each 2 MiB of the guest has the number of hot
 * pages in the table, and must be evicted or stay accordingly.
 *
 * Nothing depends on speed: the tests wait for scans, not for time.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tap.h"
#include "tests/unit/fake-source.h"
#include "vmm/engine/engine.h"
#include "vmm/policy/select.h"
#include "vmm/util/bitmap.h"

#define BLOCK	 SELECT_HUGE_PAGES
#define NR_BLOCKS 5u
#define NR	 (NR_BLOCKS * BLOCK)
#define PAGE	 4096
/* Attempts at getting huge pages from the host. */
#define COMPACTIONS 5

/* The first so many frames of each block are hot. */
static const unsigned int parts[NR_BLOCKS] = { 512, 0, 212, 472, 256 };
static const unsigned int mixed[NR_BLOCKS] = { 512, 52, 102, 512, 0 };
static const unsigned int *hot = parts;
static enum guest_mem_backing backing = GUEST_MEM_THP;

struct vm {
	struct guest_mem *mem;
	struct view *view;
	struct access_source *fake;
	struct reclaim_sink *sink;
	struct engine *engine;
	pthread_mutex_t lock;
	pthread_cond_t scanned;
	unsigned long nr_scans;		/* under lock */
};

static void on_scan(const struct engine_stats *stats, void *arg)
{
	struct vm *vm = arg;

	access_fake_step(vm->fake);
	pthread_mutex_lock(&vm->lock);
	vm->nr_scans++;
	pthread_cond_broadcast(&vm->scanned);
	pthread_mutex_unlock(&vm->lock);
}

/* For nr scans that began after the call. */
static void wait_scans(struct vm *vm, unsigned int nr)
{
	unsigned long until;

	pthread_mutex_lock(&vm->lock);
	until = vm->nr_scans + nr + 1;
	while (vm->nr_scans < until)
		pthread_cond_wait(&vm->scanned, &vm->lock);
	pthread_mutex_unlock(&vm->lock);
}

static uint64_t *page(struct vm *vm, uint64_t gfn)
{
	return guest_mem_ptr(vm->mem, GPA(gfn * PAGE), PAGE);
}

static void fill(struct vm *vm)
{
	for (uint64_t g = 0; g < NR; g++)
		for (uint64_t i = 0; i < PAGE / 8; i++)
			page(vm, g)[i] = (g * 512 + i) * 0x9e3779b97f4a7c15ull;
}

static unsigned int nr_wrong(struct vm *vm)
{
	unsigned int n = 0;

	for (uint64_t g = 0; g < NR; g++)
		for (uint64_t i = 0; i < PAGE / 8; i++)
			n += page(vm, g)[i] !=
			     (g * 512 + i) * 0x9e3779b97f4a7c15ull;
	return n;
}

static uint64_t count(struct vm *vm, unsigned int block, bool huge)
{
	uint64_t map[BITMAP_WORDS(NR)] = { 0 };
	struct gfn_range all = { GFN(0), NR };
	int rc = huge ? guest_mem_huge(vm->mem, all, map) :
			guest_mem_residency(vm->mem, all, map, NULL);

	if (rc)
		tap_bail("the host's pages can't be read: %s", strerror(-rc));
	return bitmap_count(map, block * BLOCK, (block + 1) * BLOCK);
}

/* Free memory may be fragmented: the kernel compacts it on request. */
static void compact(void)
{
	FILE *f = fopen("/proc/sys/vm/compact_memory", "w");

	if (!f)
		return;
	fputs("1", f);
	fclose(f);
}

/* All of it huge.  -ENOMEM: it is not; else why that can't be known. */
static int fill_huge(struct vm *vm)
{
	struct gfn_range all = { GFN(0), NR };

	for (int i = 0; i < COMPACTIONS; i++) {
		uint64_t map[BITMAP_WORDS(NR)] = { 0 };
		int rc;

		if (i) {
			if (guest_mem_discard(vm->mem, all))
				tap_bail("memory can't be discarded");
			compact();
		}
		fill(vm);
		rc = guest_mem_huge(vm->mem, all, map);
		if (rc || bitmap_count(map, 0, NR) == NR)
			return rc;
	}
	return -ENOMEM;
}

/* False, with the reason reported: this host can't do it. */
static bool prepare(struct vm *vm, const char *name)
{
	static char why[512];
	char trace[256] = "";
	int rc;

	memset(vm, 0, sizeof(*vm));
	pthread_mutex_init(&vm->lock, NULL);
	pthread_cond_init(&vm->scanned, NULL);
	for (unsigned int b = 0; b < NR_BLOCKS; b++)
		if (hot[b])
			snprintf(trace + strlen(trace), 32, "%u-%u ", b * BLOCK,
				 b * BLOCK + hot[b] - 1);
	if (guest_mem_new(&vm->mem, NR * PAGE, backing) ||
	    view_new(&vm->view, vm->mem) ||
	    access_fake_open(&vm->fake, trace, NR, why, sizeof(why)))
		tap_bail("no memory, or a bad trace");
	if (sink_swap.open(&vm->sink, vm->mem, NULL, why, sizeof(why)))
		tap_bail("%s", why);
	rc = fill_huge(vm);
	if (rc == -ENOMEM && geteuid())
		tap_skip(name, "the host gave no huge pages, and only root "
			 "may compact its memory or mount a tmpfs");
	else if (rc == -ENOMEM)
		ok(false, "%s: the host gave no huge pages: echo madvise >"
		   "/sys/kernel/mm/transparent_hugepage/enabled, and free "
		   "some memory", name);
	else if (rc == -EOPNOTSUPP)
		tap_skip(name, "this kernel does not tell which pages are huge "
			 "(Linux 6.7 does)");
	else if (rc)
		ok(false, "%s: which pages are huge can't be known: %s", name,
		   strerror(-rc));
	return !rc;
}

static void start(struct vm *vm)
{
	const struct engine_config config = {
		.mem = vm->mem, .view = vm->view, .source = vm->fake,
		.sink = vm->sink,
		.policy = { .scan_period_ms = 10, .min_idle_scans = 2,
			    .cpu_percent = 100 },
	};

	if (engine_new(&vm->engine, &config))
		tap_bail("no engine");
	engine_on_scan(vm->engine, on_scan, vm);
}

/* 0: no reclaim. */
static void set_target(struct vm *vm, uint64_t pages)
{
	struct engine_policy p;
	char why[128];

	engine_get_policy(vm->engine, &p);
	p.enabled = pages;
	p.target_bytes = pages * PAGE;
	if (engine_set_policy(vm->engine, &p, why, sizeof(why)))
		tap_bail("%s", why);
}

static void stop(struct vm *vm)
{
	engine_free(vm->engine);
	if (vm->sink)
		vm->sink->ops->close(vm->sink);
	access_close(vm->fake);
	view_free(vm->view);
	guest_mem_free(vm->mem);
	pthread_cond_destroy(&vm->scanned);
	pthread_mutex_destroy(&vm->lock);
}

static void test_reclaim(void)
{
	struct engine_stats s;
	struct vm vm;

	if (!prepare(&vm, "huge pages")) {
		stop(&vm);
		return;
	}
	start(&vm);
	wait_scans(&vm, 6);
	engine_get_stats(vm.engine, &s);
	is_int(s.memory.age_2m[0], NR_BLOCKS - 1,
	       "all but one have young pages");

	/* All that may go is asked for. */
	set_target(&vm, 1);
	wait_scans(&vm, 6);
	engine_get_stats(vm.engine, &s);
	is_int(count(&vm, 0, false), BLOCK, "all hot: it stays");
	is_int(count(&vm, 1, false), 0, "all idle: gone");
	is_int(count(&vm, 2, false), hot[2], "300 idle: these are gone");
	is_int(count(&vm, 3, false), BLOCK, "40 idle: all of it stays");
	is_int(count(&vm, 4, false), hot[4], "half: it is gone");
	is_int(s.reclaim.nr_huge_evicted, 1, "one went whole");
	is_int(s.reclaim.nr_huge_split, 2, "two were split");
	ok(s.reclaim.nr_huge_kept, "one was kept, each time it was asked for");
	is_int(s.reclaim.nr_refaults, 0, "nothing came back");
	is_int(nr_wrong(&vm), 0, "and all has its data");
	stop(&vm);
}

/* A page is requested, and a huge page is evicted: not a hole in it. */
static void test_whole(void)
{
	struct engine_stats s;
	struct vm vm;

	if (!prepare(&vm, "a huge page for a page")) {
		stop(&vm);
		return;
	}
	start(&vm);
	wait_scans(&vm, 6);
	set_target(&vm, NR - 10);
	wait_scans(&vm, 4);
	engine_get_stats(vm.engine, &s);
	ok(s.reclaim.nr_evicted >= BLOCK / 2 && s.reclaim.nr_evicted <= BLOCK,
	   "10 pages too many: %d go", (int)s.reclaim.nr_evicted);
	is_int(s.reclaim.nr_huge_evicted + s.reclaim.nr_huge_split, 1,
	       "of one huge page");
	stop(&vm);
}

/*
 * As second-level page tables do, tells only whether a huge page was used, and
 * forgets it only when all of it is harvested.
 */
static struct access_source_ops one_bit;
static int (*harvest_pages)(struct access_source *src, struct gfn_range range,
			    uint64_t *young);
static uint64_t used[BITMAP_WORDS(NR)];
static struct guest_mem *one_bit_mem;

static int harvest_one_bit(struct access_source *src, struct gfn_range range,
			   uint64_t *young)
{
	uint64_t g = range.start.v, end = g + range.nr, next;
	uint64_t found[BITMAP_WORDS(NR)], huge[BITMAP_WORDS(NR)];
	struct gfn_range all = { GFN(0), NR };
	int rc = harvest_pages(src, all, found);

	if (!rc)
		rc = guest_mem_huge(one_bit_mem, all, huge);
	if (rc)
		return rc;
	for (size_t w = 0; w < BITMAP_WORDS(NR); w++)
		used[w] |= found[w];
	bitmap_clear_range(young, g, end);
	for (; g < end; g = next) {
		uint64_t block = g & ~(uint64_t)(BLOCK - 1);

		next = block + BLOCK < end ? block + BLOCK : end;
		if (!bitmap_test(huge, g)) {
			for (; g < next; g++) {
				if (bitmap_test(used, g))
					bitmap_set(young, g);
				bitmap_clear(used, g);
			}
		} else if (bitmap_count(used, block, block + BLOCK)) {
			bitmap_set_range(young, g, next);
			if (next - g == BLOCK)
				bitmap_clear_range(used, g, next);
		}
	}
	return 0;
}

static void see_one_bit(struct vm *vm)
{
	one_bit = *vm->fake->ops;
	harvest_pages = one_bit.harvest;
	one_bit.harvest = harvest_one_bit;
	one_bit_mem = vm->mem;
	vm->fake->ops = &one_bit;
}

static struct engine_stats stats_of(struct vm *vm)
{
	struct engine_stats s;

	engine_get_stats(vm->engine, &s);
	return s;
}

/*
 * No block has an idle bit but the last, and the target is what is hot.  The
 * mixed blocks are found by a look, and the hot ones are huge again after it.
 */
static void test_look(void)
{
	uint64_t nr_hot = 0;
	struct vm vm;

	hot = mixed;
	if (!prepare(&vm, "a look into huge pages")) {
		stop(&vm);
		return;
	}
	see_one_bit(&vm);
	start(&vm);
	wait_scans(&vm, 6);
	is_int(stats_of(&vm).memory.nr_huge, NR, "all of it is huge");
	is_int(stats_of(&vm).reclaim.nr_huge_looked_at, 0,
	       "and nobody looks while no memory is wanted");

	for (unsigned int b = 0; b < NR_BLOCKS; b++)
		nr_hot += hot[b];
	set_target(&vm, nr_hot);
	for (unsigned int i = 0; i < 1000; i++) {
		struct engine_stats s = stats_of(&vm);

		if (s.memory.nr_resident <= nr_hot &&
		    s.memory.nr_huge == 2 * BLOCK)
			break;
		wait_scans(&vm, 1);
	}
	is_int(count(&vm, 4, false), 0, "idle: gone whole");
	is_int(count(&vm, 1, false), hot[1], "a tenth is hot: the rest is gone");
	is_int(count(&vm, 2, false), hot[2], "a fifth is hot: the same");
	is_int(count(&vm, 0, true) + count(&vm, 3, true), 2 * BLOCK,
	       "hot as a whole: huge");
	ok(stats_of(&vm).reclaim.nr_huge_looked_at >= 2 &&
	   stats_of(&vm).reclaim.nr_huge_evicted == 1,
	   "by a look at %d blocks",
	   (int)stats_of(&vm).reclaim.nr_huge_looked_at);
	is_int(stats_of(&vm).reclaim.nr_refaults, 0, "nothing came back");

	/* Reading it brings back all of it. */
	set_target(&vm, 0);
	is_int(nr_wrong(&vm), 0, "all has its data");
	for (unsigned int i = 0; i < 1000; i++) {
		if (stats_of(&vm).memory.nr_huge == NR)
			break;
		wait_scans(&vm, 1);
	}
	is_int(stats_of(&vm).memory.nr_huge, NR,
	       "without reclaim all that is in memory is huge");
	is_int(nr_wrong(&vm), 0, "with its data");
	stop(&vm);
	hot = parts;
}

static bool even(gfn_t gfn, void *arg)
{
	return gfn.v % 2 == 0;
}

static void test_select(void)
{
	static uint32_t gfns[4 * BLOCK], out[4 * BLOCK];
	uint64_t huge[BITMAP_WORDS(4 * BLOCK)] = { 0 };
	struct frame_observation look = { .resident = true };
	struct frame_table t;
	size_t nr = 0;

	if (frame_table_init(&t, 4 * BLOCK))
		tap_bail("no memory");
	for (uint32_t scan = 1; scan <= 4; scan++)
		for (uint64_t g = 0; g < t.nr; g++) {
			look.young = g / BLOCK == 1 && g % BLOCK < 100;
			frame_observe(&t, GFN(g), &look, scan, 2);
		}
	bitmap_set_range(huge, 0, 2 * BLOCK);
	gfns[nr++] = 7;
	gfns[nr++] = 9;
	gfns[nr++] = BLOCK + 200;
	gfns[nr++] = 2 * BLOCK + 1;
	is_int(select_complete_huge(&t, 2, NULL, NULL, huge, gfns, nr, out,
				    4 * BLOCK),
	       BLOCK + (BLOCK - 100) + 1, "idle frames of huge pages join");
	ok(out[0] == 0 && out[BLOCK - 1] == BLOCK - 1 &&
	   out[BLOCK] == BLOCK + 100 && out[2 * BLOCK - 100] == 2 * BLOCK + 1,
	   "in order; a page that is not huge stays alone");
	is_int(select_complete_huge(&t, 2, even, NULL, huge, gfns, nr, out,
				    4 * BLOCK),
	       BLOCK / 2 + (BLOCK - 100) / 2 + 1, "but for what may not go");
	is_int(select_complete_huge(&t, 2, NULL, NULL, huge, gfns, nr, out,
				    BLOCK + 9),
	       BLOCK, "no huge page is cut where room ends");
	frame_table_destroy(&t);
}

int main(void)
{
	test_select();
	test_reclaim();
	test_whole();
	test_look();
	printf("# a shared file\n");
	backing = GUEST_MEM_MEMFD_THP;
	test_reclaim();
	test_whole();
	test_look();
	return tap_done();
}
