// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A vsock connection.
 *
 *   host connects:   GREETING --CONNECT--> REQUESTED --RESPONSE--> OPEN
 *   guest connects:                                    REQUEST --> OPEN
 *   guest closes:    OPEN --SHUTDOWN both, or RST--> [DRAINING] --> freed
 *   host closes:     OPEN, fd -1, SHUTDOWN sent --RST from guest--> freed
 *
 * If a host program closes only its writing end, the guest may continue to
 * send; we notice that it closes the rest as well only when the guest sends
 * again or ends.
 */
#include "config.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/dev/vsock.h"

#define SHUTDOWN_BOTH (VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)

static unsigned int bucket_of(uint32_t guest_port, uint32_t host_port)
{
	return (guest_port * 31 + host_port) % VSOCK_NR_BUCKETS;
}

struct vsock_conn *vsock_conn_find(struct virtio_vsock *vs,
				   uint32_t guest_port, uint32_t host_port)
{
	struct vsock_conn *c;

	LIST_FOREACH(c, &vs->buckets[bucket_of(guest_port, host_port)], bucket)
		if (c->guest_port == guest_port && c->host_port == host_port)
			return c;
	return NULL;
}

void vsock_conn_hash(struct vsock_conn *conn, uint32_t guest_port,
		     uint32_t host_port)
{
	unsigned int b = bucket_of(guest_port, host_port);

	conn->guest_port = guest_port;
	conn->host_port = host_port;
	LIST_INSERT_HEAD(&conn->vs->buckets[b], conn, bucket);
	conn->hashed = true;
}

static void unhash(struct vsock_conn *conn)
{
	if (conn->hashed)
		LIST_REMOVE(conn, bucket);
	conn->hashed = false;
}

void vsock_conn_wait_turn(struct vsock_conn *conn, unsigned int pending)
{
	if (conn->reset_by_guest)
		return; /* the guest has forgotten it */
	conn->pending |= pending;
	if (conn->waiting)
		return;
	TAILQ_INSERT_TAIL(&conn->vs->turns, conn, turn);
	conn->waiting = true;
}

/* Closes the host's end; data it did not read are lost, as with any socket. */
static void close_host(struct vsock_conn *conn)
{
	event_del(conn->readable);
	event_del(conn->writable);
	event_del(conn->timer);
	conn->has_input = false;
	conn->host_no_send = conn->host_no_recv = true;
	conn->fwd_cnt += evbuffer_get_length(conn->buf);
	evbuffer_drain(conn->buf, evbuffer_get_length(conn->buf));
	if (conn->fd >= 0)
		close(conn->fd);
	conn->fd = -1;
}

void vsock_conn_free(struct vsock_conn *conn)
{
	struct virtio_vsock *vs = conn->vs;

	close_host(conn);
	unhash(conn);
	if (conn->waiting)
		TAILQ_REMOVE(&vs->turns, conn, turn);
	LIST_REMOVE(conn, all);
	vs->nr_conns--;
	event_free(conn->readable);
	event_free(conn->writable);
	event_free(conn->timer);
	evbuffer_free(conn->buf);
	free(conn);
}

void vsock_conn_free_all(struct virtio_vsock *vs)
{
	while (!LIST_EMPTY(&vs->conns))
		vsock_conn_free(LIST_FIRST(&vs->conns));
}

void vsock_conn_reset(struct vsock_conn *conn)
{
	close_host(conn);
	if (!conn->hashed || conn->reset_by_guest) {
		vsock_conn_free(conn);
		return;
	}
	vsock_conn_wait_turn(conn, VSOCK_PENDING_RST);
}

uint32_t vsock_conn_shutdown_flags(const struct vsock_conn *conn)
{
	return (conn->host_no_recv ? VIRTIO_VSOCK_SHUTDOWN_RCV : 0) |
	       (conn->host_no_send ? VIRTIO_VSOCK_SHUTDOWN_SEND : 0);
}

