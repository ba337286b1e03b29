/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random steps of the small machine of rmap-machine.h, in its map and in its
 * oracle.  What a step does depends on m->rng and on what there is, so that
 * steps make sense also when others before them are left out.  Included once a
 * program.
 */
#ifndef TESTS_UNIT_RMAP_STEPS_H
#define TESTS_UNIT_RMAP_STEPS_H

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "tests/unit/rmap-machine.h"

/* Prints a step of a failed history. */
__attribute__((format(printf, 2, 3))) static void
say(const struct machine *m, const char *fmt, ...)
{
	va_list ap;

	if (!m->telling)
		return;
	va_start(ap, fmt);
	printf("#   ");
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
}

static uint64_t rnd(struct machine *m, uint64_t n)
{
	m->rng ^= m->rng << 13;
	m->rng ^= m->rng >> 7;
	m->rng ^= m->rng << 17;
	return (m->rng * UINT64_C(0x2545f4914f6cdd1d) >> 32) % n;
}

static void *zalloc(size_t size, void *ctx)
{
	struct machine *m = ctx;
	void *p;

	if (m->fail_percent && rnd(m, 100) < m->fail_percent) {
		m->nr_failed++;
		return NULL;
	}
	p = calloc(1, size);
	m->outstanding += p ? size : 0;
	return p;
}

static void release(void *p, size_t size, void *ctx)
{
	struct machine *m = ctx;

	m->outstanding -= size;
	free(p);
}

static int pick_mm(struct machine *m, bool used)
{
	unsigned int at = rnd(m, NR_MMS);

	for (unsigned int i = 0; i < NR_MMS; i++, at = (at + 1) % NR_MMS) {
		if (m->mm_used[at] == used)
			return at;
	}
	return -1;
}

static struct region *pick_region(struct machine *m, unsigned int mm)
{
	unsigned int at = rnd(m, NR_PAGES);

	for (unsigned int i = 0; i < NR_PAGES; i++, at = (at + 1) % NR_PAGES) {
		if (m->region_of[mm][at])
			return &m->region[mm][m->region_of[mm][at] - 1];
	}
	return NULL;
}

static void set_region(struct machine *m, unsigned int mm,
		       const struct rmap_vma_desc *d)
{
	unsigned int r = 0;

	while (m->region[mm][r].used)
		r++;
	m->region[mm][r] = (struct region){ true, *d };
	for (unsigned int p = page_of(d->start); p < page_of(d->end); p++)
		m->region_of[mm][p] = r + 1;
}

static void drop_region(struct machine *m, unsigned int mm, struct region *r)
{
	for (unsigned int p = page_of(r->desc.start); p < page_of(r->desc.end);
	     p++) {
		m->region_of[mm][p] = 0;
		m->pte[mm][p] = 0;
	}
	r->used = false;
}

static struct rmap_vma *vma_of(struct machine *m, unsigned int mm,
			       const struct region *r)
{
	return rmap_vma_find(rmap_mm_find(m->map, mm), r->desc.start);
}

/* Returns what the map should say; a refusal leaves the oracle as it was. */
static bool expect(struct machine *m, const char *what, int rc, int want)
{
	if (rc == want || (rc == -ENOMEM && m->fail_percent))
		return true;
	return fail(m, what, -rc, -want);
}

static bool step_mm(struct machine *m)
{
	int free_id = pick_mm(m, false), used = pick_mm(m, true);
	bool fork = used >= 0 && rnd(m, 3);
	struct rmap_mm *mm;
	int rc;

	if (free_id < 0 || (used >= 0 && !rnd(m, 4))) {
		say(m, "process %d ends", used);
		rmap_mm_remove(m->map, rmap_mm_find(m->map, used));
		m->mm_used[used] = false;
		memset(m->pte[used], 0, sizeof(m->pte[used]));
		memset(m->region_of[used], 0, sizeof(m->region_of[used]));
		memset(m->region[used], 0, sizeof(m->region[used]));
		return true;
	}
	say(m, "process %d, %s %d", free_id, fork ? "forked by" : "new",
	    fork ? used : free_id);
	if (fork)
		rc = rmap_mm_fork(m->map, rmap_mm_find(m->map, used), free_id,
				  RMAP_NO_PGD, &mm);
	else
		rc = rmap_mm_add(m->map, free_id, RMAP_NO_PGD, &mm);
	if (rc)
		return expect(m, "new process", rc, 0);
	m->mm_used[free_id] = true;
	if (fork) {
		memcpy(m->pte[free_id], m->pte[used], sizeof(m->pte[used]));
		memcpy(m->region_of[free_id], m->region_of[used],
		       sizeof(m->region_of[used]));
		memcpy(m->region[free_id], m->region[used],
		       sizeof(m->region[used]));
	}
	return expect(m, "duplicate process",
		      rmap_mm_add(m->map, free_id, 0, &mm), -EEXIST);
}

