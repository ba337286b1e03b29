/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RMAP_PAGE_FLAGS_H
#define RMAP_PAGE_FLAGS_H

#include "rmap/internal.h"

/*
 * The frame is about to be mapped for the first time, or its last mapping is
 * about to go: flags that this makes invalid are stale from now on.
 * page->count is still the one before.
 */
void page_flags_mark_stale(struct rmap *map, uint64_t gfn);

#endif
