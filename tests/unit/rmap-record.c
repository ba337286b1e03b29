// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A recording of the agent's stream, read back and applied to another map,
 * reproduces the view's map: the same record of every frame, and the same
 * mappings.  Whatever ends a recording affects nothing else.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/rmap-trace.h"
#include "tests/tap.h"
#include "vmm/guest/view-internal.h"

#define FRAMES 4096u
#define PAGE   RMAP_PAGE_SIZE

static struct guest_mem *mem;
static struct view *view;
static char path[] = "/tmp/rmap-record.XXXXXX";
static uint64_t epoch;

#define SAY(t, ...) view_apply(view, &(struct protocol_message){ \
	.type = PROTOCOL_##t, __VA_ARGS__ })

static void run(uint64_t vaddr, uint64_t gfn, uint32_t count, uint32_t flags)
{
	struct protocol_run r = { vaddr, gfn, count, flags };

	SAY(RUNS, .nr = 1, .runs = &r);
}

static void set_flags(uint64_t gfn, uint32_t count, uint32_t flags)
{
	struct protocol_flags f = { gfn, count, flags };

	SAY(FLAGS, .nr = 1, .flags = &f);
}

static void begin(bool full)
{
	SAY(EPOCH_BEGIN, .epoch = { ++epoch, full });
}

static void end(void)
{
	SAY(EPOCH_END, .epoch = { epoch, 0 });
}

static uint32_t rnd(uint32_t below)
{
	static uint32_t x = 20261123;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x % below;
}

/* A section of four VMAs of 16 pages, by turns of a file and anonymous. */
static void say_section(uint32_t pid, bool delta)
{
	uint64_t at = 0x10000;

	SAY(MM, .mm = { pid, delta, PROTOCOL_NO_PGD, "any" });
	if (delta && !rnd(3))
		SAY(VMA, .vma = { at, at + 16 * PAGE, 0, 0, 0, 0,
				  PROTOCOL_VMA_GONE });
	for (unsigned int i = 0; i < 4; i++, at += 32 * PAGE) {
		uint32_t known = delta && rnd(4);

		SAY(VMA, .vma = { at, at + 16 * PAGE, i % 2 ? 3 * i : at / PAGE,
				  i % 2 ? 8 + i : 0, i % 2 ? 100 + i : 0,
				  rnd(16),
				  known ? PROTOCOL_VMA_KEEP :
					  PROTOCOL_VMA_NEW });
		if (known)
			run(at, 0, 1 + rnd(8), PROTOCOL_RUN_UNMAPPED);
		run(at + 8 * PAGE, rnd(2) ? rnd(40) : rnd(FRAMES - 8),
		    1 + rnd(8), 0);
	}
	SAY(MM_END, .pid = pid);
}

static void say_history(unsigned int epochs)
{
	for (unsigned int i = 0; i < epochs; i++) {
		begin(i % 16 == 0);
		for (unsigned int n = rnd(4); n--;)
			set_flags(rnd(FRAMES - 64), 1 + rnd(64), rnd(0x800));
		for (uint32_t pid = 1 + rnd(3); pid < 12; pid += 1 + rnd(4))
			say_section(pid, i % 16 && rnd(4));
		if (!rnd(3))
			SAY(FORGET, .pid = 1 + rnd(12));
		end();
	}
}

/* --- the same mappings ----------------------------------------------------- */

struct mappings {
	unsigned int nr;
	uint64_t sum;		/* of a number for each, in any order */
};

static bool note(const struct rmap *map, uint64_t gfn,
		 const struct rmap_vma *vma, uint64_t addr, void *arg)
{
	struct mappings *p = arg;
	struct rmap_vma_desc d;
	uint64_t x;

	(void)map, (void)gfn;
	rmap_vma_describe(vma, &d);
	x = addr * 3 + rmap_mm_id(rmap_vma_mm(vma)) + d.start * 5 + d.flags * 7 +
	    d.pgoff * 11 + d.file.dev * 13 + d.file.ino * 17;
	p->sum += (x ^ x >> 29) * UINT64_C(0x9e3779b97f4a7c15);
	p->nr++;
	return true;
}

static bool same_frame(const struct rmap *a, const struct rmap *b, uint64_t gfn)
{
	struct mappings p = { 0 }, q = { 0 };
	struct rmap_walk_control pc = { .arg = &p, .rmap_one = note };
	struct rmap_walk_control qc = { .arg = &q, .rmap_one = note };
	struct rmap_page_info i, j;

	if (rmap_page_info(a, gfn, &i) || rmap_page_info(b, gfn, &j) ||
	    rmap_walk(a, gfn, &pc) || rmap_walk(b, gfn, &qc))
		return false;
	return i.mapcount == j.mapcount && i.anon == j.anon &&
	       i.index == j.index && i.flags == j.flags &&
	       i.file.dev == j.file.dev && i.file.ino == j.file.ino &&
	       p.nr == q.nr && p.sum == q.sum;
}

