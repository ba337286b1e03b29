// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packets to the guest.  RSTs for connections that do not exist go first; then
 * connections with data to send are queued: each sends one packet and goes to
 * the end of the queue.
 */
#include "config.h"

#include <endian.h>

#include "vmm/dev/vsock.h"

static struct virtio_vsock_hdr make_hdr(const struct virtio_vsock *vs,
					uint16_t op, uint32_t guest_port,
					uint32_t host_port)
{
	return (struct virtio_vsock_hdr){
		.src_cid = htole64(VSOCK_HOST_CID),
		.dst_cid = vs->config.guest_cid,
		.src_port = htole32(host_port),
		.dst_port = htole32(guest_port),
		.type = htole16(VIRTIO_VSOCK_TYPE_STREAM),
		.op = htole16(op),
		.buf_alloc = htole32(VSOCK_BUF_BYTES),
	};
}

static bool next_reset(struct virtio_vsock *vs, struct virtio_vsock_hdr *hdr)
{
	const struct vsock_reset *r = &vs->resets[vs->resets_head];

	if (!vs->nr_resets)
		return false;
	*hdr = make_hdr(vs, VIRTIO_VSOCK_OP_RST, r->guest_port, r->host_port);
	vs->resets_head = (vs->resets_head + 1) % VSOCK_MAX_RESETS;
	vs->nr_resets--;
	return true;
}

/* The type of a packet that must be sent before data, or 0. */
static uint16_t urgent_op(struct vsock_conn *conn)
{
	static const struct { unsigned int pending; uint16_t op; } order[] = {
		{ VSOCK_PENDING_RST, VIRTIO_VSOCK_OP_RST },
		{ VSOCK_PENDING_REQUEST, VIRTIO_VSOCK_OP_REQUEST },
		{ VSOCK_PENDING_RESPONSE, VIRTIO_VSOCK_OP_RESPONSE },
		{ VSOCK_PENDING_CREDIT_UPDATE, VIRTIO_VSOCK_OP_CREDIT_UPDATE },
		{ VSOCK_PENDING_CREDIT_REQUEST,
		  VIRTIO_VSOCK_OP_CREDIT_REQUEST },
	};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (conn->pending & order[i].pending) {
			conn->pending &= ~order[i].pending;
			return order[i].op;
		}
	}
	return 0;
}

/* Reads bytes of the host program directly into the guest's buffer. */
static size_t fill_data(struct vsock_conn *conn,
			const struct virtqueue_chain *chain)
{
	struct iovec iov[VIRTQUEUE_MAX_SEGS];
	uint32_t credit = vsock_conn_credit(conn);
	unsigned int nr;

	if (!conn->has_input || conn->state != VSOCK_OPEN)
		return 0;
	if (!credit) {
		/*
		 * The guest sends credit updates when it has read; one request
		 * is for safety.
		 */
		if (!conn->credit_requested)
			conn->pending |= VSOCK_PENDING_CREDIT_REQUEST;
		conn->credit_requested = true;
		return 0;
	}
	conn->credit_requested = false;
	nr = iov_slice(chain->iov + chain->nr_out, chain->nr_in,
		       sizeof(struct virtio_vsock_hdr), VSOCK_BUF_BYTES, iov, NULL);
	return vsock_conn_recv(conn, iov, nr, credit);
}

/* Whether another packet can follow at once. */
static bool more_to_send(const struct vsock_conn *conn)
{
	return conn->pending || (conn->has_input && conn->state == VSOCK_OPEN &&
			      vsock_conn_credit(conn));
}

/*
 * Sends one packet of the first connection in the queue.  False: it had nothing
 * to send after all.  May free the connection.
 */
static bool next_packet(struct virtio_vsock *vs,
			const struct virtqueue_chain *chain,
			struct virtio_vsock_hdr *hdr)
{
	struct vsock_conn *conn = TAILQ_FIRST(&vs->turns);
	uint32_t flags = 0, len = 0;
	uint16_t op;

	TAILQ_REMOVE(&vs->turns, conn, turn);
	conn->waiting = false;
	op = urgent_op(conn);
	if (!op) {
		len = fill_data(conn, chain);
		if (len) {
			op = VIRTIO_VSOCK_OP_RW;
		} else if (conn->pending & VSOCK_PENDING_SHUTDOWN) {
			conn->pending &= ~VSOCK_PENDING_SHUTDOWN;
			flags = vsock_conn_shutdown_flags(conn);
			op = VIRTIO_VSOCK_OP_SHUTDOWN;
		} else {
			op = urgent_op(conn); /* a credit request */
		}
	}
	if (op) {
		*hdr = make_hdr(vs, op, conn->guest_port, conn->host_port);
		hdr->len = htole32(len);
		hdr->flags = htole32(flags);
		hdr->fwd_cnt = htole32(conn->fwd_cnt);
		conn->fwd_sent = conn->fwd_cnt;
	}
	if (op == VIRTIO_VSOCK_OP_RST)
		vsock_conn_free(conn);
	else if (more_to_send(conn))
		vsock_conn_wait_turn(conn, 0);
	return op;
}

bool vsock_send_to_guest(struct virtio_vsock *vs)
{
	struct virtqueue *vq = &vs->dev.queues[VSOCK_RX];
	struct virtqueue_chain chain;
	struct virtio_vsock_hdr hdr;
	int rc = 0;

	if (!virtio_device_queue_ok(&vs->dev, VSOCK_RX))
		return false;
	virtqueue_forbid_notify(vq);
	while (vs->dev.turn_left &&
	       (vs->nr_resets || !TAILQ_EMPTY(&vs->turns))) {
		virtio_device_charge(&vs->dev, VIRTIO_COST_REQUEST);
		rc = virtqueue_pop(vq, &chain);
		if (!rc) {
			if (virtqueue_allow_notify(vq))
				continue;
			break;
		}
		if (rc > 0 && chain.in_bytes <= sizeof(hdr))
			rc = virtqueue_break(vq, "a receive buffer that is too "
					     "small");
		if (rc < 0)
			break;
		if (!next_reset(vs, &hdr) && !next_packet(vs, &chain, &hdr)) {
			virtqueue_unpop(vq);
			continue;
		}
		virtio_device_charge(&vs->dev,
				     le32toh(hdr.len) / VMM_PAGE_SIZE);
		virtqueue_copy_in(&chain, 0, &hdr, sizeof(hdr));
		virtqueue_push(vq, &chain, sizeof(hdr) + le32toh(hdr.len));
	}
	virtio_device_signal_used(&vs->dev, VSOCK_RX);
	if (rc < 0)
		virtio_device_needs_reset(&vs->dev);
	return !vs->dev.turn_left;
}
