// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hostile guests.  Their requests are the longest that devices accept, with
 * buffers that refer to the same memory again and again.
 */
#include "guest-agent/protocol.h"
#include "tests/payload/hostile.h"
#include "tests/payload/request.h"

#define WINDOWS		UINT64_C(0xd0000000)
#define NR_WINDOWS	16
#define REG_NOTIFY	0x50

#define ID_NET		1
#define ID_BLOCK	2
#define ID_RNG		4
#define ID_BALLOON	5

#define MIB		(UINT64_C(1) << 20)
#define COM1		0x3f8
#define VSOCK_HDR	44
#define VSOCK_STREAM	1
#define VSOCK_REQUEST	1
#define VSOCK_RW	5
#define VSOCK_PORT	1024	/* a unix socket's */
#define NR_CONNECTS	1020

static uint64_t base;			/* of memory for buffers, contiguous */
static uint64_t base_bytes;

/* --- balloon --------------------------------------------------------------- */

/* All of it but the list itself, each frame apart from the one before. */
static const char *inflate(const struct region *scratch, uint64_t end)
{
	uint64_t list_pages = scratch->nr / 512 + 1;
	static struct request r[3];
	uint32_t *list = (uint32_t *)base;
	const char *why = request_open(ID_BALLOON, 3, r);
	uint64_t nr = 0, half, bytes;

	if (why)
		return why;
	half = (scratch->nr - list_pages) / 2;
	for (uint64_t odd = 0; odd < 2; odd++)
		for (uint64_t i = 0; i < half; i++)
			list[nr++] = (uint32_t)region_gfn(scratch, list_pages +
							  2 * i + odd);
	for (bytes = nr * 4; bytes && r[0].nr < REQUEST_MAX_SEGS; ) {
		uint64_t len = (nr * 4 / REQUEST_MAX_SEGS + 8) & ~UINT64_C(3);

		if (len > bytes)
			len = bytes;
		request_add(&r[0], base + nr * 4 - bytes, len, false);
		bytes -= len;
	}
	request_flood_until(&r[0], end);
	return NULL;
}

/* 256 buffers that are all of it together, while it is used again. */
static const char *report(uint64_t end)
{
	static struct request r[3];
	const char *why = request_open(ID_BALLOON, 3, r);
	uint64_t len = base_bytes / REQUEST_MAX_SEGS & ~(PAGE_BYTES - 1);

	if (why)
		return why;
	for (unsigned int i = 0; i < REQUEST_MAX_SEGS; i++)
		request_add(&r[2], base + i * len, len, true);
	while (rdtsc() < end) {
		request_flood(&r[2]);
		for (uint64_t i = 0; i < base_bytes && rdtsc() < end;
		     i += PAGE_BYTES)
			*(volatile uint64_t *)(base + i) = i;
	}
	return NULL;
}

/* The same memory 256 times over: more than there is. */
static const char *report_again(uint64_t end)
{
	static struct request r[3];
	const char *why = request_open(ID_BALLOON, 3, r);

	if (why)
		return why;
	for (unsigned int i = 0; i < REQUEST_MAX_SEGS; i++)
		request_add(&r[2], base, base_bytes, true);
	request_flood(&r[2]);
	while (rdtsc() < end && !virtio_needs_reset(&r[2].queue))
		cpu_relax();
	json_open("refused");
	json_close();
	request_flood_until(&r[2], end);
	return NULL;
}

/* --- disk, random numbers, network ------------------------------------------ */

/* The longest request for a disk: buffers of len bytes, each step after the last. */
static const char *open_disk(struct request *r, bool write, uint64_t len,
			     uint64_t step)
{
	const char *why = request_open(ID_BLOCK, 1, r);
	uint32_t *header;

	if (why)
		return why;
	header = (uint32_t *)r->queue.buffers[0];
	header[0] = write;
	request_add(r, (uint64_t)header, 16, false);
	for (unsigned int i = 0; i < REQUEST_MAX_SEGS - 2; i++)
		request_add(r, base + i * step, len, !write);
	request_add(r, (uint64_t)r->queue.buffers[1], 1, true);
	return NULL;
}

