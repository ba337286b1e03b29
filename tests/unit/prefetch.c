// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which pages the engine prefetches, and when.  A sink between the engine and
 * the host's swap records the requests.  The guest's actions happen in the
 * engine's own callback, between two scans, so that each scan observes exactly
 * one step.  Frames are shuffled: neighbours in the guest's addresses are not
 * neighbours in its memory.
 */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "tests/one-cpu.h"
#include "tests/tap.h"
#include "tests/unit/fake-source.h"
#include "vmm/engine/engine.h"
#include "vmm/util/bitmap.h"

#define NR    1024
#define ALL   1536		/* frames; the last is what a target leaves */
#define PAGE  4096
#define BASE  UINT64_C(0x7f0000000000)
#define SCANS 8			/* more than a story has */

static struct guest_mem *mem;
static struct view *view;
static struct access_source *source;
static const struct reclaim_sink_ops *inner_ops = &sink_swap;
static struct reclaim_sink *inner;
static bool inner_fails;	/* to bring anything back */
static struct engine *engine;

/* A step of the guest; its number is that of the scan since all was evicted. */
static void (*step)(unsigned int nr);
static unsigned int nr_steps;
static atomic_bool away, done;

/* By virtual page: asked for in the scan before step i. */
static uint64_t asked[SCANS][BITMAP_WORDS(NR)];

static uint64_t frame_of(uint64_t page)
{
	return page * 389 % NR;		/* 389 is odd: a permutation */
}

static uint64_t page_of(uint64_t gfn)
{
	uint64_t page = 0;

	while (frame_of(page) != gfn)
		page++;
	return page;
}

static uint8_t *at(uint64_t page)
{
	return guest_mem_ptr(mem, GPA(frame_of(page) * PAGE), PAGE);
}

static void touch(uint64_t first, uint64_t end)
{
	for (; first < end; first++)
		if (*(volatile uint8_t *)at(first) != (uint8_t)(first + 1))
			tap_bail("page %llu is wrong",
				 (unsigned long long)first);
}

static int record_evict(struct reclaim_sink *s, const struct gfn_range *r,
			size_t nr, struct reclaim_result *res)
{
	return inner->ops->evict(inner, r, nr, res);
}

static int record_prefetch(struct reclaim_sink *s, const struct gfn_range *r,
			   size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		for (uint64_t g = r[i].start.v; g < r[i].start.v + r[i].nr; g++)
			bitmap_set(asked[nr_steps % SCANS], page_of(g));
	return inner_fails ? -EIO : inner->ops->prefetch(inner, r, nr);
}

static const struct reclaim_sink_ops record_ops = {
	.name = "record", .evict = record_evict, .prefetch = record_prefetch,
};
static struct reclaim_sink record = { .ops = &record_ops };

static void on_scan(const struct engine_stats *s, void *arg)
{
	struct engine_policy p;
	char why[128];

	if (done)
		return;
	if (!away) {
		if (s->reclaim.nr_evicted < NR)
			return;
		/* From here on nothing is evicted, and all used is seen. */
		engine_get_policy(engine, &p);
		p.target_bytes = 0;
		if (engine_set_policy(engine, &p, why, sizeof(why)))
			tap_bail("%s", why);
		away = true;
	} else {
		nr_steps++;
	}
	access_fake_step(source);
	if (nr_steps < SCANS - 1)
		step(nr_steps);
	else
		done = true;
}

static char *make_trace(void)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		tap_bail("no memory");
	fputs("-\n", f);
	for (int i = 0; i < 2 * SCANS; i++)
		fprintf(f, "0-%d\n", ALL - 1);
	fclose(f);
	return text;
}

static void make_map(void)
{
	const struct rmap_vma_desc desc = { .start = BASE,
					    .end = BASE + NR * PAGE };
	struct rmap *map = view_map(view);
	struct rmap_vma *vma;
	struct rmap_mm *mm;

	view_wrlock(view);
	if (rmap_mm_add(map, 1, RMAP_NO_PGD, &mm) ||
	    rmap_vma_add(map, mm, &desc, &vma))
		tap_bail("no memory");
	for (uint64_t i = 0; i < NR; i++)
		if (rmap_map_page(map, vma, BASE + i * PAGE, frame_of(i)))
			tap_bail("no memory");
	view_unlock(view);
}

