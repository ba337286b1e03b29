// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The memory limits of a process's cgroup.  The limits of all ancestors apply,
 * so with version 2 all of them are read, up to the mount point:
 *
 *   /sys/fs/cgroup / machines / web     memory.max of web, of machines
 *
 * Version 1 reports the effective limit in memory.stat.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/doctor/doctor-internal.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/size.h"

#define UNLIMITED (UINT64_C(1) << 62)	/* version 1 reports a huge number */

struct limit {
	uint64_t bytes;		/* >= UNLIMITED: no limit */
	bool known;
	char where[128];	/* the cgroup that sets it */
};

struct cgroup {
	int version;
	char mount[128];	/* "": the controller is not mounted */
	char path[256];		/* below mount; "": the mount itself */
};

/* In /proc/PID/cgroup: version 1's line with memory, else version 2's line. */
static int find_cgroup(const struct doctor *d, const char *pid,
		       struct cgroup *cg)
{
	__cleanup_fclose FILE *f = doctor_fopen(d, "/proc/%s/cgroup", pid);
	char line[512];

	cg->version = 0;
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		char *names = strchr(line, ':');
		char *path = names ? strchr(names + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		if (doctor_has_word(names + 1, "memory", ","))
			cg->version = 1;
		else if (!names[1] && !cg->version)
			cg->version = 2;
		else
			continue;
		snprintf(cg->path, sizeof(cg->path), "%.255s", path);
		if (cg->version == 1)
			break;
	}
	return cg->version ? 0 : -ENOENT;
}

/*
 * Finds where that hierarchy is mounted.  A line of mountinfo:
 * id parent major:minor root mountpoint options... - type source options
 */
static int find_mount(const struct doctor *d, struct cgroup *cg)
{
	__cleanup_fclose FILE *f = doctor_fopen(d, "/proc/self/mountinfo");
	char line[1024], root[256], at[128], type[32], options[256];
	const char *dash;

	while (f && fgets(line, sizeof(line), f)) {
		size_t len;

		dash = strstr(line, " - ");
		if (!dash || sscanf(dash, " - %31s %*s %255s", type,
				    options) != 2 ||
		    sscanf(line, "%*s %*s %*s %255s %127s", root, at) != 2)
			continue;
		if (strcmp(type, cg->version == 1 ? "cgroup" : "cgroup2") ||
		    (cg->version == 1 &&
		     !doctor_has_word(options, "memory", ",")))
			continue;
		strcpy(cg->mount, at);
		/* A container may see only a subtree. */
		len = strlen(root);
		if (len > 1 && !strncmp(cg->path, root, len) &&
		    (!cg->path[len] || cg->path[len] == '/'))
			memmove(cg->path, cg->path + len,
				strlen(cg->path + len) + 1);
		if (!strcmp(cg->path, "/"))
			*cg->path = '\0';
		return 0;
	}
	return -ENOENT;
}

static void lower(struct limit *limit, uint64_t bytes, const char *where)
{
	if (bytes >= limit->bytes)
		return;
	limit->bytes = bytes;
	snprintf(limit->where, sizeof(limit->where), "%.127s", where);
}

/* The lowest value of the file in our cgroup and all ancestors. */
static struct limit smallest(const struct doctor *d, const struct cgroup *cg,
			     const char *file)
{
	/* The mount may be the root cgroup, which has no limits. */
	struct limit limit = { .bytes = UNLIMITED, .known = !*cg->path };
	char path[sizeof(cg->path)];
	uint64_t v;

	strcpy(path, cg->path);
	for (;;) {
		char *slash = strrchr(path, '/');
		int err = doctor_number(d, &v, "%s%s/%s", cg->mount, path,
					file);

		/* "max" is not a number. */
		limit.known |= !err || err == -EINVAL;
		if (!err)
			lower(&limit, v, path);
		if (!slash)
			return limit;
		*slash = '\0';
	}
}

static struct limit hierarchical(const struct doctor *d,
				 const struct cgroup *cg, const char *key)
{
	struct limit limit = { .bytes = UNLIMITED };
	char text[32];

	limit.known = !doctor_field(d, text, sizeof(text), key,
				    "%s%s/memory.stat", cg->mount, cg->path);
	if (limit.known)
		lower(&limit, strtoull(text, NULL, 10), cg->path);
	return limit;
}

static struct doctor_fact *add_limit(struct doctor *d, const char *group,
				     const char *name, const struct limit *l)
{
	char size[16];

	if (l->bytes >= UNLIMITED) {
		doctor_add(d, group, name, l->known ? "no limit" :
						      "not known");
		return NULL;
	}
	return doctor_add(d, group, name, "limited to %s, by %.60s",
			  size_format(l->bytes, size, sizeof(size)),
			  *l->where ? l->where : "/");
}

static void check_v2(struct doctor *d, const char *group,
		     const struct cgroup *cg)
{
	struct limit max = smallest(d, cg, "memory.max");
	struct limit high = smallest(d, cg, "memory.high");
	struct limit swap = smallest(d, cg, "memory.swap.max");
	struct doctor_fact *f = add_limit(d, group, "cgroup-memory", &max);

	if (f) {
		doctor_detail(f, "above this limit the kernel itself reclaims, "
			      "and kills processes when that is not enough");
		doctor_flag(f, DOCTOR_WARN, "echo max >%s%s/memory.max, or "
			    "start guests in another cgroup", cg->mount,
			    max.where);
	}
	f = add_limit(d, group, "cgroup-high", &high);
	if (f) {
		doctor_detail(f, "above this limit guests are throttled");
		doctor_flag(f, DOCTOR_WARN, "echo max >%s%s/memory.high",
			    cg->mount, high.where);
	}
	f = add_limit(d, group, "cgroup-swap", &swap);
	if (f) {
		doctor_detail(f, swap.bytes ? "no more than that can be "
			      "swapped out" :
			      "nothing can be swapped out, however much swap "
			      "the host has");
		doctor_flag(f, DOCTOR_WARN, "echo max >%s%s/memory.swap.max",
			    cg->mount, swap.where);
	}
}

static void check_v1(struct doctor *d, const char *group,
		     const struct cgroup *cg)
{
	struct limit max = hierarchical(d, cg, "hierarchical_memory_limit");
	struct limit memsw = hierarchical(d, cg, "hierarchical_memsw_limit");
	struct doctor_fact *f = add_limit(d, group, "cgroup-memory", &max);

	if (f) {
		doctor_detail(f, "above this limit the kernel itself reclaims, "
			      "and kills processes when that is not enough");
		doctor_flag(f, DOCTOR_WARN, "echo -1 "
			    ">%s%s/memory.limit_in_bytes (and above it), or "
			    "start guests in another cgroup", cg->mount,
			    cg->path);
	}
	f = add_limit(d, group, "cgroup-swap", &memsw);
	if (f) {
		doctor_detail(f, "the limit is for memory and swap together");
		doctor_flag(f, DOCTOR_WARN, "echo -1 "
			    ">%s%s/memory.memsw.limit_in_bytes (and above "
			    "it)", cg->mount, cg->path);
	}
}

void doctor_check_cgroup(struct doctor *d, const char *group, const char *pid)
{
	struct cgroup cg;

	if (find_cgroup(d, pid, &cg) || find_mount(d, &cg)) {
		doctor_add(d, group, "cgroup-memory", "no memory cgroups");
		return;
	}
	if (cg.version == 1)
		check_v1(d, group, &cg);
	else
		check_v2(d, group, &cg);
}
