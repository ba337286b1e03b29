/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RMAP_ANON_MM_H
#define RMAP_ANON_MM_H

#include "rmap/internal.h"

extern const struct object_ops anon_mm_ops;

/* The process, which has no VMAs any more, leaves its group, if it has one. */
void anon_mm_remove_member(struct rmap *map, struct rmap_mm *mm);

#endif
