/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes DAMON walk once over given host pages, at once, testing and clearing
 * the accessed bit of each and, if requested, evicting those whose bit was
 * clear.
 *
 * DAMON is shared with other vmm processes and other programs: see
 * damon-owner.h.
 *
 * Locking: an object belongs to one thread.
 */
#ifndef VMM_ACCESS_DAMON_DAMON_CTL_H
#define VMM_ACCESS_DAMON_DAMON_CTL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "vmm/access/damon/aging.h"
#include "vmm/access/pfn-map.h"

struct damon_ctl;

/*
 * To be called only if damon_owner_probe() found no obstacle.  pageout: passes
 * evict pages whose bit was clear.  0 or -errno with why.
 */
int damon_ctl_open(struct damon_ctl **ctlp, bool pageout, char *why,
		   size_t len);
/* Restores the previous configuration if no other vmm uses DAMON.  */
void damon_ctl_close(struct damon_ctl *ctl);

/*
 * One complete pass over runs (sorted, not adjacent), recorded by aging: 0.
 * -ECANCELED soon after *stopping was set (stopping may be NULL); -EBUSY,
 * logged: another program's kdamond runs, or another vmm does not end its pass;
 * or another -errno.
 */
int damon_ctl_pass(struct damon_ctl *ctl, const struct pfn_run *runs,
		   size_t nr, struct aging *aging,
		   const atomic_bool *stopping);

/*
 * Save the writable files below dir in the file path, as lines
 * "name<TAB>value" (counts first, since writing them creates the directories
 * that follow), and restore them from it.  0 or -errno.
 */
int damon_tree_save(const char *dir, const char *path);
int damon_tree_restore(const char *dir, const char *path);

#endif
