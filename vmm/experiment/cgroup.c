// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vmm/experiment/cgroup.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/error-text.h"
#include "vmm/util/small-file.h"

#define PREFIX	     "vmm-experiment-"
#define MAX_LINE     4096
#define REMOVE_TRIES 50
#define REMOVE_NS    20000000

static int write_file(const char *dir, const char *name, const char *text)
{
	char path[CGROUP_PATH + 64];
	__cleanup_close int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = text; (p = strstr(p, word)); p += n)
		if ((p == text || strchr(", \n", p[-1])) &&
		    (!p[n] || strchr(", \n", p[n])))
			return true;
	return false;
}

static bool file_has_word(const char *dir, const char *name, const char *word)
{
	char path[CGROUP_PATH + 64], text[MAX_LINE];
	__cleanup_fclose FILE *f = NULL;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	return has_word(text, word);
}

/*
 * A line of mountinfo: ... mount-point options [tags] - type source options.
 * True for a version 2 tree (*v2), or for version 1's memory controller.
 */
static bool parse_mount(char *line, char *point, size_t len, bool *v2)
{
	char *dash = strstr(line, " - "), *save, *p = line, *type, *options;

	if (!dash)
		return false;
	*dash = 0;
	type = strtok_r(dash + 3, " ", &save);
	strtok_r(NULL, " ", &save);
	options = strtok_r(NULL, " \n", &save);
	if (!type || !options)
		return false;
	*v2 = !strcmp(type, "cgroup2");
	if (!*v2 && (strcmp(type, "cgroup") || !has_word(options, "memory")))
		return false;
	for (int i = 0; i < 4; i++) {
		p = strchr(p, ' ');
		if (!p++)
			return false;
	}
	p[strcspn(p, " ")] = 0;
	snprintf(point, len, "%s", p);
	return true;
}

/* Only version 2's root may have both processes and children with limits. */
static bool use_v2(struct cgroup_parent *parent, const char *point)
{
	if (!file_has_word(point, "cgroup.controllers", "memory"))
		return false;
	if (!file_has_word(point, "cgroup.subtree_control", "memory") &&
	    write_file(point, "cgroup.subtree_control", "+memory"))
		return false;
	snprintf(parent->path, sizeof(parent->path), "%s", point);
	parent->v2 = true;
	return true;
}

/* Below our own cgroup, so that its limits apply too. */
static bool use_v1(struct cgroup_parent *parent, const char *point,
		   const char *self)
{
	__cleanup_fclose FILE *f = fopen(self, "re");
	char line[MAX_LINE], path[MAX_LINE], names[256];

	snprintf(parent->path, sizeof(parent->path), "%s", point);
	parent->v2 = false;
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*d:%255[^:]:%4095[^\n]", names, path) != 2 ||
		    !has_word(names, "memory") || !strcmp(path, "/"))
			continue;
		if (strlen(point) + strlen(path) >= sizeof(parent->path) - 64)
			return false;
		strcat(parent->path, path);
		/*
		 * In another mount namespace only a part of the tree may be
		 * visible.
		 */
		if (access(parent->path, F_OK))
			snprintf(parent->path, sizeof(parent->path), "%s",
				 point);
	}
	return true;
}

int cgroup_find(struct cgroup_parent *parent, const char *mountinfo,
		const char *self, char *why, size_t len)
{
	__cleanup_fclose FILE *f = fopen(mountinfo, "re");
	char line[MAX_LINE], point[CGROUP_PATH];
	bool v2, found = false;

	while (f && fgets(line, sizeof(line), f)) {
		if (!parse_mount(line, point, sizeof(point), &v2))
			continue;
		if (v2 ? use_v2(parent, point) : use_v1(parent, point, self))
			found = true;
		if (found && v2)
			break;
	}
	if (found)
		return 0;
	snprintf(why, len, "no writable cgroup hierarchy with the memory "
		 "controller: mount one, or run as root");
	return -ENOENT;
}

void cgroup_sweep(const struct cgroup_parent *parent)
{
	DIR *d = opendir(parent->path);
	char path[CGROUP_PATH + 300];
	struct dirent *e;

	while (d && (e = readdir(d))) {
		pid_t pid;

		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)))
			continue;
		pid = (pid_t)atol(e->d_name + strlen(PREFIX));
		if (pid <= 0 || !kill(pid, 0) || errno != ESRCH)
			continue;
		snprintf(path, sizeof(path), "%s/%s", parent->path, e->d_name);
		rmdir(path);
	}
	if (d)
		closedir(d);
}

