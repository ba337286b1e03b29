// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-vsock (virtio 1.2, section 5.10): the device, and packets from the
 * guest.
 *
 * A packet names a connection by its two ports.  If that does not exist, a
 * REQUEST makes it, and any other packet but a RST is answered with a RST,
 * which is kept in resets[] until the guest provides a buffer.  While that ring
 * is full, the TX queue waits: this slows down only a guest that does not read
 * its answers.
 */
#include "config.h"

#include <endian.h>
#include <errno.h>
#include <event2/event.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/dev/device.h"
#include "vmm/dev/vsock.h"
#include "vmm/kvm/vm.h"
#include "vmm/util/error-text.h"
#include "vmm/util/fd-limit.h"

static struct virtio_vsock *to_vsock(struct virtio_device *dev)
{
	return (struct virtio_vsock *)dev;
}

/* There must be room in resets[]. */
static void queue_reset(struct virtio_vsock *vs, uint32_t guest_port,
			uint32_t host_port)
{
	unsigned int i = (vs->resets_head + vs->nr_resets) % VSOCK_MAX_RESETS;

	vs->resets[i] = (struct vsock_reset){ guest_port, host_port };
	vs->nr_resets++;
}

/* The guest connects: makes the connection, or refuses by a RST. */
static void handle_request(struct virtio_vsock *vs,
			   const struct virtio_vsock_hdr *hdr)
{
	uint32_t guest_port = le32toh(hdr->src_port);
	uint32_t host_port = le32toh(hdr->dst_port);
	struct vsock_conn *conn = NULL;
	int fd = -EBUSY;

	if (vs->nr_conns < vs->max_conns) {
		virtio_device_charge(&vs->dev, VSOCK_COST_CONNECT);
		fd = vsock_host_connect(vs, host_port);
	}
	if (fd == -EBUSY)
		log_limited(&vs->limit, LOG_LEVEL_WARN,
			    "vsock: the guest has %u connections, the limit is "
			    "%u: further ones are refused", vs->nr_conns,
			    vs->max_conns);
	else if (fd == -EMFILE || fd == -ENFILE)
		log_limited(&vs->limit, LOG_LEVEL_WARN,
			    "vsock: a connection of the guest is refused: %s",
			    error_text(-fd));
	if (fd >= 0)
		conn = vsock_conn_new(vs, fd);
	if (!conn) {
		queue_reset(vs, guest_port, host_port);
		return;
	}
	conn->peer_buf_alloc = le32toh(hdr->buf_alloc);
	conn->peer_fwd_cnt = le32toh(hdr->fwd_cnt);
	vsock_conn_hash(conn, guest_port, host_port);
	vsock_conn_open(conn);
	vsock_conn_wait_turn(conn, VSOCK_PENDING_RESPONSE);
}

/* The guest's first packet after our REQUEST, which must be its answer. */
static void handle_answer(struct vsock_conn *conn, uint16_t op)
{
	if (op == VIRTIO_VSOCK_OP_RESPONSE && vsock_host_welcome(conn))
		vsock_conn_open(conn);
	else
		vsock_conn_reset(conn);
}

/* len is at most the length of the chain after its header. */
static void handle_data(struct vsock_conn *conn,
			const struct virtqueue_chain *chain, uint32_t len)
{
	struct iovec iov[VIRTQUEUE_MAX_SEGS];
	size_t bytes;
	unsigned int nr = iov_slice(chain->iov, chain->nr_out,
				    sizeof(struct virtio_vsock_hdr), len, iov,
				    &bytes);

	virtio_device_charge(&conn->vs->dev, bytes / VMM_PAGE_SIZE);
	vsock_conn_send(conn, iov, nr, bytes);
}

/* A packet of an existing connection; may free conn. */
static void handle_packet(struct vsock_conn *conn,
			  const struct virtio_vsock_hdr *hdr,
			  const struct virtqueue_chain *chain)
{
	uint16_t op = le16toh(hdr->op);

	if (op == VIRTIO_VSOCK_OP_RST) {
		vsock_conn_guest_reset(conn);
		return;
	}
	if (conn->pending & VSOCK_PENDING_RST)
		return; /* it has ended: the RST tells the guest */
	conn->peer_buf_alloc = le32toh(hdr->buf_alloc);
	conn->peer_fwd_cnt = le32toh(hdr->fwd_cnt);
	if (conn->state == VSOCK_REQUESTED) {
		handle_answer(conn, op);
		return;
	}
	if (conn->has_input)
		vsock_conn_wait_turn(conn, 0); /* there may be credit now */
	switch (op) {
	case VIRTIO_VSOCK_OP_RW:
		handle_data(conn, chain, le32toh(hdr->len));
		break;
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		vsock_conn_guest_shutdown(conn, le32toh(hdr->flags));
		break;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
		break;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		vsock_conn_wait_turn(conn, VSOCK_PENDING_CREDIT_UPDATE);
		break;
	default:
		vsock_conn_reset(conn);
		break;
	}
}

