// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A radix tree with 64-way nodes, as high as the VMA is long:
 *
 *	height 0 (up to 64 pages)	root = leaf of 64 frame numbers
 *	height 1 (up to 16 MiB)		root = node -> leaves
 *	height 2 (up to 1 GiB)		root = node -> nodes -> leaves ...
 *
 * A VMA of a terabyte with one mapping costs one path of nodes.  A leaf stores
 * frame numbers plus one, and 0 where nothing is mapped.  The `nr` of a leaf or
 * node counts its non-zero elements.
 */
#include "rmap/snapshot.h"

#include <errno.h>

#include "rmap/memory.h"

#define FAN_BITS 6
#define FAN	 (1u << FAN_BITS)

struct leaf {
	uint32_t nr;
	uint32_t frame[FAN];
};

struct node {
	uint32_t nr;
	void *slot[FAN];
};

static unsigned int slot_of(uint64_t off, unsigned int height)
{
	return off >> (height * FAN_BITS) & (FAN - 1);
}

static unsigned int height_for(uint64_t nr_pages)
{
	unsigned int height = 0;

	for (nr_pages--; nr_pages >>= FAN_BITS;)
		height++;
	return height;
}

void snapshot_init(struct snapshot *snap, uint64_t nr_pages)
{
	snap->root = NULL;
	snap->nr = 0;
	snap->height = height_for(nr_pages);
}

void snapshot_trim(struct rmap_memory *mem, struct snapshot *snap,
		   unsigned int height)
{
	while (snap->root && snap->height > height) {
		struct node *node = snap->root;

		snap->root = node->slot[0];
		snap->height--;
		rmap_mem_free(mem, node, sizeof(*node));
	}
	snap->height = height;
}

int snapshot_extend(struct rmap_memory *mem, struct snapshot *snap,
		    uint64_t nr_pages)
{
	unsigned int before = snap->height, height = height_for(nr_pages);

	while (snap->root && snap->height < height) {
		struct node *node = rmap_mem_alloc(mem, sizeof(*node));

		if (!node) {
			snapshot_trim(mem, snap, before);
			return -ENOMEM;
		}
		node->slot[0] = snap->root;
		node->nr = 1;
		snap->root = node;
		snap->height++;
	}
	if (snap->height < height)
		snap->height = height;
	return 0;
}

static void free_subtree(struct rmap_memory *mem, void *root,
			 unsigned int height)
{
	struct node *node = root;

	if (!root)
		return;
	if (!height) {
		rmap_mem_free(mem, root, sizeof(struct leaf));
		return;
	}
	for (unsigned int i = 0; i < FAN; i++)
		free_subtree(mem, node->slot[i], height - 1);
	rmap_mem_free(mem, node, sizeof(*node));
}

void snapshot_destroy(struct rmap_memory *mem, struct snapshot *snap)
{
	free_subtree(mem, snap->root, snap->height);
	snap->root = NULL;
	snap->nr = 0;
}

static struct leaf *find_leaf(const struct snapshot *snap, uint64_t off)
{
	void *at = snap->root;

	for (unsigned int h = snap->height; at && h; h--)
		at = ((struct node *)at)->slot[slot_of(off, h)];
	return at;
}

uint64_t snapshot_get(const struct snapshot *snap, uint64_t off)
{
	const struct leaf *leaf = find_leaf(snap, off);
	uint32_t frame = leaf ? leaf->frame[slot_of(off, 0)] : 0;

	return frame ? frame - UINT64_C(1) : SNAPSHOT_NONE;
}

/* Frees what is empty on the path to off; true if that includes the root. */
static bool prune(struct rmap_memory *mem, void *root, unsigned int height,
		  uint64_t off)
{
	struct node *node = root;
	unsigned int i = slot_of(off, height);

	if (!root)
		return false;
	if (!height) {
		if (((struct leaf *)root)->nr)
			return false;
		rmap_mem_free(mem, root, sizeof(struct leaf));
		return true;
	}
	if (prune(mem, node->slot[i], height - 1, off)) {
		node->slot[i] = NULL;
		node->nr--;
	}
	if (node->nr)
		return false;
	rmap_mem_free(mem, node, sizeof(*node));
	return true;
}

