// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The state of each page of a range of a process: from the guest's page table
 * where that can be read, else from the agent's reports, and the host's state
 * of the frame.
 *
 * The guest builds its page tables, and can make any range look long: an answer
 * is limited in the entries visited and in its runs, and says how far it got.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "vmm/control/host-pages.h"
#include "vmm/control/inspect.h"
#include "vmm/util/min-max.h"

#define BATCH	  4096		/* steps under one hold of the view's lock */
#define ADDR_BITS 57		/* of linear addresses, with five levels */
#define BIT(b)	  (1u << (b))
#define NO_GFN	  UINT64_MAX

static const char *const bit_names[STAT_MAP_NR_BITS] = {
	[STAT_MAP_REGION] = "region",
	[STAT_MAP_MAPPED] = "mapped",
	[STAT_MAP_PRESENT] = "present",
	[STAT_MAP_ACCESSED] = "accessed",
	[STAT_MAP_DIRTY] = "dirty",
	[STAT_MAP_HUGE] = "huge",
	[STAT_MAP_GUEST_SWAP] = "guest-swap",
	[STAT_MAP_NO_ACCESS] = "no-access",
	[STAT_MAP_NOT_RAM] = "not-ram",
	[STAT_MAP_RESIDENT] = "resident",
	[STAT_MAP_HOST_SWAP] = "host-swap",
};

struct run {
	uint64_t nr;		/* pages */
	uint32_t bits;
	int age;
};

struct walk {
	const struct stat_server_config *config;
	struct host_pages *host;
	uint32_t pid;
	uint64_t at, end;
	unsigned int nr_steps;
	size_t nr;		/* in the batch: [i] is of gfns[i] */
	struct run runs[BATCH];
	gfn_t gfns[BATCH];
	struct host_page pages[BATCH];
	struct run last;	/* the run not yet in the answer */
	json_t *answer;
};

static uint32_t bits_of_entry(const struct guest_walk_entry *e)
{
	uint32_t bits = 0;

	if (e->swapped)
		bits |= BIT(STAT_MAP_GUEST_SWAP);
	if (e->no_access)
		bits |= BIT(STAT_MAP_NO_ACCESS);
	if (!e->pte.present)
		return bits;
	bits |= BIT(STAT_MAP_PRESENT);
	if (e->pte.accessed)
		bits |= BIT(STAT_MAP_ACCESSED);
	if (e->pte.dirty)
		bits |= BIT(STAT_MAP_DIRTY);
	if (e->pte.level > 1)
		bits |= BIT(STAT_MAP_HUGE);
	return bits;
}

/* The frame reported at w->at, or NO_GFN; *next: the next reported page. */
static uint64_t reported_frame(const struct walk *w, const struct rmap_vma *vma,
			       uint64_t *next)
{
	uint64_t gfn;

	*next = w->at;
	if (!rmap_vma_next_page(view_map(w->config->view), vma, next, &gfn)) {
		*next = UINT64_MAX;
		return NO_GFN;
	}
	return *next == w->at ? gfn : NO_GFN;
}

/*
 * The run at w->at, inside a region; *next is where the run ends.  Under the
 * view's lock.
 */
static struct run lookup_in_region(struct walk *w, const struct rmap_mm *mm,
				   const struct rmap_vma *vma, uint64_t *gfn,
				   uint64_t *next)
{
	struct run run = { .bits = BIT(STAT_MAP_REGION), .age = -1 };
	struct guest_walk_entry e;
	uint64_t end;

	*gfn = reported_frame(w, vma, &end);
	if (*gfn != NO_GFN)
		run.bits |= BIT(STAT_MAP_MAPPED);
	*next = end > w->at ? end : w->at + RMAP_PAGE_SIZE;
	if (view_lookup_pte(w->config->view, mm, w->at, &e))
		return run;
	/* The page table is newer than the agent's report. */
	if (!e.pte.present)
		run.bits &= ~BIT(STAT_MAP_MAPPED);
	run.bits |= bits_of_entry(&e);
	*gfn = e.pte.present ? e.pte.gfn : NO_GFN;
	/* Each page of a huge one has a frame; an unmapped range is one run. */
	*next = e.pte.present ? w->at + RMAP_PAGE_SIZE : min_u64(*next, e.end);
	return run;
}

static struct run step(struct walk *w, const struct rmap_mm *mm, uint64_t *gfn)
{
	struct rmap_vma_desc desc = { .start = UINT64_MAX };
	const struct rmap_vma *vma = mm ? rmap_vma_next(mm, w->at) : NULL;
	struct run run = { .age = -1 };
	uint64_t next;

	*gfn = NO_GFN;
	if (vma)
		rmap_vma_describe(vma, &desc);
	if (w->at < desc.start) {
		next = desc.start;
	} else {
		run = lookup_in_region(w, mm, vma, gfn, &next);
		next = min_u64(next, desc.end);
	}
	next = min_u64(next, w->end);
	run.nr = (next - w->at) / RMAP_PAGE_SIZE;
	w->at = next;
	return run;
}

