// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/dev/virtio.h"
#include "vmm/dev/virtio-mmio.h"
#include "vmm/kvm/vm.h"
#include "vmm/util/error-text.h"

bool virtio_device_running(const struct virtio_device *dev)
{
	return (dev->status & VIRTIO_CONFIG_S_DRIVER_OK) &&
	       !(dev->status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

bool virtio_device_queue_ok(const struct virtio_device *dev, unsigned int q)
{
	return virtio_device_running(dev) && dev->queues[q].ready &&
	       !dev->queues[q].broken;
}

/*
 * This fails only if the counter would overflow, and then it is signalled
 * already.
 */
static void eventfd_signal(int fd)
{
	if (eventfd_write(fd, 1) < 0)
		return;
}

static void raise_interrupt(struct virtio_device *dev, uint32_t bit)
{
	/* Pairs with the driver's read of InterruptStatus on the edge. */
	__atomic_fetch_or(&dev->isr, bit, __ATOMIC_SEQ_CST);
	eventfd_signal(dev->irq_fd);
}

void virtio_device_signal_used(struct virtio_device *dev, unsigned int q)
{
	struct virtqueue *vq = &dev->queues[q];

	if (vq->ready && virtqueue_wants_interrupt(vq))
		raise_interrupt(dev, VIRTIO_MMIO_INT_VRING);
}

void virtio_device_config_changed(struct virtio_device *dev)
{
	dev->config_generation++;
	if (virtio_device_running(dev))
		raise_interrupt(dev, VIRTIO_MMIO_INT_CONFIG);
}

void virtio_device_needs_reset(struct virtio_device *dev)
{
	bool has_driver = dev->status & VIRTIO_CONFIG_S_DRIVER_OK;

	dev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (has_driver)
		raise_interrupt(dev, VIRTIO_MMIO_INT_CONFIG);
}

void virtio_device_schedule(struct virtio_device *dev, unsigned int q)
{
	eventfd_signal(dev->kick_fd[q]);
}

bool virtio_device_drain(struct virtio_device *dev, unsigned int q,
			 int64_t (*handle)(struct virtio_device *dev,
					   struct virtqueue_chain *chain))
{
	struct virtqueue *vq = &dev->queues[q];
	struct virtqueue_chain chain;
	int rc = 0;

	do {
		virtqueue_forbid_notify(vq);
		/*
		 * Charge this too, for a guest that moves avail->idx back and
		 * forth.
		 */
		virtio_device_charge(dev, 1);
		while (dev->turn_left && (rc = virtqueue_pop(vq, &chain)) > 0) {
			int64_t written;

			virtio_device_charge(dev, VIRTIO_COST_REQUEST);
			written = handle(dev, &chain);
			if (written == -EAGAIN || written == -EINPROGRESS) {
				virtqueue_unpop(vq);
				virtio_device_signal_used(dev, q);
				return written == -EINPROGRESS;
			}
			if (written < 0) {
				rc = virtqueue_break(vq, "a malformed request");
				break;
			}
			virtqueue_push(vq, &chain, written);
		}
	} while (dev->turn_left && rc >= 0 && virtqueue_allow_notify(vq));
	virtio_device_signal_used(dev, q);
	if (rc < 0)
		virtio_device_needs_reset(dev);
	return rc >= 0 && !dev->turn_left;
}

static void stop_queue(struct virtio_device *dev, unsigned int q)
{
	if (q == dev->nr_queues) {
		for (unsigned int i = 0; i < dev->nr_queues; i++)
			virtqueue_stop(&dev->queues[i]);
	} else {
		virtqueue_stop(&dev->queues[q]);
	}
	if (dev->ops->stop)
		dev->ops->stop(dev, q);
}

static void reset(struct virtio_device *dev)
{
	dev->status = 0;
	stop_queue(dev, dev->nr_queues);
	for (unsigned int i = 0; i < dev->nr_queues; i++)
		virtqueue_reset(&dev->queues[i]);
	dev->status = 0;
	dev->driver_features = 0;
	dev->features_sel = dev->driver_features_sel = dev->queue_sel = 0;
	__atomic_store_n(&dev->isr, 0, __ATOMIC_SEQ_CST);
}

/*
 * FEATURES_OK stays set only if a modern driver chose a subset of our features.
 */
static bool features_ok(const struct virtio_device *dev)
{
	return !(dev->driver_features & ~dev->features) &&
	       virtio_device_has(dev, VIRTIO_F_VERSION_1);
}

void virtio_device_set_status(struct virtio_device *dev, uint32_t status)
{
	uint32_t set = status & ~dev->status;

	if (!status) {
		reset(dev);
		return;
	}
	if ((set & VIRTIO_CONFIG_S_FEATURES_OK) && !features_ok(dev))
		set &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	if ((set & VIRTIO_CONFIG_S_DRIVER_OK) &&
	    !((dev->status | set) & VIRTIO_CONFIG_S_FEATURES_OK))
		set &= ~VIRTIO_CONFIG_S_DRIVER_OK;
	set &= ~VIRTIO_CONFIG_S_NEEDS_RESET; /* only the device sets it */
	dev->status |= set;
	if ((set & VIRTIO_CONFIG_S_DRIVER_OK) && dev->ops->start)
		dev->ops->start(dev);
}

void virtio_device_queue_ready(struct virtio_device *dev, unsigned int q,
			       bool ready)
{
	struct virtqueue *vq = &dev->queues[q];

	if (ready == vq->ready)
		return;
	if (!ready) {
		stop_queue(dev, q);
		return;
	}
	vq->event_idx = virtio_device_has(dev, VIRTIO_RING_F_EVENT_IDX);
	if (virtqueue_start(vq) < 0)
		log_limited(&vq->limit, LOG_LEVEL_WARN,
			    "%s: the guest's driver set up queue %u with an "
			    "invalid size or address; the queue stays disabled",
			    dev->name, q);
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct virtio_device *dev = arg;
	eventfd_t count;
	unsigned int q = 0;

	while (dev->kick_fd[q] != fd)
		q++;
	if (eventfd_read(fd, &count) < 0)
		return;
	/* vm_wait() joins vCPUs, which may be waiting for the device's lock. */
	if (vm_stopping(dev->vm))
		return;
	virtio_device_lock(dev);
	virtio_device_begin_turn(dev);
	if (virtio_device_queue_ok(dev, q) && dev->ops->serve(dev, q))
		virtio_device_schedule(dev, q);
	virtio_device_unlock(dev);
}

static int add_queue(struct virtio_device *dev, unsigned int q)
{
	dev->kick_fd[q] = eventfd(0, EFD_CLOEXEC |
				     (dev->own_thread ? 0 : EFD_NONBLOCK));
	if (dev->kick_fd[q] < 0)
		return -errno;
	if (dev->own_thread)
		return 0;
	dev->kick[q] = event_new(vm_event_base(dev->vm), dev->kick_fd[q],
				 EV_READ | EV_PERSIST, on_kick, dev);
	if (!dev->kick[q] || event_add(dev->kick[q], NULL) < 0)
		return -ENOMEM;
	return 0;
}

static int add_irq(struct virtio_device *dev)
{
	int gsi = vm_alloc_gsi(dev->vm);

	if (gsi < 0)
		return gsi;
	dev->gsi = gsi;
	dev->irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (dev->irq_fd < 0)
		return -errno;
	return vm_irqfd(dev->vm, dev->gsi, dev->irq_fd);
}

static int add_window(struct virtio_device *dev)
{
	dev->window = vm_alloc_virtio_window(dev->vm, dev->gsi);
	if (!dev->window.v)
		return -ENOSPC;
	for (unsigned int q = 0; q < dev->nr_queues; q++) {
		/*
		 * Without an ioeventfd the register write does the same,
		 * slower.
		 */
		int rc = vm_ioeventfd(dev->vm,
				      GPA(dev->window.v +
					  VIRTIO_MMIO_QUEUE_NOTIFY),
				      q, dev->kick_fd[q]);

		if (rc < 0)
			log_debug("%s: cannot register an ioeventfd: %s",
				  dev->name,
				  error_text(-rc));
	}
	return bus_add(vm_mmio(dev->vm), dev->window.v, VM_VIRTIO_WINDOW_BYTES,
		       dev->name, &virtio_mmio_ops, dev);
}

void *virtio_device_alloc(size_t bytes, char *why, size_t len)
{
	void *dev = calloc(1, bytes);

	if (!dev)
		snprintf(why, len, "not enough memory for a device");
	return dev;
}

int virtio_device_add(struct virtio_device *dev, struct vm *vm, char *why,
		      size_t len)
{
	const char *step = "create its eventfds";
	int rc = 0;

	dev->vm = vm;
	dev->mem = vm_mem(vm);
	dev->features |= UINT64_C(1) << VIRTIO_F_VERSION_1 |
			 UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC |
			 UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX;
	dev->irq_fd = -1;
	for (unsigned int q = 0; q < VIRTIO_MAX_QUEUES; q++)
		dev->kick_fd[q] = -1;
	pthread_mutex_init(&dev->turnstile, NULL);
	pthread_mutex_init(&dev->lock, NULL);
	for (unsigned int q = 0; q < dev->nr_queues && !rc; q++) {
		dev->queues[q].mem = dev->mem;
		dev->queues[q].name = dev->name;
		rc = add_queue(dev, q);
	}
	if (!rc) {
		step = "get an interrupt; use fewer devices";
		rc = add_irq(dev);
	}
	if (!rc) {
		step = "get an MMIO window; use fewer devices";
		rc = add_window(dev);
	}
	if (rc < 0) {
		snprintf(why, len, "%s cannot %s: %s", dev->name, step,
			 error_text(-rc));
		virtio_device_remove(dev);
	}
	return rc;
}

void virtio_device_remove(struct virtio_device *dev)
{
	for (unsigned int q = 0; q < VIRTIO_MAX_QUEUES; q++) {
		if (dev->kick[q])
			event_free(dev->kick[q]);
		if (dev->kick_fd[q] >= 0)
			close(dev->kick_fd[q]);
	}
	if (dev->irq_fd >= 0)
		close(dev->irq_fd);
	pthread_mutex_destroy(&dev->lock);
	pthread_mutex_destroy(&dev->turnstile);
}