int snapshot_prepare(struct rmap_memory *mem, struct snapshot *snap,
		     uint64_t off)
{
	struct node *parent = NULL;
	void **at = &snap->root;

	for (unsigned int h = snap->height;; h--) {
		if (!*at) {
			*at = rmap_mem_alloc(mem, h ? sizeof(struct node)
						: sizeof(struct leaf));
			if (!*at)
				break;
			if (parent)
				parent->nr++;
		}
		if (!h)
			return 0;
		parent = *at;
		at = &parent->slot[slot_of(off, h)];
	}
	snapshot_clear(mem, snap, off);
	return -ENOMEM;
}

void snapshot_set(struct snapshot *snap, uint64_t off, uint64_t gfn)
{
	struct leaf *leaf = find_leaf(snap, off);
	uint32_t *frame = &leaf->frame[slot_of(off, 0)];

	if (!*frame) {
		leaf->nr++;
		snap->nr++;
	}
	*frame = (uint32_t)(gfn + 1);
}

void snapshot_clear(struct rmap_memory *mem, struct snapshot *snap,
		    uint64_t off)
{
	struct leaf *leaf = find_leaf(snap, off);

	if (leaf && leaf->frame[slot_of(off, 0)]) {
		leaf->frame[slot_of(off, 0)] = 0;
		leaf->nr--;
		snap->nr--;
	}
	if (prune(mem, snap->root, snap->height, off))
		snap->root = NULL;
}

/*
 * snapshot_next_below() in a subtree, which begins at the offset base.
 */
static uint64_t next_in(const void *root, unsigned int height, uint64_t base,
			uint64_t off, uint64_t end, uint64_t *gfn)
{
	const struct node *node = root;
	const struct leaf *leaf = root;
	unsigned int first = off > base ? slot_of(off, height) : 0;

	if (!root)
		return SNAPSHOT_NONE;
	for (unsigned int i = first; i < FAN; i++) {
		uint64_t at = base + ((uint64_t)i << (height * FAN_BITS));

		if (at >= end)
			break;
		if (height) {
			at = next_in(node->slot[i], height - 1, at, off, end,
				     gfn);
			if (at != SNAPSHOT_NONE)
				return at;
		} else if (leaf->frame[i]) {
			*gfn = leaf->frame[i] - UINT64_C(1);
			return at;
		}
	}
	return SNAPSHOT_NONE;
}

uint64_t snapshot_next_below(const struct snapshot *snap, uint64_t off,
			     uint64_t end, uint64_t *gfn)
{
	if (off >= end || off >> FAN_BITS >> (snap->height * FAN_BITS))
		return SNAPSHOT_NONE;
	return next_in(snap->root, snap->height, 0, off, end, gfn);
}

uint64_t snapshot_next(const struct snapshot *snap, uint64_t off,
		       uint64_t *gfn)
{
	return snapshot_next_below(snap, off, SNAPSHOT_NONE, gfn);
}

/* A copy of the subtree; NULL: out of memory. */
static void *copy_subtree(struct rmap_memory *mem, const void *root,
			  unsigned int height)
{
	const struct node *from = root;
	struct node *to;

	if (!height) {
		struct leaf *leaf = rmap_mem_alloc(mem, sizeof(*leaf));

		if (leaf)
			*leaf = *(const struct leaf *)root;
		return leaf;
	}
	to = rmap_mem_alloc(mem, sizeof(*to));
	if (!to)
		return NULL;
	for (unsigned int i = 0; i < FAN; i++) {
		if (!from->slot[i])
			continue;
		to->slot[i] = copy_subtree(mem, from->slot[i], height - 1);
		if (!to->slot[i]) {
			free_subtree(mem, to, height);
			return NULL;
		}
		to->nr++;
	}
	return to;
}

int snapshot_copy(struct rmap_memory *mem, struct snapshot *dst,
		  const struct snapshot *src)
{
	if (src->root) {
		void *root = copy_subtree(mem, src->root, src->height);

		if (!root)
			return -ENOMEM;
		dst->root = root;
	}
	dst->height = src->height;
	dst->nr = src->nr;
	return 0;
}
