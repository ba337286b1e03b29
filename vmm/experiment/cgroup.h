/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A memory cgroup for the guests of one run: it counts the memory they use, and
 * can limit it.  Version 2 if it has the memory controller, else version 1.
 */
#ifndef VMM_EXPERIMENT_CGROUP_H
#define VMM_EXPERIMENT_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CGROUP_PATH 512

/* Where cgroups are created. */
struct cgroup_parent {
	char path[CGROUP_PATH];
	bool v2;
};

struct cgroup {
	char path[CGROUP_PATH];		/* "": there is none */
	bool v2;
};

struct cgroup_usage {
	uint64_t memory_bytes;	/* all that is charged, kernel's too */
	uint64_t swap_bytes;
	uint64_t major_faults;	/* pages read from swap or files */
};

/*
 * Finds the parent.  mountinfo and self are /proc/self/mountinfo and
 * /proc/self/cgroup, or a test's replacements.  -ENOENT or another -errno with
 * why: no memory controller.
 */
int cgroup_find(struct cgroup_parent *parent, const char *mountinfo,
		const char *self, char *why, size_t len);
/* Removes cgroups left behind by runs whose processes have ended. */
void cgroup_sweep(const struct cgroup_parent *parent);
/*
 * Creates a cgroup; bytes 0: no limit; high: memory.high (version 2) instead of
 * the hard limit.  -errno with why, after which nothing is left.
 */
int cgroup_new(struct cgroup *cg, const struct cgroup_parent *parent,
	       uint64_t bytes, bool high, char *why, size_t len);
/* Moves the calling process.  Safe between fork and exec.  -errno. */
int cgroup_join(const struct cgroup *cg);
/* -errno: read error. */
int cgroup_read(const struct cgroup *cg, struct cgroup_usage *usage);
/* Its processes must have ended; waits briefly until the kernel has noticed. */
void cgroup_remove(struct cgroup *cg);

#endif
