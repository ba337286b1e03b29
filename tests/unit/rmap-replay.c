// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Histories of processes, replayed through each scheme beside an oracle that
 * is a plain list of every mapping.  A history that fails is made smaller
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

#include "tests/bench/rmap-trace.h"
#include "tests/tap.h"

static const char *const schemes[] = { "anon_vma", "anon_mm", "pte_chain" };

/* --- the oracle -------------------------------------------------------------- */

struct mapping {
	uint32_t mm;
	uint64_t addr, gfn;
};

struct vma {
	uint32_t mm;
	uint64_t start, end;
};

struct oracle {
	struct mapping *maps;	/* owned */
	struct vma *vmas;	/* owned */
	uint32_t *mms;		/* owned */
	size_t nr_maps, max_maps, nr_vmas, max_vmas, nr_mms, max_mms;
	uint64_t nr_frames;
	/* rebuilt by the check: mappings of each frame */
	uint32_t *first, *next;	/* owned; index + 1 */
	const struct rmap *map;
	unsigned int hits;
	bool good;
	const char *why;
	uint64_t why_gfn;
};

#define ORACLE_PUSH(o, what, value) do {                                    \
	if ((o)->nr_##what == (o)->max_##what) {                            \
		(o)->max_##what = (o)->max_##what * 2 + 64;                 \
		(o)->what = realloc((o)->what,                              \
			(o)->max_##what * sizeof(*(o)->what));              \
		if (!(o)->what)                                             \
			abort();                                            \
	}                                                                   \
	(o)->what[(o)->nr_##what++] = (value);                              \
} while (0)

static bool has_mm(const struct oracle *o, uint32_t mm)
{
	for (size_t i = 0; i < o->nr_mms; i++) {
		if (o->mms[i] == mm)
			return true;
	}
	return false;
}

static struct vma *vma_at(const struct oracle *o, uint32_t mm, uint64_t start,
			  uint64_t end)
{
	for (size_t i = 0; i < o->nr_vmas; i++) {
		if (o->vmas[i].mm == mm && o->vmas[i].start < end &&
		    start < o->vmas[i].end)
			return &o->vmas[i];
	}
	return NULL;
}

static void forget(struct oracle *o, uint32_t mm, uint64_t start, uint64_t end)
{
	size_t n = 0;

	for (size_t i = 0; i < o->nr_maps; i++) {
		if (o->maps[i].mm != mm || o->maps[i].addr < start ||
		    o->maps[i].addr >= end)
			o->maps[n++] = o->maps[i];
	}
	o->nr_maps = n;
}

static void oracle_exit(struct oracle *o, uint32_t mm)
{
	size_t n = 0;

	forget(o, mm, 0, UINT64_MAX);
	for (size_t i = 0; i < o->nr_vmas; i++) {
		if (o->vmas[i].mm != mm)
			o->vmas[n++] = o->vmas[i];
	}
	o->nr_vmas = n;
	n = 0;
	for (size_t i = 0; i < o->nr_mms; i++) {
		if (o->mms[i] != mm)
			o->mms[n++] = o->mms[i];
	}
	o->nr_mms = n;
}

static void oracle_fork(struct oracle *o, uint32_t parent, uint32_t child)
{
	size_t nr_maps = o->nr_maps, nr_vmas = o->nr_vmas;

	ORACLE_PUSH(o, mms, child);
	for (size_t i = 0; i < nr_vmas; i++) {
		struct vma v = o->vmas[i];

		if (v.mm != parent)
			continue;
		v.mm = child;
		ORACLE_PUSH(o, vmas, v);
	}
	for (size_t i = 0; i < nr_maps; i++) {
		struct mapping m = o->maps[i];

		if (m.mm != parent)
			continue;
		m.mm = child;
		ORACLE_PUSH(o, maps, m);
	}
}

static bool oracle_move(struct oracle *o, const struct trace_event *e)
{
	struct vma *v = vma_at(o, e->mm, e->addr, e->addr + 1);
	uint64_t start, end, new_end;

	if (!v)
		return false;
	start = v->start;
	end = v->end;
	new_end = e->arg + (end - start);
	if (vma_at(o, e->mm, e->arg, new_end))
		return false;
	for (size_t i = 0; i < o->nr_maps; i++) {
		struct mapping *m = &o->maps[i];

		if (m->mm == e->mm && m->addr >= start && m->addr < end)
			m->addr = m->addr - start + e->arg;
	}
	v->start = e->arg;
	v->end = new_end;
	return true;
}

/* False: makes no sense here (a shrunk trace), nothing was done. */
static bool oracle_apply(struct oracle *o, const struct trace_event *e)
{
	struct vma *v = vma_at(o, e->mm, e->addr, e->addr + 1);
	size_t nr = o->nr_maps;

	if (e->op == TRACE_REF)
		return e->addr < o->nr_frames;
	if (e->op == TRACE_MM) {
		if (has_mm(o, e->mm))
			return false;
		ORACLE_PUSH(o, mms, e->mm);
		return true;
	}
	if (!has_mm(o, e->mm))
		return false;
	switch (e->op) {
	case TRACE_FORK:
		if (has_mm(o, e->child))
			return false;
		oracle_fork(o, e->mm, e->child);
		return true;
	case TRACE_EXIT:
		oracle_exit(o, e->mm);
		return true;
	case TRACE_MMAP:
		if (vma_at(o, e->mm, e->addr, e->arg))
			return false;
		ORACLE_PUSH(o, vmas, ((struct vma){ e->mm, e->addr, e->arg }));
		return true;
	case TRACE_MUNMAP:
		if (!v)
			return false;
		forget(o, e->mm, v->start, v->end);
		*v = o->vmas[--o->nr_vmas];
		return true;
	case TRACE_MREMAP:
		return oracle_move(o, e);
	case TRACE_MAP:
		if (!v || e->arg >= o->nr_frames)
			return false;
		forget(o, e->mm, e->addr, e->addr + 1);
		ORACLE_PUSH(o, maps,
			    ((struct mapping){ e->mm, e->addr, e->arg }));
		return true;
	case TRACE_UNMAP:
		forget(o, e->mm, e->addr, e->addr + 1);
		return o->nr_maps < nr;
	default:
		return false;
	}
}

static bool check_place(const struct rmap *map, uint64_t gfn,
			const struct rmap_vma *vma, uint64_t addr, void *arg)
{
	struct oracle *o = arg;
	uint32_t mm = rmap_mm_id(rmap_vma_mm(vma)), i;

	for (i = o->first[gfn]; i; i = o->next[i - 1]) {
		if (o->maps[i - 1].mm == mm && o->maps[i - 1].addr == addr)
			break;
	}
	o->good = i;
	o->hits++;
	return i;
}

static bool disagree(struct oracle *o, const char *why, uint64_t gfn)
{
	o->why = why;
	o->why_gfn = gfn;
	return false;
}

/* Every frame. */
static bool oracle_check(struct oracle *o, const struct rmap *map)
{
	struct rmap_walk_control rwc = { .arg = o, .rmap_one = check_place };
	struct rmap_page_info info;
	struct rmap_stats stats;

	rmap_get_stats(map, &stats);
	if (stats.nr_mappings != o->nr_maps || stats.nr_mms != o->nr_mms ||
	    stats.nr_vmas != o->nr_vmas)
		return disagree(o, "number of mappings, VMAs or processes", 0);
	memset(o->first, 0, o->nr_frames * sizeof(*o->first));
	o->next = realloc(o->next, (o->nr_maps + 1) * sizeof(*o->next));
	if (!o->next)
		abort();
	for (size_t i = 0; i < o->nr_maps; i++) {
		o->next[i] = o->first[o->maps[i].gfn];
		o->first[o->maps[i].gfn] = (uint32_t)(i + 1);
	}
	for (uint64_t gfn = 0; gfn < o->nr_frames; gfn++) {
		unsigned int want = 0;

		for (uint32_t i = o->first[gfn]; i; i = o->next[i - 1])
			want++;
		o->hits = 0;
		o->good = true;
		rmap_page_info(map, gfn, &info);
		if (info.mapcount != (int)want - 1)
			return disagree(o, "mapcount", gfn);
		rmap_walk(map, gfn, &rwc);
		if (!o->good)
			return disagree(o, "a place that is none", gfn);
		if (o->hits != want)
			return disagree(o, "a place missed or met twice", gfn);
	}
	return true;
}

/* --- replay and shrink ---------------------------------------------------- */

struct run {
	enum rmap_scheme scheme;
	unsigned int every;		/* check after so many events */
	bool lose_unmaps;		/* a fault to be found: in the map only */
	size_t failed_at;
	const char *why;
	uint64_t why_gfn;
};

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
		if (!oracle_apply(&o, e))
			continue;
		if (!(r->lose_unmaps && e->op == TRACE_UNMAP) &&
		    trace_apply(map, e))
			good = disagree(&o, "the map refused", 0);
		else if (i % r->every == 0 || i == t->nr - 1)
			good = oracle_check(&o, map);
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

	r->every = 1;
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
		"mm 1\nframes 5", "mmap 1 2 3 4 5 6 7",
	};
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
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		f = fmemopen((void *)bad[i], strlen(bad[i]), "r");
		u.nr = 0;
		ok(trace_read(f, &u) > 0, "\"%s\" is refused", i == 6 ?
		   "frames after an event" : bad[i]);
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

static int replay_file(const char *path)
{
	struct trace t = { 0 };
	FILE *f = fopen(path, "r");
	unsigned int line = f ? trace_read(f, &t) : 0;

	if (!f || line || !t.nr_frames || !t.nr) {
		fprintf(stderr, "rmap-replay: %s: line %u: %s\n", path, line,
			f ? "not a trace" : strerror(errno));
		return 1;
	}
	fclose(f);
	for (unsigned int s = 0; s < 3; s++) {
		struct run r = { .scheme = s, .every = 1 };

		if (!ok(replay(&r, &t), "%s, %s", path, schemes[s]))
			print_failure(&r, &t);
	}
	trace_free(&t);
	return tap_done();
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
	test_generators(scale ? strtoul(scale, NULL, 0) : 1);
	return tap_done();
}