static const char *disk(bool write, uint64_t bytes, uint64_t end)
{
	static struct request r;
	uint64_t len = bytes / (REQUEST_MAX_SEGS - 2) & ~UINT64_C(511);
	const char *why = open_disk(&r, write, len, 0);

	if (!why)
		request_flood_until(&r, end);
	return why;
}

static void touch(uint64_t addr)
{
	(void)*(volatile uint64_t *)addr;
}

static void touch_pages(uint64_t gfn, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++)
		touch((gfn + i) << PAGE_SHIFT);
}

/*
 * Until a 'q' comes in.  All that vCPU 0 may need later, its page tables and queues
 * too, is touched meanwhile, so that it can go on without memory that was evicted.
 */
static void wait_for_key(uint64_t end)
{
	struct extent image = memory_image(), pool = memory_pool();

	while (rdtsc() < end && !serial_asks_to_stop()) {
		touch_pages(image.gfn, image.nr);
		touch_pages(pool.gfn, memory_pool_used());
	}
}

/*
 * At a 'q' it writes as much memory as one request may be, which was idle until
 * then.  It does not wait for the request: at another 'q' it powers off.
 */
static const char *disk_leave(uint64_t end)
{
	static struct request r;
	uint64_t len = 64 * MIB / (REQUEST_MAX_SEGS - 2) & ~UINT64_C(511);
	const char *why = base_bytes < 64 * MIB ?
		"less-than-64-MiB-of-memory-to-write" :
		open_disk(&r, true, len, len);

	if (why)
		return why;
	wait_for_key(end);
	request_flood(&r);
	json_open("given");
	json_u64("bytes", len * (REQUEST_MAX_SEGS - 2));
	json_close();
	wait_for_key(end);
	return NULL;
}

static const char *huge(uint32_t id, unsigned int nr_queues, unsigned int q,
			bool writes, uint64_t end)
{
	static struct request r[2];
	const char *why = request_open(id, nr_queues, r);

	if (why)
		return why;
	for (unsigned int i = 0; i < REQUEST_MAX_SEGS; i++)
		request_add(&r[q], base, base_bytes, writes);
	request_flood_until(&r[q], end);
	return NULL;
}

static const char *frames(uint64_t end)
{
	static struct request r[2];
	const char *why = request_open(ID_NET, 2, r);

	if (why)
		return why;
	memset((void *)base, 0, 12);
	memset((void *)(base + 12), 0xff, 12);
	request_add(&r[1], base, 12 + 1514, false);
	request_flood_until(&r[1], end);
	return NULL;
}

/* --- vsock ------------------------------------------------------------------ */

struct vsock_header {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port, len;
	uint16_t type, op;
	uint32_t flags, buf_alloc, fwd_cnt;
} __attribute__((packed));

static const char *open_vsock(struct request *r, struct vsock_header **hdr)
{
	const char *why = request_open(VIRTIO_ID_VSOCK, 3, r);

	if (why)
		return why;
	*hdr = (struct vsock_header *)r[1].queue.buffers[0];
	**hdr = (struct vsock_header){
		.src_cid = virtio_config32(r[1].queue.window, 0),
		.dst_cid = 2, .type = VSOCK_STREAM, .buf_alloc = 65536,
	};
	request_add(&r[0], (uint64_t)r[0].queue.buffers[0], PAGE_BYTES, true);
	request_add(&r[1], (uint64_t)*hdr, VSOCK_HDR, false);
	return NULL;
}

/* One at a time: the header is the same memory in each. */
static void send(struct request *r, uint64_t end)
{
	struct virtio_queue *q = &r[1].queue;
	uint16_t before = q->avail->idx;

	request_finish(&r[1]);
	q->avail->ring[before % VIRTIO_QUEUE_SIZE] = 0;
	__atomic_store_n(&q->avail->idx, (uint16_t)(before + 1),
			 __ATOMIC_SEQ_CST);
	virtio_notify(q);
	while (__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) == before &&
	       rdtsc() < end)
		request_flood(&r[0]);	/* buffers for its answers */
}

