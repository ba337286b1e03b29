// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store as a sink, without a guest: threads that write to pages, check them
 * and give them back, while others of their pages are evicted and prefetched.
 * Each page holds a number in all of its words, known to the writer.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/sink/sink.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"

#define MIB	   (UINT64_C(1) << 20)
#define MEM_BYTES  (132 * MIB)		/* so that there are three blocks */
#define NR_USED	   1536u
#define NR_WRITERS 3u
#define WORDS	   512
#define GIVE_UP_NS (UINT64_C(120) * 1000000000)

struct world {
	struct guest_mem *mem;
	struct reclaim_sink *sink;
	bool stop;		/* atomic */
};

struct writer {
	struct world *w;
	unsigned int id;
	uint64_t seed, steps, wrong;
	uint32_t numbers[NR_USED];
	pthread_t thread;
};

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *seed >> 33;
}

/* Pages in use lie on both sides of the ends of blocks. */
static gfn_t frame_of(unsigned int i)
{
	return GFN((i % 2 + 1) * (UINT64_C(1) << 14) - NR_USED / 4 + i / 2);
}

static uint64_t *words_of(const struct world *w, unsigned int i)
{
	return guest_mem_ptr(w->mem, gfn_to_gpa(frame_of(i)), VMM_PAGE_SIZE);
}

static uint64_t word(uint32_t number, unsigned int k)
{
	/* A quarter is random, so that it needs room. */
	return !number ? 0 : k % 4 ? number :
		(number + k) * UINT64_C(0x9e3779b97f4a7c15);
}

static bool has_number(const uint64_t *p, uint32_t number)
{
	for (unsigned int k = 0; k < WORDS; k++)
		if (p[k] != word(number, k))
			return false;
	return true;
}

static void one_step(struct writer *wr)
{
	unsigned int i = next_random(&wr->seed) % (NR_USED / NR_WRITERS) *
			 NR_WRITERS + wr->id;
	volatile uint64_t *p = words_of(wr->w, i);

	switch (next_random(&wr->seed) % 8) {
	case 0:
		if (guest_mem_discard(wr->w->mem,
				      (struct gfn_range){ frame_of(i), 1 }))
			wr->wrong++;
		wr->numbers[i] = 0;
		break;
	case 1: case 2: case 3:
		wr->numbers[i]++;
		for (unsigned int k = 0; k < WORDS; k++)
			p[k] = word(wr->numbers[i], k);
		break;
	default:
		wr->wrong += !has_number((const uint64_t *)p, wr->numbers[i]);
	}
	wr->steps++;
}

static void *write_on(void *arg)
{
	struct writer *wr = arg;

	while (!__atomic_load_n(&wr->w->stop, __ATOMIC_ACQUIRE))
		one_step(wr);
	return NULL;
}

/* Runs of the pages in use, of up to 100. */
static struct gfn_range random_range(uint64_t *seed)
{
	unsigned int i = next_random(seed) % NR_USED;
	uint64_t nr = 1 + next_random(seed) % 100;

	return (struct gfn_range){ frame_of(i), nr };
}

static struct reclaim_sink_stats stats_of(struct world *w)
{
	struct reclaim_sink_stats s;

	w->sink->ops->get_stats(w->sink, &s);
	return s;
}

static void evict_for(struct world *w, unsigned int rounds,
		      struct reclaim_result *res)
{
	uint64_t seed = 7;

	for (unsigned int i = 0; i < rounds; i++) {
		struct gfn_range r[2] = { random_range(&seed),
					  random_range(&seed) };
		int rc = w->sink->ops->evict(w->sink, r, 2, res);

		if (!rc && i % 4 == 0)
			rc = w->sink->ops->prefetch(w->sink, r, 1);
		if (rc)
			tap_bail("evict: %s", strerror(-rc));
	}
}

static void open_world(struct world *w, enum guest_mem_backing backing,
		       const char *options)
{
	char why[256];

	*w = (struct world){ 0 };
	if (guest_mem_new(&w->mem, MEM_BYTES, backing))
		tap_bail("no memory");
	if (sink_store.open(&w->sink, w->mem, options, why, sizeof(why)))
		tap_bail("no sink: %s", why);
}

static void close_world(struct world *w)
{
	w->sink->ops->close(w->sink);
	guest_mem_free(w->mem);
}

