// SPDX-License-Identifier: GPL-2.0-or-later
/* A sorted array: devices are few, and added before the guest runs. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/kvm/bus.h"

struct bus_range {
	uint64_t base, len;
	const char *name;
	const struct bus_ops *ops;
	void *dev;
};

struct bus {
	struct bus_range *ranges;	/* owned, sorted by base */
	size_t nr;
};

struct bus *bus_new(void)
{
	return calloc(1, sizeof(struct bus));
}

void bus_free(struct bus *bus)
{
	if (!bus)
		return;
	free(bus->ranges);
	free(bus);
}

int bus_add(struct bus *bus, uint64_t base, uint64_t len, const char *name,
	    const struct bus_ops *ops, void *dev)
{
	struct bus_range *bigger;
	size_t at = 0;

	if (!len || base + len < base)
		return -EINVAL;
	while (at < bus->nr && bus->ranges[at].base < base)
		at++;
	if (at && base - bus->ranges[at - 1].base < bus->ranges[at - 1].len)
		return -EEXIST;
	if (at < bus->nr && bus->ranges[at].base - base < len)
		return -EEXIST;
	bigger = realloc(bus->ranges, (bus->nr + 1) * sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	bus->ranges = bigger;
	memmove(&bigger[at + 1], &bigger[at], (bus->nr - at) * sizeof(*bigger));
	bigger[at] = (struct bus_range){ base, len, name, ops, dev };
	bus->nr++;
	return 0;
}

/* The range that has all of [addr, addr + len), or NULL. */
static const struct bus_range *find(const struct bus *bus, uint64_t addr,
				    unsigned int len)
{
	size_t low = 0, high = bus->nr;

	while (low < high) {
		size_t mid = (low + high) / 2;
		const struct bus_range *r = &bus->ranges[mid];

		if (addr < r->base)
			high = mid;
		else if (addr - r->base >= r->len)
			low = mid + 1;
		else
			return len <= r->len - (addr - r->base) ? r : NULL;
	}
	return NULL;
}

bool bus_read(struct bus *bus, uint64_t addr, void *data, unsigned int len)
{
	const struct bus_range *r = find(bus, addr, len);

	memset(data, 0xff, len);
	if (!r)
		return false;
	r->ops->read(r->dev, addr - r->base, data, len);
	return true;
}

bool bus_write(struct bus *bus, uint64_t addr, const void *data,
	       unsigned int len)
{
	const struct bus_range *r = find(bus, addr, len);

	if (!r)
		return false;
	r->ops->write(r->dev, addr - r->base, data, len);
	return true;
}
