// SPDX-License-Identifier: GPL-2.0-or-later
#include "rmap/memory.h"

/* Steps of work that an allocation counts, or a release (rmap_work()). */
#define ALLOC_WORK 2

void *rmap_mem_alloc(struct rmap_memory *mem, size_t size)
{
	uint64_t max = mem->max_bytes;
	void *ptr;

	if (max && (size > max || mem->bytes > max - size))
		return NULL;
	ptr = mem->zalloc(size, mem->ctx);
	if (!ptr)
		return NULL;
	mem->bytes += size;
	mem->work += ALLOC_WORK;
	return ptr;
}

void rmap_mem_free(struct rmap_memory *mem, void *ptr, size_t size)
{
	mem->release(ptr, size, mem->ctx);
	mem->bytes -= size;
	mem->work += ALLOC_WORK;
}
