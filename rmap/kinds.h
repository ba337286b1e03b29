/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RMAP_KINDS_H
#define RMAP_KINDS_H

#include "rmap/internal.h"

/* By enum object_kind. */
extern const struct object_ops *const object_ops[NR_OBJECT_KINDS];

const struct scheme *scheme_of(enum rmap_scheme scheme);

/* The operations of a mapped page's object (page->object is not 0). */
const struct object_ops *page_ops(const struct rmap *map,
				  const struct page *page);

#endif
