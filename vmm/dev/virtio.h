/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Common parts of all virtio devices: status, features, queues, interrupt, and
 * the eventfds for the driver's kicks (notifications that a queue has
 * requests).  A device embeds struct virtio_device as its first member and
 * gives it a table of operations.
 *
 * Threads: registers are accessed by vCPU threads; queues are served by the I/O
 * thread, or by the device's own thread (own_thread).  One lock per device,
 * taken by virtio_device_lock(): every operation below is called with it held.
 *
 * A kick arrives by ioeventfd if KVM supports it, else by the register write;
 * in both cases it signals the queue's eventfd, so queues are served outside
 * vCPU threads.
 */
#ifndef VMM_DEV_VIRTIO_H
#define VMM_DEV_VIRTIO_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/dev/virtqueue.h"

#define VIRTIO_MAX_QUEUES 8

/*
 * Maximum cost of one turn of the I/O thread at one queue, so that a guest that
 * never stops sending requests, or sends large ones, neither delays the other
 * devices nor keeps the lock from other threads.  The unit is a page copied or
 * discarded, some tenths of a microsecond; remaining work is done in later
 * turns, after those of the other devices.  A turn exceeds this cost by at most
 * one step of its device, which has its own bound.
 */
#define VIRTIO_TURN_COST    4096
#define VIRTIO_COST_REQUEST 16	/* of any request, whatever its contents */

struct event;
struct event_base;
struct virtio_device;
struct vm;

struct virtio_device_ops {
	/*
	 * Serves queue q, which is ready and was kicked, for at most the rest
	 * of the turn.  True: it stopped with work left, and is called again.
	 * NULL if own_thread.
	 */
	bool (*serve)(struct virtio_device *dev, unsigned int q);
	/* The driver is ready; driver_features are final.  May be NULL. */
	void (*start)(struct virtio_device *dev);
	/*
	 * Reset, or queue q was disabled (q < nr_queues).  After the return no
	 * ring or buffer may be accessed.  May release the lock to wait.  May
	 * be NULL.
	 */
	void (*stop)(struct virtio_device *dev, unsigned int q);
	/* The driver wrote len (1, 2, 4 or 8) bytes of config; may be NULL. */
	void (*config_write)(struct virtio_device *dev, size_t off,
			     const void *data, size_t len);
};

struct virtio_device {
	/* Set by the device before virtio_device_add(); constant after. */
	const struct virtio_device_ops *ops;
	const char *name;	/* not copied */
	uint32_t id;		/* VIRTIO_ID_* */
	unsigned int nr_queues;
	uint64_t features;	/* device-specific; common ones are added */
	void *config;		/* part of the device; read under lock */
	size_t config_bytes;
	bool own_thread;	/* the device's thread waits for kick_fd[] */

	struct vm *vm;		/* borrowed */
	struct guest_mem *mem;	/* borrowed */
	gpa_t window;		/* address of its registers */
	unsigned int gsi;
	int irq_fd;		/* owned; written: an edge on gsi */
	int kick_fd[VIRTIO_MAX_QUEUES];		/* owned */
	struct event *kick[VIRTIO_MAX_QUEUES];	/* owned */
	uint32_t isr;		/* register InterruptStatus; atomic */

	pthread_mutex_t turnstile;	/* see virtio_device_lock() */
	pthread_mutex_t lock;
	/* Locked by lock: */
	unsigned int turn_left;		/* in units of VIRTIO_TURN_COST */
	uint32_t status;
	uint64_t driver_features;
	uint32_t config_generation;
	uint32_t features_sel, driver_features_sel, queue_sel;
	struct virtqueue queues[VIRTIO_MAX_QUEUES];
};

/* A zeroed device of `bytes` bytes, or NULL with why set. */
void *virtio_device_alloc(size_t bytes, char *why, size_t len);

/*
 * Gives the device its interrupt, window and eventfds, and adds it to the bus.
 * 0 or -errno with the reason in why; then only the window and interrupt
 * numbers stay allocated, until the VM is freed.
 */
int virtio_device_add(struct virtio_device *dev, struct vm *vm, char *why,
		      size_t len);
/* After the VM's threads have ended. */
void virtio_device_remove(struct virtio_device *dev);

static inline bool virtio_device_has(const struct virtio_device *dev,
				     unsigned int bit)
{
	return dev->driver_features >> bit & 1;
}

/*
 * Takes the device's lock, such that a thread that takes it repeatedly does not
 * starve others: the waiter for the lock holds the turnstile, so that the
 * previous holder queues behind it.  A thread waits at most one turn for each
 * thread that is waiting already.
 */
static inline void virtio_device_lock(struct virtio_device *dev)
{
	pthread_mutex_lock(&dev->turnstile);
	pthread_mutex_lock(&dev->lock);
	pthread_mutex_unlock(&dev->turnstile);
}

static inline void virtio_device_unlock(struct virtio_device *dev)
{
	pthread_mutex_unlock(&dev->lock);
}

/* Starts a turn; work in it is charged until the turn is used up. */
static inline void virtio_device_begin_turn(struct virtio_device *dev)
{
	dev->turn_left = VIRTIO_TURN_COST;
}

static inline void virtio_device_charge(struct virtio_device *dev,
					uint64_t cost)
{
	dev->turn_left -= cost < dev->turn_left ? cost : dev->turn_left;
}

/* Whether the driver is ready and no queue is broken. */
bool virtio_device_running(const struct virtio_device *dev);
/* Whether queue q can be served. */
bool virtio_device_queue_ok(const struct virtio_device *dev, unsigned int q);

/* Interrupts the driver for requests pushed to queue q, if requested. */
void virtio_device_signal_used(struct virtio_device *dev, unsigned int q);
/* The config space changed: a new generation, and an interrupt. */
void virtio_device_config_changed(struct virtio_device *dev);
/* Tells the driver that the device needs a reset. */
void virtio_device_needs_reset(struct virtio_device *dev);
/* Schedules queue q to be served again; any thread. */
void virtio_device_schedule(struct virtio_device *dev, unsigned int q);

/*
 * The common loop of all queues: passes each request of queue q to handle(),
 * which returns the bytes it wrote; -EAGAIN to leave the request in the ring
 * and stop (the device kicks the queue when it can go on); -EINPROGRESS to get
 * the same request again in the next turn, since this one is used up (the
 * device keeps its progress; the guest may have changed the request, so all of
 * it is checked again); another -errno if the request violates the protocol.
 * Returns as ops->serve does.
 */
bool virtio_device_drain(struct virtio_device *dev, unsigned int q,
			 int64_t (*handle)(struct virtio_device *dev,
					   struct virtqueue_chain *chain));

/* A write of the status register, with all its effects. */
void virtio_device_set_status(struct virtio_device *dev, uint32_t status);
void virtio_device_queue_ready(struct virtio_device *dev, unsigned int q,
			       bool ready);

#endif