/* Events read, or 0 where the file and the view's map are not the same. */
static size_t replays_to_the_view(void)
{
	struct rmap_config c = { .nr_frames = FRAMES };
	struct rmap *map = NULL;
	struct trace t = { 0 };
	FILE *f = fopen(path, "r");
	size_t nr;
	bool good = f && !trace_read(f, &t) && t.nr_frames == FRAMES &&
		    !rmap_new(&map, &c);

	for (size_t i = 0; good && i < t.nr; i++)
		good = !trace_apply(map, &t.events[i]);
	for (uint64_t gfn = 0; good && gfn < FRAMES; gfn++)
		good = same_frame(map, view_map(view), gfn);
	nr = good ? t.nr : 0;
	rmap_free(map);
	trace_free(&t);
	if (f)
		fclose(f);
	return nr;
}

static void new_view(void)
{
	view_free(view);
	epoch = 0;
	if (view_new(&view, mem))
		tap_bail("no memory");
}

static uint64_t file_size(void)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint64_t)st.st_size;
}

static void test_history(void)
{
	struct rmap_stats s;
	size_t nr;

	new_view();
	is_int(view_record(view, path), 0, "a recording begins");
	is_int(view_record(view, path), -EEXIST, "one at a time");
	say_history(400);
	rmap_get_stats(view_map(view), &s);
	nr = replays_to_the_view();
	ok(nr > 10000 && s.nr_mappings > 100,
	   "%zu events replayed: the map of the view, %llu mappings", nr,
	   (unsigned long long)s.nr_mappings);
	begin(true);
	end();
	nr = replays_to_the_view();
	rmap_get_stats(view_map(view), &s);
	ok(nr && !s.nr_mms, "an empty report: the recording ends all, too");
}

static void test_runs(void)
{
	uint64_t before;

	new_view();
	view_record(view, path);
	begin(true);
	SAY(MM, .mm = { 1, 0, PROTOCOL_NO_PGD, "one" });
	SAY(VMA, .vma = { 0, 1000 * PAGE, 0, 0, 0, 3, PROTOCOL_VMA_NEW });
	run(0, 1000, 1000, 0);
	set_flags(0, FRAMES, PROTOCOL_PG_ANON);
	SAY(MM_END, .pid = 1);
	end();
	before = file_size();
	ok(before > 0 && before < 200, "5,096 pages reported in runs: %llu bytes",
	   (unsigned long long)before);
	/* A process, a VMA, 1,000 pages, flags, and the begin and end of their scan. */
	is_int((int)replays_to_the_view(), 1005, "all of them are read");
}

/* The largest file a process may write stands for a full disk. */
static void test_full(void)
{
	struct rlimit old, small;
	size_t nr;

	new_view();
	view_record(view, path);
	say_history(8);
	nr = replays_to_the_view();
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = file_size() + 100;
	setrlimit(RLIMIT_FSIZE, &small);
	say_history(1);
	say_history(100);
	setrlimit(RLIMIT_FSIZE, &old);
	is_int((int)(file_size() + 100), (int)small.rlim_cur,
	       "no room: the file is cut back to the last whole report");
	ok(view->stats.epoch == epoch, "the view goes on");
	new_view();
	ok(nr > 0, "the recording before it was whole: %zu events", nr);
}

static void test_bound(void)
{
	struct record *rec = NULL;
	uint64_t whole;

	if (record_open(&rec, path, FRAMES, 4096))
		tap_bail("no recording");
	record_mm(rec, 7);
	record_sync(rec);
	whole = file_size();
	for (uint32_t i = 0; i < 100000; i++)
		record_mm(rec, i);
	record_sync(rec);
	record_close(rec);
	ok(whole && file_size() == whole,
	   "beyond its bound it stops: %llu bytes",
	   (unsigned long long)file_size());
}

static void test_refused(void)
{
	new_view();
	is_int(view_record(view, "/nosuch/file"), -ENOENT,
	       "no such directory: -ENOENT");
	is_int(view_record(view, "/tmp"), -EISDIR, "a directory: -EISDIR");
	record_close(NULL);
	record_sync(NULL);
	record_map(NULL, 1, 0, GFN(0));
	is_int(view_record(view, "/dev/full"), 0, "a full device can be opened");
	say_history(3);
	ok(view->stats.epoch == epoch, "and stops nothing");
}

int main(void)
{
	int fd = mkstemp(path);

	if (fd < 0 || guest_mem_new(&mem, FRAMES * PAGE, false))
		tap_bail("no memory");
	close(fd);
	signal(SIGXFSZ, SIG_IGN);
	test_history();
	test_runs();
	test_full();
	test_bound();
	test_refused();
	view_free(view);
	guest_mem_free(mem);
	unlink(path);
	return tap_done();
}
