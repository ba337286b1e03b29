/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests of any number of buffers, for virtio devices of any kind: a chain in
 * an indirect table, and all entries of the ring are that one request.
 */
#ifndef TESTS_PAYLOAD_REQUEST_H
#define TESTS_PAYLOAD_REQUEST_H

#include "tests/payload/virtio.h"

#define REQUEST_MAX_SEGS	256	/* what devices accept */

struct request {
	struct virtio_queue queue;
	struct virtio_desc *table;	/* REQUEST_MAX_SEGS */
	unsigned int nr;		/* buffers in it */
};

/*
 * Begins the first device with this id: an empty request for each of its nr
 * queues.  NULL, or why it could not.
 */
const char *request_open(uint32_t id, unsigned int nr,
			 struct request *requests);
/* Another buffer; writes: by the device. */
void request_add(struct request *r, uint64_t addr, uint64_t len, bool writes);
/* The last buffer was added: descriptor 0 of the queue is the request. */
void request_finish(struct request *r);
/* Finishes it; gives it in all entries of the ring, and as often as it is taken. */
void request_flood(struct request *r);
void request_flood_until(struct request *r, uint64_t end);

#endif
