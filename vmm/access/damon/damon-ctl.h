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
 * Call it only if damon_owner_probe() found no obstacle.  0 or -errno with why.
 */
int damon_ctl_open(struct damon_ctl **ctlp, bool pageout, char *why,
		   size_t len);
/* Restores the previous configuration if no other vmm uses DAMON.  */
void damon_ctl_close(struct damon_ctl *ctl);

/*
 * One complete pass over runs (sorted, not adjacent), recorded by aging.
 * Returns after its end, or soon after *stopping was set (it may be NULL), with
 * -ECANCELED.  -EBUSY, logged: another program's kdamond runs, or another
 * vmm does not end its pass; -errno.
 */
int damon_ctl_pass(struct damon_ctl *ctl, const struct pfn_run *runs,
		   size_t nr, struct aging *aging,
		   const atomic_bool *stopping);

/*
 * Saves the writable files below dir to the file path, as lines
 * "path<TAB>value" (counts first, since writing them creates the directories
 * that follow), and restores them.  0 or -errno.
 */
int damon_tree_save(const char *dir, const char *path);
int damon_tree_restore(const char *dir, const char *path);

#endif
