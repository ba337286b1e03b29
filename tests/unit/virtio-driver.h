/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small virtio driver for tests of devices: it programs the registers of a
 * real VM's bus, as the guest's vCPUs would, and runs the VM's event base in
 * the calling thread, as the I/O thread would.
 */
#ifndef TESTS_UNIT_VIRTIO_DRIVER_H
#define TESTS_UNIT_VIRTIO_DRIVER_H

#include <event2/event.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <unistd.h>

#include "tests/tap.h"
#include "tests/unit/virtio-ring.h"
#include "vmm/dev/virtio.h"
#include "vmm/kvm/vm.h"
#include "vmm/util/clock.h"

#define DRIVER_QUEUES	3
#define DRIVER_RING	64
/* Guest memory: rings, then one data area a queue. */
#define DRIVER_RINGS	0x100000
#define DRIVER_DATA	0x200000
#define DRIVER_DATA_MAX 0x100000

struct driver {
	struct vm *vm;
	struct virtio_device *dev;
	struct ring ring[DRIVER_QUEUES];
};

/* Runs the event loop until cond holds; false after two minutes without. */
#define driver_wait(d, cond) ({                                             \
	uint64_t end_ = clock_now_ns() + 120 * NSEC_PER_SEC;                \
	bool held_;                                                         \
	while (!(held_ = (cond)) && clock_now_ns() < end_) {                \
		event_base_loop(vm_event_base((d)->vm), EVLOOP_NONBLOCK);   \
		usleep(50);                                                 \
	}                                                                   \
	held_;                                                              \
})

/* For what must not happen: gives it a chance to. */
#define driver_run(d) do {                                                  \
	for (int i_ = 0; i_ < 20; i_++) {                                   \
		event_base_loop(vm_event_base((d)->vm), EVLOOP_NONBLOCK);   \
		usleep(50);                                                 \
	}                                                                   \
} while (0)

__attribute__((unused)) static uint32_t driver_read(struct driver *d,
						    uint64_t reg)
{
	uint32_t v = 0;

	bus_read(vm_mmio(d->vm), d->dev->window.v + reg, &v, sizeof(v));
	return v;
}

__attribute__((unused)) static void driver_write(struct driver *d,
						 uint64_t reg, uint32_t v)
{
	bus_write(vm_mmio(d->vm), d->dev->window.v + reg, &v, sizeof(v));
}

__attribute__((unused)) static void driver_queue(struct driver *d,
						 unsigned int q)
{
	uint64_t base = DRIVER_RINGS + q * RING_BYTES;

	ring_init(&d->ring[q], vm_mem(d->vm), base, DRIVER_RING);
	driver_write(d, VIRTIO_MMIO_QUEUE_SEL, q);
	driver_write(d, VIRTIO_MMIO_QUEUE_NUM, DRIVER_RING);
	driver_write(d, VIRTIO_MMIO_QUEUE_DESC_LOW, base);
	driver_write(d, VIRTIO_MMIO_QUEUE_AVAIL_LOW, base + RING_AVAIL_OFF);
	driver_write(d, VIRTIO_MMIO_QUEUE_USED_LOW, base + RING_USED_OFF);
	driver_write(d, VIRTIO_MMIO_QUEUE_READY, 1);
}

/* Reset, features & mask, all queues, DRIVER_OK.  False: features refused. */
__attribute__((unused)) static bool driver_start(struct driver *d,
						 struct vm *vm, void *device,
						 uint64_t mask)
{
	uint32_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	d->vm = vm;
	d->dev = device;
	driver_write(d, VIRTIO_MMIO_STATUS, 0);
	driver_write(d, VIRTIO_MMIO_STATUS, status);
	for (int i = 0; i < 2; i++) {
		driver_write(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, i);
		driver_write(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, i);
		driver_write(d, VIRTIO_MMIO_DRIVER_FEATURES,
			     driver_read(d, VIRTIO_MMIO_DEVICE_FEATURES) &
			     mask >> (32 * i));
	}
	status |= VIRTIO_CONFIG_S_FEATURES_OK;
	driver_write(d, VIRTIO_MMIO_STATUS, status);
	if (driver_read(d, VIRTIO_MMIO_STATUS) != status)
		return false;
	for (unsigned int q = 0; q < d->dev->nr_queues; q++)
		driver_queue(d, q);
	driver_write(d, VIRTIO_MMIO_STATUS,
		     status | VIRTIO_CONFIG_S_DRIVER_OK);
	return true;
}

/* Without event indexes, whose suppression a polling driver need not test. */
#define DRIVER_FEATURES (~(UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX))

__attribute__((unused)) static bool driver_needs_reset(struct driver *d)
{
	return driver_read(d, VIRTIO_MMIO_STATUS) &
	       VIRTIO_CONFIG_S_NEEDS_RESET;
}

/* The data area of a queue, and its address. */
__attribute__((unused)) static char *driver_data(struct driver *d,
						 unsigned int q)
{
	return guest_mem_ptr(vm_mem(d->vm),
			     GPA(DRIVER_DATA + q * DRIVER_DATA_MAX),
			     DRIVER_DATA_MAX);
}

__attribute__((unused)) static uint64_t driver_gpa(unsigned int q)
{
	return DRIVER_DATA + q * DRIVER_DATA_MAX;
}

/*
 * One request of out_len readable and then in_len writable bytes, laid out in
 * the data area one after the other.  Returns the length given back, -1 when
 * nothing came or the device broke.
 */
__attribute__((unused)) static int64_t
driver_request(struct driver *d, unsigned int q, uint32_t out_len,
	       uint32_t in_len)
{
	struct ring *r = &d->ring[q];
	uint64_t gpa = driver_gpa(q);
	uint32_t id, len = 0;
	bool done = false;

	ring_desc(r, 0, gpa, out_len, in_len ? VRING_DESC_F_NEXT : 0, 1);
	ring_desc(r, 1, gpa + out_len, in_len, VRING_DESC_F_WRITE, 0);
	ring_offer(r, out_len ? 0 : 1);
	driver_write(d, VIRTIO_MMIO_QUEUE_NOTIFY, q);
	driver_wait(d, (done = ring_take_used(r, &id, &len)) ||
		       driver_needs_reset(d));
	return done ? (int64_t)len : -1;
}

__attribute__((unused)) static struct vm *driver_vm(void)
{
	struct vm_config config = { .name = "test", .mem_bytes = 64 << 20,
				    .nr_cpus = 1 };
	struct vm *vm;
	char why[256];

	if (access("/dev/kvm", R_OK | W_OK) < 0)
		tap_skip_all("no /dev/kvm: devices need a VM; load kvm_intel "
			     "or kvm_amd");
	if (vm_new(&vm, &config, why, sizeof(why)) < 0)
		tap_bail("vm_new: %s", why);
	return vm;
}

#endif
