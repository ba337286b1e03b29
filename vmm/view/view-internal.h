/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the agent server fills a view.  All under view_wrlock(). */
#ifndef VMM_VIEW_VIEW_INTERNAL_H
#define VMM_VIEW_VIEW_INTERNAL_H

#include "vmm/view/view.h"

/*
 * Adds a process or renames the one with this pid, and its address space with
 * it (pgd or RMAP_NO_PGD).  -ENOMEM.
 */
int view_put_process(struct view *view, uint32_t pid, const char *comm,
		     uint64_t pgd, struct rmap_mm **mmp);
/* It ended: all its regions go too. */
void view_drop_process(struct view *view, uint32_t pid);
/* nr pages of it were mapped (negative: unmapped). */
void view_count_mapped(struct view *view, uint32_t pid, int64_t nr);
/* 4 or 5, as the agent says. */
void view_set_paging_levels(struct view *view, unsigned int levels);
/* The counters of view_get_stats(), to be changed in place. */
struct view_stats *view_stats_mut(struct view *view);

#endif