/* For virtio_device_drain().  -EAGAIN: the packet stays in the queue. */
static int64_t handle_tx(struct virtio_device *dev,
			 struct virtqueue_chain *chain)
{
	struct virtio_vsock *vs = to_vsock(dev);
	struct vsock_conn *conn;
	struct virtio_vsock_hdr hdr;
	uint32_t guest_port, host_port;

	/* A packet is answered with one RST at most. */
	if (vs->nr_resets == VSOCK_MAX_RESETS) {
		vs->tx_waits = true;
		return -EAGAIN;
	}
	if (virtqueue_copy_out(chain, 0, &hdr, sizeof(hdr)) < sizeof(hdr) ||
	    le32toh(hdr.len) > chain->out_bytes - sizeof(hdr))
		return -EINVAL;
	if (hdr.src_cid != vs->config.guest_cid)
		return 0; /* a false source address: not answered */
	guest_port = le32toh(hdr.src_port);
	host_port = le32toh(hdr.dst_port);
	conn = vsock_conn_find(vs, guest_port, host_port);
	if (le64toh(hdr.dst_cid) != VSOCK_HOST_CID ||
	    le16toh(hdr.type) != VIRTIO_VSOCK_TYPE_STREAM)
		conn = NULL;
	else if (!conn && le16toh(hdr.op) == VIRTIO_VSOCK_OP_REQUEST)
		return handle_request(vs, &hdr), 0;
	if (conn)
		handle_packet(conn, &hdr, chain);
	else if (le16toh(hdr.op) != VIRTIO_VSOCK_OP_RST)
		queue_reset(vs, guest_port, host_port);
	return 0;
}

/* In the I/O thread: completes a reset of the device by the guest. */
static void finish_reset(struct virtio_vsock *vs)
{
	vsock_conn_free_all(vs);
	vs->nr_resets = 0;
	vs->tx_waits = false;
	vs->reset_pending = false;
}

static bool has_packets(const struct virtio_vsock *vs)
{
	return vs->nr_resets || !TAILQ_EMPTY(&vs->turns);
}

/* Resumes TX if resets[] has room; schedules on_accepted() if needed. */
static void resume_tx_and_accepts(struct virtio_vsock *vs)
{
	if (vs->tx_waits && vs->nr_resets < VSOCK_MAX_RESETS) {
		vs->tx_waits = false;
		virtio_device_schedule(&vs->dev, VSOCK_TX);
	}
	if (!STAILQ_EMPTY(&vs->accepted))
		event_active(vs->accept_event, EV_TIMEOUT, 0);
}

bool vsock_enter(struct virtio_vsock *vs)
{
	virtio_device_lock(&vs->dev);
	if (!vs->reset_pending)
		return true;
	finish_reset(vs);
	return false;
}

void vsock_leave(struct virtio_vsock *vs)
{
	if (has_packets(vs))
		virtio_device_schedule(&vs->dev, VSOCK_RX);
	resume_tx_and_accepts(vs);
	virtio_device_unlock(&vs->dev);
}

static bool serve(struct virtio_device *dev, unsigned int q)
{
	struct virtio_vsock *vs = to_vsock(dev);
	bool more = false;

	if (vs->reset_pending)
		finish_reset(vs);
	if (q == VSOCK_TX) {
		more = virtio_device_drain(dev, q, handle_tx);
		if (has_packets(vs))
			virtio_device_schedule(dev, VSOCK_RX);
	} else if (q == VSOCK_RX) {
		more = vsock_send_to_guest(vs);
	}
	resume_tx_and_accepts(vs);
	return more;
}

/* Called in a vCPU thread, so the connections are left to the I/O thread. */
static void stop(struct virtio_device *dev, unsigned int q)
{
	struct virtio_vsock *vs = to_vsock(dev);

	vs->reset_pending = true;
	event_active(vs->reset_event, EV_TIMEOUT, 0);
}

