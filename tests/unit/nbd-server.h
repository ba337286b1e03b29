/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An NBD server of our own, whose reads fail as long as a file is there. */
#ifndef TESTS_UNIT_NBD_SERVER_H
#define TESTS_UNIT_NBD_SERVER_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tap.h"

struct nbd_server {
	pid_t pid;
	char dir[32], socket[48], uri[96], fail[48];
};

static inline void nbd_server_stop(struct nbd_server *s)
{
	kill(s->pid, SIGTERM);
	waitpid(s->pid, NULL, 0);
	unlink(s->fail);
	unlink(s->socket);
	rmdir(s->dir);
}

__attribute__((noreturn)) static inline void
nbd_server_exec(const struct nbd_server *s)
{
	char error_file[80];
	int null = open("/dev/null", O_WRONLY);

	snprintf(error_file, sizeof(error_file), "error-file=%s", s->fail);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(null, STDERR_FILENO);
	execlp("nbdkit", "nbdkit", "-f", "-U", s->socket, "--filter=error",
	       "memory", "64M", "error-pread-rate=100%", error_file, NULL);
	_exit(127);
}

/* False: nbdkit, or its filter "error", is not installed. */
static inline bool nbd_server_start(struct nbd_server *s)
{
	int status;

	snprintf(s->dir, sizeof(s->dir), "/tmp/vmm-nbd-XXXXXX");
	if (!mkdtemp(s->dir))
		tap_bail("no directory");
	snprintf(s->socket, sizeof(s->socket), "%s/socket", s->dir);
	snprintf(s->fail, sizeof(s->fail), "%s/fail", s->dir);
	snprintf(s->uri, sizeof(s->uri), "nbd+unix:///?socket=%s", s->socket);
	s->pid = fork();
	if (s->pid < 0)
		tap_bail("no process");
	if (!s->pid)
		nbd_server_exec(s);
	while (access(s->socket, F_OK)) {
		if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
			rmdir(s->dir);
			return false;
		}
		usleep(10000);
	}
	return true;
}

static inline void nbd_server_fail(const struct nbd_server *s, bool fails)
{
	int fd = fails ? open(s->fail, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) :
			 unlink(s->fail);

	if (fd < 0)
		tap_bail("%s: %s", s->fail, strerror(errno));
	if (fails)
		close(fd);
}

#endif
