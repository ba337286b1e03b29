// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Histories of processes, replayed through each scheme and compared with an
 * oracle, a plain list of all mappings.  A history that fails is made smaller
 * while it still fails, and printed as a trace to be replayed:
 *
 *	rmap-replay FILE	replays a trace (tests/bench/rmap-trace.h)
 *	rmap-replay -p NAME	prints the small trace of a generator
 *
 * RMAP_REPLAY_SCALE=N makes the generated ones N times as large.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tap.h"
#include "tests/unit/rmap-oracle.h"

static const char *const schemes[] = { "anon_vma", "anon_mm", "pte_chain" };

/* --- replay and shrink ---------------------------------------------------- */

struct run {
	enum rmap_scheme scheme;
	unsigned int every;		/* check every frame, that often */
	bool lose_unmaps;		/* a fault to be found: in the map only */
	size_t failed_at;
	const char *why;
	uint64_t why_gfn;
};

/*
 * After each event what it can have changed is looked at: one frame or two for
 * a page, else all.
 */
static bool check_event(struct oracle *o, const struct rmap *map,
			const struct trace_event *e)
{
	switch (e->op) {
	case TRACE_FORK:
	case TRACE_EXIT:
	case TRACE_MUNMAP:
	case TRACE_MREMAP:
		return oracle_check(o, map);
	case TRACE_MAP:
		if (!check_one(o, map, e->arg))
			return false;
		break;
	case TRACE_UNMAP:
		break;
	default:
		return check_numbers(o, map);
	}
	return check_numbers(o, map) &&
	       (o->lost == UINT64_MAX || check_one(o, map, o->lost));
}

static bool replay(struct run *r, const struct trace *t)
{
	struct rmap_config c = { .nr_frames = t->nr_frames,
				 .scheme = r->scheme };
	struct oracle o = { .nr_frames = t->nr_frames };
	struct rmap *map;
	bool good = true;

	o.first = calloc(t->nr_frames, sizeof(*o.first));
	if (!o.first || rmap_new(&map, &c))
		abort();
	for (size_t i = 0; i < t->nr && good; i++) {
		const struct trace_event *e = &t->events[i];

		r->failed_at = i;
		o.lost = UINT64_MAX;
		if (!oracle_apply(&o, e))
			continue;
		if (!(r->lose_unmaps && e->op == TRACE_UNMAP) &&
		    trace_apply(map, e))
			good = disagree(&o, "the map refused", 0);
		else if (i % r->every == 0 || i == t->nr - 1)
			good = oracle_check(&o, map);
		else
			good = check_event(&o, map, e);
	}
	r->why = o.why;
	r->why_gfn = o.why_gfn;
	rmap_free(map);
	free(o.maps);
	free(o.vmas);
	free(o.mms);
	free(o.first);
	free(o.next);
	return good;
}

/*
 * Takes away ever smaller pieces of the trace as long as it still fails; what
 * makes no sense without them is skipped by the replay.
 */
static void shrink(struct run *r, struct trace *t)
{
	struct trace less = { .nr_frames = t->nr_frames };

	if (!replay(r, t))
		t->nr = r->failed_at + 1;
	for (size_t piece = t->nr / 2; piece; piece /= 2) {
		bool again = true;

		while (again) {
			again = false;
			for (size_t at = 0; at < t->nr;) {
				less.nr = 0;
				for (size_t i = 0; i < t->nr; i++) {
					if (i < at || i >= at + piece)
						trace_add(&less, t->events[i]);
				}
				if (replay(r, &less)) {
					at += piece;
					continue;
				}
				memcpy(t->events, less.events,
				       less.nr * sizeof(*t->events));
				t->nr = less.nr;
				again = piece == 1;
			}
		}
	}
	trace_free(&less);
}

static void print_failure(struct run *r, struct trace *t)
{
	printf("# event %zu: %s, frame %llu; smallest history:\n", r->failed_at,
	       r->why, (unsigned long long)r->why_gfn);
	shrink(r, t);
	printf("# frames %llu\n", (unsigned long long)t->nr_frames);
	for (size_t i = 0; i < t->nr; i++) {
		printf("# ");
		trace_print_event(stdout, &t->events[i]);
	}
}

static void test_generators(unsigned int scale)
{
	for (unsigned int g = 0; g < nr_trace_generators; g++) {
		const struct trace_generator *gen = &trace_generators[g];
		struct trace t = { 0 };

		gen->fn(&t, gen->small_scale * scale, gen->small_pages);
		for (unsigned int s = 0; s < 3; s++) {
			struct run r = { .scheme = s, .every = 4 };

			if (!ok(replay(&r, &t), "%s, %s: %zu events, %llu "
				"frames", gen->name, schemes[s], t.nr,
				(unsigned long long)t.nr_frames))
				print_failure(&r, &t);
		}
		trace_free(&t);
	}
}

/*
 * The oracle must notice, and of hundreds of events those must be left without
 * which no unmap can be: mmap, map, unmap and one or two that make a process.
 */
