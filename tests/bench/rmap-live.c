// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * page_referenced with the provider that `vmm run` uses: x86-64 page tables of
 * four levels in guest memory, one set a process, walked by
 * vmm/guest/guest-walk.c.
 *
 *	live/N/idle/SCHEME	a page of N processes; no accessed bit is set
 *	live/N/used/SCHEME	all N are set, and cleared by the call
 *	live/1-of-4G/SCHEME	at random; the tables and records are not cached
 *	live/broken/SCHEME	a page that one of 1,000 children broke off
 *
 * Only the tables are in guest memory: the frames they name are numbers.
 */
#include "config.h"

#include "tests/bench/rmap-compare.h"
#include "vmm/guest/guest-walk.h"
#include "vmm/mem/guest-mem.h"

#define TABLES	    (UINT64_C(48) << 20)
#define FIRST_TABLE UINT64_C(0x100000)
#define PRESENT	    UINT64_C(0x7)	/* and writable, and for users */
#define ACCESSED    UINT64_C(0x20)

struct world {
	struct guest_mem *mem;
	struct guest_walk walk;
	uint64_t next_table;
	struct rmap *map;
};

static uint64_t *table(struct world *w, uint64_t gpa)
{
	uint64_t *t = guest_mem_ptr(w->mem, GPA(gpa), 4096);

	if (!t)
		compare_die("page tables", -ENOMEM);
	return t;
}

static uint64_t new_table(struct world *w)
{
	uint64_t gpa = w->next_table;

	w->next_table += 4096;
	memset(table(w, gpa), 0, 4096);
	return gpa;
}

static uint64_t *pte_of(struct world *w, uint64_t pgd, uint64_t addr)
{
	uint64_t *t = table(w, pgd);

	for (unsigned int shift = 39; shift > 12; shift -= 9) {
		uint64_t *entry = &t[addr >> shift & 511];

		if (!*entry)
			*entry = new_table(w) | PRESENT;
		t = table(w, *entry & ~UINT64_C(0xfff));
	}
	return &t[addr >> 12 & 511];
}

/* The page tables that the family of compare_family() has. */
static void build(struct world *w, unsigned int nr, unsigned int pages)
{
	for (uint32_t id = 1; id <= nr; id++) {
		uint64_t pgd = new_table(w);

		rmap_mm_set_pgd(rmap_mm_find(w->map, id), pgd);
		for (uint64_t i = 0; i < pages; i++)
			*pte_of(w, pgd, HEAP + i * RMAP_PAGE_SIZE) =
				i << RMAP_PAGE_SHIFT | PRESENT;
	}
}

static void touch_all(struct world *w, unsigned int nr, unsigned int pages)
{
	for (uint32_t id = 1; id <= nr; id++) {
		uint64_t pgd = rmap_mm_pgd(rmap_mm_find(w->map, id));

		for (uint64_t i = 0; i < pages; i++)
			*pte_of(w, pgd, HEAP + i * RMAP_PAGE_SIZE) |= ACCESSED;
	}
}

static void open_world(struct world *w, enum rmap_scheme scheme,
		       unsigned int nr, unsigned int pages, uint64_t frames)
{
	*w = (struct world){ .next_table = FIRST_TABLE };
	if (guest_mem_new(&w->mem, TABLES, false))
		compare_die("guest memory", -ENOMEM);
	w->map = compare_family(scheme, nr, pages, frames);
	w->walk = (struct guest_walk){ .mem = w->mem, .map = w->map,
				       .levels = 4 };
	rmap_set_pte_provider(w->map, &guest_walk_ops, &w->walk);
	build(w, nr, pages);
}

static void close_world(struct world *w)
{
	rmap_free(w->map);
	guest_mem_free(w->mem);
}

static void live_sharers(struct bench *b, enum rmap_scheme scheme,
			 unsigned int nr)
{
	unsigned int pages = 512, passes = (compare_quick ? 20 : 2000) / nr + 1;
	double idle = 0, used = 0;
	struct world w;

	open_world(&w, scheme, nr, pages, pages);
	for (unsigned int i = 0; i < passes; i++) {
		touch_all(&w, nr, pages);
		used += compare_referenced(w.map, 0, 1, pages, nr, pages);
		idle += compare_referenced(w.map, 0, 1, pages, nr, pages);
	}
	compare_report(b, scheme, "ns", idle / passes, "live/%u/idle", nr);
	compare_report(b, scheme, "ns", used / passes, "live/%u/used", nr);
	close_world(&w);
}

static void live_far(struct bench *b, enum rmap_scheme scheme)
{
	unsigned int far = compare_quick ? 4096 : 1 << 20;
	struct world w;

	open_world(&w, scheme, 1, far, far);
	compare_report(b, scheme, "ns",
		       compare_referenced(w.map, 0, 514229, far, 1,
					  compare_quick ? 4096 : 300000),
		       "live/1-of-4G");
	close_world(&w);
}

static void live_broken(struct bench *b, enum rmap_scheme scheme)
{
	unsigned int nr = compare_quick ? 50 : 1001, pages = 64;
	struct world w;

	open_world(&w, scheme, nr, pages, pages + nr);
	for (uint32_t id = 2; id <= nr; id++) {
		uint64_t page = id % pages, gfn = pages + id - 2;
		uint64_t pgd = rmap_mm_pgd(rmap_mm_find(w.map, id));

		compare_write_page(w.map, id, page, gfn);
		*pte_of(&w, pgd, HEAP + page * RMAP_PAGE_SIZE) =
			gfn << RMAP_PAGE_SHIFT | PRESENT;
	}
	compare_report(b, scheme, "ns",
		       compare_referenced(w.map, pages, 7, nr - 1, 1,
					  compare_quick ? 500 : 4000),
		       "live/broken");
	close_world(&w);
}

void compare_live(struct bench *b)
{
	for (unsigned int nr = 1; nr <= (compare_quick ? 100 : 1000); nr *= 10) {
		for (unsigned int s = 0; s < NR_SCHEMES; s++)
			live_sharers(b, s, nr);
	}
	for (unsigned int s = 0; s < NR_SCHEMES; s++) {
		live_far(b, s);
		live_broken(b, s);
	}
}
