/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A polled driver for virtio over MMIO, version 2 (virtio 1.2, section 4.2.2):
 * enough for one device with a few small queues of one-descriptor buffers.
 */
#ifndef TESTS_PAYLOAD_VIRTIO_H
#define TESTS_PAYLOAD_VIRTIO_H

#include "tests/payload/payload.h"

#define VIRTIO_QUEUE_SIZE 16
#define VIRTIO_ID_VSOCK 19

struct virtio_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

struct virtio_avail {
	uint16_t flags, idx, ring[VIRTIO_QUEUE_SIZE];
};

struct virtio_used {
	uint16_t flags, idx;
	struct {
		uint32_t id, len;
	} ring[VIRTIO_QUEUE_SIZE];
};

struct virtio_queue {
	uint64_t window;
	unsigned int nr;		/* its number in the device */
	struct virtio_desc *desc;
	struct virtio_avail *avail;
	struct virtio_used *used;
	uint16_t seen;			/* of used->idx */
	uint8_t *buffers[VIRTIO_QUEUE_SIZE];	/* a page each */
};

/* The register window of the first device with this id, or 0. */
uint64_t virtio_find(uint32_t device_id);
/* Resets, agrees on features (VERSION_1 only). False: the device refuses. */
bool virtio_begin(uint64_t window);
bool virtio_setup_queue(uint64_t window, unsigned int nr,
			struct virtio_queue *queue);
void virtio_ready(uint64_t window);
uint32_t virtio_config32(uint64_t window, unsigned int off);

/* Gives buffer i to the device, len bytes; device_writes: for receiving. */
void virtio_give(struct virtio_queue *queue, uint16_t i, uint32_t len,
		 bool device_writes);
void virtio_notify(struct virtio_queue *queue);
/* Whether the device has given up on its driver, until it is begun again. */
bool virtio_needs_reset(const struct virtio_queue *queue);
/* A buffer the device is done with: its number, and how much it wrote. */
bool virtio_take(struct virtio_queue *queue, uint16_t *i, uint32_t *len);

#endif
