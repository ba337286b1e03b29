// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vsock-cat connect CID PORT | listen PORT: stdin to a vsock connection and
 * what comes from it to stdout, until both ends are done.  For guests without
 * such a tool; static, libc only.
 */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/vm_sockets.h>
#include <unistd.h>

static int vsock_connect(unsigned int cid, unsigned int port)
{
	struct sockaddr_vm addr = { .svm_family = AF_VSOCK, .svm_cid = cid,
				    .svm_port = port };
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		err(1, "connect to %u:%u", cid, port);
	return fd;
}

static int vsock_listen(unsigned int port)
{
	struct sockaddr_vm addr = { .svm_family = AF_VSOCK,
				    .svm_cid = VMADDR_CID_ANY,
				    .svm_port = port };
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0), conn;

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(fd, 1) < 0)
		err(1, "listen on %u", port);
	conn = accept(fd, NULL, NULL);
	if (conn < 0)
		err(1, "accept");
	close(fd);
	return conn;
}

/* One read's worth; false at the end. */
static int pass(int from, int to)
{
	static char buf[65536];
	ssize_t n = read(from, buf, sizeof(buf));

	if (n < 0)
		err(1, "read");
	for (ssize_t done = 0; done < n;) {
		ssize_t w = write(to, buf + done, n - done);

		if (w < 0)
			err(1, "write");
		done += w;
	}
	return n > 0;
}

int main(int argc, char **argv)
{
	struct pollfd p[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
			       { .events = POLLIN } };

	if (argc == 4 && !strcmp(argv[1], "connect"))
		p[1].fd = vsock_connect(strtoul(argv[2], NULL, 10),
					strtoul(argv[3], NULL, 10));
	else if (argc == 3 && !strcmp(argv[1], "listen"))
		p[1].fd = vsock_listen(strtoul(argv[2], NULL, 10));
	else
		errx(2, "usage: vsock-cat connect CID PORT | listen PORT");
	while (p[1].fd >= 0) {
		if (poll(p, 2, -1) < 0)
			err(1, "poll");
		if (p[0].revents && !pass(p[0].fd, p[1].fd)) {
			p[0].fd = -1;
			p[0].revents = 0;
			shutdown(p[1].fd, SHUT_WR);
		}
		if (p[1].revents && !pass(p[1].fd, STDOUT_FILENO))
			p[1].fd = -1;
	}
	return 0;
}
