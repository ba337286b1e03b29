/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RMAP_ANON_VMA_H
#define RMAP_ANON_VMA_H

#include "rmap/internal.h"

struct anon_vma {
	struct object obj;
	uint64_t nr_links;
	uint64_t nr_pages;		/* frames whose object this is */
	uint64_t nr_mapped;		/* mappings of these: sum of link nr */
	struct itree_node *links;	/* by index */
};

/*
 * "nr pages of this VMA belong to that anon_vma": the page with index i is at
 * page offset i - node.start of the VMA.  A link exists while nr > 0.  Linux's
 * counterpart is struct anon_vma_chain.
 */
struct anon_link {
	/* A walk reads only these two: less than 64 bytes together. */
	struct itree_node node;		/* in av->links */
	struct rmap_vma *vma;
	struct hash_node hash;		/* in map->links: (vma, av, start) */
	struct anon_vma *av;
	struct anon_link *next, **pprev;	/* in vma->links */
	uint64_t nr;			/* mappings, above 0 */
};

extern const struct object_ops anon_vma_ops;

/* They implement copy_vma and uncopy_vma of struct scheme. */
int anon_vma_copy_links(struct rmap *map, struct rmap_vma *vma,
			const struct rmap_vma *from);
void anon_vma_drop_links(struct rmap *map, struct rmap_vma *vma);

/* The VMA becomes `delta` pages longer: so do the index ranges of its links. */
void anon_vma_resize_links(struct rmap_vma *vma, int64_t delta);

#endif