static void test_shrink(void)
{
	struct run r = { .scheme = RMAP_ANON_VMA, .every = 1,
			 .lose_unmaps = true };
	struct trace t = { 0 };
	size_t nr;

	for (unsigned int g = 0; g < nr_trace_generators; g++) {
		if (!strcmp(trace_generators[g].name, "make-j"))
			trace_generators[g].fn(&t, 3, 10);
	}
	nr = t.nr;
	ok(!replay(&r, &t), "a map that loses unmaps is found out");
	shrink(&r, &t);
	ok(t.nr >= 4 && t.nr <= 5 && t.events[0].op == TRACE_MM &&
	   t.events[t.nr - 1].op == TRACE_UNMAP,
	   "its %zu events shrink to %zu", nr, t.nr);
	trace_free(&t);
}

static void test_text(void)
{
	struct trace t = { 0 }, u = { 0 };
	static const char *const bad[] = {
		"mm", "mm 1 2", "map 1 2", "jump 1", "mm -1", "mm 1x",
		"mm 1\nframes 5", "mmap 1 2 3 4 5 6 7 8",
		"frames 9\nmap 1 0 0 10", "frames 9\nunmap 1 0 0",
		"frames 9\nflags 8 1 2", "flags 1",
	};
	static const char runs[] = "frames 9\nmmap 1 0 4096 0 1 7 3\n"
		"map 1 0x1000 5 3\nunmap 1 0x2000 2\nflags 2 0x20 7\n";
	bool same;
	FILE *f = tmpfile();

	for (unsigned int g = 0; g < nr_trace_generators; g++)
		trace_generators[g].fn(&t, 3, 12);
	trace_print(f, &t);
	rewind(f);
	same = !trace_read(f, &u) && t.nr == u.nr &&
	       t.nr_frames == u.nr_frames;
	for (size_t i = 0; same && i < t.nr; i++)
		same = !memcmp(&t.events[i], &u.events[i], sizeof(t.events[0]));
	ok(same, "%zu events are the same after writing and reading", t.nr);
	fclose(f);
	f = fmemopen((void *)runs, strlen(runs), "r");
	u.nr = 0;
	ok(!trace_read(f, &u) && u.nr == 7 && u.events[0].dev == 3 &&
	   u.events[3].addr == 0x3000 && u.events[3].arg == 7 &&
	   u.events[5].op == TRACE_UNMAP && u.events[5].addr == 0x3000 &&
	   u.events[6].addr == 2 && u.events[6].flags == 0x20 &&
	   u.events[6].arg == 7, "runs of pages are read page by page");
	fclose(f);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *last = strchr(bad[i], '\n');

		f = fmemopen((void *)bad[i], strlen(bad[i]), "r");
		u.nr = 0;
		ok(trace_read(f, &u) > 0, "\"%s\" is refused",
		   last ? last + 1 : bad[i]);
		fclose(f);
	}
	trace_free(&t);
	trace_free(&u);
}

static int print_generated(const char *name)
{
	struct trace t = { 0 };

	for (unsigned int g = 0; g < nr_trace_generators; g++) {
		const struct trace_generator *gen = &trace_generators[g];

		if (!strcmp(gen->name, name))
			gen->fn(&t, gen->small_scale, gen->small_pages);
	}
	if (!t.nr) {
		fprintf(stderr, "rmap-replay: no generator '%s'\n", name);
		return 1;
	}
	trace_print(stdout, &t);
	trace_free(&t);
	return 0;
}

static bool read_file(const char *path, struct trace *t)
{
	FILE *f = fopen(path, "r");
	unsigned int line = f ? trace_read(f, t) : 0;
	bool good = f && !line && t->nr_frames && t->nr;

	if (!good)
		fprintf(stderr, "rmap-replay: %s: line %u: %s\n", path, line,
			f ? "not a trace" : strerror(errno));
	if (f)
		fclose(f);
	return good;
}

/* A history may be long: all frames are compared now and then only. */
static void replay_trace(const char *name, struct trace *t)
{
	size_t nr[NR_TRACE_OPS] = { 0 };

	for (size_t i = 0; i < t->nr; i++)
		nr[t->events[i].op]++;
	for (unsigned int s = 0; s < 3; s++) {
		struct run r = { .scheme = s, .every = t->nr / 128 + 1 };

		if (!ok(replay(&r, t), "%s, %s: %zu events, %llu frames", name,
			schemes[s], t->nr, (unsigned long long)t->nr_frames))
			print_failure(&r, t);
	}
	for (unsigned int op = 0; op < NR_TRACE_OPS; op++)
		printf("# %s: %zu\n", trace_op_names[op], nr[op]);
}

static int replay_file(const char *path)
{
	struct trace t = { 0 };

	if (!read_file(path, &t))
		return 1;
	replay_trace(path, &t);
	trace_free(&t);
	return tap_done();
}

/* A live guest's history, as `vmm run --agent-record` wrote it. */
static void test_recorded(void)
{
	const char *srcdir = getenv("abs_top_srcdir");
	struct trace t = { 0 };
	char path[4096];

	snprintf(path, sizeof(path), "%s/tests/unit/rmap-recorded.trace",
		 srcdir ? srcdir : "..");
	if (ok(read_file(path, &t), "a recorded history can be read"))
		replay_trace("recorded", &t);
	trace_free(&t);
}

int main(int argc, char **argv)
{
	const char *scale = getenv("RMAP_REPLAY_SCALE");

	if (argc == 3 && !strcmp(argv[1], "-p"))
		return print_generated(argv[2]);
	if (argc == 2)
		return replay_file(argv[1]);
	test_text();
	test_shrink();
	test_recorded();
	test_generators(scale ? strtoul(scale, NULL, 0) : 1);
	return tap_done();
}
