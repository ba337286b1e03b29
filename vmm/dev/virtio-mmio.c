// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio over MMIO.  Registers below 0x100 are 32 bits wide and respond only to
 * aligned 32-bit accesses; the device's config space follows.
 */
#include "config.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#include "vmm/dev/virtio.h"
#include "vmm/dev/virtio-mmio.h"

#define MMIO_MAGIC	0x74726976	/* "virt" */
#define MMIO_VERSION	2
#define MMIO_VENDOR	0x204d4d56	/* "VMM " */

/* The queue selected by QueueSel, or NULL. */
static struct virtqueue *selected(struct virtio_device *dev)
{
	return dev->queue_sel < dev->nr_queues ? &dev->queues[dev->queue_sel] :
						 NULL;
}

static uint32_t features_word(uint64_t features, uint32_t sel)
{
	return sel < 2 ? features >> (32 * sel) : 0;
}

static uint32_t read_reg(struct virtio_device *dev, uint64_t off)
{
	struct virtqueue *vq = selected(dev);

	switch (off) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MMIO_MAGIC;
	case VIRTIO_MMIO_VERSION:
		return MMIO_VERSION;
	case VIRTIO_MMIO_DEVICE_ID:
		return dev->id;
	case VIRTIO_MMIO_VENDOR_ID:
		return MMIO_VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return features_word(dev->features, dev->features_sel);
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return vq ? VIRTQUEUE_MAX_NUM : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return vq && vq->ready;
	case VIRTIO_MMIO_STATUS:
		return dev->status;
	case VIRTIO_MMIO_CONFIG_GENERATION:
		return dev->config_generation;
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		return UINT32_MAX; /* no shared memory region */
	default:
		return 0;
	}
}

static void mmio_read(void *arg, uint64_t off, void *data, unsigned int len)
{
	struct virtio_device *dev = arg;
	uint32_t v;

	memset(data, 0, len);
	if (off >= VIRTIO_MMIO_CONFIG) {
		off -= VIRTIO_MMIO_CONFIG;
		virtio_device_lock(dev);
		if (off < dev->config_bytes && len <= dev->config_bytes - off)
			memcpy(data, (char *)dev->config + off, len);
		virtio_device_unlock(dev);
		return;
	}
	if (len != 4 || off % 4)
		return;
	if (off == VIRTIO_MMIO_INTERRUPT_STATUS) {
		/* Interrupt path: must not wait for a busy device. */
		v = __atomic_load_n(&dev->isr, __ATOMIC_SEQ_CST);
	} else {
		virtio_device_lock(dev);
		v = read_reg(dev, off);
		virtio_device_unlock(dev);
	}
	memcpy(data, &v, sizeof(v));
}

static void set_low(gpa_t *gpa, uint32_t v)
{
	gpa->v = (gpa->v & ~UINT64_C(0xffffffff)) | v;
}

static void set_high(gpa_t *gpa, uint32_t v)
{
	gpa->v = (gpa->v & 0xffffffff) | (uint64_t)v << 32;
}

/* Size and addresses can be written only while the queue is not ready. */
static void write_queue_reg(struct virtqueue *vq, uint64_t off, uint32_t v)
{
	switch (off) {
	case VIRTIO_MMIO_QUEUE_NUM:
		/*
		 * A value over 16 bits is refused when the queue is made ready.
		 */
		vq->num = v > UINT16_MAX ? 0 : v;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
		set_low(&vq->desc_gpa, v);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_high(&vq->desc_gpa, v);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
		set_low(&vq->avail_gpa, v);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_high(&vq->avail_gpa, v);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
		set_low(&vq->used_gpa, v);
		break;
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_high(&vq->used_gpa, v);
		break;
	}
}

static void write_driver_features(struct virtio_device *dev, uint32_t v)
{
	unsigned int shift = 32 * dev->driver_features_sel;

	if (dev->driver_features_sel > 1 ||
	    (dev->status & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	dev->driver_features &= ~(UINT64_C(0xffffffff) << shift);
	dev->driver_features |= (uint64_t)v << shift;
}

static void write_reg(struct virtio_device *dev, uint64_t off, uint32_t v)
{
	struct virtqueue *vq = selected(dev);

	switch (off) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		dev->features_sel = v;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		write_driver_features(dev, v);
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		dev->driver_features_sel = v;
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		dev->queue_sel = v;
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		if (vq)
			virtio_device_queue_ready(dev, dev->queue_sel, v & 1);
		break;
	case VIRTIO_MMIO_STATUS:
		virtio_device_set_status(dev, v & 0xff);
		break;
	default:
		if (vq && !vq->ready)
			write_queue_reg(vq, off, v);
		break;
	}
}

static void write_config(struct virtio_device *dev, uint64_t off,
			 const void *data, unsigned int len)
{
	if (off >= dev->config_bytes || len > dev->config_bytes - off)
		return;
	if (dev->ops->config_write)
		dev->ops->config_write(dev, off, data, len);
}

static void mmio_write(void *arg, uint64_t off, const void *data,
		       unsigned int len)
{
	struct virtio_device *dev = arg;
	uint32_t v;

	if (off >= VIRTIO_MMIO_CONFIG) {
		virtio_device_lock(dev);
		write_config(dev, off - VIRTIO_MMIO_CONFIG, data, len);
		virtio_device_unlock(dev);
		return;
	}
	if (len != 4 || off % 4)
		return;
	memcpy(&v, data, sizeof(v));
	switch (off) {
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		if (v < dev->nr_queues)
			virtio_device_schedule(dev, v);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		__atomic_fetch_and(&dev->isr, ~v, __ATOMIC_SEQ_CST);
		break;
	default:
		virtio_device_lock(dev);
		write_reg(dev, off, v);
		virtio_device_unlock(dev);
		break;
	}
}

const struct bus_ops virtio_mmio_ops = {
	.read = mmio_read,
	.write = mmio_write,
};