static void on_reset(evutil_socket_t fd, short what, void *arg)
{
	struct virtio_vsock *vs = arg;

	vsock_enter(vs);
	vsock_leave(vs);
}

/* Calls accept() of listeners, without the lock, as they may need it. */
static void on_accepted(evutil_socket_t fd, short what, void *arg)
{
	struct virtio_vsock *vs = arg;
	struct vsock_accepted *a;

	for (;;) {
		virtio_device_lock(&vs->dev);
		a = STAILQ_FIRST(&vs->accepted);
		if (a)
			STAILQ_REMOVE_HEAD(&vs->accepted, link);
		virtio_device_unlock(&vs->dev);
		if (!a)
			return;
		a->accept(a->fd, a->arg);
		free(a);
	}
}

static const struct virtio_device_ops vsock_ops = {
	.serve = serve,
	.stop = stop,
};

int virtio_vsock_listen(struct virtio_vsock *vs, uint32_t port,
			void (*accept)(int fd, void *arg), void *arg)
{
	struct vsock_listener *l, *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->port = port;
	new->accept = accept;
	new->arg = arg;
	virtio_device_lock(&vs->dev);
	LIST_FOREACH(l, &vs->listeners, link)
		if (l->port == port)
			break;
	if (!l)
		LIST_INSERT_HEAD(&vs->listeners, new, link);
	virtio_device_unlock(&vs->dev);
	if (l)
		free(new);
	return l ? -EADDRINUSE : 0;
}

int virtio_vsock_new(struct virtio_vsock **vp, struct vm *vm, const char *path,
		     uint64_t guest_cid, char *why, size_t len)
{
	struct event_base *base = vm_event_base(vm);
	struct virtio_vsock *vs;
	int rc;

	if (guest_cid <= VSOCK_HOST_CID || guest_cid >= UINT32_MAX) {
		snprintf(why, len, "vsock: a guest's CID must be from 3 to %u",
			 UINT32_MAX - 1);
		return -EINVAL;
	}
	vs = virtio_device_alloc(sizeof(*vs), why, len);
	if (!vs)
		return -ENOMEM;
	LIST_INIT(&vs->conns);
	LIST_INIT(&vs->listeners);
	TAILQ_INIT(&vs->turns);
	STAILQ_INIT(&vs->accepted);
	vs->next_host_port = VSOCK_HOST_PORT0;
	vs->max_conns = fd_limit_for_guests() / VSOCK_CONN_FDS;
	if (vs->max_conns > VSOCK_MAX_CONNS)
		vs->max_conns = VSOCK_MAX_CONNS;
	vs->listen_fd = -1;
	vs->config.guest_cid = htole64(guest_cid);
	vs->dev.ops = &vsock_ops;
	vs->dev.name = "virtio-vsock";
	vs->dev.id = VIRTIO_ID_VSOCK;
	vs->dev.nr_queues = VSOCK_NR_QUEUES;
	vs->dev.config = &vs->config;
	vs->dev.config_bytes = sizeof(vs->config);
	rc = virtio_device_add(&vs->dev, vm, why, len);
	if (rc < 0) {
		free(vs);
		return rc;
	}
	vs->accept_event = event_new(base, -1, EV_PERSIST, on_accepted, vs);
	vs->reset_event = event_new(base, -1, EV_PERSIST, on_reset, vs);
	vs->path = path ? strdup(path) : NULL;
	if (!vs->accept_event || !vs->reset_event || (path && !vs->path)) {
		snprintf(why, len, "not enough memory for virtio-vsock");
		rc = -ENOMEM;
	} else if (path) {
		rc = vsock_host_listen(vs, why, len);
	}
	if (rc < 0) {
		virtio_vsock_free(vs);
		return rc;
	}
	*vp = vs;
	return 0;
}

void virtio_vsock_free(struct virtio_vsock *vs)
{
	struct vsock_listener *l;
	struct vsock_accepted *a;

	if (!vs)
		return;
	vsock_conn_free_all(vs);
	vsock_host_close(vs);
	while ((l = LIST_FIRST(&vs->listeners))) {
		LIST_REMOVE(l, link);
		free(l);
	}
	while ((a = STAILQ_FIRST(&vs->accepted))) {
		STAILQ_REMOVE_HEAD(&vs->accepted, link);
		close(a->fd);
		free(a);
	}
	if (vs->accept_event)
		event_free(vs->accept_event);
	if (vs->reset_event)
		event_free(vs->reset_event);
	virtio_device_remove(&vs->dev);
	free(vs->path);
	free(vs);
}