static int set_limit(struct cgroup *cg, uint64_t bytes, bool high)
{
	const char *name = !cg->v2 ? "memory.limit_in_bytes" :
			   high ? "memory.high" : "memory.max";
	char text[32];

	if (!bytes)
		return 0;
	if (high && !cg->v2)
		return -EOPNOTSUPP;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);
	return write_file(cg->path, name, text);
}

int cgroup_new(struct cgroup *cg, const struct cgroup_parent *parent,
	       uint64_t bytes, bool high, char *why, size_t len)
{
	struct cgroup old;
	int rc;

	cg->v2 = parent->v2;
	snprintf(cg->path, sizeof(cg->path), "%.*s/" PREFIX "%d",
		 CGROUP_PATH - 64, parent->path, (int)getpid());
	rc = mkdir(cg->path, 0755) ? -errno : 0;
	if (rc == -EEXIST) {
		/* Of an earlier run: it has that run's limit and usage. */
		old = *cg;
		cgroup_remove(&old);
		rc = mkdir(cg->path, 0755) ? -errno : 0;
	}
	if (rc == -EEXIST)
		snprintf(why, len, "cannot remove the cgroup %s of an earlier "
			 "run: end the processes in its cgroup.procs",
			 cg->path);
	else if (rc)
		snprintf(why, len, "cannot create the cgroup %s: %s", cg->path,
			 error_text(-rc));
	if (rc) {
		cg->path[0] = 0;
		return rc;
	}
	rc = set_limit(cg, bytes, high);
	if (rc == -EOPNOTSUPP)
		snprintf(why, len, "memory.high needs cgroup version 2 with "
			 "the memory controller; this host has version 1");
	else if (rc)
		snprintf(why, len, "cannot limit the cgroup %s: %s", cg->path,
			 error_text(-rc));
	if (rc)
		cgroup_remove(cg);
	return rc;
}

int cgroup_join(const struct cgroup *cg)
{
	char path[CGROUP_PATH + 16];
	size_t n = strlen(cg->path);
	int fd, rc = 0;

	memcpy(path, cg->path, n);
	memcpy(path + n, "/cgroup.procs", sizeof("/cgroup.procs"));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	/* 0 is the writing process. */
	if (fd < 0 || write(fd, "0", 1) < 0)
		rc = -errno;
	if (fd >= 0)
		close(fd);
	return rc;
}

static int read_number(const char *dir, const char *name, uint64_t *n)
{
	char path[CGROUP_PATH + 64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return small_file_number(path, n) ? -EIO : 0;
}

int cgroup_read(const struct cgroup *cg, struct cgroup_usage *usage)
{
	char path[CGROUP_PATH + 64], key[64];
	__cleanup_fclose FILE *f = NULL;
	unsigned long long value;
	int rc;

	memset(usage, 0, sizeof(*usage));
	rc = read_number(cg->path, cg->v2 ? "memory.current" :
			 "memory.usage_in_bytes", &usage->memory_bytes);
	if (rc)
		return rc;
	/* In version 2 it is in a file that does not exist without swap. */
	if (cg->v2)
		read_number(cg->path, "memory.swap.current",
			    &usage->swap_bytes);
	snprintf(path, sizeof(path), "%s/memory.stat", cg->path);
	f = fopen(path, "re");
	while (f && fscanf(f, "%63s %llu", key, &value) == 2) {
		if (!strcmp(key, "pgmajfault"))
			usage->major_faults = value;
		else if (!cg->v2 && !strcmp(key, "swap"))
			usage->swap_bytes = value;
	}
	return f ? 0 : -EIO;
}

void cgroup_remove(struct cgroup *cg)
{
	static const struct timespec pause = { 0, REMOVE_NS };

	for (int i = 0; *cg->path && i < REMOVE_TRIES; i++) {
		if (!rmdir(cg->path) || errno != EBUSY)
			break;
		nanosleep(&pause, NULL);
	}
	cg->path[0] = 0;
}
