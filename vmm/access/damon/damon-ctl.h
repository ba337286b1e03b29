/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes DAMON walk over given host pages once, now, testing and clearing the
 * accessed bit of each; and, where that is asked for, evicting those that had
 * it clear.
 *
 * DAMON is shared with other vmm, and others: see damon-owner.h.
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

/* Where damon_owner_probe() found no obstacle.  0 or -errno with why. */
int damon_ctl_open(struct damon_ctl **ctlp, bool pageout, char *why,
		   size_t len);
/* Puts back what was configured before, if no other vmm uses DAMON. */
void damon_ctl_close(struct damon_ctl *ctl);

/*
 * One complete pass over runs (sorted, not touching), recorded by aging.
 * Returns after it ended, or soon after *stopping was set (it may be NULL), with
 * -ECANCELED.  -EBUSY, told: somebody else's kdamond runs, or another vmm does not
 * end its pass; -errno.
 */
int damon_ctl_pass(struct damon_ctl *ctl, const struct pfn_run *runs,
		   size_t nr, struct aging *aging,
		   const atomic_bool *stopping);

/*
 * The files below dir that can be written, as lines "path<TAB>value" (counts
 * first, since writing those makes the directories that follow), to the file
 * path; and back.  0 or -errno.
 */
int damon_tree_save(const char *dir, const char *path);
int damon_tree_restore(const char *dir, const char *path);

#endif
