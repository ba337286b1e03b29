/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by the tests of single rules: a map, page tables of the "guest" which
 * may differ from what was reported to the map, and helpers to build processes
 * and to check what a walk finds.  Included once per program.
 */
#ifndef TESTS_UNIT_RMAP_FIXTURE_H
#define TESTS_UNIT_RMAP_FIXTURE_H

#include <errno.h>
#include <string.h>

#include "rmap/rmap.h"
#include "tests/tap.h"

#define SCENE_FN __attribute__((unused)) static

#define A(page)	   (UINT64_C(0x10000000) + ((uint64_t)(page) << RMAP_PAGE_SHIFT))
#define RW	   (RMAP_VM_READ | RMAP_VM_WRITE)
#define NR_FRAMES  4096
#define MAX_PTES   64
#define MAX_PLACES 64

static struct rmap *map;	/* of the row that runs */

/* --- the guest's page tables ---------------------------------------------- */

struct fake_pte {
	uint32_t mm;
	uint64_t addr;
	struct rmap_pte pte;
};

static struct fake_pte ptes[MAX_PTES];
static unsigned int nr_ptes, nr_lookups;

SCENE_FN struct fake_pte *fake_find(uint32_t mm, uint64_t addr)
{
	for (unsigned int i = 0; i < nr_ptes; i++) {
		if (ptes[i].mm == mm && ptes[i].addr == addr)
			return &ptes[i];
	}
	return NULL;
}

SCENE_FN void fake_set(uint32_t mm, uint64_t addr, uint64_t gfn, bool accessed)
{
	struct fake_pte *p = fake_find(mm, addr);

	if (!p)
		p = &ptes[nr_ptes++];
	*p = (struct fake_pte){ mm, addr, { .present = true, .level = 1,
					    .accessed = accessed, .gfn = gfn } };
}

SCENE_FN int fake_lookup(void *ctx, const struct rmap_mm *mm, uint64_t addr,
		       struct rmap_pte *pte)
{
	struct fake_pte *p = fake_find(rmap_mm_id(mm), addr);

	nr_lookups++;
	if (rmap_mm_pgd(mm) == RMAP_NO_PGD)
		return -ENOENT;
	if (p)
		*pte = p->pte;
	else
		*pte = (struct rmap_pte){ .present = false };
	return 0;
}

SCENE_FN int fake_clear(void *ctx, const struct rmap_mm *mm, uint64_t addr,
		      uint64_t gfn)
{
	struct fake_pte *p = fake_find(rmap_mm_id(mm), addr);
	bool was = p && p->pte.present && p->pte.gfn == gfn && p->pte.accessed;

	if (was)
		p->pte.accessed = false;
	return was;
}

SCENE_FN const struct rmap_pte_ops fake_ops = { fake_lookup, fake_clear };

/* --- helpers --------------------------------------------------------------- */

SCENE_FN struct rmap_mm *new_mm(uint32_t id)
{
	struct rmap_mm *mm;

	if (rmap_mm_add(map, id, 0x1000 * id, &mm))
		tap_bail("rmap_mm_add");
	return mm;
}

SCENE_FN struct rmap_mm *fork_mm(struct rmap_mm *parent, uint32_t id)
{
	struct rmap_mm *mm;

	if (rmap_mm_fork(map, parent, id, 0x1000 * id, &mm))
		tap_bail("rmap_mm_fork");
	return mm;
}

SCENE_FN struct rmap_vma *new_vma(struct rmap_mm *mm, unsigned int page,
				unsigned int nr, uint64_t pgoff,
				uint32_t flags, uint64_t ino)
{
	struct rmap_vma_desc d = { A(page), A(page + nr), pgoff, flags,
				   { ino ? 8 : 0, ino } };
	struct rmap_vma *vma;

	if (rmap_vma_add(map, mm, &d, &vma))
		tap_bail("rmap_vma_add");
	return vma;
}

SCENE_FN struct rmap_page_info info(uint64_t gfn)
{
	struct rmap_page_info i = { .mapcount = -99 };

	rmap_page_info(map, gfn, &i);
	return i;
}

struct mappings {
	unsigned int nr;
	struct { uint32_t mm; uint64_t addr; } at[MAX_PLACES];
};

SCENE_FN bool note_mapping(const struct rmap *m, uint64_t gfn,
		       const struct rmap_vma *vma, uint64_t addr, void *arg)
{
	struct mappings *p = arg;

	p->at[p->nr].mm = rmap_mm_id(rmap_vma_mm(vma));
	p->at[p->nr++].addr = addr;
	return p->nr < MAX_PLACES;
}

SCENE_FN struct mappings walk(uint64_t gfn)
{
	struct mappings p = { 0 };
	struct rmap_walk_control rwc = { .arg = &p, .rmap_one = note_mapping };

	rmap_walk(map, gfn, &rwc);
	return p;
}

SCENE_FN bool at(const struct mappings *p, uint32_t mm, uint64_t addr)
{
	for (unsigned int i = 0; i < p->nr; i++) {
		if (p->at[i].mm == mm && p->at[i].addr == addr)
			return true;
	}
	return false;
}

SCENE_FN struct rmap_referenced referenced(uint64_t gfn)
{
	struct rmap_referenced r = { .nr_mappings = 999 };

	rmap_page_referenced(map, gfn, &r);
	return r;
}

/* --- rows ------------------------------------------------------------------ */

struct row {
	const char *name;
	void (*fn)(void);
};

/* Each on a map of its own; main()'s exit status. */
SCENE_FN int run_rows(const struct row *rows, size_t nr)
{
	struct rmap_config config = { .nr_frames = NR_FRAMES };

	for (size_t i = 0; i < nr; i++) {
		printf("# row %s\n", rows[i].name);
		if (rmap_new(&map, &config))
			tap_bail("no memory");
		nr_ptes = 0;
		rows[i].fn();
		rmap_free(map);
	}
	return tap_done();
}

#define RUN_ROWS(rows) run_rows(rows, sizeof(rows) / sizeof((rows)[0]))

#endif
