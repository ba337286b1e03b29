// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/experiment/cgroup.h"
#include "vmm/experiment/file-pin.h"
#include "vmm/util/stop-guard.h"

#define PINNED_BYTES 65536	/* the default capacity of a pipe */

static int copy_file(const char *from, const char *to)
{
	static char buf[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	ssize_t n = in < 0 || out < 0 ? -1 : 1;

	while (n > 0) {
		n = read(in, buf, sizeof(buf));
		if (n > 0 && write(out, buf, (size_t)n) != n)
			n = -1;
	}
	/*
	 * Dirty pages can't be reclaimed, and a file open for writing can't be
	 * run.
	 */
	if (n < 0 || fsync(out) || close(out))
		return -1;
	close(in);
	return 0;
}

/* Pages in a pipe are in use: reclaim scans them and can't free them. */
static int pin_pages(const char *copy)
{
	int fd = open(copy, O_RDONLY | O_CLOEXEC), pipe_fds[2];
	loff_t from = 0;

	if (fd < 0 || pipe2(pipe_fds, O_CLOEXEC) ||
	    splice(fd, &from, pipe_fds[1], NULL, PINNED_BYTES, 0) <= 0)
		return -1;
	return 0;
}

pid_t file_pin_start(const struct cgroup *cg, const char *program,
		     const char *copy)
{
	int ready[2], rc;
	char byte = 1;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		stop_signals_reset();
		byte = cgroup_join(cg) || copy_file(program, copy) ||
		       pin_pages(copy);
		if (write(ready[1], &byte, 1) != 1 || byte)
			_exit(1);
		for (;;)
			pause();
	}
	rc = pid < 0 ? -errno : 0;
	close(ready[1]);
	if (!rc && (read(ready[0], &byte, 1) != 1 || byte)) {
		file_pin_stop(pid, copy);
		rc = -EIO;
	}
	close(ready[0]);
	return rc ? rc : pid;
}

void file_pin_stop(pid_t pid, const char *copy)
{
	if (pid > 0) {
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	unlink(copy);
}
