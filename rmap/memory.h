/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The map's memory: zeroed allocations below a limit, all counted.  The same
 * struct counts the work done by writers, as allocations are part of it.
 *
 * Callers pass the size again when they free, so that no allocation needs a
 * header of its own.
 */
#ifndef RMAP_MEMORY_H
#define RMAP_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct rmap_memory {
	/* rmap_config's, or calloc() and free() */
	void *(*zalloc)(size_t size, void *ctx);
	void (*release)(void *ptr, size_t size, void *ctx);
	void *ctx;
	uint64_t max_bytes;	/* limit of bytes; 0: none */
	uint64_t bytes;		/* allocated now */
	uint64_t work;		/* rmap_work(): steps */
};

/* Zeroed memory; NULL where there is none or the limit would be exceeded. */
void *rmap_mem_alloc(struct rmap_memory *mem, size_t size);
/* size: as allocated. */
void rmap_mem_free(struct rmap_memory *mem, void *ptr, size_t size);

#endif
