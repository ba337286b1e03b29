// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/payload/virtio.h"

/* Where the VMM puts register windows, one after another (vmm/kvm/layout.h). */
#define WINDOWS			UINT64_C(0xd0000000)
#define WINDOW_BYTES		0x1000
#define MAX_WINDOWS		32

#define REG_MAGIC		0x000
#define REG_VERSION		0x004
#define REG_DEVICE_ID		0x008
#define REG_DRIVER_FEATURES	0x020
#define REG_DRIVER_FEATURES_SEL	0x024
#define REG_QUEUE_SEL		0x030
#define REG_QUEUE_NUM_MAX	0x034
#define REG_QUEUE_NUM		0x038
#define REG_QUEUE_READY		0x044
#define REG_QUEUE_NOTIFY	0x050
#define REG_STATUS		0x070
#define REG_QUEUE_DESC		0x080
#define REG_QUEUE_AVAIL		0x090
#define REG_QUEUE_USED		0x0a0
#define REG_CONFIG		0x100

#define MAGIC			0x74726976
#define STATUS_ACKNOWLEDGE	1
#define STATUS_DRIVER		2
#define STATUS_DRIVER_OK	4
#define STATUS_FEATURES_OK	8
#define STATUS_NEEDS_RESET	64
#define FEATURE_VERSION_1	1	/* bit 32: bit 0 of the upper word */
#define DESC_WRITE		2

static uint32_t reg_read(uint64_t window, unsigned int reg)
{
	uint32_t value;

	__asm__ volatile("movl (%1), %0"
			 : "=a"(value) : "r"(window + reg) : "memory");
	return value;
}

static void reg_write(uint64_t window, unsigned int reg, uint32_t value)
{
	__asm__ volatile("movl %0, (%1)"
			 : : "a"(value), "r"(window + reg) : "memory");
}

static void reg_write64(uint64_t window, unsigned int reg, const void *p)
{
	reg_write(window, reg, (uint32_t)(uintptr_t)p);
	reg_write(window, reg + 4, (uint32_t)((uintptr_t)p >> 32));
}

uint64_t virtio_find(uint32_t device_id)
{
	uint64_t window = WINDOWS;

	for (int i = 0; i < MAX_WINDOWS; i++, window += WINDOW_BYTES)
		if (reg_read(window, REG_MAGIC) == MAGIC &&
		    reg_read(window, REG_VERSION) == 2 &&
		    reg_read(window, REG_DEVICE_ID) == device_id)
			return window;
	return 0;
}

bool virtio_begin(uint64_t window)
{
	uint32_t status = STATUS_ACKNOWLEDGE | STATUS_DRIVER;

	reg_write(window, REG_STATUS, 0);
	reg_write(window, REG_STATUS, status);
	reg_write(window, REG_DRIVER_FEATURES_SEL, 0);
	reg_write(window, REG_DRIVER_FEATURES, 0);
	reg_write(window, REG_DRIVER_FEATURES_SEL, 1);
	reg_write(window, REG_DRIVER_FEATURES, FEATURE_VERSION_1);
	reg_write(window, REG_STATUS, status | STATUS_FEATURES_OK);
	return reg_read(window, REG_STATUS) & STATUS_FEATURES_OK;
}

bool virtio_setup_queue(uint64_t window, unsigned int nr,
			struct virtio_queue *queue)
{
	uint8_t *page = (uint8_t *)memory_alloc_run(1);

	*queue = (struct virtio_queue){
		.window = window, .nr = nr,
		.desc = (struct virtio_desc *)page,
		.avail = (struct virtio_avail *)(page + 1024),
		.used = (struct virtio_used *)(page + 2048),
	};
	reg_write(window, REG_QUEUE_SEL, nr);
	if (!page || reg_read(window, REG_QUEUE_NUM_MAX) < VIRTIO_QUEUE_SIZE)
		return false;
	for (int i = 0; i < VIRTIO_QUEUE_SIZE; i++) {
		queue->buffers[i] = (uint8_t *)memory_alloc_run(1);
		if (!queue->buffers[i])
			return false;
	}
	reg_write(window, REG_QUEUE_NUM, VIRTIO_QUEUE_SIZE);
	reg_write64(window, REG_QUEUE_DESC, queue->desc);
	reg_write64(window, REG_QUEUE_AVAIL, queue->avail);
	reg_write64(window, REG_QUEUE_USED, queue->used);
	reg_write(window, REG_QUEUE_READY, 1);
	return reg_read(window, REG_QUEUE_READY) == 1;
}

void virtio_ready(uint64_t window)
{
	reg_write(window, REG_STATUS, reg_read(window, REG_STATUS) |
				      STATUS_DRIVER_OK);
}

uint32_t virtio_config32(uint64_t window, unsigned int off)
{
	return reg_read(window, REG_CONFIG + off);
}

void virtio_give(struct virtio_queue *queue, uint16_t i, uint32_t len,
		 bool device_writes)
{
	struct virtio_avail *avail = queue->avail;

	queue->desc[i] = (struct virtio_desc){
		.addr = (uint64_t)queue->buffers[i], .len = len,
		.flags = device_writes ? DESC_WRITE : 0,
	};
	avail->ring[avail->idx % VIRTIO_QUEUE_SIZE] = i;
	/* Pairs with the device's read of idx. */
	__atomic_store_n(&avail->idx, (uint16_t)(avail->idx + 1),
			 __ATOMIC_SEQ_CST);
}

void virtio_notify(struct virtio_queue *queue)
{
	reg_write(queue->window, REG_QUEUE_NOTIFY, queue->nr);
}

bool virtio_needs_reset(const struct virtio_queue *queue)
{
	return reg_read(queue->window, REG_STATUS) & STATUS_NEEDS_RESET;
}

bool virtio_take(struct virtio_queue *queue, uint16_t *i, uint32_t *len)
{
	unsigned int at = queue->seen % VIRTIO_QUEUE_SIZE;

	/* Pairs with the device's write of idx. */
	if (__atomic_load_n(&queue->used->idx, __ATOMIC_ACQUIRE) ==
	    queue->seen)
		return false;
	*i = (uint16_t)(queue->used->ring[at].id % VIRTIO_QUEUE_SIZE);
	*len = queue->used->ring[at].len;
	queue->seen++;
	return true;
}