/* Tells the story; what became of it. */
static struct engine_stats tell(void (*story)(unsigned int nr),
				unsigned int prefetch_pages)
{
	struct engine_config config = {
		.policy = { .enabled = true, .target_bytes = PAGE,
			    .scan_period_ms = 10, .min_idle_scans = 1,
			    .cpu_percent = 100,
			    .prefetch_pages = prefetch_pages },
	};
	char why[256], *trace = make_trace();
	struct engine_stats s;

	memset(asked, 0, sizeof(asked));
	step = story;
	nr_steps = 0;
	away = done = false;
	if (guest_mem_new(&mem, ALL * PAGE, GUEST_MEM_ANON) ||
	    view_new(&view, mem))
		tap_bail("no memory");
	make_map();
	if (inner_ops->open(&inner, mem, NULL, why, sizeof(why)))
		tap_bail("%s", why);
	if (access_fake_open(&source, trace, ALL, why, sizeof(why)))
		tap_bail("%s", why);
	free(trace);
	for (uint64_t i = 0; i < NR; i++)
		memset(at(i), i + 1, PAGE);
	memset(guest_mem_ptr(mem, GPA((ALL - 1) * PAGE), PAGE), 1, PAGE);
	config.mem = mem;
	config.view = view;
	config.source = source;
	config.sink = &record;
	if (engine_new(&engine, &config))
		tap_bail("no engine");
	engine_on_scan(engine, on_scan, NULL);
	while (!done)
		usleep(1000);
	engine_get_stats(engine, &s);
	engine_free(engine);
	touch(0, NR);
	inner->ops->close(inner);
	access_close(source);
	view_free(view);
	guest_mem_free(mem);
	return s;
}

/* Whether step nr's scan asked for [first, end) and nothing else. */
static void check(unsigned int nr, uint64_t first, uint64_t end,
		  const char *name)
{
	uint64_t in = bitmap_count(asked[nr], first, end);
	uint64_t all = bitmap_count(asked[nr], 0, NR);

	ok(in == end - first && all == in, "%s (%llu asked for, %llu of "
	   "them right)", name, (unsigned long long)all,
	   (unsigned long long)in);
}

static void walk(unsigned int nr)
{
	if (nr == 0)
		touch(100, 140);
	else if (nr == 1)
		touch(140, 204);	/* what was asked back by then */
}

static void walk_at_end(unsigned int nr)
{
	if (nr == 0)
		touch(NR - 40, NR);
}

static void scattered(unsigned int nr)
{
	if (nr == 0)
		for (uint64_t i = 0; i < NR; i += 40)
			touch(i, i + 1);
}

static void wrong_guess(unsigned int nr)
{
	if (nr == 0)
		touch(100, 140);
	else if (nr == 1)
		touch(500, 540);	/* not what was asked back */
}

static void test_walks(void)
{
	struct engine_stats s = tell(walk, 4096);

	/* Step 0 ends the scan that evicted the last: the next one checks. */
	check(0, 140, 204, "a walk: the 64 next pages by address");
	check(1, 204, 332, "they are used: the next 128");
	check(2, 0, 0, "it ends: nothing more");
	ok(s.prefetch.nr_prefetched == 192 && s.prefetch.nr_prefetch_hits >= 64,
	   "192 asked back, %llu of them used",
	   (unsigned long long)s.prefetch.nr_prefetch_hits);
	is_int(s.reclaim.nr_refaults, 40,
	       "only what the guest waited for is a refault");
	s = tell(walk, 100);
	check(1, 204, 304, "the policy's limit holds");
	tell(walk_at_end, 4096);
	check(0, NR - 104, NR - 40, "at the region's end: the 64 behind");
	s = tell(scattered, 4096);
	ok(!s.prefetch.nr_prefetched && s.reclaim.nr_refaults >= NR / 40,
	   "scattered refaults are no walk");
	tell(wrong_guess, 4096);
	check(1, 540, 604, "what was asked for is not used: no more than before");
	s = tell(walk, 0);
	ok(!s.prefetch.nr_prefetched && s.reclaim.nr_refaults == 104,
	   "without prefetch: none");
}

/*
 * A store whose device can't be read for the moment; who touches a page later gets
 * it.
 */
static void test_failing(void)
{
	struct engine_stats s;
	char why[256];
	int rc;

	if (guest_mem_new(&mem, ALL * PAGE, GUEST_MEM_ANON))
		tap_bail("no memory");
	rc = sink_store.open(&inner, mem, NULL, why, sizeof(why));
	if (!rc)
		inner->ops->close(inner);
	guest_mem_free(mem);
	if (tap_lacks_root(rc)) {
		tap_skip("a store that can't be read", why);
		return;
	}
	if (!ok(!rc, "there is a store"))
		return;
	inner_ops = &sink_store;
	s = tell(walk, 4096);
	/* More than the guest asks for: what is there counts as used here. */
	ok(s.prefetch.nr_prefetched >= 192 && s.reclaim.nr_refaults == 40,
	   "a store brings back what is asked for");
	inner_fails = true;
	s = tell(walk, 4096);
	check(1, 204, 268, "one that fails is asked again, for no more");
	is_int(s.prefetch.nr_prefetched, 0, "but nothing was brought back");
	is_int(s.prefetch.nr_prefetch_hits, 0, "so nothing of that was used");
	is_int(s.reclaim.nr_refaults, 104, "and the guest has waited for all");
	inner_fails = false;
	inner_ops = &sink_swap;
}

