// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "guest-agent/agent.h"

/* A virtio-serial port that a host may provide for the agent, named by udev. */
#define DEFAULT_SERIAL "/dev/virtio-ports/org.vmm.agent.0"

static int connect_unix(const char *path, char *why, size_t len)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, rc;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		snprintf(why, len, "--unix %s: the path is longer than 107 "
			 "bytes", path);
		return -ENAMETOOLONG;
	}
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !connect(fd, (struct sockaddr *)&sun, sizeof(sun)))
		return fd;
	rc = -errno;
	snprintf(why, len, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

/* A virtio-serial character device: a plain byte stream. */
static int open_serial(const char *path, char *why, size_t len)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY), rc;
	struct termios t;

	if (fd < 0) {
		rc = -errno;
		snprintf(why, len, "--serial %s: %s; check that this guest has "
			 "this port", path, strerror(errno));
		return rc;
	}
	if (isatty(fd) && !tcgetattr(fd, &t)) {
		cfmakeraw(&t);
		tcsetattr(fd, TCSANOW, &t);
	}
	return fd;
}

static int connect_vsock(unsigned int port, char *why, size_t len)
{
	struct sockaddr_vm svm = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST,
		.svm_port = port,
	};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0) {
		rc = -errno;
		snprintf(why, len, "this kernel has no vsock (%s): load the "
			 "module vmw_vsock_virtio_transport, or use --serial",
			 strerror(errno));
		return rc;
	}
	if (!connect(fd, (struct sockaddr *)&svm, sizeof(svm)))
		return fd;
	rc = -errno;
	snprintf(why, len, "no process on the host listens on vsock port %u: "
		 "%s",
		 port, strerror(errno));
	close(fd);
	return rc;
}

int transport_connect(const struct transport *t, char *why, size_t len)
{
	int fd;

	if (t->fd >= 0)
		return t->fd;
	if (t->unix_path)
		return connect_unix(t->unix_path, why, len);
	if (t->serial_path)
		return open_serial(t->serial_path, why, len);
	fd = connect_vsock(t->port, why, len);
	if (fd < 0 && !access(DEFAULT_SERIAL, R_OK | W_OK))
		return open_serial(DEFAULT_SERIAL, why, len);
	return fd;
}
