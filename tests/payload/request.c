// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/payload/request.h"

#define DESC_NEXT	1
#define DESC_WRITE	2
#define DESC_INDIRECT	4

const char *request_open(uint32_t id, unsigned int nr,
			 struct request *requests)
{
	uint64_t window = virtio_find(id);

	if (!window)
		return "no-such-device";
	if (!virtio_begin(window))
		return "the-device-refuses-our-features";
	for (unsigned int q = 0; q < nr; q++) {
		struct request *r = &requests[q];

		if (!virtio_setup_queue(window, q, &r->queue))
			return "a-queue-cannot-be-set-up";
		if (!r->table)
			r->table = (struct virtio_desc *)memory_alloc_run(1);
		r->nr = 0;
		if (!r->table)
			return "no-memory-for-a-table";
	}
	virtio_ready(window);
	return NULL;
}

void request_add(struct request *r, uint64_t addr, uint64_t len, bool writes)
{
	r->table[r->nr] = (struct virtio_desc){
		.addr = addr, .len = (uint32_t)len,
		.flags = (uint16_t)((writes ? DESC_WRITE : 0) | DESC_NEXT),
		.next = (uint16_t)(r->nr + 1),
	};
	r->nr++;
}

void request_finish(struct request *r)
{
	r->table[r->nr - 1].flags &= (uint16_t)~DESC_NEXT;
	r->queue.desc[0] = (struct virtio_desc){
		.addr = (uint64_t)r->table, .len = r->nr * 16,
		.flags = DESC_INDIRECT,
	};
}

void request_flood(struct request *r)
{
	struct virtio_queue *q = &r->queue;
	uint16_t used = __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE);

	request_finish(r);
	for (int i = 0; i < VIRTIO_QUEUE_SIZE; i++)
		q->avail->ring[i] = 0;
	__atomic_store_n(&q->avail->idx,
			 (uint16_t)(used + VIRTIO_QUEUE_SIZE),
			 __ATOMIC_SEQ_CST);
	virtio_notify(q);
}

void request_flood_until(struct request *r, uint64_t end)
{
	while (rdtsc() < end)
		request_flood(r);
}
