/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process in the cgroup of a run that pins some pages of a file there.
 *
 * Pages that KVM reads from swap are active at once, so a cgroup that contains
 * only a guest has an empty inactive list.  Linux then scans the active list
 * only if counters that are seconds old say so, or if there are file pages
 * (seen on 6.18, shrink_lruvec()): without these it reclaims nothing, and kills
 * the guest with free swap left.  A host's VMM has such pages, if only of its
 * own program; the program of our guests may be charged to whoever ran it
 * first.  So the guests run a copy that is charged to the cgroup, and this
 * process pins pages of it.
 */
#ifndef VMM_EXPERIMENT_FILE_PIN_H
#define VMM_EXPERIMENT_FILE_PIN_H

#include <sys/types.h>

struct cgroup;

/*
 * Starts the process: it copies the file `program` to the path `copy` and pins
 * pages of the copy, both before the return.  Its pid, or -errno.
 */
pid_t file_pin_start(const struct cgroup *cg, const char *program,
		     const char *copy);
/* Ends the process and removes the copy. */
void file_pin_stop(pid_t pid, const char *copy);

#endif
