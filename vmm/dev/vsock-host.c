// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host's side of vsock.
 *
 *   guest -> host port P:  a listener in this process, else `path`_P
 *   host -> guest port P:  connect to `path`, send "CONNECT P\n", receive
 *                          "OK <port>\n" when the guest accepts
 *
 * The greeting is read byte by byte, so that data after it stay in the socket
 * for the guest.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/dev/vsock.h"
#include "vmm/kvm/vm.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/error-text.h"
#include "vmm/util/listen.h"
#include "vmm/util/unix-socket.h"

#define SOCK_FLAGS (SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK)

static int connect_listener(struct virtio_vsock *vs,
			    const struct vsock_listener *l)
{
	struct vsock_accepted *a = malloc(sizeof(*a));
	int fds[2];

	if (!a)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_FLAGS, 0, fds) < 0) {
		int rc = -errno;

		free(a);
		return rc;
	}
	a->fd = fds[1];
	a->accept = l->accept;
	a->arg = l->arg;
	STAILQ_INSERT_TAIL(&vs->accepted, a, link);
	return fds[0];
}

int vsock_host_connect(struct virtio_vsock *vs, uint32_t port)
{
	struct vsock_listener *l;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 16];

	LIST_FOREACH(l, &vs->listeners, link)
		if (l->port == port)
			return connect_listener(vs, l);
	if (!vs->path)
		return -ECONNREFUSED;
	snprintf(path, sizeof(path), "%s_%u", vs->path, port);
	/* A full backlog is refused too, as for any other client. */
	return unix_connect(path);
}

/* Parses the port of "CONNECT <port>", which must be the whole line. */
static int parse_greeting(const char *line, uint32_t *port)
{
	static const char word[] = "CONNECT ";
	const char *p = line + sizeof(word) - 1;
	unsigned long v;
	char *end;

	if (strncmp(line, word, sizeof(word) - 1) || *p < '0' || *p > '9')
		return -EINVAL;
	errno = 0;
	v = strtoul(p, &end, 10);
	if (*end || errno || v >= UINT32_MAX)
		return -EINVAL;
	*port = v;
	return 0;
}

/* Finds a host port that no connection to guest_port uses. */
static uint32_t free_host_port(struct virtio_vsock *vs, uint32_t guest_port)
{
	uint32_t port;

	do {
		port = vs->next_host_port++;
		if (vs->next_host_port == UINT32_MAX)
			vs->next_host_port = VSOCK_HOST_PORT0;
	} while (vsock_conn_find(vs, guest_port, port));
	return port;
}

static void request(struct vsock_conn *conn)
{
	struct timeval answer = { .tv_sec = VSOCK_ANSWER_SECS };
	struct virtio_vsock *vs = conn->vs;
	uint32_t port;

	conn->line[conn->line_len] = '\0';
	/* No driver in the guest: close at once, the client may retry. */
	if (parse_greeting(conn->line, &port) < 0 ||
	    !virtio_device_running(&vs->dev)) {
		vsock_conn_reset(conn);
		return;
	}
	vsock_conn_hash(conn, port, free_host_port(vs, port));
	conn->state = VSOCK_REQUESTED;
	event_add(conn->timer, &answer);
	vsock_conn_wait_turn(conn, VSOCK_PENDING_REQUEST);
}

void vsock_host_greet(struct vsock_conn *conn)
{
	char c;

	while (conn->line_len < sizeof(conn->line) - 1) {
		ssize_t n = recv(conn->fd, &c, 1, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			event_add(conn->readable, NULL);
			return;
		}
		if (n <= 0)
			break;
		if (c == '\n') {
			request(conn);
			return;
		}
		conn->line[conn->line_len++] = c;
	}
	vsock_conn_reset(conn);
}

bool vsock_host_welcome(struct vsock_conn *conn)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "OK %u\n", conn->host_port);

	/*
	 * The first bytes into an empty socket: they fit, or the peer is gone.
	 */
	return send(conn->fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL) == n;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct timeval later = { .tv_sec = 1 };
	struct virtio_vsock *vs = arg;
	struct vsock_conn *conn;

	fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		if (errno != EMFILE && errno != ENFILE && errno != ENOMEM &&
		    errno != ENOBUFS)
			return;
		/*
		 * The socket stays readable: stop polling it for a while
		 * instead of spinning.
		 */
		log_limited(&vs->limit, LOG_LEVEL_WARN,
			    "vsock: cannot accept on %s: %s; "
			    "raise the limit of open files",
			    vs->path, error_text(errno));
		event_del(vs->listen_event);
		event_add(vs->listen_retry, &later);
		return;
	}
	vsock_enter(vs);
	conn = vsock_conn_new(vs, fd);
	if (conn)
		event_add(conn->readable, NULL);
	vsock_leave(vs);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct virtio_vsock *vs = arg;

	event_add(vs->listen_event, NULL);
}

int vsock_host_listen(struct virtio_vsock *vs, char *why, size_t len)
{
	struct event_base *base = vm_event_base(vs->dev.vm);
	int rc;

	/* Room for "_<port>" too, or guests' connections would all fail. */
	if (strlen(vs->path) + sizeof("_4294967295") >
	    sizeof(((struct sockaddr_un *)0)->sun_path)) {
		snprintf(why, len, "vsock: the socket path %s is too long; "
			 "choose a shorter one with --vsock", vs->path);
		return -ENAMETOOLONG;
	}
	rc = unix_listen(vs->path, "--vsock", why, len);
	if (rc < 0)
		return rc;
	vs->listen_fd = rc;
	vs->listen_event = event_new(base, vs->listen_fd, EV_READ | EV_PERSIST,
				     on_accept, vs);
	vs->listen_retry = event_new(base, -1, 0, on_retry, vs);
	if (!vs->listen_event || !vs->listen_retry ||
	    event_add(vs->listen_event, NULL) < 0) {
		snprintf(why, len, "not enough memory for virtio-vsock");
		return -ENOMEM;
	}
	return 0;
}

void vsock_host_close(struct virtio_vsock *vs)
{
	if (vs->listen_event)
		event_free(vs->listen_event);
	if (vs->listen_retry)
		event_free(vs->listen_retry);
	if (vs->listen_fd >= 0) {
		unlink(vs->path);
		close(vs->listen_fd);
	}
}
