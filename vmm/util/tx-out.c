// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/util/tx-out.h"

/*
 * A pipe or terminal that is opened again has its own flags.  A file opened
 * again would also have its own position, so a file is written through the
 * given descriptor; it never waits for a reader.
 */
void tx_out_open(struct tx_out *out, int fd)
{
	char path[40];
	struct stat st;

	*out = (struct tx_out){ .fd = fd, .own_fd = -1, .poll_fd = -1 };
	if (fstat(fd, &st))
		return;
	out->is_socket = S_ISSOCK(st.st_mode);
	out->is_pipe = S_ISFIFO(st.st_mode);
	if (out->is_pipe || isatty(fd)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		out->own_fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY |
					 O_CLOEXEC);
		out->poll_fd = out->own_fd >= 0 ? out->own_fd : fd;
	} else if (out->is_socket) {
		out->poll_fd = fd;
	}
}

void tx_out_close(struct tx_out *out)
{
	if (out->own_fd >= 0)
		close(out->own_fd);
	out->own_fd = -1;
}

/*
 * For a pipe or terminal that could not be opened again (owned by another user,
 * as with sudo): writes only as much as poll() guarantees room for, PIPE_BUF
 * bytes in a pipe, and one in a terminal.
 */
static ssize_t write_promised(const struct tx_out *out, const void *data,
			      size_t len)
{
	size_t room = out->is_pipe ? PIPE_BUF : 1;

	if (!tx_out_wait(out, 0)) {
		errno = EAGAIN;
		return -1;
	}
	return write(out->fd, data, len < room ? len : room);
}

ssize_t tx_out_write(const struct tx_out *out, const void *data, size_t len)
{
	ssize_t n;

	do {
		if (out->own_fd >= 0)
			n = write(out->own_fd, data, len);
		else if (out->is_socket)
			n = send(out->fd, data, len,
				 MSG_DONTWAIT | MSG_NOSIGNAL);
		else if (out->poll_fd >= 0)
			n = write_promised(out, data, len);
		else
			n = write(out->fd, data, len);
	} while (n < 0 && errno == EINTR);
	return n > 0 ? n : n < 0 ? -errno : -EIO;
}

bool tx_out_wait(const struct tx_out *out, int limit_ms)
{
	struct pollfd p = { .fd = out->poll_fd, .events = POLLOUT };

	return poll(&p, 1, limit_ms) > 0;
}
