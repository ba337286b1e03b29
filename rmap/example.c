// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * librmap in one screen: a parent and its child share a page after fork, the
 * child writes to it, and walks show who maps which frame.
 *
 *	cc example.c $(pkg-config --cflags --libs rmap)
 */
#include <rmap/rmap.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool print_mapping(const struct rmap *map, uint64_t gfn,
			const struct rmap_vma *vma, uint64_t addr, void *arg)
{
	printf("  process %" PRIu32 " at %#" PRIx64 "\n",
	       rmap_mm_id(rmap_vma_mm(vma)), addr);
	return true;
}

static void print_frame(const struct rmap *map, uint64_t gfn)
{
	struct rmap_walk_control rwc = { .rmap_one = print_mapping };
	struct rmap_page_info info;

	if (rmap_page_info(map, gfn, &info))
		return;
	printf("frame %" PRIu64 ": _mapcount %" PRId32 "\n", gfn,
	       info.mapcount);
	rmap_walk(map, gfn, &rwc);
}

int main(void)
{
	struct rmap_config config = { .nr_frames = 1024 };
	struct rmap_vma_desc heap = {
		.start = 0x10000000, .end = 0x10010000,
		.flags = RMAP_VM_READ | RMAP_VM_WRITE,
	};
	struct rmap_mm *parent, *child;
	struct rmap_vma *vma;
	struct rmap *map;
	int rc = rmap_new(&map, &config);

	if (rc) {
		fprintf(stderr, "rmap_new: %s\n", strerror(-rc));
		return 1;
	}
	rc = rmap_mm_add(map, 100, RMAP_NO_PGD, &parent);
	if (!rc)
		rc = rmap_vma_add(map, parent, &heap, &vma);
	if (!rc)
		rc = rmap_map_page(map, vma, 0x10003000, 7);
	if (!rc)
		rc = rmap_mm_fork(map, parent, 101, RMAP_NO_PGD, &child);
	if (!rc) {
		printf("after fork:\n");
		print_frame(map, 7);
		vma = rmap_vma_find(child, 0x10003000);
		rc = rmap_map_page(map, vma, 0x10003000, 8);
	}
	if (!rc) {
		printf("after a write by the child:\n");
		print_frame(map, 7);
		print_frame(map, 8);
	} else {
		fprintf(stderr, "librmap: %s\n", strerror(-rc));
	}
	rmap_free(map);
	return rc ? 1 : 0;
}
