// SPDX-License-Identifier: GPL-2.0-or-later
#include "rmap/object.h"

#include <errno.h>

static uint64_t *counter(struct rmap *map, enum object_kind kind)
{
	return kind == OBJECT_FILE ? &map->stats.nr_files :
				     &map->stats.nr_anon_vmas;
}

struct object *object_new(struct rmap *map, enum object_kind kind, size_t size,
			  int *rcp)
{
	struct object *object = rmap_mem_alloc(&map->mem, size);
	int rc;

	*rcp = -ENOMEM;
	if (!object)
		return NULL;
	rc = ids_add(&map->mem, &map->ids, object, &object->id);
	*rcp = rc;
	if (rc) {
		rmap_mem_free(&map->mem, object, size);
		return NULL;
	}
	object->kind = kind;
	++*counter(map, kind);
	return object;
}

void object_free(struct rmap *map, struct object *object, size_t size)
{
	ids_del(&map->mem, &map->ids, object->id);
	--*counter(map, object->kind);
	rmap_mem_free(&map->mem, object, size);
}
