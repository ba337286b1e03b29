/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A real NBD server, nbdkit, that tests stop, kill and start again. */
#ifndef TESTS_UNIT_NBD_SERVER_H
#define TESTS_UNIT_NBD_SERVER_H

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tap.h"

struct nbd_server {
	char dir[32];		/* of its own, for whatever it needs */
	char uri[96];
	char error_file[64];	/* for --filter=error */
	pid_t pid;
};

extern char **environ;

/* args: after nbdkit's own, up to NULL.  The server answers on return. */
static void nbd_server_start(struct nbd_server *n, const char *const *args)
{
	const char *argv[24] = { "nbdkit", "-f", "--exit-with-parent" };
	char sock[64], pid[64];
	unsigned int i = 3;

	snprintf(sock, sizeof(sock), "%s/sock", n->dir);
	snprintf(pid, sizeof(pid), "%s/pid", n->dir);
	unlink(sock);
	unlink(pid);
	argv[i++] = "-U";
	argv[i++] = sock;
	argv[i++] = "-P";
	argv[i++] = pid;
	while (*args && i < sizeof(argv) / sizeof(*argv) - 1)
		argv[i++] = *args++;
	argv[i] = NULL;
	if (posix_spawnp(&n->pid, "nbdkit", NULL, NULL, (char **)argv, environ))
		tap_bail("nbdkit does not start: install the package nbdkit");
	/* The file is written when the socket is there. */
	for (int t = 0; access(pid, F_OK); t++) {
		if (t > 6000 || waitpid(n->pid, NULL, WNOHANG))
			tap_bail("nbdkit has not begun to serve");
		usleep(10000);
	}
}

static void nbd_server_new(struct nbd_server *n)
{
	strcpy(n->dir, "/tmp/vmm-nbd-XXXXXX");
	if (!mkdtemp(n->dir))
		tap_bail("no directory");
	snprintf(n->uri, sizeof(n->uri), "nbd+unix:///?socket=%s/sock", n->dir);
	snprintf(n->error_file, sizeof(n->error_file), "%s/fail", n->dir);
}

__attribute__((unused)) static void nbd_server_fail(struct nbd_server *n,
						    bool fails)
{
	int fd;

	if (!fails) {
		unlink(n->error_file);
		return;
	}
	fd = open(n->error_file, O_CREAT | O_WRONLY, 0600);
	if (fd < 0)
		tap_bail("can't make the server fail");
	close(fd);
}

/* SIGSTOP: on return it does nothing any more. */
__attribute__((unused)) static void nbd_server_stop(struct nbd_server *n)
{
	siginfo_t info;

	kill(n->pid, SIGSTOP);
	waitid(P_PID, n->pid, &info, WSTOPPED | WNOWAIT);
}

__attribute__((unused)) static void nbd_server_continue(struct nbd_server *n)
{
	kill(n->pid, SIGCONT);
}

static void nbd_server_kill(struct nbd_server *n)
{
	kill(n->pid, SIGKILL);
	waitpid(n->pid, NULL, 0);
}

static void nbd_server_free(struct nbd_server *n)
{
	static const char *const names[] = { "sock", "pid", "fail", "disk" };
	char path[64];

	nbd_server_kill(n);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", n->dir, names[i]);
		unlink(path);
	}
	rmdir(n->dir);
}

#endif
