/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ids of objects: a frame's record has room for 27 bits, not for a pointer.
 * The table consists of chunks; a chunk without an id in use is freed, so that
 * an operation that fails leaves the memory used as it was.  Ids start at 1.
 * Adding, deleting and finding take constant time.
 *
 * Not locked: readers may run together, a writer alone.
 */
#ifndef RMAP_IDS_H
#define RMAP_IDS_H

#include <stdint.h>

struct rmap_memory;

#define ID_BITS	      27
#define ID_CHUNK_BITS 11
#define ID_CHUNK      (1u << ID_CHUNK_BITS)
#define ID_NR_CHUNKS  (1u << (ID_BITS - ID_CHUNK_BITS))

struct id_chunk {
	struct id_chunk *next, **pprev;	/* in table->open, while not full */
	uint32_t number;		/* of the chunk */
	uint32_t nr_used;
	uint32_t nr_ever_used;		/* slots from here on: never used */
	uint32_t free;			/* first free slot plus 1; 0: none */
	void *slot[ID_CHUNK];
};

struct id_table {
	struct id_chunk **chunks;	/* owned; ID_NR_CHUNKS */
	struct id_chunk *open;		/* list of those with a free slot */
	uint32_t nr_chunks;		/* numbers from here on: never used */
	uint32_t free;			/* first free number plus 1; 0: none */
};

/* Gives the object an id.  0, -ENOMEM or -ENOSPC (all are in use). */
int ids_add(struct rmap_memory *mem, struct id_table *t, void *object,
	    uint32_t *id);
void ids_del(struct rmap_memory *mem, struct id_table *t, uint32_t id);

static inline void *ids_get(const struct id_table *t, uint32_t id)
{
	return t->chunks[id >> ID_CHUNK_BITS]->slot[id & (ID_CHUNK - 1)];
}

#endif