/* The host program accepts no more bytes; those from the guest are dropped. */
static void host_stopped_reading(struct vsock_conn *conn)
{
	conn->host_no_recv = true;
	conn->fwd_cnt += evbuffer_get_length(conn->buf);
	evbuffer_drain(conn->buf, evbuffer_get_length(conn->buf));
	vsock_conn_wait_turn(conn, VSOCK_PENDING_SHUTDOWN);
}

static void host_stopped_sending(struct vsock_conn *conn)
{
	struct pollfd p = { .fd = conn->fd, .events = POLLIN };

	conn->has_input = false;
	conn->host_no_send = true;
	/*
	 * POLLHUP: both directions are shut, the host program has closed the
	 * socket.
	 */
	if (conn->host_no_recv || poll(&p, 1, 0) < 0 || (p.revents & POLLHUP))
		close_host(conn);
	vsock_conn_wait_turn(conn, VSOCK_PENDING_SHUTDOWN);
}

/*
 * Bytes were passed to the host: update the guest's credit before it runs out.
 */
static void forwarded(struct vsock_conn *conn, size_t bytes)
{
	conn->fwd_cnt += bytes;
	if (conn->fwd_cnt - conn->fwd_sent >= VSOCK_BUF_BYTES / 2)
		vsock_conn_wait_turn(conn, VSOCK_PENDING_CREDIT_UPDATE);
}

