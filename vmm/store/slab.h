/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory for compressed pages: objects of 1 to 4096 bytes in size classes, each
 * class in blocks of its own.  Objects are identified by handles and may be
 * moved, so that blocks with holes can be emptied and freed.
 *
 * Not thread-safe: the store serialises.
 */
#ifndef VMM_STORE_SLAB_H
#define VMM_STORE_SLAB_H

#include <stddef.h>
#include <stdint.h>

#define SLAB_MAX_SIZE 4096
#define SLAB_NONE     UINT64_MAX

struct slab;

/*
 * For at most max_bytes of blocks, which take no memory until they are used.
 * 0 or -ENOMEM.
 */
int slab_new(struct slab **slabp, uint64_t max_bytes);
void slab_free(struct slab *slab);

/* The handle of a new object of key, or SLAB_NONE if all memory is in use. */
uint64_t slab_alloc(struct slab *slab, size_t size, uint64_t key);
void slab_release(struct slab *slab, uint64_t handle);
/* Valid until the object is released, or the next slab_compact(). */
void *slab_data(struct slab *slab, uint64_t handle);

struct slab_stats {
	uint64_t block_bytes;	/* of blocks in use: memory taken */
	uint64_t slot_bytes;	/* of slots in use */
	uint64_t nr_objects, nr_moved;	/* now; by slab_compact() so far */
};

void slab_get_stats(const struct slab *slab, struct slab_stats *stats);

/*
 * Empties blocks by moving at most max_moves objects into holes of other
 * blocks; moved() gets the key, the old and the new handle of each.  Returns
 * the number of bytes freed.
 */
uint64_t slab_compact(struct slab *slab, unsigned int max_moves,
		      void (*moved)(uint64_t key, uint64_t from, uint64_t to,
				    void *arg), void *arg);

#endif
