// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An operation that fails leaves the map as it was.  Random histories, in which
 * each operation is tried with its first allocation failing, then its second,
 * and so on until all succeed.  After each failure the whole map, including the
 * library's internal state, must be as before: records, flags, processes, VMAs,
 * links, objects, candidates of each walk, statistics and bytes held.
 * RMAP_FAILURES_STEPS=N: more steps.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rmap/anon-vma.h"
#include "rmap/internal.h"
#include "rmap/kinds.h"
#include "tests/tap.h"
#include "tests/unit/rmap-machine.h"

/* --- a map in numbers ------------------------------------------------------ */

#define MAX_DUMP 65536

struct dump {
	size_t nr;
	uint64_t at[MAX_DUMP];
};

static void put(struct dump *d, uint64_t value)
{
	if (d->nr == MAX_DUMP)
		tap_bail("the map is too large for this test");
	d->at[d->nr++] = value;
}

static void put_bytes(struct dump *d, const void *from, size_t size)
{
	const uint8_t *p = from;
	uint64_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = hash_mix(sum, p[i]);
	put(d, sum);
}

static uint64_t number(uint64_t a, uint64_t b, uint64_t c, uint64_t e)
{
	return hash_final(hash_mix(hash_mix(hash_mix(hash_mix(0, a), b), c), e));
}

static void put_links(struct dump *d, const struct rmap_vma *vma)
{
	uint64_t sum = 0;	/* in any order */

	for (const struct anon_link *l = vma->links; l; l = l->next) {
		const struct anon_vma *av = l->av;

		sum += number((uintptr_t)l, (uintptr_t)av,
			      (uint64_t)l->node.start,
			      (uint64_t)l->node.last ^ l->nr << 50);
		sum += number(av->obj.id, av->nr_links, av->nr_pages,
			      av->nr_mapped);
	}
	put(d, sum);
	put(d, vma->nr_links);
	put(d, (uintptr_t)vma->active);
	put(d, (uintptr_t)vma->shared);
}

static void put_vma(struct dump *d, const struct rmap_vma *vma)
{
	const struct rmap_vma_desc *v = &vma->desc;
	uint64_t gfn, sum = 0;

	put(d, (uintptr_t)vma);
	put(d, number(v->start, v->end, v->pgoff, v->flags));
	put(d, number(v->file.dev, v->file.ino, vma->pgoff, vma->id));
	put(d, number((uint64_t)vma->mm_node.start, (uint64_t)vma->mm_node.last,
		      0, 0));
	put(d, (uintptr_t)vma->file);
	if (vma->file)
		put(d, number((uint64_t)vma->file_node.start,
			      (uint64_t)vma->file_node.last,
			      vma->file->nr_vmas, vma->file->nr_nonlinear));
	put_links(d, vma);
	for (uint64_t off = 0; (off = snapshot_next(&vma->snap, off, &gfn)) !=
			       SNAPSHOT_NONE; off++)
		sum += number(off, gfn, 0, 0);
	put(d, sum);
	put(d, vma->snap.nr);
	put(d, vma->snap.height);
	put(d, (uintptr_t)vma->snap.root);
}

static bool sum_candidate(struct rmap_vma *vma, uint64_t off, void *arg)
{
	*(uint64_t *)arg += number((uintptr_t)vma, off, 1, 1);
	return true;
}

static void put_table(struct dump *d, const struct hash_table *t)
{
	put(d, (uintptr_t)t->buckets);
	put(d, (uintptr_t)t->old);
	put(d, t->nr_moved);
	put(d, t->bits);
	put(d, t->nr);
}