static void test_writers(enum guest_mem_backing backing, const char *options,
			 const char *name)
{
	static struct writer wr[NR_WRITERS];
	uint64_t steps = 0, wrong = 0, bad = 0, give_up;
	struct reclaim_result res = { 0 };
	struct reclaim_sink_stats s;
	struct world w;

	open_world(&w, backing, options);
	memset(wr, 0, sizeof(wr));
	for (unsigned int i = 0; i < NR_WRITERS; i++) {
		wr[i].w = &w;
		wr[i].id = wr[i].seed = i;
		if (pthread_create(&wr[i].thread, NULL, write_on, &wr[i]))
			tap_bail("no thread");
	}
	/* However slow the machine: until enough has happened. */
	give_up = clock_now_ns() + GIVE_UP_NS;
	do {
		evict_for(&w, 10, &res);
		s = stats_of(&w);
	} while ((s.nr_faults < 2000 || res.evicted < 2000) &&
		 clock_now_ns() < give_up);
	__atomic_store_n(&w.stop, true, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < NR_WRITERS; i++) {
		pthread_join(wr[i].thread, NULL);
		steps += wr[i].steps;
		wrong += wr[i].wrong;
	}
	ok(!wrong, "%s: every read is what was written (%llu steps)", name,
	   (unsigned long long)steps);
	ok(res.evicted && s.nr_faults && res.tried ==
	   res.evicted + res.absent + res.kept,
	   "%s: %llu pages were evicted, %llu came back, %llu were written to",
	   name, (unsigned long long)res.evicted,
	   (unsigned long long)s.nr_faults,
	   (unsigned long long)s.nr_cancelled);
	for (unsigned int i = 0; i < NR_USED; i++)
		bad += !has_number(words_of(&w, i),
				   wr[i % NR_WRITERS].numbers[i]);
	is_int(bad, 0, "all pages are right at the end");
	s = stats_of(&w);
	is_int(s.store.nr_damaged + s.nr_poisoned + s.nr_waiting, 0,
	       "nothing was damaged");
	close_world(&w);
}

static void fill_some(struct world *w, unsigned int nr, uint32_t number)
{
	for (unsigned int i = 0; i < nr; i++)
		for (unsigned int k = 0; k < WORDS; k++)
			words_of(w, 2 * i)[k] = word(number, k);
}

static bool some_have(const struct world *w, unsigned int nr, uint32_t number)
{
	for (unsigned int i = 0; i < nr; i++)
		if (!has_number(words_of(w, 2 * i), number))
			return false;
	return true;
}

static uint64_t count_of(const struct world *w, struct gfn_range r, bool away)
{
	uint64_t nr = guest_mem_nr_frames(w->mem);
	uint64_t *resident = bitmap_new(nr), *swapped = bitmap_new(nr), n;

	if (guest_mem_residency(w->mem, r, resident, swapped))
		tap_bail("no residency");
	n = bitmap_count(away ? swapped : resident, r.start.v,
			 r.start.v + r.nr);
	free(resident);
	free(swapped);
	return n;
}

static void test_life(enum guest_mem_backing backing, const char *name)
{
	const struct gfn_range r = { frame_of(0), 200 };
	struct reclaim_result res = { 0 };
	struct reclaim_sink_stats s;
	struct world w;

	open_world(&w, backing, "codec=zstd:3,mem=4M");
	fill_some(&w, 200, 0x1234);
	is_int(count_of(&w, r, false), 200, name);
	is_int(w.sink->ops->evict(w.sink, &r, 1, &res), 0, "evicted");
	ok(res.evicted == 200 && !count_of(&w, r, false),
	   "none is resident any more");
	is_int(count_of(&w, r, true), 200, "all count as swapped");
	res = (struct reclaim_result){ 0 };
	w.sink->ops->evict(w.sink, &r, 1, &res);
	is_int(res.absent, 200, "once more: they are absent");
	guest_mem_discard(w.mem, (struct gfn_range){ frame_of(0), 50 });
	s = stats_of(&w);
	is_int(s.store.nr_pages, 150, "what the guest gives back is dropped");
	ok(has_number(words_of(&w, 0), 0), "and reads as zeros");
	is_int(w.sink->ops->prefetch(w.sink, &(struct gfn_range){
		frame_of(100), 50 }, 1), 0, "50 are brought back");
	s = stats_of(&w);
	is_int(s.store.nr_pages, 100, "and have left the store");
	fill_some(&w, 50, 0x1234);
	ok(some_have(&w, 200, 0x1234), "all are as they were");
	s = stats_of(&w);
	ok(!s.store.nr_pages && !s.store.mem_block_bytes,
	   "nothing is left in the store");
	is_int(w.sink->ops->evict(w.sink, &(struct gfn_range){
		GFN(MEM_BYTES / VMM_PAGE_SIZE - 1), 2 }, 1, &res), -EFAULT,
	       "frames that are not RAM are refused");
	close_world(&w);
}