static void random_desc(struct machine *m, struct rmap_vma_desc *d)
{
	unsigned int start = rnd(m, NR_PAGES), nr = 1 + rnd(m, 24);

	if (!rnd(m, 8))
		nr = 1 + rnd(m, NR_PAGES);
	if (start + nr > NR_PAGES)
		nr = NR_PAGES - start;
	memset(d, 0, sizeof(*d));
	d->start = addr_of(start);
	d->end = addr_of(start + nr);
	d->flags = rnd(m, 2) ? RMAP_VM_READ : RMAP_VM_READ | RMAP_VM_WRITE;
	if (rnd(m, 2))
		d->flags |= RMAP_VM_SHARED;
	if (!rnd(m, 6))
		d->flags |= RMAP_VM_NONLINEAR;
	d->pgoff = rnd(m, 2) ? start : rnd(m, 40);
	if (!rnd(m, 12))	/* no index holds this one */
		d->pgoff = UINT64_MAX - rnd(m, 40);
	if (rnd(m, 2))
		d->file = (struct rmap_file_id){ 8, 1 + rnd(m, 3) };
}

/* The offset of the last page is beyond what 64 bits hold. */
static bool offset_wraps(const struct rmap_vma_desc *d)
{
	return d->pgoff + (page_of(d->end) - page_of(d->start) - 1) < d->pgoff;
}

static bool step_vma(struct machine *m)
{
	int mm = pick_mm(m, true);
	struct rmap_vma_desc d;
	struct rmap_vma *vma;
	struct region *r;
	int want = 0, rc;

	if (mm < 0)
		return true;
	r = pick_region(m, mm);
	if (r && !rnd(m, 3)) {
		say(m, "munmap %d page %u", mm, page_of(r->desc.start));
		rmap_vma_remove(m->map, vma_of(m, mm, r));
		drop_region(m, mm, r);
		return true;
	}
	random_desc(m, &d);
	say(m, "mmap %d pages %u to %u, offset %llu, flags %#x, file %llu", mm,
	    page_of(d.start), page_of(d.end), (unsigned long long)d.pgoff,
	    d.flags, (unsigned long long)d.file.ino);
	for (unsigned int p = page_of(d.start); p < page_of(d.end); p++) {
		if (m->region_of[mm][p])
			want = -EEXIST;
	}
	if (offset_wraps(&d))
		want = -EOVERFLOW;
	rc = rmap_vma_add(m->map, rmap_mm_find(m->map, mm), &d, &vma);
	if (!rc)
		set_region(m, mm, &d);
	return expect(m, "new VMA", rc, want);
}

/* Moves what the oracle has of [from, from + nr) to `to`. */
static void move_pages(struct machine *m, unsigned int mm, unsigned int from,
		       unsigned int to, unsigned int nr)
{
	uint32_t frames[NR_PAGES];

	memcpy(frames, &m->pte[mm][from], nr * sizeof(frames[0]));
	memset(&m->pte[mm][from], 0, nr * sizeof(frames[0]));
	memcpy(&m->pte[mm][to], frames, nr * sizeof(frames[0]));
}

static bool step_split(struct machine *m, unsigned int mm, struct region *r)
{
	struct rmap_vma_desc lower = r->desc, upper = r->desc;
	unsigned int nr = page_of(lower.end) - page_of(lower.start);
	unsigned int at = rnd(m, nr + 1);
	struct rmap_vma *up;
	int rc;

	say(m, "split %u page %u after %u", mm, page_of(lower.start), at);
	rc = rmap_vma_split(m->map, vma_of(m, mm, r),
			    addr_of(page_of(lower.start) + at), &up);
	if (!rc && at && at < nr) {
		lower.end = upper.start = lower.start +
					  ((uint64_t)at << RMAP_PAGE_SHIFT);
		upper.pgoff += at;
		r->desc = lower;
		set_region(m, mm, &upper);
	}
	return expect(m, "split", rc, at && at < nr ? 0 : -EINVAL);
}

