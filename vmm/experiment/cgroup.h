/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A memory cgroup for the guests of one run: it counts what they take, and can
 * limit it.  Version 2 where it has the memory controller, else version 1.
 */
#ifndef VMM_EXPERIMENT_CGROUP_H
#define VMM_EXPERIMENT_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CGROUP_PATH 512

/* Where cgroups are made. */
struct cgroup_parent {
	char path[CGROUP_PATH];
	bool v2;
};

struct cgroup {
	char path[CGROUP_PATH];		/* "": there is none */
	bool v2;
};

struct cgroup_usage {
	uint64_t memory_bytes;	/* all that is charged, the kernel's too */
	uint64_t swap_bytes;
	uint64_t major_faults;	/* pages brought back from swap or files */
};

/*
 * Finds the place.  mountinfo and self are /proc/self/mountinfo and
 * /proc/self/cgroup, or what a test puts there.  -ENOENT or another -errno
 * with why: no memory controller.
 */
int cgroup_find(struct cgroup_parent *parent, const char *mountinfo,
		const char *self, char *why, size_t len);
/* Removes what runs of processes that are gone left behind. */
void cgroup_sweep(const struct cgroup_parent *parent);
/*
 * Makes one; bytes 0: no limit; high: memory.high (version 2) instead of the
 * hard limit.  -errno with why; nothing is left then.
 */
int cgroup_new(struct cgroup *cg, const struct cgroup_parent *parent,
	       uint64_t bytes, bool high, char *why, size_t len);
/* Between fork and exec: only async-signal-safe calls.  -errno. */
int cgroup_join(const struct cgroup *cg);
/* -errno: it can't be read. */
int cgroup_read(const struct cgroup *cg, struct cgroup_usage *usage);
/* Its processes must have ended; waits a little for the last to be gone. */
void cgroup_remove(struct cgroup *cg);

#endif
