/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RMAP_RECORDED_H
#define RMAP_RECORDED_H

#include "rmap/internal.h"

/*
 * How many page table entries of nonlinear VMAs a visit or a walk searches at
 * most: a guest that reports all its VMAs as nonlinear must not stop the host's
 * scan.
 */
#define NONLINEAR_SEARCH_MAX (UINT64_C(1) << 16)

/*
 * Calls fn for each recorded mapping of a mapped page, until it returns false;
 * ops is of the page's object.  fn never gets OFF_UNKNOWN or a NULL VMA.
 *
 * 1: all were visited; 0: fn ended it; -EOVERFLOW: not all were found among
 * RMAP_WALK_MAX candidates and NONLINEAR_SEARCH_MAX entries of nonlinear VMAs.
 */
int recorded_visit(struct rmap *map, const struct object_ops *ops,
		   const struct page *page, uint64_t gfn, candidate_fn fn,
		   void *arg);

/*
 * Lists all recorded mappings of a page.  0; -EOVERFLOW: as above, or the page
 * has more than RMAP_WALK_MAX of them (one nonlinear VMA is one candidate, and
 * may have them all).
 */
int recorded_list(struct rmap *map, const struct object_ops *ops,
		  const struct page *page, uint64_t gfn,
		  struct mapping_list *list);

#endif