static bool step_merge(struct machine *m, unsigned int mm, struct region *r)
{
	unsigned int end = page_of(r->desc.end);
	struct rmap_vma_desc d = r->desc, *n;
	struct region *next;
	bool fit;
	int rc;

	if (end == NR_PAGES || !m->region_of[mm][end] || d.pgoff >> 44)
		return true;
	next = &m->region[mm][m->region_of[mm][end] - 1];
	n = &next->desc;
	if (n->pgoff >> 44)
		return true;
	fit = d.flags == n->flags && d.file.ino == n->file.ino &&
	      (!d.file.ino ||
	       d.pgoff + end - page_of(d.start) == n->pgoff);
	say(m, "merge %u pages %u and %u", mm, page_of(d.start), end);
	rc = rmap_vma_merge(m->map, vma_of(m, mm, r), vma_of(m, mm, next));
	if (!rc) {
		d.end = n->end;
		next->used = false;
		r->used = false;
		set_region(m, mm, &d);
	}
	return expect(m, "merge", rc, fit ? 0 : -EINVAL);
}

static bool step_resize(struct machine *m, unsigned int mm, struct region *r)
{
	unsigned int start = page_of(r->desc.start), old = page_of(r->desc.end);
	unsigned int end = start + rnd(m, NR_PAGES - start + 1);
	struct rmap_vma_desc d = r->desc;
	int want = end > start ? 0 : -EINVAL, rc;

	for (unsigned int p = old; p < end; p++) {
		if (m->region_of[mm][p])
			want = -EEXIST;
	}
	d.end = addr_of(end);
	if (!want && end > old && offset_wraps(&d))
		want = -EOVERFLOW;
	say(m, "resize %u page %u from %u to %u", mm, start, old, end);
	rc = rmap_vma_resize(m->map, vma_of(m, mm, r), d.end);
	if (!rc) {
		for (unsigned int p = end; p < old; p++) {
			m->region_of[mm][p] = 0;
			m->pte[mm][p] = 0;
		}
		r->used = false;
		set_region(m, mm, &d);
	}
	return expect(m, "resize", rc, want);
}

static bool step_move(struct machine *m, unsigned int mm, struct region *r)
{
	struct rmap_vma_desc d = r->desc;
	unsigned int from = page_of(d.start), nr = page_of(d.end) - from;
	unsigned int to = rnd(m, NR_PAGES - nr + 1);
	struct rmap_vma *vma;
	int want = 0, rc;

	for (unsigned int p = to; p < to + nr; p++) {
		if (m->region_of[mm][p])
			want = -EEXIST;
	}
	say(m, "move %u page %u to %u", mm, from, to);
	rc = rmap_vma_move(m->map, vma_of(m, mm, r), addr_of(to), &vma);
	if (!rc) {
		move_pages(m, mm, from, to, nr);
		drop_region(m, mm, r);
		d.start = addr_of(to);
		d.end = addr_of(to + nr);
		set_region(m, mm, &d);
	}
	return expect(m, "move", rc, want);
}

static bool step_change(struct machine *m)
{
	int mm = pick_mm(m, true);
	struct region *r = mm < 0 ? NULL : pick_region(m, mm);
	uint32_t flags;

	if (!r)
		return true;
	switch (rnd(m, 5)) {
	case 0:
		return step_split(m, mm, r);
	case 1:
		return step_merge(m, mm, r);
	case 2:
		return step_resize(m, mm, r);
	case 3:
		return step_move(m, mm, r);
	}
	flags = r->desc.flags ^ RMAP_VM_LOCKED;
	say(m, "flags of %d page %u: %#x", mm, page_of(r->desc.start), flags);
	if (rmap_vma_set_flags(m->map, vma_of(m, mm, r),
			       flags ^ RMAP_VM_NONLINEAR) != -EINVAL)
		return fail(m, "set_flags", mm, flags);
	r->desc.flags = flags;
	return expect(m, "set_flags",
		      rmap_vma_set_flags(m->map, vma_of(m, mm, r), flags), 0);
}

