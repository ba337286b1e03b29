/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process in the cgroup of a run that holds some pages of a file there.
 *
 * Pages that KVM brings back from swap are active at once, so that a cgroup
 * that holds nothing but a guest has an empty inactive list.  Linux then looks
 * at the active list only if counters that are seconds old say so, or if there
 * are pages of files (seen on 6.18, shrink_lruvec()): without these it reclaims
 * nothing, and kills the guest, with swap to spare.  A host's VMM has such
 * pages, its own program if nothing else; our guests' program may be charged to
 * whoever ran it first.  So the guests run a copy that is charged to the cgroup,
 * and the keeper holds pages of it.
 */
#ifndef VMM_EXPERIMENT_KEEPER_H
#define VMM_EXPERIMENT_KEEPER_H

#include <sys/types.h>

struct cgroup;

/*
 * Starts it; copy is made from the file program, and is there on return.  Its
 * pid, or -errno.
 */
pid_t keeper_start(const struct cgroup *cg, const char *program,
		   const char *copy);
/* Ends it and removes the copy. */
void keeper_stop(pid_t pid, const char *copy);

#endif