static void dump_map(struct dump *d, const struct machine *m)
{
	const struct rmap *map = m->map;

	d->nr = 0;
	put_bytes(d, &map->stats, sizeof(map->stats));
	put(d, map->mem.bytes);
	put(d, m->outstanding);
	put_bytes(d, map->flags, NR_FRAMES * sizeof(*map->flags));
	put_bytes(d, map->stale_flags, (NR_FRAMES + 63) / 64 * 8);
	put_table(d, &map->mms);
	put_table(d, &map->files);
	put_table(d, &map->links);
	for (uint64_t f = 0; f < NR_FRAMES; f++) {
		uint64_t sum = 0;

		put_bytes(d, &map->pages[f], sizeof(map->pages[f]));
		if (map->pages[f].object)
			page_ops(map, &map->pages[f])
				->visit(map, &map->pages[f], sum_candidate,
					&sum);
		put(d, sum);
	}
	for (uint32_t i = 0; i < NR_MMS; i++) {
		struct rmap_mm *mm = rmap_mm_find(map, i);
		struct rmap_vma *v = mm ? rmap_vma_next(mm, 0) : NULL;

		put(d, (uintptr_t)mm);
		if (!mm)
			continue;
		put(d, (uintptr_t)mm->group);
		for (; v; v = rmap_vma_next(mm, v->desc.end))
			put_vma(d, v);
	}
}

/* What an anon_vma says of its pages and mappings, counted again. */
static bool counts_are_right(const struct machine *m)
{
	for (uint64_t f = 0; f < NR_FRAMES; f++) {
		const struct page *page = &m->map->pages[f];
		const struct anon_vma *av;
		uint64_t nr = 0, nr_mapped = 0;

		if (!page_is_anon(page))
			continue;
		av = page_object(m->map, page);
		if (av->obj.kind != OBJECT_ANON_VMA)
			return true;
		for (uint64_t g = 0; g < NR_FRAMES; g++)
			if (m->map->pages[g].object == page->object) {
				nr++;
				nr_mapped += m->map->pages[g].count;
			}
		if (av->nr_pages != nr || av->nr_mapped != nr_mapped)
			return false;
	}
	return true;
}

/* --- each operation, failing ------------------------------------------------ */

static struct machine *now;
static struct dump before, after;
static unsigned int fail_at, nr_allocs;	/* of this try */
static unsigned long nr_failures, nr_operations, nr_differences;

static void try_begin(unsigned int k)
{
	fail_at = k;
	nr_allocs = 0;
}

static bool has_failed(void)
{
	return nr_allocs > fail_at;
}

static void compare(const char *what)
{
	dump_map(&after, now);
	if (after.nr == before.nr &&
	    !memcmp(after.at, before.at, before.nr * sizeof(before.at[0])))
		return;
	if (!nr_differences++)
		printf("# differs after %s with allocation %u failing\n", what,
		       fail_at);
}

/* The result of the try that got all it asked for, or did without. */
#define TRY_ALL(what, call) __extension__({                                  \
	int rc_;                                                             \
	nr_operations++;                                                     \
	dump_map(&before, now);                                              \
	for (unsigned int k_ = 0;; k_++) {                                   \
		try_begin(k_);                                               \
		rc_ = (call);                                                \
		if (rc_)                                                     \
			compare(what);                                       \
		if (!rc_ || !has_failed())                                   \
			break;                                               \
		nr_failures++;                                               \
	}                                                                    \
	fail_at = ~0u;                                                       \
	rc_;                                                                 \
})

#define rmap_mm_add(...) TRY_ALL("mm_add", rmap_mm_add(__VA_ARGS__))
#define rmap_mm_fork(...) TRY_ALL("mm_fork", rmap_mm_fork(__VA_ARGS__))
#define rmap_vma_add(...) TRY_ALL("vma_add", rmap_vma_add(__VA_ARGS__))
#define rmap_vma_split(...) TRY_ALL("vma_split", rmap_vma_split(__VA_ARGS__))
#define rmap_vma_merge(...) TRY_ALL("vma_merge", rmap_vma_merge(__VA_ARGS__))
#define rmap_vma_resize(...) TRY_ALL("vma_resize", rmap_vma_resize(__VA_ARGS__))
#define rmap_vma_move(...) TRY_ALL("vma_move", rmap_vma_move(__VA_ARGS__))
#define rmap_map_page(...) TRY_ALL("map_page", rmap_map_page(__VA_ARGS__))
#define rmap_unmap_page(...) TRY_ALL("unmap_page", rmap_unmap_page(__VA_ARGS__))

#include "tests/unit/rmap-steps.h"

static void *zalloc_or_fail(size_t size, void *ctx)
{
	return nr_allocs++ == fail_at ? NULL : zalloc(size, ctx);
}

