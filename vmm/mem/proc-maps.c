// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "vmm/mem/proc-maps.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/error-text.h"

static int open_proc(FILE **fp, pid_t pid, const char *name)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	*fp = fopen(path, "re");
	if (*fp)
		return 0;
	return errno == ENOENT ? -ESRCH : -errno;
}

/* Parses the first line of a mapping. */
static bool parse_vma(const char *line, struct proc_vma *v)
{
	unsigned long inode;
	char perms[5];

	memset(v, 0, sizeof(*v));
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*s %*s %lu", &v->start,
		   &v->end, perms, &inode) != 4)
		return false;
	v->writable = perms[1] == 'w';
	v->shared = perms[3] == 's';
	v->is_file = inode;
	return true;
}

/* Parses one of the lines that follow it in smaps. */
static void parse_detail(const char *line, struct proc_vma *v)
{
	unsigned long long kib;

	if (sscanf(line, "KernelPageSize: %llu kB", &kib) == 1)
		v->page_bytes = kib << 10;
}

int proc_maps_read(pid_t pid, uint64_t min_bytes, bool details,
		   struct proc_vma **vmasp)
{
	__cleanup_fclose FILE *f = NULL;
	__cleanup_free char *line = NULL;
	struct proc_vma *vmas = NULL, v, *last = NULL, *more;
	size_t cap = 0;
	int nr = 0, rc = open_proc(&f, pid, details ? "smaps" : "maps");

	if (rc)
		return rc;
	while (getline(&line, &cap, f) > 0) {
		if (!parse_vma(line, &v)) {
			if (last)
				parse_detail(line, last);
			continue;
		}
		last = NULL;
		if (v.end - v.start < min_bytes)
			continue;
		more = realloc(vmas, (nr + 1) * sizeof(*vmas));
		if (!more) {
			free(vmas);
			return -ENOMEM;
		}
		vmas = more;
		last = &vmas[nr++];
		*last = v;
	}
	*vmasp = vmas;
	return nr;
}

/* Only hugetlbfs has other page sizes, and all its mappings have a file. */
int proc_maps_page_bytes(pid_t pid, struct proc_vma *vma)
{
	struct statfs fs;
	char path[96];

	vma->page_bytes = sysconf(_SC_PAGESIZE);
	if (!vma->is_file)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
		 (int)pid, vma->start, vma->end);
	if (statfs(path, &fs))
		return -errno;
	if (fs.f_type == HUGETLBFS_MAGIC)
		vma->page_bytes = fs.f_bsize;
	return 0;
}

/*
 * An open /dev/vfio/vfio alone, or KVM's own VFIO device, does not mean that a
 * device is assigned.
 */
static bool is_device(const char *target)
{
	return (!strncmp(target, "/dev/vfio/", 10) &&
		strcmp(target, "/dev/vfio/vfio")) ||
	       !strcmp(target, "/dev/iommu") ||
	       !strncmp(target, "anon_inode:[vfio", 16);
}

/*
 * 1: the process has a VFIO descriptor, so an assigned device pins its memory.
 * 0: it has none; or -errno.
 */
static int has_device(pid_t pid)
{
	char path[40], target[128];
	const struct dirent *e;
	DIR *dir;
	int found = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!found && (e = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, target,
				       sizeof(target) - 1);

		if (n <= 0)
			continue;
		target[n] = '\0';
		found = is_device(target);
	}
	closedir(dir);
	return found;
}

static int locked_bytes(pid_t pid, uint64_t *bytes)
{
	__cleanup_fclose FILE *f = NULL;
	unsigned long long kib;
	char line[128];
	int rc = open_proc(&f, pid, "status");

	*bytes = 0;
	if (rc)
		return rc;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmLck: %llu kB", &kib) == 1)
			*bytes = kib << 10;
	return 0;
}

int proc_maps_refuse(pid_t pid, uint64_t guest_bytes, char *why, size_t len)
{
	uint64_t locked = 0;
	int rc = has_device(pid);

	if (rc == 1) {
		snprintf(why, len, "a device of the host is assigned to the "
			 "guest (VFIO), which pins all guest memory: nothing "
			 "can be reclaimed until the device is removed");
		return -EOPNOTSUPP;
	}
	if (!rc)
		rc = locked_bytes(pid, &locked);
	if (rc) {
		snprintf(why, len, "cannot examine process %d: %s%s",
			 (int)pid, error_text(-rc),
			 rc == -EACCES ? ": run as root" : "");
		return rc;
	}
	if (guest_bytes && locked > guest_bytes / 2) {
		snprintf(why, len, "guest memory is locked in RAM (VmLck %"
			 PRIu64 " MiB): start QEMU without -overcommit "
			 "mem-lock=on, or the domain without <locked/>",
			 locked >> 20);
		return -EOPNOTSUPP;
	}
	return 0;
}
