/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mappings of one VMA as reported: page offset -> frame number.  Four bytes
 * for each page, allocated for 64 pages at a time where something is mapped.
 * Not locked: readers may run together, a writer alone.
 */
#ifndef RMAP_SNAPSHOT_H
#define RMAP_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

struct rmap_memory;

#define SNAPSHOT_NONE UINT64_MAX

struct snapshot {
	void *root;		/* owned: a leaf if height is 0, else a node */
	unsigned int height;
	uint64_t nr;		/* offsets where a frame is mapped */
};

/* An empty snapshot for offsets 0 .. nr_pages - 1. */
void snapshot_init(struct snapshot *snap, uint64_t nr_pages);
/*
 * Makes room for offsets up to nr_pages - 1, if these are more than before.
 * -ENOMEM, with nothing changed.
 */
int snapshot_extend(struct rmap_memory *mem, struct snapshot *snap,
		    uint64_t nr_pages);
/*
 * Undoes snapshot_extend(): height is the one before it.  Offsets that this has
 * no room for must be clear.
 */
void snapshot_trim(struct rmap_memory *mem, struct snapshot *snap,
		   unsigned int height);
void snapshot_destroy(struct rmap_memory *mem, struct snapshot *snap);

/* The frame at off, or SNAPSHOT_NONE. */
uint64_t snapshot_get(const struct snapshot *snap, uint64_t off);

/*
 * Writing takes two steps, so that what can fail comes first: prepare makes
 * room for off (0 or -ENOMEM), then set cannot fail.  clear deletes the entry
 * at off, if there is one, and frees nodes that are empty then, also those that
 * prepare made.
 */
int snapshot_prepare(struct rmap_memory *mem, struct snapshot *snap,
		     uint64_t off);
void snapshot_set(struct snapshot *snap, uint64_t off, uint64_t gfn);
void snapshot_clear(struct rmap_memory *mem, struct snapshot *snap,
		    uint64_t off);

/*
 * The first offset >= off where a frame is mapped, and the frame in *gfn; or
 * SNAPSHOT_NONE, with *gfn unchanged.
 */
uint64_t snapshot_next(const struct snapshot *snap, uint64_t off,
		       uint64_t *gfn);
/* The same below the offset end, beyond which nothing is searched. */
uint64_t snapshot_next_below(const struct snapshot *snap, uint64_t off,
			     uint64_t end, uint64_t *gfn);

/*
 * Copies src to dst, which is empty and for as many pages.  0, or -ENOMEM with
 * nothing changed.
 */
int snapshot_copy(struct rmap_memory *mem, struct snapshot *dst,
		  const struct snapshot *src);

#endif