/* A sink whose pages stay where they are, and usable. */
static int stay_evict(struct reclaim_sink *s, const struct gfn_range *r,
		      size_t nr, struct reclaim_result *res)
{
	for (size_t i = 0; i < nr; i++)
		for (uint64_t g = r[i].start.v; g < r[i].start.v + r[i].nr; g++)
			guest_mem_set_evicted(mem, GFN(g), true);
	return 0;
}

static int stay_prefetch(struct reclaim_sink *s, const struct gfn_range *r,
			 size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		for (uint64_t g = r[i].start.v; g < r[i].start.v + r[i].nr; g++)
			guest_mem_set_evicted(mem, GFN(g), false);
	return 0;
}

static void on_scan_stays(const struct engine_stats *s, void *arg)
{
	struct engine_policy p;
	char why[128];

	if (!away) {
		if (s->reclaim.nr_evicted < NR)
			return;
		engine_get_policy(engine, &p);
		p.target_bytes = 0;
		if (engine_set_policy(engine, &p, why, sizeof(why)))
			tap_bail("%s", why);
		away = true;
		/* Two are used, ten can't be looked at. */
		access_fake_assume(source, (struct gfn_range){ GFN(100), 10 });
		access_fake_step(source);
	} else if (++nr_steps == 3) {
		done = true;
	}
}

static void test_promotion(void)
{
	static const struct reclaim_sink_ops ops = {
		.name = "stay",
		.accessible_in_place = true,
		.evict = stay_evict,
		.prefetch = stay_prefetch,
	};
	struct reclaim_sink sink = { .ops = &ops };
	struct engine_config config = {
		.sink = &sink,
		.policy = { .enabled = true, .target_bytes = PAGE,
			    .scan_period_ms = 10, .min_idle_scans = 1,
			    .cpu_percent = 100 },
	};
	struct engine_stats s;
	char why[256];

	nr_steps = 0;
	away = done = false;
	if (guest_mem_new(&mem, ALL * PAGE, GUEST_MEM_ANON) ||
	    view_new(&view, mem) ||
	    access_fake_open(&source, "-\n5 9\n-\n-\n-\n", ALL, why,
			     sizeof(why)))
		tap_bail("no memory");
	for (uint64_t i = 0; i < NR; i++)
		memset(at(i), i + 1, PAGE);
	memset(guest_mem_ptr(mem, GPA((ALL - 1) * PAGE), PAGE), 1, PAGE);
	guest_mem_set_evicted(mem, GFN(0), false);
	guest_mem_set_accessible_in_place(mem, true);
	config.mem = mem;
	config.view = view;
	config.source = source;
	if (engine_new(&engine, &config))
		tap_bail("no engine");
	engine_on_scan(engine, on_scan_stays, NULL);
	while (!done)
		usleep(1000);
	engine_get_stats(engine, &s);
	engine_free(engine);
	is_int(s.reclaim.nr_evicted, NR,
	       "pages that stay usable: all are evicted");
	ok(s.prefetch.nr_promoted == 2 && !guest_mem_is_evicted(mem, GFN(5)) &&
		   !guest_mem_is_evicted(mem, GFN(9)),
	   "what was used is asked back, "
	   "what could not be looked at is not: %llu",
	   (unsigned long long)s.prefetch.nr_promoted);
	is_int(s.reclaim.nr_refaults, 2, "and counts as refaults");
	ok(s.memory.nr_resident == 3 && s.memory.nr_swapped == NR - 2,
	   "the others count as in swap");
	access_close(source);
	view_free(view);
	guest_mem_free(mem);
}

int main(void)
{
	char why[256];
	int rc;

	stay_on_one_cpu(NULL);
	test_promotion();
	test_failing();
	if (guest_mem_new(&mem, ALL * PAGE, GUEST_MEM_ANON))
		tap_bail("no memory");
	rc = sink_swap.probe(mem, why, sizeof(why));
	guest_mem_free(mem);
	if (rc)
		ok(false, "walks: %s", why);
	else
		test_walks();
	return tap_done();
}
