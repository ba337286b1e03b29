/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RMAP_OBJECT_H
#define RMAP_OBJECT_H

#include "rmap/internal.h"

/*
 * A new object of `size` bytes, which begins with a struct object and is zero
 * beyond it.  It counts in stats.nr_files or stats.nr_anon_vmas.  Sets *rcp to
 * 0; or returns NULL, with -ENOMEM or -ENOSPC (no id is left) in *rcp.
 */
struct object *object_new(struct rmap *map, enum object_kind kind, size_t size,
			  int *rcp);
/* size: as in object_new(). */
void object_free(struct rmap *map, struct object *object, size_t size);

#endif
