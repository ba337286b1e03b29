/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Port and MMIO buses: map the address of a vCPU exit to its device.
 *
 * Locking: bus_add() before the first vCPU runs; lookups are lock-free.
 * Handlers are called from vCPU threads, several at once: devices do their own
 * locking.
 */
#ifndef VMM_KVM_BUS_H
#define VMM_KVM_BUS_H

#include <stdbool.h>
#include <stdint.h>

struct bus_ops {
	/* off: from the start of the range.  len: 1, 2, 4 or 8. */
	void (*read)(void *dev, uint64_t off, void *data, unsigned int len);
	void (*write)(void *dev, uint64_t off, const void *data,
		      unsigned int len);
};

struct bus;

struct bus *bus_new(void);
void bus_free(struct bus *bus);
/*
 * 0; -EEXIST: it overlaps another range; -EINVAL; -ENOMEM.  name is for
 * messages and is not copied.
 */
int bus_add(struct bus *bus, uint64_t base, uint64_t len, const char *name,
	    const struct bus_ops *ops, void *dev);
/*
 * False if no device has the address; a read then returns all ones.  An access
 * that crosses the end of a device's range belongs to no device.
 */
bool bus_read(struct bus *bus, uint64_t addr, void *data, unsigned int len);
bool bus_write(struct bus *bus, uint64_t addr, const void *data,
	       unsigned int len);

#endif