static const char *connect_all(uint64_t end)
{
	static struct request r[3];
	struct vsock_header *hdr;
	const char *why = open_vsock(r, &hdr);

	if (why)
		return why;
	for (uint32_t port = 2000; rdtsc() < end; port++) {
		hdr->op = VSOCK_REQUEST;
		hdr->src_port = port;
		hdr->dst_port = port % 4 ? VSOCK_PORT : VMM_AGENT_VSOCK_PORT;
		if (port < 2000 + NR_CONNECTS)
			send(r, end);
		else
			request_flood(&r[1]);
		if (port == 2000 + NR_CONNECTS) {
			json_open("connected");
			json_u64("asked", NR_CONNECTS);
			json_close();
		}
	}
	return NULL;
}

static const char *empty_packets(uint64_t end)
{
	static struct request r[3];
	struct vsock_header *hdr;
	const char *why = open_vsock(r, &hdr);

	if (why)
		return why;
	hdr->op = VSOCK_REQUEST;
	hdr->src_port = 2000;
	hdr->dst_port = VSOCK_PORT;
	send(r, end);
	hdr->op = VSOCK_RW;
	while (rdtsc() < end) {
		request_flood(&r[1]);
		request_flood(&r[0]);
	}
	return NULL;
}

/* --- no queue at all -------------------------------------------------------- */

static const char *notify_all(uint64_t end)
{
	static struct request r;
	const char *why = request_open(ID_RNG, 1, &r);

	while (!why && rdtsc() < end)
		for (uint64_t w = 0; w < NR_WINDOWS; w++)
			for (uint32_t q = 0; q < 3; q++)
				__asm__ volatile(
					"movl %0, (%1)"
					: : "a"(q), "r"(WINDOWS + w * 0x1000 +
							REG_NOTIFY)
					: "memory");
	return why;
}

/* Whatever the line status says. */
static const char *print(uint64_t end)
{
	while (rdtsc() < end) {
		const char *from = (const char *)base;
		uint64_t len = 4096;

		__asm__ volatile("rep outsb" : "+S"(from), "+c"(len)
				 : "d"(COM1) : "memory");
	}
	return NULL;
}

const char *hostile_run(enum hostile kind, const struct region *scratch,
			uint64_t end)
{
	base = region_gfn(scratch, 0) << PAGE_SHIFT;
	base_bytes = scratch->extents[0].nr << PAGE_SHIFT;
	switch (kind) {
	case HOSTILE_INFLATE:
		return inflate(scratch, end);
	case HOSTILE_REPORT:
		return report(end);
	case HOSTILE_REPORT_AGAIN:
		return report_again(end);
	case HOSTILE_DISK_READ:
		return disk(false, base_bytes * (REQUEST_MAX_SEGS - 2), end);
	case HOSTILE_DISK_WRITE:
		return disk(true, base_bytes * (REQUEST_MAX_SEGS - 2), end);
	case HOSTILE_DISK_BUSY:
		return disk(true, 64 * MIB, end);
	case HOSTILE_DISK_LEAVE:
		return disk_leave(end);
	case HOSTILE_RANDOM:
		return huge(ID_RNG, 1, 0, true, end);
	case HOSTILE_FRAMES:
		return frames(end);
	case HOSTILE_FRAME:
		return huge(ID_NET, 2, 1, false, end);
	case HOSTILE_CONNECT:
		return connect_all(end);
	case HOSTILE_EMPTY:
		return empty_packets(end);
	case HOSTILE_NOTIFY:
		return notify_all(end);
	case HOSTILE_PRINT:
		return print(end);
	case HOSTILE_NOT:
		break;
	}
	return NULL;
}
