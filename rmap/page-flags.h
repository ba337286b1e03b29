/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RMAP_PAGE_FLAGS_H
#define RMAP_PAGE_FLAGS_H

#include "rmap/internal.h"

/*
 * To be called before the frame is mapped for the first time, and before its
 * last mapping is deleted (page->count is not changed yet): flags that this
 * makes invalid are stale from now on.
 */
void page_flags_mark_stale(struct rmap *map, uint64_t gfn);

#endif
