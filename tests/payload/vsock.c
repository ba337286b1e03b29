// SPDX-License-Identifier: GPL-2.0-or-later
/* One stream connection to the host over virtio-vsock, polled. */
#include "tests/payload/virtio.h"
#include "tests/payload/vsock.h"

#define HOST_CID	2
#define OUR_PORT	1024
#define TYPE_STREAM	1
#define INBOX_BYTES	16384
#define WAIT_MS		5000

enum op {
	OP_REQUEST = 1, OP_RESPONSE, OP_RST, OP_SHUTDOWN, OP_RW,
	OP_CREDIT_UPDATE, OP_CREDIT_REQUEST,
};

enum queue { RX, TX, EVENT, NR_QUEUES };

struct header {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port, len;
	uint16_t type, op;
	uint32_t flags, buf_alloc, fwd_cnt;
} __attribute__((packed));

#define PACKET_DATA (PAGE_BYTES - sizeof(struct header))

static struct virtio_queue queues[NR_QUEUES];
static uint64_t our_cid;
static uint32_t host_port;
static enum { CLOSED, CONNECTING, OPEN } state;
static uint16_t nr_tx_free, tx_free[VIRTIO_QUEUE_SIZE];
static uint32_t sent, peer_buf_alloc, peer_fwd_cnt;
static uint8_t inbox[INBOX_BYTES];
static uint32_t received, consumed, told;	/* bytes, wrapping */

static void reclaim_tx(void)
{
	uint32_t len;
	uint16_t i;

	while (virtio_take(&queues[TX], &i, &len))
		tx_free[nr_tx_free++] = i;
}

static bool send_packet(enum op op, const void *data, uint32_t len)
{
	uint64_t limit = rdtsc() + clock_ms_to_tsc(WAIT_MS);
	struct header *hdr;
	uint16_t i;

	for (reclaim_tx(); !nr_tx_free; reclaim_tx()) {
		if (rdtsc() > limit)
			return false;
		cpu_relax();
	}
	i = tx_free[--nr_tx_free];
	hdr = (struct header *)queues[TX].buffers[i];
	*hdr = (struct header){
		.src_cid = our_cid, .dst_cid = HOST_CID,
		.src_port = OUR_PORT, .dst_port = host_port, .len = len,
		.type = TYPE_STREAM, .op = (uint16_t)op,
		.buf_alloc = INBOX_BYTES, .fwd_cnt = consumed,
	};
	memcpy(hdr + 1, data, len);
	told = consumed;
	virtio_give(&queues[TX], i, (uint32_t)sizeof(*hdr) + len, false);
	virtio_notify(&queues[TX]);
	return true;
}

static void take_data(const struct header *hdr, const uint8_t *data)
{
	if (hdr->len > PACKET_DATA ||
	    hdr->len > INBOX_BYTES - (received - consumed)) {
		/* Beyond the credit we gave. */
		send_packet(OP_RST, NULL, 0);
		state = CLOSED;
		return;
	}
	for (uint32_t k = 0; k < hdr->len; k++)
		inbox[(received + k) % INBOX_BYTES] = data[k];
	received += hdr->len;
}

static void take_packet(const struct header *hdr)
{
	if (hdr->dst_port != OUR_PORT || hdr->src_port != host_port)
		return;
	peer_buf_alloc = hdr->buf_alloc;
	peer_fwd_cnt = hdr->fwd_cnt;
	switch (hdr->op) {
	case OP_RESPONSE:
		if (state == CONNECTING)
			state = OPEN;
		break;
	case OP_RW:
		take_data(hdr, (const uint8_t *)(hdr + 1));
		break;
	case OP_CREDIT_REQUEST:
		send_packet(OP_CREDIT_UPDATE, NULL, 0);
		break;
	case OP_SHUTDOWN:
		send_packet(OP_RST, NULL, 0);
		state = CLOSED;
		break;
	case OP_RST:
		state = CLOSED;
		break;
	default:
		break;
	}
}

static void poll(void)
{
	bool given = false;
	uint32_t len;
	uint16_t i;

	while (virtio_take(&queues[RX], &i, &len)) {
		if (len >= sizeof(struct header))
			take_packet((struct header *)queues[RX].buffers[i]);
		virtio_give(&queues[RX], i, PAGE_BYTES, true);
		given = true;
	}
	if (given)
		virtio_notify(&queues[RX]);
}

static const char *open_device(void)
{
	uint64_t window = virtio_find(VIRTIO_ID_VSOCK);

	if (!window)
		return "no-vsock-device";
	if (!virtio_begin(window))
		return "the-vsock-device-refuses-our-features";
	for (unsigned int q = 0; q < NR_QUEUES; q++)
		if (!virtio_setup_queue(window, q, &queues[q]))
			return "the-vsock-queues-cannot-be-set-up";
	our_cid = virtio_config32(window, 0) |
		  (uint64_t)virtio_config32(window, 4) << 32;
	virtio_ready(window);
	for (uint16_t i = 0; i < VIRTIO_QUEUE_SIZE; i++) {
		virtio_give(&queues[RX], i, PAGE_BYTES, true);
		tx_free[nr_tx_free++] = i;
	}
	virtio_notify(&queues[RX]);
	return NULL;
}

const char *vsock_connect(uint32_t port)
{
	uint64_t limit = rdtsc() + clock_ms_to_tsc(WAIT_MS);
	const char *why = open_device();

	if (why)
		return why;
	host_port = port;
	state = CONNECTING;
	if (!send_packet(OP_REQUEST, NULL, 0))
		return "the-vsock-device-takes-no-packet";
	while (state == CONNECTING) {
		if (rdtsc() > limit)
			return "nobody-answers";
		poll();
		cpu_relax();
	}
	return state == OPEN ? NULL : "the-host-refuses-the-connection";
}

bool vsock_send(const void *data, size_t len)
{
	const uint8_t *from = data;
	uint64_t limit = rdtsc() + clock_ms_to_tsc(WAIT_MS);

	while (len && state == OPEN) {
		uint32_t room = peer_buf_alloc - (sent - peer_fwd_cnt);
		uint32_t take = PACKET_DATA;

		poll();
		if (rdtsc() > limit)
			return false;
		if (take > len)
			take = (uint32_t)len;
		if (take > room)
			take = room;
		if (!take) {
			cpu_relax();
			continue;
		}
		if (!send_packet(OP_RW, from, take))
			return false;
		sent += take;
		from += take;
		len -= take;
	}
	return !len;
}

size_t vsock_recv(void *buf, size_t len)
{
	uint8_t *to = buf;
	size_t nr = 0;

	poll();
	while (nr < len && consumed != received)
		to[nr++] = inbox[consumed++ % INBOX_BYTES];
	if (state == OPEN && consumed - told > INBOX_BYTES / 2)
		send_packet(OP_CREDIT_UPDATE, NULL, 0);
	return nr;
}

bool vsock_is_open(void)
{
	return state == OPEN;
}
