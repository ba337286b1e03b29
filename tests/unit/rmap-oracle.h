/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The oracle of histories: a plain list of every mapping, one of VMAs and
 * one of processes, and the comparison of a map with them.  Included once a
 * program.
 */
#ifndef TESTS_UNIT_RMAP_ORACLE_H
#define TESTS_UNIT_RMAP_ORACLE_H

#include <stdlib.h>
#include <string.h>

#include "tests/bench/rmap-trace.h"

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
	uint64_t lost;		/* frame of the mapping that went last */
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
		else
			o->lost = o->maps[i].gfn;
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
	/* The reader checked them. */
	if (e->op == TRACE_FLAGS || e->op == TRACE_FLAGS_SCAN)
		return true;
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

static bool check_mapping(const struct rmap *map, uint64_t gfn,
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

static bool check_numbers(struct oracle *o, const struct rmap *map)
{
	struct rmap_stats stats;

	rmap_get_stats(map, &stats);
	return (stats.nr_mappings == o->nr_maps && stats.nr_mms == o->nr_mms &&
		stats.nr_vmas == o->nr_vmas) ||
	       disagree(o, "number of mappings, VMAs or processes", 0);
}

/* One frame, whose `want` mappings o->first and o->next have. */
static bool check_frame(struct oracle *o, const struct rmap *map, uint64_t gfn,
			unsigned int want)
{
	struct rmap_walk_control rwc = { .arg = o, .rmap_one = check_mapping };
	struct rmap_page_info info;

	o->hits = 0;
	o->good = true;
	rmap_page_info(map, gfn, &info);
	if (info.mapcount != (int)want - 1)
		return disagree(o, "mapcount", gfn);
	rmap_walk(map, gfn, &rwc);
	if (!o->good)
		return disagree(o, "a mapping that is none", gfn);
	return o->hits == want ||
	       disagree(o, "a mapping missed or found twice", gfn);
}

static void room_for_lists(struct oracle *o)
{
	o->next = realloc(o->next, (o->nr_maps + 1) * sizeof(*o->next));
	if (!o->next)
		abort();
}

/* The only frame that an event changed: a look through the plain list. */
static bool check_one(struct oracle *o, const struct rmap *map, uint64_t gfn)
{
	unsigned int want = 0;

	room_for_lists(o);
	o->first[gfn] = 0;
	for (size_t i = 0; i < o->nr_maps; i++) {
		if (o->maps[i].gfn != gfn)
			continue;
		o->next[i] = o->first[gfn];
		o->first[gfn] = (uint32_t)(i + 1);
		want++;
	}
	return check_frame(o, map, gfn, want);
}

/* Every frame. */
static bool oracle_check(struct oracle *o, const struct rmap *map)
{
	if (!check_numbers(o, map))
		return false;
	memset(o->first, 0, o->nr_frames * sizeof(*o->first));
	room_for_lists(o);
	for (size_t i = 0; i < o->nr_maps; i++) {
		o->next[i] = o->first[o->maps[i].gfn];
		o->first[o->maps[i].gfn] = (uint32_t)(i + 1);
	}
	for (uint64_t gfn = 0; gfn < o->nr_frames; gfn++) {
		unsigned int want = 0;

		for (uint32_t i = o->first[gfn]; i; i = o->next[i - 1])
			want++;
		if (!check_frame(o, map, gfn, want))
			return false;
	}
	return true;
}

#endif
