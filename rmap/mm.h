/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RMAP_MM_H
#define RMAP_MM_H

#include "rmap/internal.h"

/* rmap_mm_add() without the growth of tables, as a part of an operation. */
int mm_new(struct rmap *map, uint32_t id, uint64_t pgd, struct rmap_mm **mmp);

#endif
