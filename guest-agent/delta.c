// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Merges two sorted lists of regions; for a region that is in both, also the
 * two lists of its runs (here in brackets; "-": sent as unmapped, "+": mapped):
 *
 *   before  [aaaaaaaa][bbbb]      [cccc]
 *   now     [aaaa]    [bbbb][dddd][cc][e]
 *   sent          ----      +dddd     +e-
 */
#include "config.h"

#include <string.h>

#include "guest-agent/delta.h"

#define PAGE_SIZE UINT64_C(4096)

static void put_region(struct stream *s, const struct region *r,
		       enum protocol_vma_op op)
{
	struct protocol_message m;

	memset(&m, 0, sizeof(m));
	m.type = PROTOCOL_VMA;
	m.vma = (struct protocol_vma){
		.start = r->start, .end = r->end, .pgoff = r->pgoff,
		.dev = r->dev, .inode = r->inode, .flags = r->flags, .op = op,
	};
	stream_put(s, &m);
}

static void put_new(struct stream *s, const struct proc_snapshot *snap,
		    const struct region *r)
{
	put_region(s, r, PROTOCOL_VMA_NEW);
	for (size_t i = 0; i < r->nr_runs; i++)
		stream_put_run(s, &snap->runs[r->first_run + i]);
}

void delta_put_all(struct stream *s, const struct proc_snapshot *now)
{
	for (size_t i = 0; i < now->nr_regions; i++)
		put_new(s, now, &now->regions[i]);
}

static bool same_region(const struct region *a, const struct region *b)
{
	return a->start == b->start && a->end == b->end &&
	       a->pgoff == b->pgoff && a->dev == b->dev &&
	       a->inode == b->inode && a->flags == b->flags;
}

/* A position in a list of runs, and what is left of the run there. */
struct cursor {
	const struct protocol_run *run, *end;
	struct protocol_run rest;
};

static void cursor_init(struct cursor *c, const struct proc_snapshot *snap,
			const struct region *r)
{
	const struct protocol_run *run = snap->runs + r->first_run;

	*c = (struct cursor){ .run = run, .end = run + r->nr_runs };
	if (c->run < c->end)
		c->rest = *c->run;
}

static bool at_end(const struct cursor *c)
{
	return c->run == c->end;
}

static void advance(struct cursor *c, uint32_t nr)
{
	c->rest.vaddr += nr * PAGE_SIZE;
	c->rest.gfn += nr;
	c->rest.count -= nr;
	if (!c->rest.count && ++c->run < c->end)
		c->rest = *c->run;
}

/* Sends changes in a kept region, whose own message precedes the first one. */
struct writer {
	struct stream *s;
	const struct region *region;
	bool announced;		/* that message was sent */
};

static void put_change(struct writer *w, uint64_t vaddr, uint64_t gfn,
		       uint32_t count, uint32_t flags)
{
	struct protocol_run run = { .vaddr = vaddr, .gfn = gfn, .count = count,
				    .flags = flags };

	if (!w->announced)
		put_region(w->s, w->region, PROTOCOL_VMA_KEEP);
	w->announced = true;
	stream_put_run(w->s, &run);
}

static uint32_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void put_kept(struct stream *s, const struct proc_snapshot *before,
		     const struct region *old, const struct proc_snapshot *now,
		     const struct region *r)
{
	struct writer w = { s, r, false };
	struct cursor a, b;
	uint32_t n;

	cursor_init(&a, before, old);
	cursor_init(&b, now, r);
	while (!at_end(&a) || !at_end(&b)) {
		if (at_end(&b) ||
		    (!at_end(&a) && a.rest.vaddr < b.rest.vaddr)) {
			n = a.rest.count;
			if (!at_end(&b))
				n = least(n, (b.rest.vaddr - a.rest.vaddr) /
						     PAGE_SIZE);
			put_change(&w, a.rest.vaddr, 0, n,
				   PROTOCOL_RUN_UNMAPPED);
			advance(&a, n);
		} else if (at_end(&a) || b.rest.vaddr < a.rest.vaddr) {
			n = b.rest.count;
			if (!at_end(&a))
				n = least(n, (a.rest.vaddr - b.rest.vaddr) /
						     PAGE_SIZE);
			put_change(&w, b.rest.vaddr, b.rest.gfn, n, 0);
			advance(&b, n);
		} else {
			n = least(a.rest.count, b.rest.count);
			if (a.rest.gfn != b.rest.gfn)
				put_change(&w, b.rest.vaddr, b.rest.gfn, n, 0);
			advance(&a, n);
			advance(&b, n);
		}
	}
}

void delta_put(struct stream *s, const struct proc_snapshot *before,
	       const struct proc_snapshot *now)
{
	size_t i, k;

	for (i = k = 0; i < before->nr_regions; i++) {
		const struct region *old = &before->regions[i];

		while (k < now->nr_regions && now->regions[k].start < old->start)
			k++;
		if (k == now->nr_regions || !same_region(old, &now->regions[k]))
			put_region(s, old, PROTOCOL_VMA_GONE);
	}
	for (i = k = 0; k < now->nr_regions; k++) {
		const struct region *r = &now->regions[k];

		while (i < before->nr_regions &&
		       before->regions[i].start < r->start)
			i++;
		if (i < before->nr_regions &&
		    same_region(&before->regions[i], r))
			put_kept(s, before, &before->regions[i], now, r);
		else
			put_new(s, now, r);
	}
}