/* sendmsg() that never blocks; 0 when the host program does not read. */
static ssize_t host_write(struct vsock_conn *conn, const struct iovec *iov,
			  unsigned int nr)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)iov,
			      .msg_iovlen = nr };
	ssize_t n = sendmsg(conn->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

/* The buffer is empty: does what was deferred until then.  May free conn. */
static void drained(struct vsock_conn *conn)
{
	if (conn->state == VSOCK_DRAINING)
		vsock_conn_reset(conn);
	else if (conn->guest_no_send && conn->fd >= 0)
		shutdown(conn->fd, SHUT_WR);
}

/* Moves the buffer to the host.  May free conn. */
static void flush(struct vsock_conn *conn)
{
	while (evbuffer_get_length(conn->buf)) {
		struct evbuffer_iovec iov[8];
		int nr = evbuffer_peek(conn->buf, -1, NULL, iov, 8);
		ssize_t n = host_write(conn, iov, nr > 8 ? 8 : nr);

		if (n < 0) {
			host_stopped_reading(conn);
			break;
		}
		if (!n) {
			event_add(conn->writable, NULL);
			return;
		}
		evbuffer_drain(conn->buf, n);
		forwarded(conn, n);
	}
	drained(conn);
}

void vsock_conn_send(struct vsock_conn *conn, const struct iovec *iov,
		     unsigned int nr, size_t bytes)
{
	size_t room = VSOCK_BUF_BYTES - evbuffer_get_length(conn->buf);
	struct iovec rest[VIRTQUEUE_MAX_SEGS];
	ssize_t n = 0;

	if (conn->guest_no_send || bytes > room) {
		vsock_conn_reset(conn); /* beyond credit, or after shutdown */
		return;
	}
	if (!evbuffer_get_length(conn->buf) && !conn->host_no_recv && bytes)
		n = host_write(conn, iov, nr);
	if (n < 0)
		host_stopped_reading(conn);
	if (conn->host_no_recv) {
		forwarded(conn, bytes);
		return;
	}
	forwarded(conn, n);
	nr = iov_slice(iov, nr, n, bytes, rest, NULL);
	for (unsigned int i = 0; i < nr; i++) {
		if (evbuffer_add(conn->buf, rest[i].iov_base,
				 rest[i].iov_len) < 0) {
			vsock_conn_reset(conn);
			return;
		}
	}
	if (nr)
		event_add(conn->writable, NULL);
}

uint32_t vsock_conn_credit(const struct vsock_conn *conn)
{
	uint32_t in_flight = conn->tx_cnt - conn->peer_fwd_cnt;

	return in_flight < conn->peer_buf_alloc ?
	       conn->peer_buf_alloc - in_flight : 0;
}

size_t vsock_conn_recv(struct vsock_conn *conn, const struct iovec *iov,
		       unsigned int nr, size_t max)
{
	struct iovec slice[VIRTQUEUE_MAX_SEGS];
	struct msghdr msg = { .msg_iov = slice };
	ssize_t n;

	msg.msg_iovlen = iov_slice(iov, nr, 0, max, slice, NULL);
	n = recvmsg(conn->fd, &msg, MSG_DONTWAIT);
	if (n > 0) {
		conn->tx_cnt += n;
		return n;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		conn->has_input = false;
		event_add(conn->readable, NULL);
		return 0;
	}
	host_stopped_sending(conn);
	return 0;
}

void vsock_conn_open(struct vsock_conn *conn)
{
	event_del(conn->timer);
	conn->state = VSOCK_OPEN;
	event_add(conn->readable, NULL);
}

void vsock_conn_guest_reset(struct vsock_conn *conn)
{
	conn->reset_by_guest = true;
	unhash(conn);
	if (conn->state == VSOCK_REQUESTED || conn->fd < 0 ||
	    !evbuffer_get_length(conn->buf)) {
		vsock_conn_free(conn);
		return;
	}
	conn->state = VSOCK_DRAINING;
	conn->has_input = false;
	conn->pending = 0;
	event_del(conn->readable);
}

void vsock_conn_guest_shutdown(struct vsock_conn *conn, uint32_t flags)
{
	conn->guest_no_recv |= !!(flags & VIRTIO_VSOCK_SHUTDOWN_RCV);
	conn->guest_no_send |= !!(flags & VIRTIO_VSOCK_SHUTDOWN_SEND);
	if (conn->guest_no_recv) {
		conn->has_input = false;
		event_del(conn->readable);
		if (conn->fd >= 0)
			shutdown(conn->fd, SHUT_RD);
	}
	if (conn->guest_no_recv && conn->guest_no_send)
		conn->state = VSOCK_DRAINING;
	if (!evbuffer_get_length(conn->buf))
		drained(conn);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct vsock_conn *conn = arg;
	struct virtio_vsock *vs = conn->vs;

	if (vsock_enter(vs)) {
		if (conn->state == VSOCK_GREETING) {
			vsock_host_greet(conn);
		} else {
			conn->has_input = true;
			vsock_conn_wait_turn(conn, 0);
		}
	}
	vsock_leave(vs);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct vsock_conn *conn = arg;
	struct virtio_vsock *vs = conn->vs;

	if (vsock_enter(vs))
		flush(conn);
	vsock_leave(vs);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct vsock_conn *conn = arg;
	struct virtio_vsock *vs = conn->vs;

	if (vsock_enter(vs))
		vsock_conn_reset(conn);
	vsock_leave(vs);
}

struct vsock_conn *vsock_conn_new(struct virtio_vsock *vs, int fd)
{
	struct timeval answer = { .tv_sec = VSOCK_ANSWER_SECS };
	struct event_base *base = event_get_base(vs->reset_event);
	struct vsock_conn *conn = NULL;

	if (vs->nr_conns < vs->max_conns)
		conn = calloc(1, sizeof(*conn));
	if (!conn) {
		close(fd);
		return NULL;
	}
	conn->vs = vs;
	conn->fd = fd;
	conn->buf = evbuffer_new();
	conn->readable = event_new(base, fd, EV_READ, on_readable, conn);
	conn->writable = event_new(base, fd, EV_WRITE, on_writable, conn);
	conn->timer = event_new(base, -1, 0, on_timer, conn);
	if (!conn->buf || !conn->readable || !conn->writable || !conn->timer)
		goto fail;
	LIST_INSERT_HEAD(&vs->conns, conn, all);
	vs->nr_conns++;
	event_add(conn->timer, &answer);
	return conn;

fail:
	if (conn->buf)
		evbuffer_free(conn->buf);
	if (conn->readable)
		event_free(conn->readable);
	if (conn->writable)
		event_free(conn->writable);
	if (conn->timer)
		event_free(conn->timer);
	free(conn);
	close(fd);
	return NULL;
}
