/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RMAP_MM_H
#define RMAP_MM_H

#include "rmap/internal.h"

/* As rmap_mm_add(), for use within an operation: no hash table grows. */
int mm_new(struct rmap *map, uint32_t id, uint64_t pgd, struct rmap_mm **mmp);

#endif