static void collect(struct walk *w)
{
	struct view *view = w->config->view;
	const struct rmap_mm *mm;

	view_rdlock(view);
	mm = rmap_mm_find(view_map(view), w->pid);
	for (w->nr = 0; w->nr < BATCH && w->at < w->end; w->nr++)
		w->runs[w->nr] = step(w, mm, &w->gfns[w->nr].v);
	view_unlock(view);
	w->nr_steps += w->nr;
}

static void flush(struct walk *w)
{
	const struct run *r = &w->last;
	json_t *o;

	if (!r->nr)
		return;
	o = json_array();
	json_array_append_new(o, json_integer(r->nr));
	json_array_append_new(o, json_integer(r->bits));
	if (r->age >= 0)
		json_array_append_new(o, json_integer(r->age));
	json_array_append_new(w->answer, o);
}

static void append(struct walk *w, const struct run *r)
{
	if (w->last.nr && r->bits == w->last.bits && r->age == w->last.age) {
		w->last.nr += r->nr;
		return;
	}
	flush(w);
	w->last = *r;
}

/* Appends the batch, which begins at `from`.  False: full, up to w->at. */
static bool take(struct walk *w, uint64_t from)
{
	for (size_t i = 0; i < w->nr; i++) {
		const struct host_page *p = &w->pages[i];
		struct run *r = &w->runs[i];

		if (json_array_size(w->answer) + 1 >= STAT_MAP_MAX_RUNS) {
			w->at = from;
			return false;
		}
		if (w->gfns[i].v != NO_GFN) {
			r->bits |= p->ram ? 0 : BIT(STAT_MAP_NOT_RAM);
			r->bits |= p->resident ? BIT(STAT_MAP_RESIDENT) : 0;
			r->bits |= p->swapped ? BIT(STAT_MAP_HOST_SWAP) : 0;
			r->age = p->age;
		}
		append(w, r);
		from += r->nr * RMAP_PAGE_SIZE;
	}
	return true;
}

static int walk_all(struct walk *w)
{
	while (w->at < w->end && w->nr_steps < STAT_MAP_MAX_STEPS) {
		uint64_t from = w->at;
		int rc;

		collect(w);
		rc = host_pages_lookup(w->host, w->gfns, w->nr, w->pages);
		if (rc)
			return rc;
		if (!take(w, from))
			break;
	}
	flush(w);
	return 0;
}

static bool check_range(uint64_t *start, uint64_t *end, unsigned int *status,
			char *why, size_t len)
{
	const uint64_t limit = UINT64_C(1) << ADDR_BITS;

	*status = 400;
	if (*start >= *end) {
		snprintf(why, len, "the range from 0x%llx to 0x%llx is empty: "
			 "its end must be above its start",
			 (unsigned long long)*start, (unsigned long long)*end);
		return false;
	}
	if (*end > limit) {
		snprintf(why, len, "0x%llx is not an address of a process: "
			 "these are below 0x%llx", (unsigned long long)*end,
			 (unsigned long long)limit);
		return false;
	}
	*start &= -RMAP_PAGE_SIZE;
	*end = (*end + RMAP_PAGE_SIZE - 1) & -RMAP_PAGE_SIZE;
	*status = 200;
	return true;
}

static json_t *map_json(const struct walk *w, uint64_t start,
			const struct view_process *p)
{
	const char *no_ages = host_pages_no_ages(w->host);
	json_t *names = json_array(), *o;

	for (unsigned int i = 0; i < STAT_MAP_NR_BITS; i++)
		json_array_append_new(names, json_string(bit_names[i]));
	o = json_pack("{s:I, s:s, s:b, s:I, s:I, s:I, s:i, s:o, s:O}",
		      "pid", (json_int_t)p->pid, "comm", p->comm,
		      "has_pgd", p->has_pgd, "start", (json_int_t)start,
		      "end", (json_int_t)w->end, "next", (json_int_t)w->at,
		      "page_bytes", (int)RMAP_PAGE_SIZE, "bits", names,
		      "runs", w->answer);
	if (o && no_ages)
		json_object_set_new(o, "no_ages", json_string(no_ages));
	return o;
}

json_t *stat_inspect_map(const struct stat_server_config *c, uint32_t pid,
			 uint64_t start, uint64_t end, unsigned int *status,
			 char *why, size_t len)
{
	struct view_process p;
	json_t *o = NULL;
	struct walk *w;
	int rc = -ENOMEM;

	if (!check_range(&start, &end, status, why, len) ||
	    !stat_find_process(c, pid, &p, status, why, len))
		return NULL;
	w = calloc(1, sizeof(*w));
	if (w) {
		w->config = c;
		w->host = host_pages_new(c);
		w->answer = json_array();
		w->pid = pid;
		w->at = start;
		w->end = end;
		if (w->host && w->answer)
			rc = walk_all(w);
		if (!rc)
			o = map_json(w, start, &p);
		host_pages_free(w->host);
		json_decref(w->answer);
	}
	free(w);
	return rc ? stat_inspect_failed(rc, status, why, len) : o;
}