/* As an agent sees it: the VMA is gone, another has its frames. */
static bool step_mremap(struct machine *m)
{
	int mm = pick_mm(m, true);
	uint32_t frames[NR_PAGES];
	struct rmap_vma_desc d;
	struct rmap_vma *vma;
	struct region *r;
	unsigned int to, nr;

	r = mm < 0 ? NULL : pick_region(m, mm);
	if (!r)
		return true;
	d = r->desc;
	nr = page_of(d.end) - page_of(d.start);
	to = rnd(m, NR_PAGES - nr + 1);
	memcpy(frames, &m->pte[mm][page_of(d.start)], nr * sizeof(frames[0]));
	for (unsigned int i = 0; i < nr; i++) {
		if (m->region_of[mm][to + i] &&
		    &m->region[mm][m->region_of[mm][to + i] - 1] != r)
			return true;
	}
	say(m, "mremap %d page %u to %u", mm, page_of(d.start), to);
	rmap_vma_remove(m->map, vma_of(m, mm, r));
	drop_region(m, mm, r);
	d.start = addr_of(to);
	d.end = addr_of(to + nr);
	if (rnd(m, 2) && !d.file.ino)
		d.pgoff = to;
	if (rmap_vma_add(m->map, rmap_mm_find(m->map, mm), &d, &vma))
		return m->fail_percent || fail(m, "mremap", mm, to);
	set_region(m, mm, &d);
	for (unsigned int i = 0; i < nr; i++) {
		int rc = frames[i] ? rmap_map_page(m->map, vma, addr_of(to + i),
						   frames[i] - 1) : -ENOENT;

		if (!rc)
			m->pte[mm][to + i] = frames[i];
		else if (rc != -ENOENT && !expect(m, "mremap page", rc, 0))
			return false;
	}
	return true;
}

static uint64_t random_frame(struct machine *m)
{
	int mm = pick_mm(m, true);
	unsigned int p = rnd(m, NR_PAGES);
	uint64_t gfn = rnd(m, NR_FRAMES);

	/* Share what someone has, more often than chance would. */
	if (mm >= 0 && m->pte[mm][p] && rnd(m, 3))
		gfn = m->pte[mm][p] - 1;
	if (!rnd(m, 4)) {
		static const uint16_t flags[] = { 0, RMAP_PG_ANON,
						  RMAP_PG_FILE };

		rmap_page_set_flags(m->map, gfn, flags[rnd(m, 3)]);
	}
	return gfn;
}

static bool step_page(struct machine *m)
{
	int mm = pick_mm(m, true);
	struct region *r = mm < 0 ? NULL : pick_region(m, mm);
	unsigned int p, n = 1 + rnd(m, 8);

	if (!r)
		return true;
	for (p = page_of(r->desc.start) +
		 rnd(m, page_of(r->desc.end) - page_of(r->desc.start));
	     p < page_of(r->desc.end) && n; p++, n--) {
		struct rmap_vma *vma = vma_of(m, mm, r);
		uint64_t gfn = random_frame(m);
		int rc;

		if (!rnd(m, 4)) {
			say(m, "unmap %d page %u", mm, p);
			rc = m->lose_unmaps && m->pte[mm][p] ? 0 :
			     rmap_unmap_page(m->map, vma, addr_of(p));
			if (!expect(m, "unmap", rc,
				    m->pte[mm][p] ? 0 : -ENOENT))
				return false;
			m->pte[mm][p] = 0;
			continue;
		}
		say(m, "map %d page %u to frame %llu", mm, p,
		    (unsigned long long)gfn);
		rc = rmap_map_page(m->map, vma, addr_of(p), gfn);
		if (!rc)
			m->pte[mm][p] = gfn + 1;
		if (!expect(m, "map", rc, 0))
			return false;
	}
	return true;
}

/* The step of that number. */
static bool step(struct machine *m, uint64_t seed, uint32_t number)
{
	unsigned int what;

	m->rng = (seed << 32 | number) * UINT64_C(0x9e3779b97f4a7c15) +
		 88172645463325252u;
	what = rnd(m, 100);

	if (what < 8)
		return step_mm(m);
	if (what < 22)
		return step_vma(m);
	if (what < 28)
		return step_mremap(m);
	if (what < 38)
		return step_change(m);
	return step_page(m);
}

#endif