static void run(enum rmap_scheme scheme, uint64_t seed, unsigned int steps)
{
	static const char *const names[] = { "anon_vma", "anon_mm",
					     "pte_chain" };
	struct machine *m = now = calloc(1, sizeof(*m));
	struct rmap_config config = {
		.nr_frames = NR_FRAMES, .scheme = scheme,
		.zalloc = zalloc_or_fail, .release = release, .alloc_ctx = m,
	};
	bool good = true, right = true;

	fail_at = ~0u;
	nr_failures = nr_operations = nr_differences = 0;
	if (!m || rmap_new(&m->map, &config))
		tap_bail("no memory");
	for (unsigned int i = 0; i < steps && good; i++) {
		good = step(m, seed, i) && machine_check(m);
		right = right && (scheme != RMAP_ANON_VMA ||
				  counts_are_right(m));
	}
	ok(right, "pages and mappings of each anon_vma are counted");
	ok(good && !nr_differences && nr_failures > nr_operations / 4,
	   "%s, seed %llu: %lu operations, %lu failures, %lu left a trace",
	   names[scheme], (unsigned long long)seed, nr_operations, nr_failures,
	   nr_differences);
	if (!good)
		printf("# %s\n", m->why);
	rmap_free(m->map);
	ok(!m->outstanding, "all memory came back");
	free(m);
}

static struct rmap_vma *region(unsigned int page, uint64_t nr, uint64_t pgoff)
{
	struct rmap_vma_desc d = { addr_of(page), addr_of(page) + (nr << 12),
				   pgoff, RMAP_VM_WRITE, { 0, 0 } };
	struct rmap_vma *vma = NULL;

	if (rmap_vma_add(now->map, rmap_mm_find(now->map, 1), &d, &vma))
		tap_bail("rmap_vma_add");
	return vma;
}

/* Growing by several levels of the page table that a VMA keeps. */
static void test_levels(void)
{
	struct machine *m = now = calloc(1, sizeof(*m));
	struct rmap_config config = {
		.nr_frames = NR_FRAMES, .zalloc = zalloc_or_fail,
		.release = release, .alloc_ctx = m,
	};
	struct rmap_vma *a, *b, *c;
	struct rmap_mm *mm;
	int rc;

	fail_at = ~0u;
	nr_failures = nr_operations = nr_differences = 0;
	if (!m || rmap_new(&m->map, &config))
		tap_bail("no memory");
	rmap_mm_add(m->map, 1, RMAP_NO_PGD, &mm);
	a = region(0, 64, 5);
	b = region(64, 1 << 20, 500);
	c = region(64 + (1 << 20), 64, 5);
	/* c has pages of a and of b: links of a that it can't grow into. */
	for (unsigned int i = 0; i < 4; i++) {
		rmap_map_page(m->map, a, addr_of(i), i);
		rmap_map_page(m->map, b, addr_of(64 + (i << 18)), 20 + i);
		rmap_map_page(m->map, b, addr_of(65 + (i << 10)), i);
		rmap_map_page(m->map, c, addr_of(64 + (1 << 20) + i), 2 + i);
	}
	rc = rmap_vma_merge(m->map, a, b);
	rc |= rmap_vma_resize(m->map, c, addr_of(64 + (1 << 20)) +
					 (UINT64_C(1) << 50));
	rc |= rmap_vma_split(m->map, a, addr_of(64 + (1 << 19)), &b);
	ok(!rc && nr_failures > 20 && !nr_differences,
	   "VMAs that grow by several levels: %lu failures, %lu left a trace",
	   nr_failures, nr_differences);
	rmap_free(m->map);
	ok(!m->outstanding, "all memory came back");
	free(m);
}

/*
 * All mappings of a page are in one VMA that has to be searched.  Reported in
 * another file too, they all move, or the page stays as it is.
 */
