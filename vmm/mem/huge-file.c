// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A file for guest memory that the kernel fills with huge pages at the first
 * touch.
 *
 * A memfd lies in a tmpfs of the kernel's own, in which huge pages are allowed
 * by the host's administrator (shmem_enabled); the default is "never".  A tmpfs
 * of our own decides for itself ("huge=always").  It is attached nowhere, so
 * nobody sees it, and ends with the last file that is open in it.
 *
 *   we may mount     a file in a tmpfs of ours
 *   we may not       the same, made by a child that is root in a user namespace
 *                    of its own, and whose open files are also ours
 *   neither works    -errno: use a memfd
 *
 * The child has a copy of our memory and does nothing but system calls, so
 * there may be other threads.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/mem/guest-mem-internal.h"

/* What the child needs, prepared by its parent; in shared memory. */
struct request {
	char size[24], uid_map[32], gid_map[32];
	int result;		/* the file, or -errno */
};

static int configure(int fs, unsigned int command, const char *key,
		     const char *value)
{
	return syscall(SYS_fsconfig, fs, command, key, value, 0);
}

/* A mount that is attached nowhere, or -errno. */
static int mount_tmpfs(const char *size)
{
	int fs = syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC), mount = -1, err;

	if (fs < 0)
		return -errno;
	if (!configure(fs, FSCONFIG_SET_STRING, "huge", "always") &&
	    !configure(fs, FSCONFIG_SET_STRING, "size", size) &&
	    !configure(fs, FSCONFIG_CMD_CREATE, NULL, NULL))
		mount = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	err = -errno;
	close(fs);
	return mount < 0 ? err : mount;
}

/*
 * The file keeps its name: one without would count as anonymous shared memory,
 * for which shmem_enabled may forbid huge pages in any tmpfs.
 */
static int make_file(const char *size)
{
	int mount = mount_tmpfs(size), fd;

	if (mount < 0)
		return mount;
	fd = openat(mount, "guest-memory", O_RDWR | O_CREAT | O_EXCL |
		    O_CLOEXEC, 0600);
	if (fd < 0)
		fd = -errno;
	close(mount);
	return fd;
}

static int write_file(const char *path, const char *text)
{
	ssize_t len = strlen(text), done;
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	done = write(fd, text, len);
	close(fd);
	return done == len ? 0 : -EPERM;
}

/* A file's owner and group must have numbers in the namespace. */
static int enter_namespace(const struct request *r)
{
	int rc;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return -errno;
	rc = write_file("/proc/self/uid_map", r->uid_map);
	if (!rc)
		rc = write_file("/proc/self/setgroups", "deny");
	return rc ? rc : write_file("/proc/self/gid_map", r->gid_map);
}

static int make_file_in_child(struct request *r)
{
	pid_t pid;

	snprintf(r->uid_map, sizeof(r->uid_map), "0 %d 1", (int)geteuid());
	snprintf(r->gid_map, sizeof(r->gid_map), "0 %d 1", (int)getegid());
	r->result = -ECHILD;
	/* Its end is no business of who handles SIGCHLD: hence __WCLONE. */
	pid = syscall(SYS_clone, CLONE_FILES, NULL, NULL, NULL, 0);
	if (pid < 0)
		return -errno;
	if (!pid) {
		r->result = enter_namespace(r);
		if (!r->result)
			r->result = make_file(r->size);
		syscall(SYS_exit_group, 0);
	}
	while (waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR)
		;
	return r->result;
}

int huge_file_new(uint64_t nr_bytes)
{
	struct request *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd;

	if (r == MAP_FAILED)
		return -errno;
	snprintf(r->size, sizeof(r->size), "%llu",
		 (unsigned long long)nr_bytes);
	fd = make_file(r->size);
	if (fd < 0)
		fd = make_file_in_child(r);
	munmap(r, sizeof(*r));
	if (fd < 0 || !ftruncate(fd, nr_bytes))
		return fd;
	close(fd);
	return -errno;
}
