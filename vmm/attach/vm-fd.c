// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finds descriptors by their names in /proc/PID/fd and duplicates one with
 * pidfd_getfd().  Between the two the process may close the descriptor and open
 * something else under its number, and the pid may be reused.  So the duplicate
 * is checked again, and the pidfd is opened first: while its process is alive,
 * no other process has that pid.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/attach/vm-fd.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/error-text.h"

static bool names_vm(int dir_fd, const char *name)
{
	char target[64];
	ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	return !strcmp(target, "anon_inode:kvm-vm");
}

/* Duplicates the process's descriptor; -ENODEV: it is not a VM (any more). */
static int copy_fd(int pidfd, const char *number)
{
	int fd = pidfd_getfd(pidfd, atoi(number), 0);
	char path[40];

	if (fd < 0)
		return errno == EBADF ? -ENODEV : -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (names_vm(AT_FDCWD, path))
		return fd;
	close(fd);
	return -ENODEV;
}

/* A process may have several descriptors of one VM: the same open file. */
static bool is_same_file(int a, int b)
{
	pid_t self = getpid();

	return syscall(SYS_kcmp, self, self, KCMP_FILE, a, b) == 0;
}

/* Searches the directory.  A descriptor or -errno. */
static int find(DIR *dir, int pidfd)
{
	const struct dirent *e;
	int found = -ENODEV;

	while ((e = readdir(dir))) {
		int fd;

		if (!names_vm(dirfd(dir), e->d_name))
			continue;
		fd = copy_fd(pidfd, e->d_name);
		if (fd == -ENODEV)
			continue;
		if (fd < 0 || found < 0) {
			if (found >= 0)
				close(found);
			found = fd;
			if (fd < 0)
				break;
			continue;
		}
		if (!is_same_file(found, fd)) {
			close(fd);
			close(found);
			return -EMLINK;
		}
		close(fd);
	}
	return found;
}

static int explain(int err, pid_t pid, char *why, size_t len)
{
	switch (err) {
	case -ESRCH:
	case -ENOENT:
		snprintf(why, len, "no process %d", (int)pid);
		return -ESRCH;
	case -ENODEV:
		snprintf(why, len, "process %d has no KVM VM: name the process "
			 "that runs the guest, such as qemu-system-x86_64 "
			 "-accel kvm", (int)pid);
		break;
	case -EMLINK:
		snprintf(why, len, "process %d has several KVM VMs: only a "
			 "process with one VM can be attached to", (int)pid);
		break;
	case -EPERM:
	case -EACCES:
		snprintf(why, len, "cannot read the file descriptors of "
			 "process %d: %s: run as root",
			 (int)pid, error_text(-err));
		break;
	case -ENOSYS:
		snprintf(why, len, "no pidfd_getfd(): Linux 5.6 or later is "
			 "needed");
		break;
	default:
		snprintf(why, len, "cannot read the file descriptors of "
			 "process %d: %s",
			 (int)pid, error_text(-err));
	}
	return err;
}

int vm_fd_of_process(pid_t pid, char *why, size_t len)
{
	__cleanup_close int pidfd = pidfd_open(pid, 0);
	char path[40];
	DIR *dir;
	int fd;

	if (pidfd < 0) /* EINVAL: not a valid pid */
		return explain(errno == EINVAL ? -ESRCH : -errno, pid, why,
			       len);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return explain(-errno, pid, why, len);
	fd = find(dir, pidfd);
	closedir(dir);
	/* The directory is, or has become, another process's. */
	if (fd == -ENODEV && pidfd_send_signal(pidfd, 0, NULL, 0) &&
	    errno == ESRCH)
		fd = -ESRCH;
	return fd < 0 ? explain(fd, pid, why, len) : fd;
}