static void move_mappings(struct machine *m, enum rmap_scheme scheme,
			unsigned int nr, int expected)
{
	struct rmap_vma_desc d = { addr_of(0), addr_of(nr), 0,
				   RMAP_VM_WRITE | RMAP_VM_NONLINEAR,
				   { 8, 7 } };
	struct rmap_vma_desc e = { addr_of(0), addr_of(1), 0, RMAP_VM_WRITE,
				   { 8, 9 } };
	struct rmap_page_info info = { 0 };
	struct rmap_vma *v, *w;
	struct rmap_mm *a, *b;
	int rc = 0;

	if (rmap_mm_add(m->map, 1, RMAP_NO_PGD, &a) ||
	    rmap_mm_add(m->map, 2, RMAP_NO_PGD, &b) ||
	    rmap_vma_add(m->map, a, &d, &v) || rmap_vma_add(m->map, b, &e, &w))
		tap_bail("rmap_vma_add");
	for (unsigned int i = 0; i < nr && !rc; i++)
		rc = (rmap_map_page)(m->map, v, addr_of(i), 5);
	if (rc)
		tap_bail("rmap_map_page");
	nr_differences = 0;
	rc = rmap_map_page(m->map, w, addr_of(0), 5);
	rmap_page_info(m->map, 5, &info);
	ok(rc == expected && !nr_differences &&
	   info.mapcount == (int)nr - 1 + !rc && info.anon == !rc,
	   "scheme %d: %u mappings in one VMA, and one elsewhere: %s, "
	   "%lu left a trace", scheme, nr, rc ? strerror(-rc) : "moved",
	   nr_differences);
}

static void test_many_mappings(enum rmap_scheme scheme)
{
	static const struct {
		unsigned int nr;
		int rc;
	} rows[] = {
		{ RMAP_WALK_MAX - 1, 0 },
		{ RMAP_WALK_MAX, 0 },
		{ RMAP_WALK_MAX + 1, -EOVERFLOW },
		{ RMAP_WALK_MAX + 2, -EOVERFLOW },
		{ 3000, -EOVERFLOW },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct machine *m = now = calloc(1, sizeof(*m));
		struct rmap_config config = {
			.nr_frames = NR_FRAMES, .scheme = scheme,
			.zalloc = zalloc_or_fail, .release = release,
			.alloc_ctx = m,
		};

		fail_at = ~0u;
		if (!m || rmap_new(&m->map, &config))
			tap_bail("no memory");
		move_mappings(m, scheme, rows[i].nr, rows[i].rc);
		rmap_free(m->map);
		ok(!m->outstanding, "all memory came back");
		free(m);
	}
}

/* Nor does rmap_new() keep what it got when it does not get all. */
static void test_new(void)
{
	struct machine *m = calloc(1, sizeof(*m));
	struct rmap_config config = {
		.nr_frames = NR_FRAMES, .zalloc = zalloc_or_fail,
		.release = release, .alloc_ctx = m,
	};
	unsigned int n = 0;
	bool clean = true;

	for (;; n++) {
		try_begin(n);
		if (!rmap_new(&m->map, &config))
			break;
		clean = clean && !m->outstanding && !m->map;
	}
	ok(clean && n > 4, "rmap_new: %u allocations, each of which may fail", n);
	fail_at = ~0u;
	rmap_free(m->map);
	ok(!m->outstanding, "all memory came back");
	free(m);
}

/* Whatever the table of processes has moved when it ends. */
static void test_free(void)
{
	struct machine *m = calloc(1, sizeof(*m));
	struct rmap_config config = {
		.nr_frames = NR_FRAMES, .zalloc = zalloc_or_fail,
		.release = release, .alloc_ctx = m,
	};
	struct rmap_mm *mm;
	bool clean = true;

	fail_at = ~0u;
	for (uint32_t n = 0; n < 300 && clean; n++) {
		if (!m || rmap_new(&m->map, &config))
			tap_bail("no memory");
		for (uint32_t id = 1; id <= n; id++)
			if ((rmap_mm_add)(m->map, id, RMAP_NO_PGD, &mm))
				tap_bail("rmap_mm_add");
		rmap_free(m->map);
		clean = !m->outstanding;
	}
	ok(clean, "maps of up to 299 processes give all memory back");
	free(m);
}

int main(void)
{
	const char *env = getenv("RMAP_FAILURES_STEPS");
	unsigned int steps = env ? (unsigned int)strtoul(env, NULL, 0) : 800;

	test_new();
	test_free();
	test_levels();
	test_many_mappings(RMAP_ANON_VMA);
	test_many_mappings(RMAP_ANON_MM);
	for (unsigned int s = 0; s < 3; s++)
		for (uint64_t seed = 1; seed <= 3; seed++)
			run(s, seed, steps);
	return tap_done();
}
