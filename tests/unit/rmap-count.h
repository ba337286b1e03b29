/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A map, with the steps of its operations counted.  Included once per program.
 */
#ifndef TESTS_UNIT_RMAP_COUNT_H
#define TESTS_UNIT_RMAP_COUNT_H

#include <errno.h>
#include <stdlib.h>

#include "rmap/rmap.h"
#include "tests/tap.h"

#define PAGE  RMAP_PAGE_SIZE
#define BASE  UINT64_C(0x100000000)
#define RW    (RMAP_VM_READ | RMAP_VM_WRITE)
#define INODE 7

/* Of one operation: a link or two, what it takes to find them, and the nodes of
 * two buckets, whose number is chance, of each hash table that grows. */
#define SMALL 32
/*
 * Of one that moves all recorded mappings of a page: each is looked at, a link
 * made and another taken away, with their memory, and nodes of two buckets of a
 * hash table moved for each link.
 */
#define LARGE (16 * RMAP_WALK_MAX)
static struct rmap *map;
static uint64_t most, total, nr_ops;	/* work of operations */

/* With a provider a walk does not end with the last mapping reported. */
static inline int know_nothing(void *ctx, const struct rmap_mm *mm, uint64_t addr,
			struct rmap_pte *pte)
{
	return -ENOENT;
}

static const struct rmap_pte_ops provider = { .lookup = know_nothing };

static inline void begin(uint64_t nr_frames, enum rmap_scheme scheme)
{
	struct rmap_config c = { .nr_frames = nr_frames, .scheme = scheme };

	if (rmap_new(&map, &c))
		tap_bail("no memory");
	rmap_set_pte_provider(map, &provider, NULL);
	most = total = nr_ops = 0;
}

static inline void count(uint64_t from)
{
	uint64_t n = rmap_work(map) - from;

	total += n;
	nr_ops++;
	most = n > most ? n : most;
}

static inline struct rmap_mm *process(uint32_t id)
{
	struct rmap_mm *mm;

	if (rmap_mm_add(map, id, RMAP_NO_PGD, &mm))
		tap_bail("rmap_mm_add");
	return mm;
}

static inline struct rmap_vma *region(struct rmap_mm *mm, uint64_t start, uint64_t nr,
			       uint64_t pgoff, uint64_t ino)
{
	struct rmap_vma_desc d = { start, start + nr * PAGE, pgoff, RW,
				   { ino ? 8 : 0, ino } };
	struct rmap_vma *vma;

	if (rmap_vma_add(map, mm, &d, &vma))
		tap_bail("rmap_vma_add");
	return vma;
}

static inline int map_at(struct rmap_vma *vma, uint64_t page, uint64_t gfn)
{
	struct rmap_vma_desc d;
	uint64_t from = rmap_work(map);
	int rc;

	rmap_vma_describe(vma, &d);
	rc = rmap_map_page(map, vma, d.start + page * PAGE, gfn);
	count(from);
	return rc;
}

static inline void must_map(struct rmap_vma *vma, uint64_t page, uint64_t gfn)
{
	if (map_at(vma, page, gfn))
		tap_bail("rmap_map_page");
}

static inline void must_unmap(struct rmap_vma *vma, uint64_t page)
{
	struct rmap_vma_desc d;
	uint64_t from = rmap_work(map);

	rmap_vma_describe(vma, &d);
	if (rmap_unmap_page(map, vma, d.start + page * PAGE))
		tap_bail("rmap_unmap_page");
	count(from);
}

static inline struct rmap_referenced asked(uint64_t gfn)
{
	struct rmap_referenced r = { 0 };

	if (rmap_page_referenced(map, gfn, &r))
		tap_bail("rmap_page_referenced");
	return r;
}

static inline uint64_t nr_mappings(void)
{
	struct rmap_stats s;

	rmap_get_stats(map, &s);
	return s.nr_mappings;
}

static inline uint64_t nr_to_map(void)
{
	const char *env = getenv("RMAP_BOUNDS_PLACES");

	return env ? strtoull(env, NULL, 0) : 200000;
}

#endif