static void test_full(void)
{
	const struct gfn_range r = { frame_of(0), 500 };
	struct reclaim_result res = { 0 };
	struct world w;

	open_world(&w, GUEST_MEM_ANON, "codec=none,mem=1M");
	fill_some(&w, 500, 0x77);
	is_int(w.sink->ops->evict(w.sink, &r, 1, &res), 0, "a full store");
	ok(res.kept > 200 && res.evicted > 150 && res.kept + res.evicted == 500,
	   "takes %llu pages, the others stay",
	   (unsigned long long)res.evicted);
	ok(some_have(&w, 500, 0x77), "all are as they were");
	fill_some(&w, 500, 0x78);
	ok(some_have(&w, 500, 0x78), "and can be written to");
	close_world(&w);
}

static void test_options(void)
{
	static const struct {
		const char *options, *error;
	} t[] = {
		{ "mem", "mem=''" }, { "colour=red", "'colour'" },
		{ "mem=12q", "mem='12q'" }, { "mem=1K", "1M or more" },
		{ "codec=lz5", "did you mean 'lz4'?" },
		{ "codec=zstd: 5", "a level from 1 to 19" },
		{ "codec=zstd:+5", "a level from 1 to 19" },
		{ "codec=zstd:99", "a level from 1 to 19" },
		{ "size=64M", "size= applies to a device" },
		{ "timeout=2s,mem=1M", "timeout= applies to a device" },
		{ "timeout=2", "timeout='2'" }, { "timeout=2m", "timeout='2m'" },
		{ "timeout=9ms", "timeout='9ms'" },
		{ "timeout=61s", "timeout='61s'" },
		{ "timeout=-1s", "timeout='-1s'" },
		{ "timeout=500ms,shards=0", "shards='0'" },
		{ "timeout=60s,shards=0", "shards='0'" },
		{ "shards=0", "shards='0' is not a number from 1 to 8" },
		{ "timeot=2s", "'timeot': did you mean 'timeout'?" },
		{ "file=", "file=''" },
		{ "file=/tmp/x,nbd=nbd://y", "exclude" },
		{ "file=/nonexistent/x,size=8M", "/nonexistent/x" },
		{ "file=far", "size=SIZE" },
		{ "file=far,size=1M", "4M" },
	};
	const struct reclaim_sink_ops *ops;
	struct reclaim_sink *sink;
	struct guest_mem *mem;
	const char *options;
	char why[256];

	if (guest_mem_new(&mem, 2 * MIB, GUEST_MEM_ANON))
		tap_bail("no memory");
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++)
		ok(sink_store.open(&sink, mem, t[i].options, why,
				   sizeof(why)) < 0 &&
		   strstr(why, t[i].error), "%s: %s", t[i].options, why);
	guest_mem_free(mem);
	ok(!sink_find(&ops, "store,mem=1G", &options, why, sizeof(why)) &&
	   ops == &sink_store && !strcmp(options, "mem=1G"), "store,mem=1G");
	ok(!sink_find(&ops, "swap", &options, why, sizeof(why)) &&
	   ops == &sink_swap && !options, "swap");
	ok(sink_find(&ops, "stor", &options, why, sizeof(why)) == -EINVAL &&
	   strstr(why, "'stor'"), "no other sink");
}

/* 0, or why page faults can't be served. */
static int try_store(char *why, size_t len)
{
	struct reclaim_sink *sink;
	struct guest_mem *mem;
	int rc;

	if (guest_mem_new(&mem, 2 * MIB, GUEST_MEM_ANON))
		tap_bail("no memory");
	rc = sink_store.open(&sink, mem, NULL, why, len);
	if (!rc)
		sink->ops->close(sink);
	guest_mem_free(mem);
	return rc;
}

int main(void)
{
	char why[256], dir[] = "/tmp/vmm-sink-store-XXXXXX";
	int rc;

	if (!mkdtemp(dir) || chdir(dir))
		tap_bail("no directory");
	test_options();
	rc = try_store(why, sizeof(why));
	if (rc) {
		if (tap_lacks_root(rc))
			tap_skip("the store as a sink", why);
		else
			ok(false, "the store as a sink: %s", why);
		rmdir(dir);
		return tap_done();
	}
	test_life(GUEST_MEM_ANON, "private memory: 200 pages are resident");
	test_life(GUEST_MEM_MEMFD, "a memfd: 200 pages are resident");
	test_full();
	test_writers(GUEST_MEM_ANON, "shards=2", "private memory");
	test_writers(GUEST_MEM_MEMFD, "shards=3,codec=zstd", "a memfd");
	/* As long as can be: a busy disk takes its time. */
	test_writers(GUEST_MEM_ANON, "mem=1M,codec=none,size=64M,timeout=60s,"
		     "file=far", "with a file");
	ok(!chdir("/") && !rmdir(dir), "which has no name any more");
	return tap_done();
}
